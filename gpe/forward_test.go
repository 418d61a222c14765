// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// twoWays is a network whose hosts are reached by the link of "a" or that of "b", with one who is here.
func twoWays(by ...string) []desiredstate.Object {
	all := []desiredstate.Object{gpe.Overlay{}, vppnet.BridgeDomain{Name: "net"}, gpe.VNI{ID: 100, Bridge: "net"}}
	set := gpe.LocatorSet{Name: "here"}
	for name, prefix := range map[string]string{"a": "192.0.2.1/24", "b": "198.51.100.1/24"} {
		at := l3.Address{Interface: name, Prefix: netip.MustParsePrefix(prefix)}
		all = append(all, vppnet.Loopback{Name: name}, vppnet.LinkState{Interface: name, Up: true}, at)
		set.After = append(set.After, at.Key())
	}
	for _, name := range by {
		set.Locators = append(set.Locators, gpe.Locator{Interface: name})
	}
	return append(all, set, gpe.LocalEID{VNI: 100, EID: gpe.MACEID(kindrig.MAC(1)), LocatorSet: "here"})
}

// far is one who is elsewhere, on both links.
func far(priorityA, priorityB uint8) gpe.RemoteEID {
	return gpe.RemoteEID{VNI: 100, EID: gpe.MACEID(kindrig.MAC(11)), From: gpe.MACEID(kindrig.MAC(1)), Locators: []gpe.RemoteLocator{
		{Address: netip.MustParseAddr("192.0.2.2"), Priority: priorityA, Weight: 1},
		{Address: netip.MustParseAddr("198.51.100.2"), Priority: priorityB, Weight: 1},
	}}
}

// Of two locators the one with the lower priority serves, whichever is said first.
func TestPriorityOfLocators(t *testing.T) {
	vpp := vpptest.Real(t)
	e := everything(kindrig.Dial(t, vpp.Socket(), "me"))
	for _, tc := range []struct {
		remote gpe.RemoteEID
		to     string
	}{{far(5, 1), "198.51.100.2"}, {far(1, 5), "192.0.2.2"}} {
		want := append(twoWays("a", "b"), tc.remote)
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		forwarded, err := vpp.CLI("show gpe entry")
		require.NoError(t, err)
		require.Contains(t, forwarded, "remote-RLOC: "+tc.to)
		kindrig.Steady(t, e, want...)
	}
}

// A program that dies while a set gets other locators leaves nothing that is forwarded by the old ones:
// who comes next finds what is left to do.
func TestLocatorsChangeWhoeverDies(t *testing.T) {
	vpp := vpptest.Real(t)
	front := vpptest.NewProxy(t, vpp.Socket())
	e := everything(kindrig.Dial(t, front.Socket(), "me"))
	for n := 1; ; n++ {
		_, err := e.Sync(t.Context(), append(twoWays("a"), far(1, 1))...)
		require.NoError(t, err)
		front.Inject(vpptest.Fault{Writes: true, Nth: n, Kind: vpptest.CutBefore})
		want := append(twoWays("b"), far(1, 1))
		_, died := e.Sync(t.Context(), want...)
		front.Heal()
		e = everything(kindrig.Dial(t, front.Socket(), "me"))
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		forwarded, err := vpp.CLI("show gpe entry")
		require.NoError(t, err)
		require.Contains(t, forwarded, "remote-RLOC: 198.51.100.2", "before write %d: %v", n, died)
		require.NotContains(t, forwarded, "192.0.2.2")
		if died == nil {
			require.Greater(t, n, 2)
			return
		}
	}
}
