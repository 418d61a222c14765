// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// Two tenants with the same addresses, on one external network; then one of them goes.
func TestRoutedTraffic(t *testing.T) {
	c := newCloud(t, 101, 102, 201, 900)
	a1, a2 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("a2", 102, "192.168.2.11/24", "192.168.2.1")
	c.host("a3", 101, "192.168.1.12/24", "192.168.1.1")
	b1 := c.host("b1", 201, "192.168.1.11/24", "192.168.1.1")
	ext := c.host("ext", 900, "203.0.113.1/24", "")
	ext.IP(t, "addr", "add", "8.8.8.8/32", "dev", "lo")
	ext.Do(t, func() error { // or it would ask for neighbours as 8.8.8.8
		return os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_announce", []byte("2"), 0)
	})
	site, v := c.node("n1", 101, 102, 201, 900)
	a := c.rig.agent(site, v.Socket())
	c.Cleanup(func() {
		if t.Failed() {
			for _, command := range []string{"show errors", "show nat44 sessions", "show nat44 vrf tables", "show nat44 addresses", "show nat44 interfaces", "show ip fib table 2", "show interface addr"} {
				out, _ := v.CLI(command)
				t.Logf("%s\n%s", command, out)
			}
		}
	})
	keys := map[string]string{}
	put := func(name, value string) {
		if keys[name] = value; value == "" {
			delete(keys, name)
		}
		c.routing("n1", name, flat(value))
	}
	settled := func() { t.Helper(); c.rig.routed(a, keys) }

	put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	put(legKey(1, 102), leg(1, 102, "192.168.2.1/24"))
	put(exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	settled()
	require.Contains(t, ext.Reaches(t, "203.0.113.101"), "ttl=64")
	require.Contains(t, a1.Reaches(t, "192.168.1.1"), "ttl=64")
	require.Contains(t, a1.Reaches(t, "203.0.113.1"), "ttl=62", "NAT is a hop of its own")
	require.Equal(t, "ext 203.0.113.101", c.asks(a1, "203.0.113.1"))
	require.Equal(t, "ext 203.0.113.101", c.connects(a2, "8.8.8.8"), "beyond the gateway")
	require.Contains(t, a1.Reaches(t, "192.168.2.11"), "ttl=63")
	require.Equal(t, "a2 192.168.1.11", c.asks(a1, "192.168.2.11"), "within a router nothing is translated")
	ext.IP(t, "route", "add", "192.168.1.0/24", "via", "203.0.113.101")
	ext.Misses(t, "192.168.1.11")
	ext.IP(t, "route", "del", "192.168.1.0/24")
	ext.Misses(t, "203.0.113.102")

	t.Log("the other tenant")
	put(exitKey(2), exit(2, 900, "203.0.113.151/24", "203.0.113.1"))
	put(legKey(2, 201), leg(2, 201, "192.168.1.1/24"))
	settled()
	require.Equal(t, "ext 203.0.113.151", c.connects(b1, "8.8.8.8"))
	require.Equal(t, "ext 203.0.113.101", c.connects(a1, "8.8.8.8"))

	t.Log("floating IPs")
	old := c.flow(a1, "203.0.113.1")
	require.Equal(t, "ext 203.0.113.101", old.says())
	put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	put(floatKey(3), float(900, 101, "203.0.113.103", "192.168.1.12"))
	put(floatKey(2), float(900, 201, "203.0.113.152", "192.168.1.11"))
	settled()
	require.Contains(t, ext.Reaches(t, "203.0.113.102"), "ttl=62")
	require.Equal(t, "a1 203.0.113.1", c.asks(ext, "203.0.113.102"))
	require.Equal(t, "b1 203.0.113.1", c.connects(ext, "203.0.113.152"))
	require.Equal(t, "ext 203.0.113.102", c.asks(a1, "203.0.113.1"))
	require.Equal(t, "ext 203.0.113.152", c.connects(b1, "8.8.8.8"))
	require.Equal(t, "a1 203.0.113.101", c.asks(a2, "203.0.113.102"), "from one host of the router to another's floating IP")
	require.Equal(t, "a1 203.0.113.101", c.connects(a2, "203.0.113.102"))
	require.Equal(t, "a3 203.0.113.102", c.asks(a1, "203.0.113.103"), "and from one with a floating IP")
	require.Equal(t, "a3 203.0.113.102", c.connects(a1, "203.0.113.103"))
	require.Equal(t, "a2 192.168.1.11", c.asks(a1, "192.168.2.11"), "within a router nothing is translated")

	t.Log("of a router with the same addresses inside")
	require.Equal(t, "b1 203.0.113.101", c.connects(a2, "203.0.113.152"), "from a host without a floating IP")
	require.Equal(t, "b1 203.0.113.102", c.connects(a1, "203.0.113.152"), "and from one with, that has the address of the other")
	require.Equal(t, "a3 203.0.113.152", c.asks(b1, "203.0.113.103"), "both ways")
	b1.Reaches(t, "203.0.113.103")

	t.Log("disassociated")
	in, out := c.flow(ext, "203.0.113.102"), c.flow(a1, "203.0.113.1")
	require.Equal(t, "a1 203.0.113.1", in.says())
	require.Equal(t, "ext 203.0.113.102", out.says())
	put(floatKey(1), "")
	settled()
	require.Empty(t, in.says())
	ext.Loses(t, "203.0.113.102")
	require.Equal(t, "ext 203.0.113.101", out.says(), "the old sessions are gone")

	t.Log("one tenant goes, and the other does not notice")
	from, to := a1.Pings(t, "8.8.8.8"), ext.Pings(t, "203.0.113.103")
	for _, name := range []string{exitKey(2), floatKey(2), legKey(2, 201)} {
		put(name, "")
	}
	settled()
	time.Sleep(500 * time.Millisecond)
	for _, stop := range []func() (int, int){from, to} {
		answers, lost := stop()
		require.Zero(t, lost, "of %d", answers)
	}
	ext.Misses(t, "203.0.113.151")

	t.Log("VPP dies, and comes back")
	v.Kill()
	ext.Misses(t, "203.0.113.101")
	require.NoError(t, v.Restart())
	c.wire(v, site)
	ext.Reaches(t, "203.0.113.103")
	settled()
	require.Equal(t, "ext 203.0.113.101", c.connects(a2, "8.8.8.8"))
}

// IPv6 is routed, and advertised to hosts; extra routes share their flows; and another
// external network may have the same addresses.
func TestRoutedMore(t *testing.T) {
	c := newCloud(t, 101, 102, 103, 201, 900, 901)
	a1, a2 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("a2", 102, "192.168.2.11/24", "192.168.2.1")
	a3 := c.host("a3", 101, "192.168.1.12/24", "192.168.1.1")
	for _, a := range []netrig.NetNS{a1, a2} {
		a.IP(t, "addr", "add", "10.5.0.1/32", "dev", "lo")
	}
	b1, six := c.host("b1", 201, "192.168.1.11/24", "192.168.1.1"), c.host("six", 103, "", "")
	ext, ext2 := c.host("ext", 900, "203.0.113.1/24", ""), c.host("ext2", 901, "203.0.113.1/24", "")
	ext.Address(t, "2001:db8:f::1/64")
	ext.IP(t, "route", "add", "2001:db8:1::/64", "via", "2001:db8:f::101")
	site, v := c.node("n1", 101, 102, 103, 201, 900, 901)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(legKey(1, 102), leg(1, 102, "192.168.2.1/24"))
	k.put(legKey(1, 103), leg(1, 103, "2001:db8:1::1/64"))
	k.put(exitKey(1), strings.Replace(exit(1, 900, "203.0.113.101/24", "203.0.113.1", `"external_gateway_ips":["2001:db8:f::1"]`,
		`"routes":[{"destination":"10.5.0.0/16","nexthop":"192.168.1.11"},{"destination":"10.5.0.0/16","nexthop":"192.168.2.11"}]`),
		`"gateways":[`, `"gateways":[["2001:db8:f::101",64,true],`, 1))
	k.put(legKey(2, 201), leg(2, 201, "192.168.1.1/24"))
	k.put(exitKey(2), exit(2, 901, "203.0.113.111/24", "203.0.113.1"))
	k.settled()

	require.Equal(t, "ext 203.0.113.101", c.asks(a1, "203.0.113.1"))
	require.Equal(t, "ext2 203.0.113.111", c.asks(b1, "203.0.113.1"), "the other network's")
	ext2.Reaches(t, "203.0.113.111")
	ext2.Misses(t, "203.0.113.101")

	ways := map[string]bool{}
	for range 24 {
		ways[c.connects(a3, "10.5.0.1")] = true
	}
	require.Equal(t, map[string]bool{"a1 192.168.1.12": true, "a2 192.168.1.12": true}, ways)

	six.Reaches(t, "2001:db8:1::1")
	require.Contains(t, six.Reaches(t, "2001:db8:f::1"), "ttl=63")
	require.Contains(t, c.asks(six, "2001:db8:f::1"), "ext 2001:db8:1:", "by an address that it made itself of what is advertised, and untranslated")

	k.agents["n1"].stop()
	k.agents["n1"] = c.rig.agent(site, v.Socket())
	k.settled()
	require.Zero(t, k.agents["n1"].writes.Load(), "another agent finds all of it")
	for name := range maps.Clone(k.keys) {
		k.put(name, "")
	}
	k.settled()
	left, _ := c.found(site, v.Socket())
	for key := range left {
		require.Equal(t, "link", key.Space, "%s is left", key)
	}
	require.Len(t, left, len(site.Physnets))
}

// Two routers are in one network, of both families: hosts reach the world by either, each
// as itself, and each other's networks through both; nothing is multiplied. A floating IP is
// that of the router which leads out where it is. What serves does not notice the second
// come, nor the agent start anew, nor the first go.
func TestTwoRoutersInOneNetworkTraffic(t *testing.T) {
	c := newCloud(t, 101, 102, 900, 901)
	a1 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1")
	a2 := c.host("a2", 101, "192.168.1.12/24", "192.168.1.2")
	b1 := c.host("b1", 102, "192.168.2.11/24", "192.168.2.1")
	ext, ext2 := c.host("ext", 900, "203.0.113.1/24", ""), c.host("ext2", 901, "198.51.100.1/24", "")
	for _, host := range []struct {
		netrig.NetNS
		addr, by string
	}{{a1, "2001:db8:1::11/64", "2001:db8:1::1"}, {a2, "2001:db8:1::12/64", "2001:db8:1::2"}, {b1, "2001:db8:2::11/64", "2001:db8:2::1"}} {
		host.Do(t, func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/eth0/accept_ra", []byte("0"), 0) })
		host.Address(t, host.addr)
		host.IP(t, "route", "add", "2001:db8::/32", "via", host.by)
	}
	a2.IP(t, "route", "add", "192.168.2.0/24", "via", "192.168.1.2")
	site, v := c.node("n1", 101, 102, 900, 901)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	six := func(router int) string { return rid(router) + "/" + uuid(0x6000+router) }
	k.put(legKey(2, 101), leg(2, 101, "192.168.1.1/24"))
	k.put(six(2), leg(2, 101, "2001:db8:1::1/64"))
	k.put(exitKey(2), exit(2, 900, "203.0.113.101/24", "203.0.113.1"))
	k.put(floatKey(2), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	require.Equal(t, "ext 203.0.113.102", c.asks(a1, "203.0.113.1"))

	t.Log("the second comes, with a lower UUID")
	out, in := a1.Pings(t, "203.0.113.1"), ext.Pings(t, "203.0.113.102")
	second := func(value string) string { return strings.Replace(value, "fa:16:3e:01:00:65", "fa:16:3e:01:01:65", 1) }
	k.put(legKey(1, 101), second(leg(1, 101, "192.168.1.2/24")))
	k.put(six(1), second(leg(1, 101, "2001:db8:1::2/64")))
	k.put(legKey(1, 102), leg(1, 102, "192.168.2.1/24"))
	k.put(rid(1)+"/"+uuid(0x7001), leg(1, 102, "2001:db8:2::1/64"))
	k.put(exitKey(1), exit(1, 901, "198.51.100.101/24", "198.51.100.1"))
	k.put(floatKey(1), float(901, 101, "198.51.100.102", "192.168.1.12"))
	k.settled()
	said, _ := c.said("n1", "errors/")
	require.Empty(t, said)
	all := func() {
		t.Helper()
		require.Equal(t, "ext 203.0.113.102", c.asks(a1, "203.0.113.1"))
		a2.Reaches(t, "198.51.100.1")
		require.Equal(t, "ext2 198.51.100.102", c.asks(a2, "198.51.100.1"))
		require.Equal(t, "ext2 198.51.100.101", c.connects(b1, "198.51.100.1"))
		require.Equal(t, "a2 198.51.100.1", c.connects(ext2, "198.51.100.102"))
		require.Contains(t, a2.Reaches(t, "192.168.2.11"), "ttl=63")
		require.Contains(t, a2.Reaches(t, "2001:db8:2::11"), "ttl=63")
		require.Contains(t, b1.Reaches(t, "2001:db8:1::12"), "ttl=63")
		for _, host := range []netrig.NetNS{a1, a2} {
			for _, door := range []string{"192.168.1.1", "192.168.1.2", "2001:db8:1::1", "2001:db8:1::2"} {
				require.NotContains(t, host.Reaches(t, door), "DUP!", "one answer each")
			}
		}
	}
	all()
	asked := a2.Capture(t, "eth0", func(f []byte) bool { return len(f) > 42 && f[12] == 8 && f[13] == 6 && f[21] == 1 && f[41] == 77 })
	_ = a1.Command(t, "ping", "-c", "1", "-W", "1", "192.168.1.77").Run()
	require.LessOrEqual(t, len(asked.Frames()), 3, "what is flooded comes once each time: Linux asks thrice")

	t.Log("the agent starts anew")
	k.agents["n1"].stop()
	k.agents["n1"] = c.rig.agent(site, v.Socket())
	k.settled()
	require.Zero(t, k.agents["n1"].writes.Load())
	for _, stop := range []func() (int, int){out, in} {
		answers, lost := stop()
		require.Zero(t, lost, "of %d", answers)
		t.Logf("%d answers, %d lost", answers, lost)
	}

	t.Log("the first goes, and the second does not notice")
	out, in = a2.Pings(t, "198.51.100.1"), ext2.Pings(t, "198.51.100.102")
	for _, name := range []string{floatKey(2), exitKey(2), six(2), legKey(2, 101)} {
		k.put(name, "")
	}
	k.settled()
	for _, stop := range []func() (int, int){out, in} {
		answers, lost := stop()
		require.Zero(t, lost, "of %d", answers)
	}
	a1.Misses(t, "192.168.1.1")
}
