// SPDX-License-Identifier: Apache-2.0

package vrrp_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip_types"
	binding "go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// standby is a virtual router and what it needs.
func standby() []desiredstate.Object {
	own := l3.Address{Interface: "door", Prefix: netip.MustParsePrefix("10.7.0.1/24")}
	return []desiredstate.Object{
		vppnet.Loopback{Name: "door"},
		vppnet.Loopback{Name: "seen"},
		vppnet.LinkState{Interface: "door", Up: true},
		own,
		vrrp.Router{
			Interface: "door", ID: 3, Addresses: addrs("10.7.0.9"), Peers: addrs("10.7.0.2"), Track: []vrrp.TrackedInterface{{Interface: "seen", Decrement: 10}},
			Interval: interval, After: []desiredstate.Key{own.Key()},
		},
	}
}

const interval = 40e9 // so that nobody becomes master meanwhile

func virtualEngine(c *vppnet.Conn) *desiredstate.Engine {
	return kindrig.Engine(append(routed(c), vrrp.Routers(c))...)
}

func state(vpp *vpptest.Proxy) string { return vpp.State(vrrpDumps...) }

// What is made has the handle by which it is found, and right after that nothing has
// drifted.
func TestNothingDriftsByItself(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		kindrig.Steady(t, virtualEngine(c), standby()...)
		_, err := virtualEngine(c).Sync(t.Context())
		require.NoError(t, err)
	})
}

func TestNothingIsLeft(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		kindrig.Abandoned(t, vpp, state, func() *desiredstate.Engine { return virtualEngine(c) }, standby()...)
	})
}

func oneAddress(text string) []ip_types.Address {
	a, _ := ip_types.ParseAddress(text)
	return []ip_types.Address{a}
}

// What somebody else made in a way that no spec can say, or on interfaces that are
// none, stops no reading.
func TestOddThingsStopNoReading(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c, other := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "other")
		other.Uses(&binding.VrrpVrAddDel{}, &binding.VrrpVrSetPeers{})
		r := binding.NewServiceClient(other)
		_, err := r.VrrpVrAddDel(t.Context(), &binding.VrrpVrAddDel{IsAdd: 1, VrID: 9, Priority: 100, Interval: 4000, Flags: binding.VRRP_API_VR_UNICAST, Addrs: oneAddress("10.0.0.9")})
		require.NoError(t, err)
		_, err = r.VrrpVrSetPeers(t.Context(), &binding.VrrpVrSetPeers{VrID: 9, Addrs: oneAddress("10.0.0.8")})
		require.NoError(t, err)
		e := virtualEngine(c)
		_, err = e.Sync(t.Context(), standby()...)
		require.NoError(t, err)
		p, err := virtualEngine(c).Plan(t.Context(), standby()...)
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	})
}
