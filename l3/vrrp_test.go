// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var ownAddress = netip.MustParsePrefix("10.0.0.2/24")

func virtual() l3.VirtualRouter {
	return l3.VirtualRouter{Interface: "lan", ID: 1, Addresses: addrs("10.0.0.1"), Interval: 40 * time.Second, Accept: true}
}

func addressed() l3.VirtualRouter {
	r := virtual()
	r.After = []desiredstate.Key{l3.AddressKey("lan", ownAddress)}
	return r
}

// vrrpWorld is an engine that knows all that a virtual router needs.
func vrrpWorld(t *testing.T) (*vpptest.VPP, *vppnet.Conn, *desiredstate.Engine) {
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket(), "me")
	e := desiredstate.New(append(routed(c), l3.VirtualRouters(c))...)
	e.MaxPrune = 1
	return vpp, c, e
}

func TestVirtualRouterOnBVIThatLearns(t *testing.T) {
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
func TestVirtualRouterWaitsForAnAddress(t *testing.T) {
	vpp, _, e := vrrpWorld(t)
	_, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, virtual())
	require.ErrorContains(t, err, "name its Address in After")
	require.NotContains(t, vpp.Sent(), "vrrp_vr_start_stop")

	_, err = e.Ensure(t.Context(), addressed(), l3.Address{Interface: "lan", Prefix: ownAddress})
	require.NoError(t, err)
	require.Equal(t, []l3.RouterState{l3.RouterBackup}, states(t, vpp))
}

// Whoever lets VPP lose the address, and brings it back, leaves a router that waits for ever.
func TestVirtualRouterThatIsStuck(t *testing.T) {
	vpp, _, e := vrrpWorld(t)
	want := []desiredstate.Object{
		vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, l3.Address{Interface: "lan", Prefix: ownAddress}, addressed(),
	}
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)

	others := desiredstate.New(routed(dialVPP(t, vpp.Socket(), "me"))...) // on c they would know of it
	address, link := l3.Address{Interface: "lan", Prefix: ownAddress}, vppnet.LinkState{Interface: "lan", Up: true}
	_, err = others.Remove(t.Context(), address.Key(), link.Key())
	require.NoError(t, err)
	_, err = others.Ensure(t.Context(), link)
	require.NoError(t, err)
	_, err = others.Ensure(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, []l3.RouterState{l3.RouterDown}, states(t, vpp))

	e.Forget()
	_, err = e.Sync(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, []l3.RouterState{l3.RouterBackup}, states(t, vpp))
}

func states(t *testing.T, vpp *vpptest.VPP) (out []l3.RouterState) {
	all, err := l3.RouterStates(t.Context(), dialVPP(t, vpp.Socket(), "observer"))
	require.NoError(t, err)
	for _, s := range all {
		out = append(out, s.New)
	}
	return out
}

// A master has its addresses on the interface, which nobody takes for surplus.
func TestWatchRouters(t *testing.T) {
	vpp, c, e := vrrpWorld(t)
	want := []desiredstate.Object{
		vppnet.Loopback{Name: "lan"}, vppnet.LinkState{Interface: "lan", Up: true}, l3.Address{Interface: "lan", Prefix: ownAddress}, addressed(),
	}
	for range 2 { // any number may watch
		events, err := l3.WatchRouters(t.Context(), c)
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		first := <-events
		if first.New == l3.RouterDown { // it was there before its link was up
			require.Equal(t, l3.RouterStopped, first.Old)
			first = <-events
			first.Old = l3.RouterStopped
		}
		require.Equal(t, l3.RouterEvent{Index: 1, ID: 1, Old: l3.RouterStopped, New: l3.RouterBackup}, first)
		vpp.Elect("loop0", 1, false, true)
		require.Equal(t, l3.RouterEvent{Index: 1, ID: 1, Old: l3.RouterBackup, New: l3.RouterMaster}, <-events)
		require.Contains(t, vpp.String(), "10.0.0.1/24")

		e.Forget()
		vpp.ResetLog()
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err)
		require.Zero(t, vpp.Writes(), "%v", vpp.Sent())

		_, err = e.Remove(t.Context(), virtual().Key())
		require.NoError(t, err)
		require.Equal(t, l3.RouterEvent{Index: 1, ID: 1, Old: l3.RouterMaster, New: l3.RouterStopped}, <-events)
		require.NotContains(t, vpp.String(), "10.0.0.1/24")
	}
	require.NoError(t, c.Close())
}
