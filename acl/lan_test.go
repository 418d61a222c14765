// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A lan is two hosts on a bridge domain of a real VPP: a, whose port is filtered,
// and b. Hosts are the ends of veth pairs, whose other ends VPP has in a network
// namespace of its own; what they send is made up here, frame by frame.
type lan struct {
	vpp  *vpptest.RealVPP
	c    *vppnet.Conn
	e    *desiredstate.Engine
	a, b *host
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	ns, hosts := netrig.New(t, "vpp"), netrig.New(t, "hosts")
	vpp := vpptest.Real(t, vpptest.InNetNS(string(ns)))
	c := dial(t, vpp.Socket(), "me", vppnet.WithReplyTimeout(20*time.Second))
	e := desiredstate.New(append(kinds(c), vppnet.HostInterfaces(c))...)
	e.MaxPrune = 1
	return &lan{vpp: vpp, c: c, e: e, a: newHost(t, ns, hosts, "a", 0x0a), b: newHost(t, ns, hosts, "b", 0x0b)}
}

// objects are the two ports, in order: the link of a comes up behind its filter.
func (l *lan) objects(filter ...desiredstate.Object) []desiredstate.Object {
	behind := []desiredstate.Key{vppnet.BridgePortKey("a")}
	for _, o := range filter {
		switch o.(type) {
		case acl.Binding, acl.MACIPBinding:
			behind = append(behind, o.Key())
		}
	}
	return append(filter,
		vppnet.BridgeDomain{Name: "net"}, vppnet.HostInterface{Name: "a", Device: "to-a"}, vppnet.HostInterface{Name: "b", Device: "to-b"},
		vppnet.BridgePort{Bridge: "net", Interface: "a"}, vppnet.BridgePort{Bridge: "net", Interface: "b"},
		vppnet.LinkState{Interface: "a", Up: true, After: behind}, vppnet.LinkState{Interface: "b", Up: true})
}

func (l *lan) sync(t *testing.T, want ...desiredstate.Object) {
	t.Helper()
	_, err := l.e.Sync(t.Context(), want...)
	require.NoError(t, err)
}

// A host sends frames, and remembers the marks of those it got.
type host struct {
	mac    vppnet.MAC
	v4, v6 netip.Addr
	wire   *netrig.Wire
	mu     sync.Mutex
	got    map[uint64]int
}

func newHost(t *testing.T, vpp, hosts netrig.NetNS, name string, n byte) *host {
	t.Helper()
	netrig.Veth(t, vpp, "to-"+name, hosts, name)
	h := &host{mac: mac(n), v4: netip.AddrFrom4([4]byte{10, 0, 0, n}), v6: netip.AddrFrom16([16]byte{0xfd, 15: n}), got: map[uint64]int{}}
	h.wire = hosts.Listen(t, name, func(frame []byte) { // it ends with the mark
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got[binary.BigEndian.Uint64(frame[len(frame)-8:])]++
	})
	return h
}

func (h *host) count(mark uint64) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got[mark]
}

func (h *host) send(frame []byte) { h.wire.Send(frame) }

// addr is the host's address of a family.
func (h *host) addr(f acl.Family) netip.Addr {
	if f == acl.IPv4 {
		return h.v4
	}
	return h.v6
}

var marks atomic.Uint64

// A datagram is a frame in the making; all of it can be lied about.
type datagram struct {
	family      acl.Family
	from, to    *host
	srcMAC      vppnet.MAC
	src         netip.Addr
	protocol    acl.Protocol
	sport, port uint16 // or ICMP type and code
	flags       acl.TCPFlags
}

// flowOf is a datagram that tells the truth about its sender.
func flowOf(f acl.Family, from, to *host, p acl.Protocol, sport, port uint16) datagram {
	return datagram{family: f, from: from, to: to, srcMAC: from.mac, src: from.addr(f), protocol: p, sport: sport, port: port, flags: acl.SYN}
}

// back is the answer to it.
func (d datagram) back() datagram {
	d.from, d.to, d.sport, d.port, d.flags = d.to, d.from, d.port, d.sport, acl.SYN|acl.ACK
	d.srcMAC, d.src = d.from.mac, d.from.addr(d.family)
	return d
}

// frame ends with the mark.
func (d datagram) frame(mark uint64) []byte {
	var l4 []byte
	switch d.protocol {
	case acl.TCP:
		l4 = append(be16(d.sport, d.port, 0, 1, 0, 1), 5<<4, byte(d.flags))
		l4 = append(l4, be16(1024, 0, 0)...)
	case acl.ICMP, acl.ICMPv6:
		l4 = append([]byte{byte(d.sport), byte(d.port)}, be16(0, 77, 1)...)
	default:
		l4 = be16(d.sport, d.port, 16, 0)
	}
	l4 = binary.BigEndian.AppendUint64(l4, mark)
	ip, kind := []byte{0x45, 0}, uint16(0x0800)
	if d.family == acl.IPv4 {
		ip = append(ip, be16(uint16(20+len(l4)), 1, 0)...)
		ip = append(append(append(ip, 64, byte(d.protocol), 0, 0), d.src.AsSlice()...), d.to.v4.AsSlice()...)
		binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	} else {
		kind = 0x86dd
		ip = append([]byte{0x60, 0, 0, 0, 0, byte(len(l4)), byte(d.protocol), 64}, d.src.AsSlice()...)
		ip = append(ip, d.to.v6.AsSlice()...)
	}
	return append(append(append(append(append([]byte{}, d.to.mac[:]...), d.srcMAC[:]...), be16(kind)...), ip...), l4...)
}

// arp asks for an address that nobody has.
func (d datagram) arp(mark uint64) []byte {
	f := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, d.srcMAC[:]...)
	f = append(append(f, be16(0x0806, 1, 0x0800, 0x0604, 1)...), d.srcMAC[:]...)
	f = append(append(append(f, d.src.AsSlice()...), 0, 0, 0, 0, 0, 0), 10, 0, 0, 99)
	return binary.BigEndian.AppendUint64(append(f, make([]byte, 10)...), mark)
}

func be16(words ...uint16) (b []byte) {
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

func checksum(header []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// arrives sends a frame and says whether it arrived. What was not dropped arrives in
// order, so a frame that surely passes, sent after it, ends the wait.
func (l *lan) arrives(t *testing.T, d datagram, frame func(uint64) []byte) bool {
	t.Helper()
	mark, barrier := marks.Add(1), marks.Add(1)
	d.from.send(frame(mark))
	pass := flowOf(acl.IPv4, d.from, d.to, acl.UDP, 7, 7) // permitted in every test, both ways
	require.Eventually(t, func() bool {
		d.from.send(pass.frame(barrier))
		return d.to.count(barrier) > 0
	}, 10*time.Second, 5*time.Millisecond, "nothing passes from %s", d.src)
	return d.to.count(mark) > 0
}

func (l *lan) passes(t *testing.T, d datagram, why string) {
	t.Helper()
	ok := false
	for range 5 { // a busy VPP may lose some
		ok = ok || l.arrives(t, d, d.frame)
	}
	require.True(t, ok, "dropped: %s: %s %s to %s, %d to %d", why, d.protocol, d.src, d.to.addr(d.family), d.sport, d.port)
}

func (l *lan) fails(t *testing.T, d datagram, why string) {
	t.Helper()
	require.False(t, l.arrives(t, d, d.frame), "passed: %s: %s %s to %s, %d to %d", why, d.protocol, d.src, d.to.addr(d.family), d.sport, d.port)
}
