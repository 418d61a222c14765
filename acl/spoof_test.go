// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

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
