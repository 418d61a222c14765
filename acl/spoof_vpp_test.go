// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A port on a real VPP: what it can do, what it cannot, and that answers come back.
func TestPortSecurityOnVPP(t *testing.T) {
	w := newWire(t)
	to, from, err := acl.SecurityGroup{Name: "out", Egress: []acl.GroupRule{{Family: acl.IPv4}, {Family: acl.IPv6}}}.Sets(nil)
	require.NoError(t, err)
	objects, err := acl.PortSecurity{
		Interface: vppnet.Foreign("pg0"), MAC: hostMAC, Addrs: []netip.Addr{ip("10.0.0.5"), ip("fd00::5")}, Groups: []string{"out"},
		Pairs: []acl.AddressPair{{Prefix: netip.MustParsePrefix("10.9.9.9/24")}},
	}.Objects()
	require.NoError(t, err)
	_, err = w.engine.Ensure(context.Background(), append(objects, to, from)...)
	require.NoError(t, err)

	peer := vppnet.MAC{2, 0, 0, 0, 0, 9}
	send := func(port string, m vppnet.MAC, p acl.Packet) bool {
		return w.send(t, port, ethernet(m, etherType(p.Src), bytes(p, false)))[0].out
	}
	packet := func(protocol acl.Protocol, src, dst string, a, b uint16) acl.Packet {
		p := acl.Packet{Src: ip(src), Dst: ip(dst), Protocol: protocol}
		if protocol == acl.ICMP || protocol == acl.ICMPv6 {
			p.ICMPType, p.ICMPCode = uint8(a), uint8(b)
		} else {
			p.SrcPort, p.DstPort = a, b
		}
		return p
	}
	for _, c := range []struct {
		what string
		p    acl.Packet
		want bool
	}{
		{"DHCP discover", packet(acl.UDP, "0.0.0.0", "255.255.255.255", 68, 67), true},
		{"DHCP offer", packet(acl.UDP, "10.0.0.5", "255.255.255.255", 67, 68), false},
		{"DHCPv6 solicit", packet(acl.UDP, hostLocal.String(), "ff02::1:2", 546, 547), true},
		{"DHCPv6 advertise", packet(acl.UDP, hostLocal.String(), "fe80::9", 547, 546), false},
		{"duplicate address detection", packet(acl.ICMPv6, "::", "ff02::1:ff00:5", 135, 0), true},
		{"router solicitation", packet(acl.ICMPv6, hostLocal.String(), "ff02::2", 133, 0), true},
		{"router advertisement", packet(acl.ICMPv6, hostLocal.String(), "ff02::1", 134, 0), false},
		{"somebody else's address", packet(acl.UDP, "10.0.0.6", "10.0.0.9", 5, 5), false},
		{"somebody else's address", packet(acl.UDP, "fd00::6", "fd00::9", 5, 5), false},
		{"a pair's address", packet(acl.UDP, "10.9.9.77", "10.0.0.9", 5, 5), true},
	} {
		require.Equal(t, c.want, send("pg0", hostMAC, c.p), "%s: %s", c.what, c.p)
	}
	require.False(t, send("pg0", peer, packet(acl.UDP, "10.0.0.5", "10.0.0.9", 5, 6)), "somebody else's MAC")
	for _, c := range []struct{ ask, answer acl.Packet }{
		{packet(acl.TCP, "10.0.0.5", "10.0.0.9", 4000, 80), packet(acl.TCP, "10.0.0.9", "10.0.0.5", 80, 4000)},
		{packet(acl.UDP, "fd00::5", "fd00::9", 4000, 53), packet(acl.UDP, "fd00::9", "fd00::5", 53, 4000)},
		{packet(acl.ICMP, "10.0.0.5", "10.0.0.9", 8, 0), packet(acl.ICMP, "10.0.0.9", "10.0.0.5", 0, 0)},
		{packet(acl.ICMPv6, "fd00::5", "fd00::9", 128, 0), packet(acl.ICMPv6, "fd00::9", "fd00::5", 129, 0)},
		{packet(132, "10.0.0.5", "10.0.0.9", 0, 0), packet(132, "10.0.0.9", "10.0.0.5", 0, 0)},
	} {
		require.False(t, send("pg1", peer, c.answer), "%s, which nobody asked for", c.answer)
		require.True(t, send("pg0", hostMAC, c.ask), c.ask)
		require.True(t, send("pg1", peer, c.answer), "%s, which was asked for", c.answer)
	}
	// By the session of a request that its group lets in, a VM could be a DHCP server.
	to.Rules = from.Rules
	_, err = w.engine.Ensure(context.Background(), to)
	require.NoError(t, err)
	require.True(t, send("pg1", peer, packet(acl.UDP, "10.0.0.9", "10.0.0.5", 69, 67)))
	require.False(t, send("pg1", peer, packet(acl.UDP, "10.0.0.9", "10.0.0.5", 68, 67)))
	require.False(t, send("pg0", hostMAC, packet(acl.UDP, "10.0.0.5", "10.0.0.9", 67, 68)))

	require.True(t, w.send(t, "pg0", ethernet(hostMAC, 0x0806, arp(hostMAC, ip("10.0.0.5"))))[0].out, "ARP")
	require.False(t, w.send(t, "pg0", ethernet(hostMAC, 0x0806, arp(hostMAC, ip("10.0.0.6"))))[0].out, "ARP for another's address")
	require.False(t, w.send(t, "pg0", ethernet(hostMAC, 0x0806, arp(peer, ip("10.0.0.5"))))[0].out, "ARP of another's MAC")
}

// Ports share the sets of a group. A rule that changes, or somebody who joins, is one
// write, however many ports there are, and the same told again is none.
func TestGroupIsSharedByPorts(t *testing.T) {
	vpp, err := vpptest.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = vpp.Close() })
	engine := desiredstate.New(kinds(dial(t, vpp.Socket(), "me"))...)

	const ports = 1000
	g := acl.SecurityGroup{
		Name:    "default",
		Ingress: []acl.GroupRule{{Family: acl.IPv4, RemoteGroup: "default"}},
		Egress:  []acl.GroupRule{{Family: acl.IPv4}},
	}
	members := acl.Members{}
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 7), byte(i << 1)}) } // no two are neighbours
	cloud := func() []desiredstate.Object {
		to, from, err := g.Sets(members)
		require.NoError(t, err)
		objects := []desiredstate.Object{to, from}
		seen := map[desiredstate.Key]bool{}
		for i := range ports {
			name := fmt.Sprintf("vm%d", i)
			made, err := acl.PortSecurity{
				Interface: name, MAC: vppnet.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)},
				Addrs: []netip.Addr{addr(i)}, Groups: []string{g.Name},
			}.Objects()
			require.NoError(t, err)
			for _, o := range append(made, vppnet.Loopback{Name: name}) {
				if !seen[o.Key()] { // the spoof sets are every port's
					seen[o.Key()] = true
					objects = append(objects, o)
				}
			}
		}
		return objects
	}
	writes := func() int {
		before := vpp.Writes()
		_, err := engine.Sync(t.Context(), cloud()...)
		require.NoError(t, err)
		return vpp.Writes() - before
	}
	for i := range ports {
		members["default"] = append(members["default"], addr(i))
	}
	require.Greater(t, writes(), 4*ports)
	set, ok := cloud()[0].(acl.Set)
	require.True(t, ok)
	require.Len(t, set.Rules, 2*ports, "each is revocable")
	slices.Reverse(members["default"])
	require.Zero(t, writes(), "the same, in another order")
	members["default"] = append(members["default"], ip("10.1.0.1"))
	require.Equal(t, 1, writes(), "a member joined")
	members["default"] = members["default"][:ports]
	require.Equal(t, 1, writes(), "it left")
	g.Ingress = append(g.Ingress, acl.GroupRule{Family: acl.IPv4, Protocol: acl.TCP, Ports: acl.Only(22)})
	vpp.ResetLog()
	require.Equal(t, 1, writes(), "a rule came")
	require.Contains(t, vpp.Sent(), "acl_add_replace")
	require.NotContains(t, vpp.Sent(), "acl_interface_set_acl_list", "the ports' bindings stay as they are")
	g.Ingress = g.Ingress[:1]
	require.Equal(t, 1, writes(), "it went")
}

// Each interface's set has a name of its own, which can be ours: that of an interface of
// ours is the interface's.
func TestNameOfSources(t *testing.T) {
	names := func(t *rapid.T) string {
		n := rapid.SampledFrom([]string{"a", "b:c", "x", "port:a", "port:they#2fa", "#7"}).Draw(t, "name")
		switch rapid.IntRange(0, 2).Draw(t, "whose") {
		case 0:
			return vppnet.Foreign(n + rapid.SampledFrom([]string{"", "/0/8.100", "+#", "#2f"}).Draw(t, "more"))
		case 1:
			return "they/" + strings.TrimPrefix(n, "#")
		}
		return strings.TrimPrefix(n, "#")
	}
	of := func(t *rapid.T, iface string) string {
		require.NoError(t, vppnet.CheckRef("interface", iface))
		objects, err := acl.PortSecurity{Interface: iface, MAC: hostMAC}.Objects()
		require.NoError(t, err, iface)
		return objects[2].(acl.MACIPSet).Name
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := names(t), names(t)
		require.Equal(t, a == b, of(t, a) == of(t, b), "%s %s", a, b)
		if !strings.ContainsAny(a, "/") && !strings.HasPrefix(a, "vpp:") && !strings.HasPrefix(a, "port:") {
			require.Equal(t, a, of(t, a))
		}
	})
}
