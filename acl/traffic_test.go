// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
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

// A session goes on while any sets permit it, and ends with the rule that started it: when the
// next packet comes from the side that began it.
func TestTrafficRulesChange(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	l.sync(t, l.objects(fromA, toA, bound)...)
	webs := []datagram{flowOf(acl.IPv4, l.a, l.b, acl.TCP, 1001, 80), flowOf(acl.IPv6, l.a, l.b, acl.TCP, 1001, 80)}
	goesOn := func(why string) {
		t.Helper()
		for _, web := range webs {
			l.passes(t, web.back(), why+": an answer")
			l.passes(t, web, why)
			l.passes(t, web.back(), why+": another answer")
		}
	}
	for _, web := range webs {
		l.passes(t, web, "permitted")
	}
	mute := acl.Set{Name: "mute", Rules: []acl.Rule{{Family: acl.IPv4, Protocol: 99}}}
	other := bound
	other.Input, other.Output = []string{"from-a", "mute"}, []string{"mute", "to-a"}
	l.sync(t, l.objects(fromA, mute, toA, other)...)
	goesOn("one more set")
	more := fromA
	more.Rules = append(slices.Clone(fromA.Rules), acl.Rule{Action: acl.Permit, Family: acl.IPv4, Protocol: 99})
	l.sync(t, l.objects(more, mute, toA, other)...)
	goesOn("one more rule")
	l.sync(t, l.objects(fromA, mute, toA, bound)...)
	goesOn("one rule and one set less")

	none := acl.Set{Name: "from-a", Rules: []acl.Rule{keepalive()}}
	l.sync(t, l.objects(none, toA, bound)...)
	for _, web := range webs {
		l.fails(t, web, "its rule has gone")
		l.fails(t, web.back(), "and its session with it")
	}
	l.sync(t, l.objects(fromA, toA, bound)...)
	for _, web := range webs {
		l.passes(t, web, "permitted again")
		l.passes(t, web.back(), "its answer")
	}
	fromB := acl.Set{Name: "from-b", Rules: none.Rules}
	other = bound
	other.Input = []string{"from-b"}
	l.sync(t, l.objects(fromB, toA, other)...)
	for _, web := range webs {
		l.fails(t, web, "its set is not bound any more")
		l.fails(t, web.back(), "its session has gone")
	}
}

// Nothing that is denied passes at any moment, whatever is programmed meanwhile.
func TestTrafficWhileProgramming(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	spoofed := flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1000, 53)
	spoofed.src = netip.AddrFrom4([4]byte{10, 0, 0, 66})
	spoofed6 := flowOf(acl.IPv6, l.a, l.b, acl.UDP, 1000, 53)
	spoofed6.srcMAC = vppnet.MAC{2, 6, 6, 6, 6, 6}
	denied := []datagram{
		spoofed, spoofed6, flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1, 9999), flowOf(acl.IPv6, l.a, l.b, acl.TCP, 1, 9999),
		flowOf(acl.IPv4, l.b, l.a, acl.TCP, 1, 9999), flowOf(acl.IPv6, l.b, l.a, acl.UDP, 1, 9999),
	}
	bad, sent := marks.Add(1), atomic.Int64{}
	var flood sync.WaitGroup
	var end atomic.Bool
	for _, d := range denied {
		frame := d.frame(bad)
		flood.Go(func() {
			for !end.Load() {
				d.from.send(frame)
				sent.Add(1)
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	check := func(what string) {
		t.Helper()
		require.Zero(t, l.a.count(bad)+l.b.count(bad), "%s: of %d frames that are denied some passed", what, sent.Load())
	}
	all := func(sets ...desiredstate.Object) []desiredstate.Object {
		return l.objects(append(sets, toA, l.antiSpoof(), bound, macipBound)...)
	}
	l.sync(t, all(fromA)...)
	l.passes(t, flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1000, 53), "the filter is no wall")
	check("made")
	for i := range 20 {
		larger := fromA
		for n := range uint16(100 * i) {
			larger.Rules = append(larger.Rules, acl.Rule{Action: acl.PermitReflect, Family: acl.IPv6, Protocol: acl.UDP, DstPorts: acl.Between(n, n+uint16(i))})
		}
		l.sync(t, all(larger)...)
	}
	l.sync(t, all(fromA)...)
	check("rules changed")
	for i := range 20 {
		second, other := fromA, bound
		second.Name, other.Input = "second", []string{"second"}
		if i%2 == 0 {
			other.Input = []string{"second", "from-a"}
		}
		macips := l.antiSpoof()
		macips.Name = fmt.Sprint("macips", i)
		rebound := macipBound
		rebound.Set = macips.Name
		l.sync(t, l.objects(fromA, second, toA, macips, other, rebound)...)
	}
	l.sync(t, all(fromA)...)
	check("sets exchanged")
	for range 5 { // out of the bridge domain, and in again
		_, err := l.e.Remove(t.Context(), vppnet.LinkKey("a"), bound.Key(), macipBound.Key(), vppnet.BridgePortKey("a"))
		require.NoError(t, err)
		l.sync(t, all(fromA)...)
	}
	l.passes(t, flowOf(acl.IPv4, l.a, l.b, acl.UDP, 1000, 53), "the filter is no wall")
	check("bridged anew")
	l.sync(t)
	check("removed")
	end.Store(true)
	flood.Wait()
	t.Logf("%d frames that are denied, none passed", sent.Load())
	require.Greater(t, sent.Load(), int64(1000))
}
