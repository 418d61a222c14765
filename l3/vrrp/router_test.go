// SPDX-License-Identifier: Apache-2.0

package vrrp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var ownAddress = netip.MustParsePrefix("10.0.0.2/24")

func virtual() vrrp.Router {
	return vrrp.Router{Interface: "lan", ID: 1, Addresses: addrs("10.0.0.1"), Interval: 40 * time.Second, Accept: true}
}

func addressed() vrrp.Router {
	r := virtual()
	r.After = []desiredstate.Key{l3.AddressKey("lan", ownAddress)}
	return r
}

// vrrpWorld is an engine that knows all that a virtual router needs.
func vrrpWorld(t *testing.T) (*vpptest.VPP, *vppnet.Conn, *desiredstate.Engine) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	e := desiredstate.New(append(routed(c), vrrp.Routers(c))...)
	e.MaxPrune = 1
	return vpp, c, e
}

func TestRouterOnBVIThatLearns(t *testing.T) {
	vpp, _, e := vrrpWorld(t)
	lan := []desiredstate.Object{
		vppnet.Loopback{Name: "lan"},
		vppnet.LinkState{Interface: "lan", Up: true},
		l3.Address{Interface: "lan", Prefix: ownAddress},
		vppnet.BridgePort{Bridge: "net", Interface: "lan", BVI: true},
	}
	for _, bad := range []vppnet.BridgeDomain{{Name: "net"}, {Name: "net", NoLearn: true, NoUnknownUnicastFlood: true}} {
		_, err := e.Sync(t.Context(), append(lan, bad)...) // nothing says that the BVI comes before the router
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), virtual())
		require.ErrorContains(t, err, "NoLearn")
		require.NotContains(t, vpp.Sent(), "vrrp_vr_add_del")
	}
	good := append(lan, vppnet.BridgeDomain{Name: "net", NoLearn: true}, virtual())
	_, err := e.Sync(t.Context(), good...)
	require.NoError(t, err)

	// That it learns from now on is not overlooked.
	_, err = e.Ensure(t.Context(), vppnet.BridgeDomain{Name: "net"})
	require.NoError(t, err)
	e.Forget()
	_, err = e.Ensure(t.Context(), virtual())
	require.ErrorContains(t, err, "NoLearn")
	_, err = e.Ensure(t.Context(), vppnet.BridgeDomain{Name: "net", NoLearn: true}, virtual())
	if err != nil { // in whichever order
		_, err = e.Ensure(t.Context(), virtual())
	}
	require.NoError(t, err)
	p, err := e.Plan(t.Context(), good...)
	require.NoError(t, err)
	require.Empty(t, p.Steps)
}

// VPP does not see the address come that it waits for, so it is not made to wait.
func TestRouterWaitsForAnAddress(t *testing.T) {
	vpp, _, e := vrrpWorld(t)
	_, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, virtual())
	require.ErrorContains(t, err, "name its Address in After")
	require.NotContains(t, vpp.Sent(), "vrrp_vr_start_stop")

	_, err = e.Ensure(t.Context(), addressed(), l3.Address{Interface: "lan", Prefix: ownAddress})
	require.NoError(t, err)
	require.Equal(t, []vrrp.State{vrrp.Backup}, states(t, vpp))
}

// Whoever lets VPP lose the address, and brings it back, leaves a router that waits for ever.
func TestRouterThatIsStuck(t *testing.T) {
	vpp, _, e := vrrpWorld(t)
	want := []desiredstate.Object{
		vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, l3.Address{Interface: "lan", Prefix: ownAddress}, addressed(),
	}
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)

	others := desiredstate.New(routed(kindrig.Dial(t, vpp.Socket(), "me"))...) // on c they would know of it
	address, link := l3.Address{Interface: "lan", Prefix: ownAddress}, vppnet.LinkState{Interface: "lan", Up: true}
	_, err = others.Remove(t.Context(), address.Key(), link.Key())
	require.NoError(t, err)
	_, err = others.Ensure(t.Context(), link)
	require.NoError(t, err)
	_, err = others.Ensure(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, []vrrp.State{vrrp.Down}, states(t, vpp))

	e.Forget()
	_, err = e.Sync(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, []vrrp.State{vrrp.Backup}, states(t, vpp))
}

func states(t *testing.T, vpp *vpptest.VPP) (out []vrrp.State) {
	all, err := vrrp.States(t.Context(), kindrig.Dial(t, vpp.Socket(), "observer"))
	require.NoError(t, err)
	for _, s := range all {
		out = append(out, s.New)
	}
	return out
}

// A master has its addresses on the interface, which nobody takes for surplus.
func TestWatch(t *testing.T) {
	vpp, c, e := vrrpWorld(t)
	want := []desiredstate.Object{
		vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, l3.Address{Interface: "lan", Prefix: ownAddress}, addressed(),
	}
	for range 2 { // any number may watch
		events, err := vrrp.Watch(t.Context(), c)
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		first := <-events
		if first.New == vrrp.Down { // it was there before its link was up
			require.Equal(t, vrrp.Stopped, first.Old)
			first = <-events
			first.Old = vrrp.Stopped
		}
		require.Equal(t, vrrp.Event{Index: 1, ID: 1, Old: vrrp.Stopped, New: vrrp.Backup}, first)
		vpp.Elect("loop0", 1, false, true)
		require.Equal(t, vrrp.Event{Index: 1, ID: 1, Old: vrrp.Backup, New: vrrp.Master}, <-events)
		require.Contains(t, vpp.String(), "10.0.0.1/24")

		e.Forget()
		vpp.ResetLog()
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		require.Zero(t, vpp.Writes(), "%v", vpp.Sent())

		_, err = e.Remove(t.Context(), virtual().Key())
		require.NoError(t, err)
		require.Equal(t, vrrp.Event{Index: 1, ID: 1, Old: vrrp.Master, New: vrrp.Stopped}, <-events)
		require.NotContains(t, vpp.String(), "10.0.0.1/24")
	}
	require.NoError(t, c.Close())
}

func TestInvalid(t *testing.T) {
	for _, o := range []desiredstate.Object{
		vrrp.Router{Interface: "a", ID: 1},
		vrrp.Router{Interface: "a", Addresses: addrs("10.0.0.1")},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1", "fd00::1")},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1", "10.0.0.1")},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Interval: 15 * time.Millisecond},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Interval: 41 * time.Second},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Track: []vrrp.TrackedInterface{{Interface: "a", Decrement: 1}}},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Track: []vrrp.TrackedInterface{{Interface: "b"}}},
		vrrp.Router{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Peers: addrs("fd00::2")},
	} {
		require.Error(t, o.Validate(), "%+v", o)
	}
}
