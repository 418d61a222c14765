// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/bond"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Both kinds keep the laws, on both VPPs.

func TestLawsOfBonds(t *testing.T) {
	laws(t, bond.Bonds, nil, rapid.Custom(func(t *rapid.T) bond.Bond {
		b := bond.Bond{
			Name: kindrig.Pick(t, "name", "a", "b"), Mode: kindrig.Pick(t, "mode", bond.RoundRobin, bond.ActiveBackup, bond.XOR, bond.Broadcast, bond.LACP),
			GSO: kindrig.Pick(t, "GSO", false, true), MAC: kindrig.Pick(t, "MAC", vppnet.MAC{}, kindrig.MAC(1), kindrig.MAC(2)), ID: kindrig.Pick[uint32](t, "ID", 0, 0, 70, 71, 1<<32-2),
		}
		if b.Mode == bond.XOR || b.Mode == bond.LACP {
			b.Balance = kindrig.Pick(t, "balance", bond.L2, bond.L34, bond.L23)
		}
		b.NUMAOnly = b.Mode == bond.LACP && kindrig.Pick(t, "NUMA", false, true)
		return b
	}), nil)
}

func TestLawsOfMembers(t *testing.T) {
	base := []desiredstate.Object{
		bond.Bond{Name: "backup", Mode: bond.ActiveBackup},
		bond.Bond{Name: "lacp", Mode: bond.LACP, MAC: kindrig.MAC(9)},
		vppnet.Loopback{Name: "a"},
		vppnet.Loopback{Name: "b", MAC: kindrig.MAC(3)},
		vppnet.LinkState{Interface: "b", Up: true},
	}
	laws(t, bond.Members, base, rapid.Custom(func(t *rapid.T) bond.Member {
		m := bond.Member{Bond: kindrig.Pick(t, "bond", "backup", "lacp", theirBond), Interface: kindrig.Pick(t, "interface", "a", "b")}
		switch m.Bond {
		case "backup":
			m.Weight = kindrig.Pick[uint32](t, "weight", 0, 1, 1<<32-1)
		case "lacp":
			m.Passive, m.LongTimeout = kindrig.Pick(t, "passive", false, true), kindrig.Pick(t, "long timeout", false, true)
		}
		return m
	}), rapid.Custom(func(t *rapid.T) bond.Member {
		m := bond.Member{Bond: kindrig.Pick(t, "bond", "backup", "lacp", theirBond, "b"), Interface: kindrig.Pick(t, "interface", "a", "b")}
		m.Passive, m.LongTimeout = m.Bond == "backup", m.Bond == theirBond
		if m.Bond == "lacp" {
			m.Weight = 7
		}
		return m
	}))
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen, refused *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Refused: refused, Checks: checks, Open: kindrig.Owners(vpp, state, base, kind, kinds)})
	}
	kindrig.OnEachVPP(t, 4, stranger, func(vpp *vpptest.Proxy) string {
		var dumps []api.Message
		for i := range interface_types.InterfaceIndex(12) { // VPP shows members bond by bond
			dumps = append(dumps, &binding.SwMemberInterfaceDump{SwIfIndex: i})
		}
		return vpp.State(append(dumps, &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)},
			&binding.SwBondInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)})...)
	}, run)
}

// stranger makes what is not ours: a bond with a member, one without.
func stranger(t *testing.T, socket string) {
	c := kindrig.Dial(t, socket, "stranger")
	_, err := desiredstate.New(kinds(c)...).Ensure(t.Context(),
		bond.Bond{Name: "a", Mode: bond.XOR, Balance: bond.L34},
		vppnet.Loopback{Name: "b"}, bond.Member{Bond: "a", Interface: "b"},
		bond.Bond{Name: "c", Mode: bond.RoundRobin, ID: 1000, MAC: kindrig.MAC(77), GSO: true})
	require.NoError(t, err)
}

const theirBond = "stranger/a"

// kinds are those of this package, and what they are tested with.
func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		bond.Bonds(c), bond.Members(c), vppnet.Loopbacks(c), vppnet.HostInterfaces(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c),
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
	}
}
