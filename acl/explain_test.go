// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

func TestExplainSays(t *testing.T) {
	web := acl.Set{Name: "web", Rules: []acl.Rule{
		{Action: acl.Deny, Family: acl.IPv4, Protocol: acl.TCP, FlagsMask: acl.SYN | acl.FIN, Flags: acl.SYN | acl.FIN},
		{Action: acl.Permit, Family: acl.IPv4, Protocol: acl.TCP, DstPorts: acl.Only(80)},
		{Action: acl.PermitReflect, Family: acl.IPv4, Protocol: acl.ICMP},
	}}
	empty := acl.Set{Name: "empty"}
	tcp := acl.Packet{Src: ip("10.0.0.1"), Dst: ip("10.0.0.2"), Protocol: acl.TCP, SrcPort: 4000, DstPort: 80, Flags: acl.SYN}
	with := func(change func(*acl.Packet)) acl.Packet {
		p := tcp
		change(&p)
		return p
	}
	for _, c := range []struct {
		want, packet string
		p            acl.Packet
		sets         []acl.Set
	}{
		{
			"permit: web rule 1: permit ip4 tcp from any to any port 80", "ip4 tcp 10.0.0.1:4000 > 10.0.0.2:80 syn",
			tcp,
			[]acl.Set{empty, web},
		},
		{
			"deny: web rule 0: deny ip4 tcp from any to any flags fin+syn/fin+syn", "ip4 tcp 10.0.0.1:4000 > 10.0.0.2:80 fin+syn+ack",
			with(func(p *acl.Packet) { p.Flags = acl.SYN | acl.FIN | acl.ACK }),
			[]acl.Set{web},
		},
		{
			"deny: web rule 0: deny ip4 tcp from any to any flags fin+syn/fin+syn (a later fragment: VPP compares addresses and protocol only)",
			"ip4 tcp 10.0.0.1 > 10.0.0.2 later fragment",
			with(func(p *acl.Packet) { p.LaterFragment = true }),
			[]acl.Set{web},
		},
		{
			"deny: no rule fits, and sets are bound", "ip4 tcp 10.0.0.1 > 10.0.0.2 short",
			with(func(p *acl.Packet) { p.Short = true }),
			[]acl.Set{web},
		},
		{
			"deny: no rule fits, and sets are bound", "ip6 udp [fd00::1]:4000 > [fd00::2]:80",
			with(func(p *acl.Packet) { p.Src, p.Dst, p.Protocol = ip("fd00::1"), ip("fd00::2"), acl.UDP }),
			[]acl.Set{web},
		},
		{"deny: no rule fits, and sets are bound", tcp.String(), tcp, []acl.Set{empty}},
		{"permit: no set is bound", tcp.String(), tcp, nil},
		{"permit: sets are about IP only", "no IP packet", acl.Packet{}, []acl.Set{web}},
		{
			"permit+reflect: web rule 2: permit+reflect ip4 icmp from any to any", "ip4 icmp 10.0.0.1 > 10.0.0.2 type 8 code 0",
			acl.Packet{Src: tcp.Src, Dst: tcp.Dst, Protocol: acl.ICMP, ICMPType: 8},
			[]acl.Set{web},
		},
		{
			"permit+reflect: web rule 2: permit+reflect ip4 icmp from any to any (its answer has no session: icmp type 3 starts none)",
			"ip4 icmp 10.0.0.1 > 10.0.0.2 type 3 code 1",
			acl.Packet{Src: tcp.Src, Dst: tcp.Dst, Protocol: acl.ICMP, ICMPType: 3, ICMPCode: 1},
			[]acl.Set{web},
		},
	} {
		v, err := acl.Explain(c.p, c.sets...)
		require.NoError(t, err)
		require.Equal(t, c.want, v.String())
		require.Equal(t, c.packet, c.p.String())
		require.Equal(t, v.Action != acl.Deny, v.Passes())
	}
	for _, p := range []acl.Packet{
		{Src: ip("10.0.0.1")},
		{Src: ip("10.0.0.1"), Dst: ip("fd00::1")},
		{Src: ip("::ffff:10.0.0.1"), Dst: ip("fd00::1")},
		{Src: ip("fe80::1%eth0"), Dst: ip("fd00::1")},
	} {
		_, err := acl.Explain(p, web)
		require.ErrorContains(t, err, "want addresses of one family")
	}
}

func TestExplainMACIPSays(t *testing.T) {
	a, b := vppnet.MAC{2, 0, 0, 0, 0, 1}, vppnet.MAC{2, 0, 0, 0, 0, 2}
	one := acl.MACIPSet{Name: "vm1", Rules: []acl.MACIPRule{
		{Action: acl.Permit, MAC: a, Src: netip.MustParsePrefix("10.0.0.1/32")},
		{Action: acl.Permit, MAC: a, Src: netip.MustParsePrefix("fd00::/64")},
	}}
	for _, c := range []struct {
		want, frame string
		f           acl.Frame
		set         acl.MACIPSet
	}{
		{"permit: vm1 rule 0: permit ip4 from 10.0.0.1/32 at 02:00:00:00:00:01", "ip 10.0.0.1 at " + a.String(), acl.Frame{MAC: a, Src: ip("10.0.0.1")}, one},
		{"permit: vm1 rule 0: permit ip4 from 10.0.0.1/32 at 02:00:00:00:00:01", "arp 10.0.0.1 at " + a.String(), acl.Frame{MAC: a, Src: ip("10.0.0.1"), ARP: true}, one},
		{"permit: vm1 rule 1: permit ip6 from fd00::/64 at 02:00:00:00:00:01", "ip fd00::9 at " + a.String(), acl.Frame{MAC: a, Src: ip("fd00::9")}, one},
		{"deny: no source fits", "ip 10.0.0.1 at " + b.String(), acl.Frame{MAC: b, Src: ip("10.0.0.1")}, one},
		{"deny: no source fits", "arp 10.0.0.1 is at " + b.String() + ", at " + a.String(), acl.Frame{MAC: a, Src: ip("10.0.0.1"), ARP: true, Sender: b}, one},
		{"deny: no source fits", "neither ip nor arp at " + a.String(), acl.Frame{MAC: a}, one},
		{"permit: a set without rules lets all pass", "neither ip nor arp at " + a.String(), acl.Frame{MAC: a}, acl.MACIPSet{}},
	} {
		v, err := acl.ExplainMACIP(c.f, c.set)
		require.NoError(t, err)
		require.Equal(t, c.want, v.String())
		require.Equal(t, c.frame, c.f.String())
	}
	for _, f := range []acl.Frame{
		{MAC: a, ARP: true},
		{MAC: a, ARP: true, Src: ip("fd00::1")},
		{MAC: a, Src: ip("::ffff:10.0.0.1")},
		{MAC: a, Src: ip("fe80::1%eth0")},
	} {
		_, err := acl.ExplainMACIP(f, one)
		require.ErrorContains(t, err, "want an address")
	}
}
