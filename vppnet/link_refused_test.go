// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Whose a sub-interface is, VPP says: a link that names another interface is no update for ever.
func TestParentIsVPPs(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		base := []desiredstate.Object{
			vppnet.Loopback{Name: "a"},
			vppnet.Loopback{Name: "b"},
			vppnet.SubInterface{Name: "s", Parent: "a", Outer: 5},
			vppnet.LinkState{Interface: "a", Up: true},
			vppnet.LinkState{Interface: "b", MTU: 1400},
		}
		of := func(parent string) vppnet.LinkState {
			return vppnet.LinkState{Interface: "s", MTU: 1300, Parent: parent}
		}
		ofNone := vppnet.LinkState{Interface: "b", MTU: 1400, Parent: "a"}
		refused := func(why string, want ...desiredstate.Object) {
			t.Helper()
			_, err := layer2(c).Ensure(t.Context(), want...)
			require.ErrorIs(t, err, desiredstate.ErrInvalid)
			require.ErrorContains(t, err, why)
		}
		refused("s is a sub-interface of a, not of b", append(base, of("b"))...) // it is to come
		converge(t, c, base...)
		refused("b is no sub-interface", ofNone)
		converge(t, c, append(base, of("a"))...)
		refused("s is a sub-interface of a, not of b", of("b"))

		moved := append([]desiredstate.Object{}, base...)
		moved[2] = vppnet.SubInterface{Name: "s", Parent: "b", Outer: 5}
		converge(t, c, append(moved, of("b"))...) // with its link
		converge(t, c)
	})
}

// A sub-interface is up after its parent, and who does not say so is told.
func TestUpBeforeParent(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		lo, sub, up := vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5}, vppnet.LinkState{Interface: "sub", Up: true}
		_, err := layer2(c).Ensure(t.Context(), lo, sub, up)
		require.ErrorContains(t, err, "its parent, VPP's loop0, is down: bring that up, and say so by Parent")
		converge(t, c, lo, sub)
		one := layer2(c)
		one.Parallel = 1
		_, err = one.Ensure(t.Context(), up, vppnet.LinkState{Interface: "lo", Up: true}) // in one pass, whichever is first
		require.NoError(t, err)
		converge(t, c)
	})
}

// A MAC that an interface cannot have is refused by what it is.
func TestMACOfWhatHasNone(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		base := []desiredstate.Object{
			vppnet.Loopback{Name: "lo"},
			vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5},
			vppnet.VXLANTunnel{Name: "x", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Payload: vppnet.Packets4},
		}
		e := desiredstate.New(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.VXLANTunnels(c), vppnet.LinkStates(c))
		e.MaxPrune = 1
		_, err := e.Ensure(t.Context(), base...)
		require.NoError(t, err)
		for name, why := range map[string]string{"sub": "a sub-interface has its parent's MAC", "x": "a VXLAN interface has no MAC"} {
			_, err = e.Ensure(t.Context(), vppnet.LinkState{Interface: name, MTU: 1400, MAC: mac(2)})
			require.ErrorIs(t, err, desiredstate.ErrInvalid)
			require.ErrorContains(t, err, why)
		}
		p, err := e.Plan(t.Context(), base...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p.String())
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
	})
}
