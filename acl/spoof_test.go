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

// The link-local address that hostMAC makes.
var hostLocal = netip.MustParseAddr("fe80::ff:fe00:1")

// port is what a PortSecurity makes, by kind.
type port struct {
	sets    []acl.Set
	sources acl.MACIPSet
	bind    acl.Binding
	macip   acl.MACIPBinding
	types   acl.EtherTypes
}

func secure(t require.TestingT, p acl.PortSecurity) (out port) {
	objects, err := p.Objects()
	require.NoError(t, err)
	for _, o := range objects {
		require.NoError(t, o.Validate())
		switch o := o.(type) {
		case acl.Set:
			out.sets = append(out.sets, o)
		case acl.MACIPSet:
			out.sources = o
		case acl.Binding:
			out.bind = o
		case acl.MACIPBinding:
			out.macip = o
		case acl.EtherTypes:
			out.types = o
		default:
			require.Fail(t, "unknown object", "%T", o)
		}
	}
	return out
}

// passes asks the sets, found by name, that a port binds to a direction.
func (p port) passes(t require.TestingT, names []string, packet acl.Packet, groups ...acl.Set) bool {
	var sets []acl.Set
	for _, name := range names {
		i := slices.IndexFunc(slices.Concat(p.sets, groups), func(s acl.Set) bool { return s.Name == name })
		require.GreaterOrEqual(t, i, 0, "%s is nobody's", name)
		sets = append(sets, slices.Concat(p.sets, groups)[i])
	}
	v, err := acl.Explain(packet, sets...)
	require.NoError(t, err)
	return v.Passes()
}

func (p port) source(t require.TestingT, f acl.Frame) bool {
	v, err := acl.ExplainMACIP(f, p.sources)
	require.NoError(t, err)
	return v.Passes()
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestPortSecurityOff(t *testing.T) {
	objects, err := acl.PortSecurity{Interface: "vm1", Off: true, MAC: hostMAC, Groups: []string{"g"}}.Objects()
	require.NoError(t, err)
	require.Empty(t, objects)
}

// The order of what a port is told, and what it is told twice, make no difference.
func TestPortSecurityIsNormal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world(1)
		p := acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Groups: rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c"})).Draw(t, "groups")}
		p.Addrs = rapid.SliceOf(rapid.Custom(func(t *rapid.T) netip.Addr { return w.addr(t, someFamily.Draw(t, "family")) })).Draw(t, "addresses")
		p.Pairs = rapid.SliceOf(rapid.Custom(func(t *rapid.T) acl.AddressPair {
			a := w.addr(t, someFamily.Draw(t, "family"))
			bits := rapid.IntRange(0, a.BitLen()).Draw(t, "bits")
			return acl.AddressPair{Prefix: netip.PrefixFrom(a, bits), MAC: rapid.SampledFrom([]vppnet.MAC{{}, hostMAC, {2, 0, 0, 0, 0, 2}}).Draw(t, "MAC")}
		})).Draw(t, "pairs")
		made := secure(t, p)

		again := p
		again.Addrs, again.Pairs, again.Groups = slices.Repeat(p.Addrs, 2), slices.Repeat(p.Pairs, 2), slices.Repeat(p.Groups, 2)
		slices.Reverse(again.Addrs)
		slices.Reverse(again.Pairs)
		slices.Reverse(again.Groups)
		require.Equal(t, made, secure(t, again))

		// Sources are those that it was told, no more and no less.
		for _, a := range p.Addrs {
			require.True(t, made.source(t, acl.Frame{MAC: hostMAC, Src: a}))
			require.Equal(t, a.Is4(), a.Is4() && made.source(t, acl.Frame{MAC: hostMAC, Src: a, ARP: true}))
		}
		for range 20 {
			f := someFrame(t)
			allowed := func(m vppnet.MAC) bool {
				return m == hostMAC && slices.Contains(p.Addrs, f.Src) || slices.ContainsFunc(p.Pairs, func(pair acl.AddressPair) bool {
					return (pair.MAC == m || pair.MAC.IsZero() && m == hostMAC) && pair.Prefix.Contains(f.Src)
				})
			}
			told := !f.ARP || f.Sender.IsZero() || f.Sender == f.MAC
			require.Equal(t, f.Src.IsValid() && told && allowed(f.MAC), made.source(t, f), "%s\n%s", f, made.sources)
		}
	})
}

func TestPortSecurityRefuses(t *testing.T) {
	pair := func(prefix string, m vppnet.MAC) []acl.AddressPair {
		return []acl.AddressPair{{Prefix: netip.MustParsePrefix(prefix), MAC: m}}
	}
	var crowd []netip.Addr
	for i := range acl.MaxMACIPRules {
		crowd = append(crowd, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	groups := func(n int) (names []string) {
		for i := range n {
			names = append(names, "g"+string(rune('A'+i/26))+string(rune('a'+i%26)))
		}
		return names
	}
	for _, c := range []struct {
		want string
		p    acl.PortSecurity
	}{
		{"MAC 00:00:00:00:00:00", acl.PortSecurity{Interface: "vm1"}},
		{"MAC 01:00:5e:00:00:01", acl.PortSecurity{Interface: "vm1", MAC: vppnet.MAC{1, 0, 0x5e, 0, 0, 1}}},
		{"name is empty", acl.PortSecurity{MAC: hostMAC}},
		{`"fe80::1%eth0"`, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("fe80::1%eth0")}}},
		{`"invalid IP"`, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{{}}}},
		{`"0.0.0.0"`, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("0.0.0.0")}}},
		{`"ff02::1"`, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("ff02::1")}}},
		{"without a prefix", acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Pairs: []acl.AddressPair{{}}}},
		{"is a group's", acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Pairs: pair("10.0.0.1/32", vppnet.MAC{1})}},
		{"IPv4 in IPv6", acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Pairs: pair("::ffff:10.0.0.1/128", vppnet.MAC{})}},
		{"1003 rules", acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: crowd}},
		{"127 security groups, want at most 126", acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Groups: groups(127)}},
		{`"sg:a b.from"`, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Groups: []string{"a b"}}},
	} {
		_, err := c.p.Objects()
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "security of port "+c.p.Interface)
	}
	most := secure(t, acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Groups: groups(126)})
	require.Len(t, slices.Concat(most.bind.Input, most.bind.Output), 254)
}

// What networking-vpp does to ports, and this does not.
func TestPortSecurityDefects(t *testing.T) {
	vm1 := acl.PortSecurity{Interface: "vm1", MAC: hostMAC, Addrs: []netip.Addr{ip("10.0.0.5"), ip("fd00::5")}}
	lone := secure(t, vm1)
	vm1.Groups = []string{"open"}
	open := secure(t, vm1)
	to, from, err := acl.SecurityGroup{
		Name:    "open",
		Ingress: []acl.GroupRule{{Family: acl.IPv4}, {Family: acl.IPv6}},
		Egress:  []acl.GroupRule{{Family: acl.IPv4}, {Family: acl.IPv6}},
	}.Sets(nil)
	require.NoError(t, err)
	out := func(p acl.Packet) bool { return open.passes(t, open.bind.Input, p, to, from) }
	in := func(p acl.Packet) bool { return open.passes(t, open.bind.Output, p, to, from) }
	udp := func(src, dst string, from, to uint16) acl.Packet {
		return acl.Packet{Src: ip(src), Dst: ip(dst), Protocol: acl.UDP, SrcPort: from, DstPort: to}
	}
	icmp6 := func(src, dst string, kind uint8) acl.Packet {
		return acl.Packet{Src: ip(src), Dst: ip(dst), Protocol: acl.ICMPv6, ICMPType: kind}
	}

	t.Run("a port without groups had no filter (bug 1748574)", func(t *testing.T) {
		tcp := acl.Packet{Src: ip("10.0.0.9"), Dst: ip("10.0.0.5"), Protocol: acl.TCP, DstPort: 22}
		require.False(t, lone.passes(t, lone.bind.Output, tcp))
		tcp.Src, tcp.Dst = tcp.Dst, tcp.Src
		require.False(t, lone.passes(t, lone.bind.Input, tcp))
		require.True(t, lone.passes(t, lone.bind.Input, udp("0.0.0.0", "255.255.255.255", 68, 67)), "DHCP")
		require.True(t, lone.passes(t, lone.bind.Output, udp("10.0.0.1", "10.0.0.5", 67, 68)), "DHCP")
		require.True(t, lone.passes(t, lone.bind.Input, udp("fe80::ff:fe00:1", "ff02::1:2", 546, 547)), "DHCPv6")
		require.True(t, lone.passes(t, lone.bind.Output, udp("fe80::9", "fe80::ff:fe00:1", 547, 546)), "DHCPv6")
	})
	t.Run("an allowed pair with host bits stopped the agent", func(t *testing.T) {
		p := vm1
		p.Pairs = []acl.AddressPair{{Prefix: netip.MustParsePrefix("10.9.9.9/24")}}
		require.True(t, secure(t, p).source(t, acl.Frame{MAC: hostMAC, Src: ip("10.9.9.200")}))
	})
	t.Run("link-local sources were spoofed ones (bug 1824426)", func(t *testing.T) {
		require.True(t, open.source(t, acl.Frame{MAC: hostMAC, Src: hostLocal}))
		require.False(t, open.source(t, acl.Frame{MAC: hostMAC, Src: ip("fe80::2")}))
	})
	t.Run("duplicate addresses could not be looked for: :: was a spoofed source", func(t *testing.T) {
		require.True(t, open.source(t, acl.Frame{MAC: hostMAC, Src: ip("::")}))
		require.True(t, out(icmp6("::", "ff02::1:ff00:5", 135)))
		require.True(t, open.source(t, acl.Frame{MAC: hostMAC, Src: ip("0.0.0.0"), ARP: true}), "nor in IPv4")
	})
	t.Run("a pair's own MAC could not find its neighbours", func(t *testing.T) {
		p, virtual := vm1, vppnet.MAC{0, 0, 0x5e, 0, 2, 7}
		p.Pairs = []acl.AddressPair{{Prefix: netip.MustParsePrefix("fd00::7/128"), MAC: virtual}}
		s := secure(t, p)
		for src, want := range map[string]bool{"fd00::7": true, "::": true, "fe80::200:5eff:fe00:207": true, "0.0.0.0": false, "10.0.0.5": false} {
			require.Equal(t, want, s.source(t, acl.Frame{MAC: virtual, Src: ip(src)}), src)
		}
	})
	t.Run("later fragments met a deny first (feba991)", func(t *testing.T) {
		for _, protocol := range []acl.Protocol{acl.UDP, acl.ICMPv6, acl.TCP} {
			p := acl.Packet{Src: ip("fd00::5"), Dst: ip("fd00::9"), Protocol: protocol, LaterFragment: true}
			require.True(t, out(p) && in(p), "%s", p)
		}
		p := acl.Packet{Src: ip("10.0.0.5"), Dst: ip("10.0.0.9"), Protocol: acl.UDP, LaterFragment: true}
		require.True(t, out(p) && in(p), "%s", p)
	})
	t.Run("all of ICMPv6 could leave a port without groups", func(t *testing.T) {
		require.False(t, lone.passes(t, lone.bind.Input, icmp6("fd00::5", "fd00::9", 128)))
		for _, kind := range []uint8{130, 131, 132, 133, 135, 136, 143} {
			require.True(t, lone.passes(t, lone.bind.Input, icmp6("fd00::5", "fd00::9", kind)), kind)
		}
		for _, kind := range []uint8{130, 131, 132, 134, 135, 136, 143} {
			require.True(t, lone.passes(t, lone.bind.Output, icmp6("fe80::9", "fd00::5", kind)), kind)
		}
	})
	t.Run("a VM is no router and no DHCP server, whatever its groups say", func(t *testing.T) {
		require.False(t, out(icmp6("fe80::ff:fe00:1", "ff02::1", 134)))
		require.False(t, out(udp("10.0.0.5", "10.0.0.9", 67, 68)))
		require.False(t, out(udp("fd00::5", "fd00::9", 547, 546)))
	})
	t.Run("nor by the session that a request let in would start", func(t *testing.T) {
		require.False(t, in(udp("10.0.0.9", "10.0.0.5", 68, 67)))
		require.False(t, in(udp("fd00::9", "fd00::5", 546, 547)))
	})
	t.Run("a group named twice is bound once: VPP refuses it twice", func(t *testing.T) {
		p := vm1
		p.Groups = []string{"b", "a", "b"}
		require.Equal(t, []string{"spoof.from", "sg:a.from", "sg:b.from"}, secure(t, p).bind.Input)
		require.Equal(t, []string{"spoof.to", "sg:a.to", "sg:b.to"}, secure(t, p).bind.Output)
	})
}

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
