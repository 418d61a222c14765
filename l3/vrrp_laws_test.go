// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/vrrp"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Virtual routers keep the laws, on both VPPs. Their intervals are so long that none
// becomes master while it is looked at, but those that have the addresses.
func TestLawsOfVirtualRouters(t *testing.T) {
	t.Parallel()
	gen := rapid.Custom(func(t *rapid.T) l3.VirtualRouter {
		r := l3.VirtualRouter{
			Interface: pick(t, "interface", "a", "red"), ID: pick[uint8](t, "ID", 1, 255), Priority: pick[uint8](t, "priority", 0, 1, 254, 255),
			Interval: pick(t, "interval", 20*time.Second, 40950*time.Millisecond), NoPreempt: pick(t, "preempt", false, true),
			Accept: pick(t, "accept", false, true), Stopped: pick(t, "stopped", false, true),
		}
		if r.Interface == "red" {
			r.Table = "red"
		}
		if pick(t, "after", false, true) {
			r.After = []desiredstate.Key{vppnet.LinkKey(r.Interface)}
		}
		six := pick(t, "IPv6", false, true)
		net, own := "10.0.0.", "10.0.0.1"
		if six {
			net, own = "fd00::", "fd00::1"
		}
		r.Addresses = addrs(net + pick(t, "address", "8", "9"))
		if pick(t, "two", false, true) {
			r.Addresses = append(r.Addresses, addrs(net+"7")...)
		}
		if r.Priority == 255 {
			r.Addresses = addrs(own)
		}
		for _, host := range pick(t, "peers", nil, []string{"2"}, []string{"3", "2"}) {
			r.Peers = append(r.Peers, addrs(net+host)...)
		}
		if pick(t, "track b", false, true) {
			r.Track = append(r.Track, l3.TrackedInterface{Interface: "b", Decrement: pick[uint8](t, "decrement b", 1, 254)})
		}
		if pick(t, "track theirs", false, true) {
			r.Track = append(r.Track, l3.TrackedInterface{Interface: "stranger/x", Decrement: 10})
		}
		return r
	})
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		vrrpStranger(t, vpp.Socket())
		check(t, kindtest.Suite[l3.VirtualRouter]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[l3.VirtualRouter] {
			c := dialVPP(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindtest.World[l3.VirtualRouter]{
				Kind: l3.VirtualRouters(c), More: routed(c), State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
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
	&vrrp.VrrpVrDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &vrrp.VrrpVrTrackIfDump{DumpAll: 1},
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
	c := dialVPP(t, socket, "stranger")
	_, err := desiredstate.New(append(routed(c), l3.VirtualRouters(c))...).Ensure(t.Context(),
		vppnet.Loopback{Name: "x"},
		vppnet.LinkState{Interface: "x", Up: true},
		l3.Address{Interface: "x", Prefix: netip.MustParsePrefix("192.0.2.1/24")},
		l3.VirtualRouter{
			Interface: "x", ID: 1, Addresses: addrs("192.0.2.9"), Interval: 40 * time.Second,
			After: []desiredstate.Key{l3.AddressKey("x", netip.MustParsePrefix("192.0.2.1/24"))},
		},
	)
	require.NoError(t, err)
}
