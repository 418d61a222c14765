// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// secured is a as a port of a cloud, which may hear and send nothing but what tests need to
// tell that a wait is over.
func (l *lan) secured(t *testing.T) []desiredstate.Object {
	t.Helper()
	only := []acl.GroupRule{{Family: acl.IPv4, Protocol: acl.UDP, Ports: acl.Only(7)}}
	to, from, err := acl.SecurityGroup{Name: "g", Ingress: only, Egress: only}.Sets(nil)
	require.NoError(t, err)
	filter, err := acl.PortSecurity{
		Interface: "a", MAC: l.a.mac, Addrs: []netip.Addr{l.a.v4, l.a.v6}, Groups: []string{"g"},
		After: []desiredstate.Key{vppnet.BridgePortKey("a")},
	}.Objects()
	require.NoError(t, err)
	return append(filter, to, from)
}

// Errors about packets pass, to the VM and from it, whatever its groups say: without them
// there is no path MTU discovery. No other ICMP does.
func TestTrafficErrors(t *testing.T) {
	l := newLAN(t)
	l.sync(t, l.objects(l.secured(t)...)...)
	for f, types := range map[acl.Family]struct{ pass, fail []uint16 }{
		acl.IPv4: {[]uint16{3, 11, 12}, []uint16{0, 4, 5, 8, 9, 10, 13, 17}},
		acl.IPv6: {[]uint16{1, 2, 3, 4}, []uint16{0, 5, 127, 128, 129, 137, 139}},
	} {
		p, _, _ := icmp(f)
		for _, way := range [][2]*host{{l.a, l.b}, {l.b, l.a}} {
			for _, n := range types.pass {
				for code := range uint16(5) { // 4 of type 3 is "too big"
					l.passes(t, flowOf(f, way[0], way[1], p, n, code), "an error")
				}
			}
			for _, n := range types.fail {
				l.fails(t, flowOf(f, way[0], way[1], p, n, 0), "no error")
			}
		}
	}
	spoofed := flowOf(acl.IPv4, l.a, l.b, acl.ICMP, 3, 4)
	spoofed.src = netip.MustParseAddr("10.0.0.66")
	l.fails(t, spoofed, "an error in somebody else's name")
}

// wrapped is a frame of d with another type, or with none but a length, and with tags before.
func (d datagram) wrapped(kind uint16, tags ...uint16) func(uint64) []byte {
	return func(mark uint64) []byte {
		f := d.frame(mark)
		return d.with(f[14:], kind, tags...)
	}
}

func (d datagram) with(payload []byte, kind uint16, tags ...uint16) []byte {
	f := append(append([]byte{}, d.to.mac[:]...), d.srcMAC[:]...)
	for _, tag := range tags {
		f = append(f, be16(0x8100, tag)...)
	}
	return append(append(f, be16(kind)...), payload...)
}

// snap is an IP packet behind LLC and SNAP, as they wrapped it before Ethernet II.
func (d datagram) snap(tags ...uint16) func(uint64) []byte {
	return func(mark uint64) []byte {
		f := d.frame(mark)
		payload := append([]byte{0xaa, 0xaa, 3, 0, 0, 0}, f[12:]...)
		return d.with(payload, uint16(len(payload)), tags...)
	}
}

// What is neither IP nor ARP does not pass a port of a cloud, whichever way. VPP looks behind
// the tag, so with one of VLAN 0, which is a priority and no VLAN, or of a VLAN of the VM's,
// all is as without one.
func TestTrafficOfOtherTypes(t *testing.T) {
	l := newLAN(t)
	l.sync(t, l.objects(l.secured(t)...)...)
	for _, way := range [][2]*host{{l.a, l.b}, {l.b, l.a}} {
		for _, tags := range [][]uint16{nil, {0}, {5 << 13}, {100}} {
			permitted := flowOf(acl.IPv4, way[0], way[1], acl.UDP, 7, 7)
			denied := flowOf(acl.IPv4, way[0], way[1], acl.UDP, 7, 8)
			say := func(want bool, what string, frame func(uint64) []byte) {
				t.Helper()
				got := false
				for range 3 { // a busy VPP may lose some
					got = got || l.arrives(t, permitted, frame)
				}
				require.Equal(t, want, got, "%s from %s, tags %v", what, permitted.src, tags)
			}
			say(true, "IP that is permitted", permitted.wrapped(0x0800, tags...))
			say(false, "IP that is denied", denied.wrapped(0x0800, tags...))
			say(true, "ARP", func(mark uint64) []byte { return permitted.with(permitted.arp(mark)[14:], 0x0806, tags...) })
			say(false, "SNAP around IP that is permitted", permitted.snap(tags...))
			say(false, "SNAP around IP that is denied", denied.snap(tags...))
			say(false, "a length and nothing", permitted.wrapped(60, tags...))
			for _, kind := range []uint16{0x1234, 0x88cc, 0x8847, 0x8035, 0x88f7, 0x9000, 0xffff, 0x0600} {
				say(false, "another type", permitted.wrapped(kind, tags...))
			}
			for n := range 4 { // however many tags
				deep := slices.Concat(tags, make([]uint16, n))
				say(false, "IP that is denied", denied.wrapped(0x0800, deep...))
				say(false, "another type", permitted.wrapped(0x1234, deep...))
				say(false, "SNAP", permitted.snap(deep...))
			}
		}
	}
}
