// SPDX-License-Identifier: Apache-2.0

package urpf_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/urpf"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/urpf"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The kind keeps the laws, on both VPPs.
func TestLawsOfChecks(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100}}
	gen := rapid.Custom(func(t *rapid.T) urpf.Check {
		return urpf.Check{
			Interface: kindrig.Pick(t, "interface", "lo", "sub"), IPv6: kindrig.Pick(t, "IPv6", false, true),
			Output: kindrig.Pick(t, "output", false, true), Loose: kindrig.Pick(t, "loose", false, true),
		}
	})
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindtest.Run(t, kindtest.Suite[urpf.Check]{Gen: gen, Checks: checks, Open: kindrig.Owners(vpp, state, base, urpfs, kinds)})
	}
	kindrig.OnEachVPP(t, 8, stranger, state, run)
}

func urpfs(c *vppnet.Conn) *desiredstate.Kind[urpf.Check] { return urpf.Checks(c) }

func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{urpfs(c), vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c)}
}

func state(p *vpptest.Proxy) string {
	return p.State(&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &binding.UrpfInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)})
}

// stranger makes what is not ours.
func stranger(t *testing.T, socket string) {
	_, err := kindrig.Engine(kinds(kindrig.Dial(t, socket, "stranger"))...).Ensure(t.Context(),
		vppnet.Loopback{Name: "lo"}, urpf.Check{Interface: "lo"}, urpf.Check{Interface: "lo", IPv6: true, Output: true, Loose: true})
	require.NoError(t, err)
}

// A check that an interface left behind is put into effect where it is wanted, and goes
// where it is not.
func TestLeftBehind(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		first := kindrig.Engine(vppnet.Loopbacks(c))
		lo, check := vppnet.Loopback{Name: "lo"}, urpf.Check{Interface: "lo"}
		_, err := first.Ensure(t.Context(), lo)
		require.NoError(t, err)
		c.Uses(&binding.UrpfUpdateV2{})
		_, err = binding.NewServiceClient(c).UrpfUpdateV2(t.Context(), &binding.UrpfUpdateV2{SwIfIndex: 1, Mode: binding.URPF_API_MODE_STRICT, IsInput: true, TableID: ^uint32(0)})
		require.NoError(t, err)
		_, err = first.Remove(t.Context(), lo.Key())
		require.NoError(t, err)
		_, err = first.Ensure(t.Context(), lo)
		require.NoError(t, err)

		e := kindrig.Engine(vppnet.Loopbacks(c), urpf.Checks(c))
		p, err := e.Plan(t.Context(), lo, check)
		require.NoError(t, err)
		require.Contains(t, p.String(), "no effect")
		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		kindrig.Steady(t, e, lo, check)
		_, err = e.Sync(t.Context(), lo)
		require.NoError(t, err)
		left, err := vppnet.Ask(t.Context(), c, &binding.UrpfInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)})
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

func TestForeign(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t, vpptest.WithInterface("nic")).Socket(), "me")
	nic := urpf.Check{Interface: vppnet.Foreign("nic"), Loose: true}
	_, err := urpf.Checks(c).Ensure(t.Context(), nic)
	require.ErrorIs(t, err, desiredstate.ErrForeign)
	c = kindrig.Dial(t, vpptest.New(t, vpptest.WithInterface("nic")).Socket(), "me")
	_, err = urpf.Checks(c, vppnet.ClaimInterfaces(func(name string) bool { return name == nic.Interface })).Ensure(t.Context(), nic)
	require.NoError(t, err)
	require.ErrorContains(t, urpf.Check{}.Validate(), "interface: name is empty")
}
