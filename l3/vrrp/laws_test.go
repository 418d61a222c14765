// SPDX-License-Identifier: Apache-2.0

package vrrp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	binding "go.fd.io/govpp/binapi/vrrp"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Virtual routers keep the laws, on both VPPs. Their intervals are so long that none
// becomes master while it is looked at, but those that have the addresses.
func TestLawsOfRouters(t *testing.T) {
	t.Parallel()
	gen := rapid.Custom(func(t *rapid.T) vrrp.Router {
		r := vrrp.Router{
			Interface: kindrig.Pick(t, "interface", "a", "red"), ID: kindrig.Pick[uint8](t, "ID", 1, 255), Priority: kindrig.Pick[uint8](t, "priority", 0, 1, 254, 255),
			Interval: kindrig.Pick(t, "interval", 20*time.Second, 40950*time.Millisecond), NoPreempt: kindrig.Pick(t, "preempt", false, true),
			Accept: kindrig.Pick(t, "accept", false, true), Stopped: kindrig.Pick(t, "stopped", false, true),
		}
		if r.Interface == "red" {
			r.Table = "red"
		}
		if kindrig.Pick(t, "after", false, true) {
			r.After = []desiredstate.Key{vppnet.LinkKey(r.Interface)}
		}
		six := kindrig.Pick(t, "IPv6", false, true)
		net, own := "10.0.0.", "10.0.0.1"
		if six {
			net, own = "fd00::", "fd00::1"
		}
		r.Addresses = addrs(net + kindrig.Pick(t, "address", "8", "9"))
		if kindrig.Pick(t, "two", false, true) {
			r.Addresses = append(r.Addresses, addrs(net+"7")...)
		}
		if r.Priority == 255 {
			r.Addresses = addrs(own)
		}
		for _, host := range kindrig.Pick(t, "peers", nil, []string{"2"}, []string{"3", "2"}) {
			r.Peers = append(r.Peers, addrs(net+host)...)
		}
		if kindrig.Pick(t, "track b", false, true) {
			r.Track = append(r.Track, vrrp.TrackedInterface{Interface: "b", Decrement: kindrig.Pick[uint8](t, "decrement b", 1, 254)})
		}
		if kindrig.Pick(t, "track theirs", false, true) {
			r.Track = append(r.Track, vrrp.TrackedInterface{Interface: "stranger/x", Decrement: 10})
		}
		return r
	})
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		vrrpStranger(t, vpp.Socket())
		kindrig.Laws(t, kindtest.Suite[vrrp.Router]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[vrrp.Router] {
			c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindtest.World[vrrp.Router]{
				Kind: vrrp.Routers(c), More: routed(c), State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
				Base: []desiredstate.Object{
					l3.Table{Name: "red", ID: 7},
					vppnet.Loopback{Name: "a"},
					vppnet.Loopback{Name: "b"},
					vppnet.Loopback{Name: "red"},
					l3.Membership{Interface: "red", Table: "red"},
					vppnet.LinkState{Interface: "a", Up: true},
					vppnet.LinkState{Interface: "red", Up: true},
					l3.Address{Interface: "a", Prefix: netip.MustParsePrefix("10.0.0.1/24")},
					l3.Address{Interface: "a", Prefix: netip.MustParsePrefix("fd00::1/64")},
					l3.Address{Interface: "red", Table: "red", Prefix: netip.MustParsePrefix("10.0.0.1/24")},
					l3.Address{Interface: "red", Table: "red", Prefix: netip.MustParsePrefix("fd00::1/64")},
				},
			}
		}})
	}
	for release, checks := range map[string]int{"": 4, "24.10": 1, "26.06": 1} {
		t.Run("in memory "+release, func(t *testing.T) {
			t.Parallel()
			vpp := vpptest.New(t, vpptest.Release(release))
			run(t, checks, vpp, vpp.String)
		})
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		run(t, 4, vpp, func() string { return vpp.State(vrrpDumps...) })
	})
}

var vrrpDumps = []api.Message{
	&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &ip.IPTableDump{},
	&ip.IPAddressDump{SwIfIndex: 1}, &ip.IPAddressDump{SwIfIndex: 2}, &ip.IPAddressDump{SwIfIndex: 3}, &ip.IPAddressDump{SwIfIndex: 4},
	&binding.VrrpVrDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &binding.VrrpVrTrackIfDump{DumpAll: 1},
}

// routed are the kinds that give a virtual router its place.
func routed(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.HostInterfaces(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
		l3.Tables(c), l3.Memberships(c), l3.Addresses(c),
	}
}

func addrs(all ...string) (out []netip.Addr) {
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// vrrpStranger makes loop0, which has a virtual router of its own.
func vrrpStranger(t *testing.T, socket string) {
	c := kindrig.Dial(t, socket, "stranger")
	_, err := desiredstate.New(append(routed(c), vrrp.Routers(c))...).Ensure(t.Context(),
		vppnet.Loopback{Name: "x"},
		vppnet.LinkState{Interface: "x", Up: true},
		l3.Address{Interface: "x", Prefix: netip.MustParsePrefix("192.0.2.1/24")},
		vrrp.Router{
			Interface: "x", ID: 1, Addresses: addrs("192.0.2.9"), Interval: 40 * time.Second,
			After: []desiredstate.Key{l3.AddressKey("x", netip.MustParsePrefix("192.0.2.1/24"))},
		},
	)
	require.NoError(t, err)
}
