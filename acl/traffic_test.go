// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// keepalive permits what tells that a wait is over.
func keepalive() acl.Rule {
	return acl.Rule{Action: acl.Permit, Family: acl.IPv4, Protocol: acl.UDP, SrcPorts: acl.Only(7), DstPorts: acl.Only(7)}
}

func icmp(f acl.Family) (p acl.Protocol, request, reply uint16) {
	if f == acl.IPv4 {
		return acl.ICMP, 8, 0
	}
	return acl.ICMPv6, 128, 129
}

// policy lets a ask b's ports 53 (UDP) and 80 (TCP) and ping it, and b a's port 22.
func policy() (fromA, toA acl.Set) {
	fromA, toA = acl.Set{Name: "from-a", Rules: []acl.Rule{keepalive()}}, acl.Set{Name: "to-a", Rules: []acl.Rule{keepalive()}}
	for _, f := range []acl.Family{acl.IPv4, acl.IPv6} {
		ping, request, _ := icmp(f)
		fromA.Rules = append(fromA.Rules,
			acl.Rule{Action: acl.PermitReflect, Family: f, Protocol: acl.UDP, DstPorts: acl.Only(53)},
			acl.Rule{Action: acl.PermitReflect, Family: f, Protocol: acl.TCP, DstPorts: acl.Between(80, 81)},
			acl.Rule{Action: acl.PermitReflect, Family: f, Protocol: ping, ICMPTypes: acl.Only(request), ICMPCodes: acl.Only(0)})
		toA.Rules = append(toA.Rules, acl.Rule{Action: acl.PermitReflect, Family: f, Protocol: acl.TCP, DstPorts: acl.Only(22)})
	}
	return fromA, toA
}

var bound = acl.Binding{Interface: "a", Input: []string{"from-a"}, Output: []string{"to-a"}, After: []desiredstate.Key{vppnet.BridgePortKey("a")}}

// What is permitted passes, and so does what answers it; all else fails.
func TestTrafficStateful(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	l.sync(t, l.objects(fromA, toA, bound)...)
	for _, f := range []acl.Family{acl.IPv4, acl.IPv6} {
		dns, web, ssh := flowOf(f, l.a, l.b, acl.UDP, 1000, 53), flowOf(f, l.a, l.b, acl.TCP, 1001, 80), flowOf(f, l.b, l.a, acl.TCP, 1002, 22)
		for _, d := range []datagram{dns, web, ssh} {
			l.fails(t, d.back(), "an answer to nothing")
			l.passes(t, d, "permitted")
			l.passes(t, d.back(), "its answer")
			l.passes(t, d, "again")
			other := d
			other.sport++
			l.fails(t, other.back(), "an answer to another flow")
			other = d
			other.port += 2
			l.fails(t, other, "another port")
			l.fails(t, other.back(), "another port, back")
		}
		p, request, reply := icmp(f)
		echo := flowOf(f, l.a, l.b, p, request, 0)
		answer := echo.back()
		answer.sport, answer.port = reply, 0
		l.fails(t, answer, "an answer to nothing")
		l.passes(t, echo, "permitted")
		l.passes(t, answer, "its answer")
		l.fails(t, flowOf(f, l.b, l.a, p, request, 0), "not permitted that way")
		l.fails(t, flowOf(f, l.a, l.b, p, request, 1), "another code")
		l.fails(t, flowOf(f, l.a, l.b, 132, 0, 0), "another protocol")
	}
}

// Ethertypes that are not IP pass, until a list says otherwise.
func TestTrafficEtherTypes(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	want := l.objects(fromA, toA, bound)
	l.sync(t, want...)
	d := flowOf(acl.IPv4, l.a, l.b, 0, 0, 0)
	require.True(t, l.arrives(t, d, d.arp))
	l.sync(t, append(want, acl.EtherTypes{Interface: "a", Input: []uint16{0x88cc}})...)
	require.False(t, l.arrives(t, d, d.arp))
	require.True(t, l.arrives(t, d.back(), d.back().arp), "the other way there is no list")
	l.sync(t, append(want, acl.EtherTypes{Interface: "a", Input: []uint16{0x88cc, 0x0806}})...)
	require.True(t, l.arrives(t, d, d.arp))
	l.sync(t, want...)
	require.True(t, l.arrives(t, d, d.arp))
}

// antiSpoof lets a send as itself only.
func (l *lan) antiSpoof() acl.MACIPSet {
	return acl.MACIPSet{Name: "a", Rules: []acl.MACIPRule{
		{Action: acl.Permit, MAC: l.a.mac, Src: netip.PrefixFrom(l.a.v4, 32)}, {Action: acl.Permit, MAC: l.a.mac, Src: netip.PrefixFrom(l.a.v6, 128)},
	}}
}

var macipBound = acl.MACIPBinding{Interface: "a", Set: "a", After: []desiredstate.Key{vppnet.BridgePortKey("a")}}

// Who sends as somebody else is not heard.
func TestTrafficSpoofed(t *testing.T) {
	l := newLAN(t)
	l.sync(t, l.objects(l.antiSpoof(), macipBound)...)
	check := func(f acl.Family, me func(datagram) datagram) {
		d := me(flowOf(f, l.a, l.b, acl.UDP, 1, 1))
		l.passes(t, d, "oneself")
		l.passes(t, d.back(), "nobody filters b")
		mac, ip, both := d, d, d
		mac.srcMAC = vppnet.MAC{2, 9, 9, 9, 9, 9}
		ip.src = ip.src.Next().Next().Next().Next()
		both.srcMAC, both.src = mac.srcMAC, ip.src
		for why, d := range map[string]datagram{"MAC": mac, "IP": ip, "both": both} {
			l.fails(t, d, why)
			if f == acl.IPv4 {
				require.False(t, l.arrives(t, d, d.arp), "ARP with wrong %s", why)
			}
		}
		if f == acl.IPv4 {
			require.True(t, l.arrives(t, d, d.arp))
		}
	}
	check(acl.IPv4, func(d datagram) datagram { return d })
	check(acl.IPv6, func(d datagram) datagram { return d })

	// Another address, in place: the old one is out at once.
	second := l.antiSpoof()
	second.Rules[1].Src = netip.PrefixFrom(l.a.v6.Next().Next(), 128)
	l.sync(t, l.objects(second, macipBound)...)
	l.fails(t, flowOf(acl.IPv6, l.a, l.b, acl.UDP, 1, 1), "the old address")
	d := flowOf(acl.IPv6, l.a, l.b, acl.UDP, 1, 1)
	d.src = second.Rules[1].Src.Addr()
	l.passes(t, d, "the new address")
}
