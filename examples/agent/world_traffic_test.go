// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
)

// unadvised keeps a host from taking part in what routers advertise, and has it ask for
// neighbours by an address that they know.
func unadvised(t *testing.T, ns netrig.NetNS) {
	t.Helper()
	for file, value := range map[string]string{"ipv6/conf/eth0/accept_ra": "0", "ipv4/conf/all/arp_announce": "2", "ipv4/ip_forward": "1"} {
		ns.Do(t, func() error { return os.WriteFile("/proc/sys/net/"+file, []byte(value), 0) })
	}
}

// Gateways are outside of routers' subnets, a router's own subnet is one address, a
// floating IP is of another subnet than any router, and one router of the external network
// does not translate but has a floating IP.
func TestRoutersInTheWorldAsItIsTraffic(t *testing.T) {
	c := newCloud(t, 101, 102, 201, 900)
	a5 := c.host("a5", 102, "192.168.5.12/24", "192.168.5.1") // as b2
	a1, a2 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("a2", 101, "192.168.1.12/24", "192.168.1.1")
	b1, b2 := c.host("b1", 201, "192.168.5.11/24", "192.168.5.1"), c.host("b2", 201, "192.168.5.12/24", "192.168.5.1")
	ext, near := c.host("ext", 900, "203.0.113.1/24", ""), c.host("near", 900, "198.18.0.7/24", "198.18.0.1")
	for _, ns := range []netrig.NetNS{a1, a2, a5, b1, b2, ext, near} {
		unadvised(t, ns)
	}
	for _, a := range []string{"198.51.100.1/24", "198.18.0.1/24"} {
		ext.IP(t, "addr", "add", a, "dev", "eth0")
	}
	for _, a := range []string{"2001:db8:f::1/64", "2001:db8:e::1/64"} {
		ext.Address(t, a)
	}
	ext.IP(t, "addr", "add", "8.8.8.8/32", "dev", "lo")
	ext.IP(t, "addr", "add", "2001:db8:9::9/128", "dev", "lo")
	ext.IP(t, "route", "add", "2001:db8:1::/64", "via", "2001:db8:f::101")
	ext.IP(t, "route", "add", "192.168.5.0/24", "via", "203.0.113.151")
	ext.IP(t, "route", "add", "192.168.6.0/24", "via", "203.0.113.151")
	a1.Address(t, "2001:db8:1::11/64")
	a1.IP(t, "route", "add", "2001:db8::/32", "via", "2001:db8:1::1")

	site, v := c.node("n1", 101, 102, 201, 900)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	c.Cleanup(func() {
		if t.Failed() {
			for _, command := range []string{"show errors", "show nat44 sessions", "show nat44 interfaces", "show ip fib table 2", "show interface addr", "show ip neighbors"} {
				out, _ := v.CLI(command)
				t.Logf("%s\n%s", command, out)
			}
		}
	})
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(rid(1)+"/"+uuid(0x6001), leg(1, 101, "2001:db8:1::1/64"))
	k.put(exitKey(1), exitBy(1, 900, "2001:db8:e::1", "2001:db8:f::101/64"))
	k.settled()
	k.put(exitKey(1), exitBy(1, 900, "198.51.100.1", "2001:db8:f::101/64", "203.0.113.101/24"))
	k.put(legKey(1, 102), leg(1, 102, "192.168.5.1/24"))
	k.put(legKey(2, 201), leg(2, 201, "192.168.5.1/24"))
	k.put(exitKey(2), strings.Replace(exitBy(2, 900, "203.0.113.1", "203.0.113.151/32"), `"enable_snat":true`, `"enable_snat":false`, 1))
	k.put(floatKey(1), float(900, 101, "198.18.0.102", "192.168.1.11"))
	k.put(floatKey(2), float(900, 201, "203.0.113.152", "192.168.5.11"))
	k.settled()
	said, _ := c.said("n1", "errors/")
	require.Empty(t, said)

	t.Log("by a gateway outside of the subnet")
	require.Equal(t, "ext 203.0.113.101", c.connects(a2, "8.8.8.8"))
	a1.Reaches(t, "2001:db8:9::9")
	require.Equal(t, "ext 2001:db8:1::11", c.connects(a1, "2001:db8:9::9"))

	t.Log("a floating IP of another subnet")
	require.Equal(t, "a1 198.18.0.1", c.connects(ext, "198.18.0.102"))
	require.Equal(t, "a1 198.18.0.7", c.connects(near, "198.18.0.102"))
	near.Reaches(t, "198.18.0.102")
	require.Equal(t, "ext 198.18.0.102", c.connects(a1, "8.8.8.8"))
	require.Equal(t, "near 198.18.0.102", c.asks(a1, "198.18.0.7"))

	t.Log("not translated, beside NAT")
	ext.Reaches(t, "192.168.5.12")
	require.Equal(t, "b2 203.0.113.1", c.connects(ext, "192.168.5.12"))
	require.Equal(t, "ext 192.168.5.12", c.connects(b2, "8.8.8.8"))
	require.Equal(t, "ext 203.0.113.152", c.connects(b1, "8.8.8.8"))
	require.Equal(t, "b1 203.0.113.1", c.connects(ext, "203.0.113.152"))
	require.Equal(t, "b2 192.168.5.11", c.asks(b1, "192.168.5.12"))
	require.Equal(t, "ext 203.0.113.101", c.connects(a5, "8.8.8.8"), "who has the same address behind a router that translates")
	require.Equal(t, "a5 192.168.1.12", c.asks(a2, "192.168.5.12"))
	require.Equal(t, "b1 203.0.113.101", c.connects(a5, "203.0.113.152"), "a floating IP of the router that does not translate")

	t.Log("floating IPs of another router, from who is not translated")
	b3 := c.host("b3", 201, "192.168.6.13/24", "192.168.6.1")
	k.put(rid(2)+"/"+uuid(0x6002), leg(2, 201, "192.168.6.1/24"))
	k.put(floatKey(3), float(900, 101, "203.0.113.103", "192.168.1.12"))
	for _, translates := range []bool{true, false} { // the router of b3, for hosts that have a floating IP
		if !translates {
			k.put(floatKey(2), "")
		}
		k.settled()
		for _, to := range []string{"203.0.113.103", "198.18.0.102"} {
			b3.Reaches(t, to)
			require.Contains(t, []string{"a1 192.168.6.13", "a2 192.168.6.13"}, c.connects(b3, to))
		}
		require.Equal(t, "a2 192.168.6.13", c.asks(b3, "203.0.113.103"))
		require.Equal(t, "a2 203.0.113.1", c.asks(ext, "203.0.113.103"))
		require.Equal(t, "ext 192.168.6.13", c.asks(b3, "203.0.113.1"))
	}
	ext.IP(t, "route", "add", "192.168.1.0/24", "via", "203.0.113.101")
	ext.Misses(t, "192.168.1.12")
}

// withIPv6 gives a host inside and one outside addresses of IPv6, and ways to each other by the router.
func withIPv6(t *testing.T, inside, outside netrig.NetNS) {
	inside.Address(t, "2001:db8:1::11/64")
	outside.Address(t, "2001:db8:f::1/64")
	inside.IP(t, "route", "add", "2001:db8::/32", "via", "2001:db8:1::1")
	outside.IP(t, "route", "add", "2001:db8:1::/64", "via", "2001:db8:f::101")
}

// Machines inside and outside come with another MAC, and say nothing; whoever speaks to them
// first is on the other side. In both families they are found within a minute.
func TestNeighboursWithAnotherMACTraffic(t *testing.T) {
	c := newCloud(t, 101, 900)
	a1, ext := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("ext", 900, "203.0.113.1/24", "")
	unadvised(t, a1)
	unadvised(t, ext)
	withIPv6(t, a1, ext)
	site, v := c.node("n1", 101, 900)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(rid(1)+"/"+uuid(0x6001), leg(1, 101, "2001:db8:1::1/64"))
	k.put(exitKey(1), exitBy(1, 900, by6, six))
	k.put(exitKey(1), exitBy(1, 900, by4, six, four))
	k.put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	require.Equal(t, "a1 203.0.113.1", c.asks(ext, "203.0.113.102"))
	require.Equal(t, "a1 2001:db8:f::1", c.asks(ext, "2001:db8:1::11"))
	for _, ns := range []netrig.NetNS{a1, ext} {
		// A machine that is silent: with addresses, and without a word of its own. Linux itself
		// would say that it has them, if it were to lose its carrier.
		ns.Do(t, func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/eth0/arp_notify", []byte("0"), 0) })
	}
	a1.IP(t, "link", "set", "dev", "eth0", "address", "02:00:00:00:0a:11")
	ext.IP(t, "link", "set", "dev", "eth0", "address", "02:00:00:00:0e:01")
	began := time.Now()
	found := func(who string, ask func() string, want string) {
		t.Helper()
		for ask() != want {
			require.Less(t, time.Since(began), time.Minute, who)
		}
		t.Logf("%s is found after %v", who, time.Since(began).Round(100*time.Millisecond))
	}
	found("IPv4", func() string { return c.asks(ext, "203.0.113.102") }, "a1 203.0.113.1")
	found("IPv6", func() string { return c.asks(ext, "2001:db8:1::11") }, "a1 2001:db8:f::1")
}

// sends has one host send another some hundred packets by TCP, and says whether they came.
func (c *cloud) sends(from, to netrig.NetNS, addr string) bool {
	c.Helper()
	const size = 400_000
	var l net.Listener
	to.Do(c, func() (err error) { l, err = net.Listen("tcp", ":7778"); return err })
	defer func() { _ = l.Close() }()
	came := make(chan int64, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			came <- 0
			return
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		n, _ := io.Copy(io.Discard, conn)
		_ = conn.Close()
		came <- n
	}()
	from.Do(c, func() error {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, "7778"), 5*time.Second)
		if err != nil {
			_ = l.Close()
			return nil
		}
		_ = conn.SetDeadline(time.Now().Add(8 * time.Second))
		_, _ = conn.Write(make([]byte, size))
		return conn.Close()
	})
	return <-came == size
}

// A tenant's network has a smaller MTU than the world, and its machines do not know it: what TCP
// announces is made to fit, who sends what is too large is told, and IPv6's hosts are told by
// the router.
func TestSmallerMTUsTraffic(t *testing.T) {
	c := newCloud(t, 101, 102, 900)
	a1, a2 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("a2", 101, "192.168.1.12/24", "192.168.1.1")
	b1 := c.host("b1", 102, "192.168.2.11/24", "192.168.2.1")
	ext, auto := c.host("ext", 900, "203.0.113.1/24", ""), c.host("auto", 101, "", "")
	for _, ns := range []netrig.NetNS{a1, a2, b1, ext} {
		unadvised(t, ns)
	}
	withIPv6(t, a1, ext)
	site, v := c.node("n1", 101, 102, 900)
	uplink := fmt.Sprintf("port%d", c.plugs)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	small := func(value string) string { return strings.Replace(value, `"mtu":1500`, `"mtu":1400`, 1) }
	k.put(legKey(1, 101), small(leg(1, 101, "192.168.1.1/24")))
	k.put(rid(1)+"/"+uuid(0x6001), small(leg(1, 101, "2001:db8:1::1/64")))
	k.put(legKey(1, 102), leg(1, 102, "192.168.2.1/24"))
	k.put(exitKey(1), exitBy(1, 900, by6, six))
	k.put(exitKey(1), exitBy(1, 900, by4, six, four))
	k.put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	ext.Reaches(t, "203.0.113.102")

	require.True(t, c.sends(ext, a1, "203.0.113.102"), "to a floating IP")
	require.True(t, c.sends(b1, a1, "192.168.1.11"), "within the router")
	require.True(t, c.sends(ext, a1, "2001:db8:1::11"), "by IPv6")
	require.True(t, c.sends(a2, ext, by4), "from behind NAT")

	auto.IP(t, "link", "set", "dev", "eth0", "down") // it asks for routers when it comes up
	auto.IP(t, "link", "set", "dev", "eth0", "up")
	require.Eventually(t, func() bool {
		var mtu []byte
		auto.Do(t, func() (err error) { mtu, err = os.ReadFile("/proc/sys/net/ipv6/conf/eth0/mtu"); return err })
		return strings.TrimSpace(string(mtu)) == "1400"
	}, 20*time.Second, 100*time.Millisecond, "the router says so")

	told := func(from netrig.NetNS, addr, what string) { t.Helper(); tooLarge(t, from, addr, what) }
	told(b1, "192.168.1.11", "From 192.168.2.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)")
	told(ext, "2001:db8:1::11", "From 2001:db8:f::101 icmp_seq=1 Packet too big: mtu=1400")

	// From outside, to a translated address: VPP says so, about the packet as it was sent, but nobody takes
	// what it says. Were that mended, SCHEMA.md has a row less.
	said := c.ethernet.Capture(t, uplink, func(f []byte) bool { return len(f) > 61 && f[12] == 8 && f[23] == 1 && f[34] == 3 && f[35] == 4 })
	_, _ = ext.Ping(t, "203.0.113.102", "-M", "do", "-s", "1440")
	for _, f := range said.Some(t) {
		require.Equal(t, []byte{203, 0, 113, 102}, f[58:62], "it is about a packet to there")
		sum := uint32(0)
		for i := 14; i < 34; i += 2 {
			sum += uint32(f[i])<<8 | uint32(f[i+1])
		}
		require.NotEqual(t, uint32(0xffff), sum>>16+sum&0xffff, "the header's checksum is wrong")
	}

	t.Log("errors are translated: what a router further on says, and what a host does")
	ext.IP(t, "route", "add", "198.51.100.9/32", "dev", "eth0", "mtu", "lock", "1300")
	for _, from := range []netrig.NetNS{a1, a2} {
		told(from, "198.51.100.9", "From 203.0.113.1 icmp_seq=1 Frag needed and DF set (mtu = 1300)")
	}
	var conn net.Conn
	ext.Do(t, func() (err error) { conn, err = net.Dial("udp", "203.0.113.102:9"); return err })
	defer func() { _ = conn.Close() }()
	require.Eventually(t, func() bool {
		_, _ = conn.Write([]byte("?"))
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err := conn.Read(make([]byte, 9))
		return errors.Is(err, syscall.ECONNREFUSED)
	}, 5*time.Second, time.Millisecond)
}

// tooLarge pings with more than fits a link of 1400 bytes, and wants to be told.
func tooLarge(t *testing.T, from netrig.NetNS, addr, what string) {
	t.Helper()
	out, _ := from.Command(t, "ping", "-M", "do", "-s", "1440", "-c", "3", "-i", "0.3", "-W", "1", addr).CombinedOutput()
	require.Contains(t, string(out), what)
}

// The way out has a smaller MTU than the tenant's network. What VPP says of packets that are too large, or have
// come too far, reaches hosts behind NAT as it does others, and they know the packets that it is about.
func TestASmallerMTUOutsideTraffic(t *testing.T) {
	c := newCloud(t, 101, 900)
	a1, a2 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("a2", 101, "192.168.1.12/24", "192.168.1.1")
	ext := c.host("ext", 900, "203.0.113.1/24", "")
	for _, ns := range []netrig.NetNS{a1, a2, ext} {
		unadvised(t, ns)
	}
	withIPv6(t, a1, ext)
	site, v := c.node("n1", 101, 900)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket())}}
	small := func(value string) string { return strings.Replace(value, `"mtu":1500`, `"mtu":1400`, 1) }
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(rid(1)+"/"+uuid(0x6001), leg(1, 101, "2001:db8:1::1/64"))
	k.put(exitKey(1), small(exitBy(1, 900, by6, six)))
	k.put(exitKey(1), small(exitBy(1, 900, by4, six, four)))
	k.put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	for _, host := range []netrig.NetNS{a1, a2} {
		host.Reaches(t, by4)
		tooLarge(t, host, by4, "From 192.168.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)")
		require.True(t, c.sends(host, ext, by4), "by TCP")
		for hops, from := range map[string]string{"1": "192.168.1.1", "2": "203.0.113.101"} {
			_, out := host.Ping(t, by4, "-t", hops)
			require.Contains(t, out, "From "+from+" icmp_seq=1 Time to live exceeded")
		}
	}
	a1.Reaches(t, by6)
	tooLarge(t, a1, by6, "From 2001:db8:1::1 icmp_seq=1 Packet too big: mtu=1400")
	require.True(t, c.sends(a1, ext, by6), "by TCP")
	_, out := a1.Ping(t, by6, "-t", "1")
	require.Contains(t, out, "From 2001:db8:1::1 icmp_seq=1 Time exceeded: Hop limit")
}
