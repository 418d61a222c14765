// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func both(t *testing.T, f func(t *testing.T, vpp vpptest.Target)) {
	t.Run("in memory", func(t *testing.T) { f(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { f(t, vpptest.NewProxy(t, vpptest.Real(t).Socket())) })
}

// What VPP would take and not mean, or die of, it is not told.
func TestNoMembers(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		e := everything(kindrig.Dial(t, vpp.Socket(), "me"))
		_, err := e.Ensure(t.Context(), bond.Bond{Name: "up", Mode: bond.XOR}, bond.Bond{Name: "other", Mode: bond.ActiveBackup},
			bond.Bond{Name: "segments", Mode: bond.XOR, GSO: true}, bond.Bond{Name: "lacp", Mode: bond.LACP},
			vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 1}, vppnet.Loopback{Name: "free"})
		require.NoError(t, err)
		before := vpp.Writes()
		for why, m := range map[string]bond.Member{
			"other is a bond, which can be no member of one":  {Bond: "up", Interface: "other"},
			"sub is a sub-interface":                          {Bond: "up", Interface: "sub"},
			"vpp:local0 has no MAC, and VPP dies of a member": {Bond: "up", Interface: "vpp:local0"},
			"lo is no bond":                                 {Bond: "lo", Interface: "free"},
			"bond is its own member":                        {Bond: "up", Interface: "up"},
			"passive, long timeout: the bond's mode is xor": {Bond: "up", Interface: "free", Passive: true},
			"weight 7: the bond's mode is lacp":             {Bond: "lacp", Interface: "free", Weight: 7},
			"missing dependency: interface/nobody":          {Bond: "up", Interface: "nobody"},
		} {
			_, err := e.Ensure(t.Context(), m)
			require.ErrorContains(t, err, why)
		}
		_, err = e.Ensure(t.Context(), bond.Member{Bond: "up", Interface: "free"}, bond.Member{Bond: "other", Interface: "free"})
		require.ErrorIs(t, err, desiredstate.ErrDuplicate, "a member of two bonds")
		require.Equal(t, before, vpp.Writes(), "nothing was sent")
		_, err = e.Ensure(t.Context(), bond.Member{Bond: "segments", Interface: "free"})
		require.ErrorContains(t, err, "VPP says that it can be no member of segments; if that has GSO")

		// Of another owner's bond it is theirs to take it out.
		theirs := everything(kindrig.Dial(t, vpp.Socket(), "they"))
		_, err = theirs.Ensure(t.Context(), bond.Bond{Name: "theirs", Mode: bond.XOR}, vppnet.Loopback{Name: "own"}, bond.Member{Bond: "theirs", Interface: "own"})
		require.NoError(t, err)
		e.Forget()
		before = vpp.Writes()
		_, err = e.Ensure(t.Context(), bond.Member{Bond: "up", Interface: "they/own"})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.Equal(t, before, vpp.Writes())
	})
}

// A member has its bond's MAC, which is no drift of its own, and gets its own back.
func TestMACOfAMember(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := everything(c)
		want := []desiredstate.Object{bond.Bond{Name: "up", Mode: bond.XOR, MAC: kindrig.MAC(7)}, vppnet.Loopback{Name: "lo", MAC: kindrig.MAC(1)}, vppnet.Loopback{Name: "lo2"}}
		joined := append(want, bond.Member{Bond: "up", Interface: "lo"}, bond.Member{Bond: "up", Interface: "lo2"})
		_, err := e.Sync(t.Context(), joined...)
		require.NoError(t, err)
		for _, engine := range []*desiredstate.Engine{e, everything(c)} {
			engine.Forget()
			r, err := engine.Sync(t.Context(), joined...)
			require.NoError(t, err)
			require.Zero(t, r.Changed(), r)
		}
		require.Equal(t, map[string]vppnet.MAC{"lo": kindrig.MAC(7), "lo2": kindrig.MAC(7), "up": kindrig.MAC(7)}, macs(t, c))
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, map[string]vppnet.MAC{"lo": kindrig.MAC(1), "lo2": c.MAC("lo2"), "up": kindrig.MAC(7)}, macs(t, c))
		r, err := everything(c).Sync(t.Context(), want...)
		require.NoError(t, err)
		require.Zero(t, r.Changed())
	})
}

func macs(t *testing.T, c *vppnet.Conn) map[string]vppnet.MAC {
	out := map[string]vppnet.MAC{}
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: 1<<32 - 1}))
	require.NoError(t, err)
	for _, d := range all {
		if name, ours := c.Untag(d.Tag); ours {
			out[name] = vppnet.MAC(d.L2Address)
		}
	}
	return out
}

// A number that nobody asked for is one that is free, whatever VPP would pick.
func TestNumbers(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		k := bond.Bonds(kindrig.Dial(t, vpp.Socket(), "me"))
		for _, b := range []bond.Bond{{Name: "a", Mode: bond.XOR, ID: 1}, {Name: "b", Mode: bond.XOR}, {Name: "c", Mode: bond.XOR}} {
			_, err := k.Ensure(t.Context(), b)
			require.NoError(t, err)
		}
	})
}

func TestNoLACPPlugin(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t, vpptest.WithoutPlugin("lacp")).Socket(), "me")
	_, err := bond.Bonds(c).Ensure(t.Context(), bond.Bond{Name: "up", Mode: bond.LACP})
	require.ErrorContains(t, err, "plugin lacp")
	states, err := bond.States(t.Context(), c)
	require.NoError(t, err)
	require.Empty(t, states)
}

func TestValidate(t *testing.T) {
	for why, b := range map[string]bond.Bond{
		"mode":                {Name: "a"},
		"name":                {Mode: bond.XOR},
		"does not look at it": {Name: "a", Mode: bond.RoundRobin, Balance: bond.L34},
		"NUMA only":           {Name: "a", Mode: bond.XOR, NUMAOnly: true},
		"ID":                  {Name: "a", Mode: bond.XOR, ID: 1<<32 - 1},
		"multicast":           {Name: "a", Mode: bond.XOR, MAC: vppnet.MAC{1}},
		"balance":             {Name: "a", Mode: bond.XOR, Balance: 9},
	} {
		require.ErrorContains(t, b.Validate(), why)
	}
}
