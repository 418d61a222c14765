// SPDX-License-Identifier: Apache-2.0

package vrrp_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP tracks an interface that has gone for ever, as one that is down: the router is made anew.
func TestTrackedInterfaceIsGone(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e, want := virtualEngine(c), standby()
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		seen, router := want[1], want[4].(vrrp.Router)
		_, err = kindrig.Engine(routed(kindrig.Dial(t, vpp.Socket(), "me"))...).Remove(t.Context(), seen.Key())
		require.NoError(t, err)

		e.Forget()
		router.Track = nil
		again(t, e, want[0], want[2], want[3], router)
		kindrig.Steady(t, e, want...)
	})
}

// VPP lists a router for the next interface with the index of its own, and that one does not listen for it.
func TestInterfaceIsAnother(t *testing.T) {
	for _, own := range []l3.Address{
		{Interface: "door", Prefix: netip.MustParsePrefix("10.7.0.1/24")},
		{Interface: "door", Prefix: netip.MustParsePrefix("2001:db8::1/64")},
	} {
		door, link := vppnet.Loopback{Name: "door"}, vppnet.LinkState{Interface: "door", Up: true}
		router := vrrp.Router{Interface: "door", ID: 3, Addresses: []netip.Addr{own.Prefix.Addr().Next()}, Interval: interval, After: []desiredstate.Key{own.Key()}}
		kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
			c := kindrig.Dial(t, vpp.Socket(), "me")
			e, hand := virtualEngine(c), kindrig.Engine(routed(kindrig.Dial(t, vpp.Socket(), "me"))...)
			want := []desiredstate.Object{door, link, own, router}
			kindrig.Steady(t, e, want...)

			// The interface comes back by who knows nothing of routers, and all looks well.
			_, err := hand.Remove(t.Context(), door.Key(), link.Key(), own.Key())
			require.NoError(t, err)
			for _, o := range []desiredstate.Object{door, own, link} {
				_, err = hand.Ensure(t.Context(), o)
				require.NoError(t, err)
			}
			e.Forget()
			p, err := e.Plan(t.Context(), want...)
			require.NoError(t, err)
			require.Contains(t, p.String(), "has no effect")
			again(t, e, want...)

			// It comes back in one pass with the router.
			_, err = hand.Remove(t.Context(), door.Key(), link.Key(), own.Key())
			require.NoError(t, err)
			e.Forget()
			again(t, e, want...)
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
		})
	}
}

// again makes what somebody has changed as it is wanted, in one pass.
func again(t *testing.T, e *desiredstate.Engine, want ...desiredstate.Object) {
	t.Helper()
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	kindrig.Steady(t, e, want...)
}
