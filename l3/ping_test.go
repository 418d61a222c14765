// SPDX-License-Identifier: Apache-2.0

//go:build linux

package l3_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Packets go where the objects say: through two tables that have the same
// addresses, without meeting; through a gateway of a bridge domain; and along a
// route from table to table. Each host, and VPP, has a network namespace of its own.
func TestPingThroughTables(t *testing.T) {
	vpp := netrig.New(t, "vpp")
	hosts := map[string]netrig.NetNS{}
	for name, n := range map[string]int{"red1": 1, "red2": 2, "blue1": 1, "blue2": 2} {
		h := netrig.Host(t, name, vpp, "to-"+name, fmt.Sprintf("10.77.%d.2/24", n), fmt.Sprintf("2001:db8:%d::2/64", n))
		h.IP(t, "route", "add", "default", "via", fmt.Sprintf("10.77.%d.1", n))
		h.IP(t, "route", "add", "default", "via", fmt.Sprintf("2001:db8:%d::1", n))
		hosts[name] = h
	}
	// What is only in one of them, to tell them apart.
	hosts["red1"].Address(t, "10.88.0.1/32")
	hosts["blue1"].Address(t, "10.88.0.2/32")

	c := kindrig.Dial(t, vpptest.Real(t, vpptest.InNetNS(string(vpp))).Socket(), "me")
	e := engine(c)
	addresses := func(n int) []netip.Prefix {
		return []netip.Prefix{
			netip.MustParsePrefix(fmt.Sprintf("10.77.%d.1/24", n)), netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::1/64", n)),
		}
	}
	leg := func(name, table string, n int) []desiredstate.Object {
		out := []desiredstate.Object{
			vppnet.HostInterface{Name: name, Device: "to-" + name},
			vppnet.LinkState{Interface: name, Up: true},
			l3.Membership{Interface: name, Table: table},
		}
		for _, p := range addresses(n) {
			out = append(out, l3.Address{Interface: name, Prefix: p, Table: table})
		}
		return out
	}
	only := func(table, prefix, via string) l3.Route {
		return l3.Route{Table: table, Prefix: netip.MustParsePrefix(prefix), Paths: []l3.Path{{Interface: via, NextHop: netip.MustParseAddr("10.77.1.2")}}}
	}
	red := append(leg("red1", "red", 1),
		l3.Table{Name: "red"}, only("red", "10.88.0.1/32", "red1"),
		vppnet.BridgeDomain{Name: "net"},
		vppnet.HostInterface{Name: "red2", Device: "to-red2"}, vppnet.LinkState{Interface: "red2", Up: true},
		vppnet.BridgePort{Bridge: "net", Interface: "red2"},
	)
	red = append(red, l3.Gateway{Name: "gw", Bridge: "net", Table: "red", Addresses: addresses(2)}.Objects()...)
	blue := append(leg("blue1", "blue", 1), l3.Table{Name: "blue"}, only("blue", "10.88.0.2/32", "blue1"))
	blue = append(blue, leg("blue2", "blue", 2)...)

	_, err := e.Sync(t.Context(), append(red, blue...)...)
	require.NoError(t, err)
	hosts["red2"].Reaches(t, "10.77.1.2") // through the gateway
	hosts["red2"].Reaches(t, "2001:db8:1::2")
	hosts["blue2"].Reaches(t, "10.77.1.2")
	hosts["blue2"].Reaches(t, "2001:db8:1::2")
	hosts["red2"].Reaches(t, "10.88.0.1")
	hosts["red2"].Misses(t, "10.88.0.2")
	hosts["blue2"].Reaches(t, "10.88.0.2")
	hosts["blue2"].Misses(t, "10.88.0.1")

	// From table to table: the request by one route, the reply by the host's own.
	across := l3.Route{Table: "blue", Prefix: netip.MustParsePrefix("10.88.0.1/32"), Paths: []l3.Path{{Table: "red"}}}
	_, err = e.Ensure(t.Context(), across)
	require.NoError(t, err)
	back := l3.Route{Table: "red", Prefix: netip.MustParsePrefix("10.77.9.0/24"), Paths: []l3.Path{{Table: "blue"}}}
	home := l3.Route{Table: "blue", Prefix: netip.MustParsePrefix("10.77.9.0/24"), Paths: []l3.Path{{Interface: "blue1", NextHop: netip.MustParseAddr("10.77.1.2")}}}
	hosts["blue1"].Address(t, "10.77.9.1/32")
	require.NoError(t, hosts["blue1"].Command(t, "sysctl", "-qw", "net.ipv4.conf.all.arp_announce=2").Run()) // VPP answers ARP within a subnet
	hosts["blue1"].IP(t, "route", "add", "10.88.0.1/32", "via", "10.77.1.1", "src", "10.77.9.1")
	hosts["blue1"].Misses(t, "10.88.0.1")
	_, err = e.Ensure(t.Context(), back, home)
	require.NoError(t, err)
	hosts["blue1"].Reaches(t, "10.88.0.1")

	// Red goes, blue does not notice.
	_, err = e.Sync(t.Context(), blue...)
	require.NoError(t, err)
	hosts["red2"].Misses(t, "10.77.1.2")
	hosts["blue2"].Reaches(t, "10.77.1.2")
	hosts["blue2"].Reaches(t, "2001:db8:1::2")

	_, err = engine(c).Sync(t.Context())
	require.NoError(t, err)
	hosts["blue2"].Misses(t, "10.77.1.2")
}

// Hosts do as they are told: one makes itself an address and finds a router by
// advertisements, and reaches by ARP what is not on its link.
func TestHostsAreTold(t *testing.T) {
	vpp := netrig.New(t, "vpp")
	near := netrig.Host(t, "near", vpp, "to-near", "10.50.0.2/16") // takes far for a neighbour
	far := netrig.Host(t, "far", vpp, "to-far", "10.50.9.2/24", "2001:db8:51::2/64")
	far.IP(t, "route", "add", "default", "via", "10.50.9.1")
	far.IP(t, "route", "add", "default", "via", "2001:db8:51::1")

	c := kindrig.Dial(t, vpptest.Real(t, vpptest.InNetNS(string(vpp))).Socket(), "me")
	e := engine(c)
	want := []desiredstate.Object{l3.Table{Name: "red"}}
	for _, leg := range []struct{ name, four, six string }{{"near", "10.50.0.1/24", "2001:db8:50::1/64"}, {"far", "10.50.9.1/24", "2001:db8:51::1/64"}} {
		want = append(want,
			vppnet.HostInterface{Name: leg.name, Device: "to-" + leg.name}, vppnet.LinkState{Interface: leg.name, Up: true},
			l3.Membership{Interface: leg.name, Table: "red"},
			l3.Address{Interface: leg.name, Prefix: netip.MustParsePrefix(leg.four), Table: "red"},
			l3.Address{Interface: leg.name, Prefix: netip.MustParsePrefix(leg.six), Table: "red"})
	}
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	near.Reaches(t, "10.50.0.1")
	near.Misses(t, "10.50.9.2")

	want = append(want,
		l3.ProxyARPRange{Table: "red", Low: addr("10.50.9.0"), High: addr("10.50.9.255")}, l3.ProxyARP{Interface: "near"},
		l3.RouterAdvertisement{
			Interface: "near", Address: netip.MustParsePrefix("2001:db8:50::1/64"), MaxInterval: 4 * time.Second,
			Prefixes: []l3.AdvertisedPrefix{{Prefix: netip.MustParsePrefix("2001:db8:50::/64")}},
		})
	_, err = e.Sync(t.Context(), want...)
	require.NoError(t, err)
	near.Reaches(t, "10.50.9.2")
	require.Eventually(t, func() bool {
		out, err := exec.Command("ip", "-n", string(near), "-6", "addr", "show", "dev", "eth0", "scope", "global", "-tentative").CombinedOutput()
		return err == nil && strings.Contains(string(out), "2001:db8:50:")
	}, 30*time.Second, 200*time.Millisecond)
	near.Reaches(t, "2001:db8:51::2")
}
