// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"encoding/binary"
	"net/netip"

	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vppnet"
)

// A world is a small part of what addresses there are, so that rules and packets
// drawn from it often meet: number n has 10.n.0.0/16 and fd00:n::/32. Packets of
// different worlds share no sessions.
type world byte

func (w world) addr(t *rapid.T, f acl.Family) netip.Addr {
	x := rapid.SampledFrom([]uint16{0x0000, 0x0001, 0x0002, 0x0080, 0x0101}).Draw(t, "address")
	if f == acl.IPv4 {
		return netip.AddrFrom4([4]byte{10, byte(w), byte(x >> 8), byte(x)})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 3: byte(w), 14: byte(x >> 8), 15: byte(x)})
}

func (w world) prefix(t *rapid.T, f acl.Family) netip.Prefix {
	a := w.addr(t, f)
	fromEnd := rapid.SampledFrom([]int{0, 1, 2, 8, 9, 16, 16, 128, 128}).Draw(t, "host bits")
	if fromEnd > a.BitLen() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen()-fromEnd).Masked()
}

var (
	someFamily = rapid.SampledFrom([]acl.Family{acl.IPv4, acl.IPv6})
	somePort   = rapid.SampledFrom([]uint16{0, 1, 22, 80, 81, 443, 65535})
	someType   = rapid.SampledFrom([]uint16{0, 3, 8, 128, 129, 134, 135, 255})
	someCode   = rapid.SampledFrom([]uint16{0, 1, 255})
	someFlags  = rapid.Map(rapid.SampledFrom([]int{0, 1, 2, 16, 18, 255}), func(n int) acl.TCPFlags { return acl.TCPFlags(n) })
)

func someProtocol(f acl.Family) *rapid.Generator[acl.Protocol] {
	icmp := acl.ICMP
	if f == acl.IPv6 {
		icmp = acl.ICMPv6
	}
	return rapid.SampledFrom([]acl.Protocol{0, acl.TCP, acl.TCP, acl.UDP, icmp, 47, 132})
}

func someRange(t *rapid.T, from *rapid.Generator[uint16]) acl.Range {
	a, b := from.Draw(t, "first"), from.Draw(t, "last")
	switch rapid.IntRange(0, 2).Draw(t, "range") {
	case 0:
		return acl.Range{}
	case 1:
		return acl.Only(a)
	}
	return acl.Between(min(a, b), max(a, b))
}

// rule draws a rule that Validate accepts.
func (w world) rule(t *rapid.T) acl.Rule {
	r := acl.Rule{
		Action: rapid.SampledFrom([]acl.Action{acl.Deny, acl.Permit, acl.PermitReflect}).Draw(t, "action"),
		Family: someFamily.Draw(t, "family"),
	}
	r.Src, r.Dst = w.prefix(t, r.Family), w.prefix(t, r.Family)
	r.Protocol = someProtocol(r.Family).Draw(t, "protocol")
	switch r.Protocol {
	case acl.TCP:
		r.FlagsMask = someFlags.Draw(t, "mask")
		r.Flags = someFlags.Draw(t, "flags") & r.FlagsMask
		fallthrough
	case acl.UDP:
		r.SrcPorts, r.DstPorts = someRange(t, somePort), someRange(t, somePort)
	case acl.ICMP, acl.ICMPv6:
		r.ICMPTypes, r.ICMPCodes = someRange(t, someType), someRange(t, someCode)
		if r.Action == acl.PermitReflect && r.Validate() != nil {
			r.Action = acl.Permit
		}
	}
	return r
}

func (w world) set(name string) *rapid.Generator[acl.Set] {
	return rapid.Custom(func(t *rapid.T) acl.Set {
		return acl.Set{Name: name, Rules: rapid.SliceOfN(rapid.Custom(w.rule), 0, 8).Draw(t, "rules")}
	})
}

func (w world) packet(t *rapid.T) acl.Packet {
	f := someFamily.Draw(t, "family")
	p := acl.Packet{Src: w.addr(t, f), Dst: w.addr(t, f), Protocol: someProtocol(f).Filter(func(p acl.Protocol) bool { return p != 0 }).Draw(t, "protocol")}
	switch rapid.IntRange(0, 9).Draw(t, "how") {
	case 0:
		p.LaterFragment = true
		return p
	case 1:
		p.Short = true
		return p
	}
	switch p.Protocol {
	case acl.TCP:
		p.Flags = someFlags.Draw(t, "flags")
		fallthrough
	case acl.UDP:
		p.SrcPort, p.DstPort = somePort.Draw(t, "source port"), somePort.Draw(t, "destination port")
	case acl.ICMP, acl.ICMPv6:
		p.ICMPType, p.ICMPCode = uint8(someType.Draw(t, "type")), uint8(someCode.Draw(t, "code"))
	}
	return p
}

// flow is a packet as VPP's table of sessions knows it.
func flow(p acl.Packet) acl.Packet {
	p.Flags, p.LaterFragment, p.Short = 0, false, false
	return p
}

// bytes returns the packet from its IP header on. An extension header is put
// before the protocol's in IPv6 if extended.
func bytes(p acl.Packet, extended bool) []byte {
	var b []byte
	switch {
	case p.LaterFragment: // something that no rule must read as ports
		b = []byte{0, 80, 0, 80, 8, 0, 0, 0, 0, 0, 0, 0}
	case p.Short:
		b = []byte{0, 80, 0, 80}
	case p.Protocol == acl.TCP:
		b = be(p.SrcPort, p.DstPort, 0, 0, 0, 0, 5<<12|uint16(p.Flags), 0, 0, 0)
	case p.Protocol == acl.UDP:
		b = be(p.SrcPort, p.DstPort, 8, 0)
	case p.Protocol == acl.ICMP, p.Protocol == acl.ICMPv6:
		b = []byte{p.ICMPType, p.ICMPCode, 0, 0, 0, 0, 0, 0}
	default:
		b = be(1, 80, 1, 80, 1, 80)
	}
	src, dst := p.Src.AsSlice(), p.Dst.AsSlice()
	if p.Src.Is4() {
		fragment := uint16(0)
		if p.LaterFragment {
			fragment = 1
		}
		head := be(0x4500, uint16(20+len(b)), 7, fragment, 64<<8|uint16(p.Protocol), 0)
		return append(append(append(head, src...), dst...), b...)
	}
	next := byte(p.Protocol)
	if p.LaterFragment {
		b, next = append([]byte{next, 0, 0, 8, 0, 0, 0, 7}, b...), 44
	}
	if extended {
		b, next = append([]byte{next, 0, 1, 4, 0, 0, 0, 0}, b...), 60
	}
	head := append(be(0x6000, 0, uint16(len(b))), next, 64)
	return append(append(append(head, src...), dst...), b...)
}

// arp returns a request that tells of a sender.
func arp(sender vppnet.MAC, src netip.Addr) []byte {
	b := append(be(1, 0x0800, 0x0604, 1), sender[:]...)
	return append(append(b, src.AsSlice()...), 0, 0, 0, 0, 0, 0, 10, 0, 0, 9)
}

func be(words ...uint16) []byte {
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

// someFrame draws what a host may say of itself, or something that is neither IP nor
// ARP.
func someFrame(t *rapid.T) acl.Frame {
	f := acl.Frame{MAC: someMAC.Draw(t, "MAC")}
	if rapid.IntRange(0, 9).Draw(t, "other") == 0 {
		return f
	}
	f.Src = world(0).addr(t, someFamily.Draw(t, "family"))
	if f.ARP = f.Src.Is4() && rapid.Bool().Draw(t, "ARP"); f.ARP && rapid.Bool().Draw(t, "tells another") {
		f.Sender = someMAC.Draw(t, "sender")
	}
	return f
}

var someMAC = rapid.SampledFrom([]vppnet.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 9, 0, 1}, {6, 0, 0, 0, 0, 1}})

func someMACIPRule(t *rapid.T) acl.MACIPRule {
	r := acl.MACIPRule{
		Action: rapid.SampledFrom([]acl.Action{acl.Deny, acl.Permit, acl.Permit}).Draw(t, "action"),
		Family: someFamily.Draw(t, "family"),
		MAC:    someMAC.Draw(t, "MAC"),
		Mask:   rapid.SampledFrom([]vppnet.MAC{{}, {}, {255, 255, 255}, {255}, {0, 0, 0, 0, 0, 255}}).Draw(t, "mask"),
	}
	r.Src = world(0).prefix(t, r.Family)
	if rapid.IntRange(0, 5).Draw(t, "any MAC") == 0 {
		r.MAC, r.Mask = vppnet.MAC{}, vppnet.MAC{}
	}
	if !r.Mask.IsZero() {
		for i := range r.MAC {
			r.MAC[i] &= r.Mask[i]
		}
	}
	return r
}

func frameBytes(f acl.Frame, tags []uint16) []byte {
	switch {
	case f.ARP && f.Sender.IsZero():
		return ethernet(f.MAC, 0x0806, arp(f.MAC, f.Src), tags...)
	case f.ARP:
		return ethernet(f.MAC, 0x0806, arp(f.Sender, f.Src), tags...)
	case !f.Src.IsValid():
		return ethernet(f.MAC, 0x88cc, make([]byte, 60), tags...)
	}
	return ethernet(f.MAC, etherType(f.Src), bytes(acl.Packet{Src: f.Src, Dst: f.Src, Protocol: acl.UDP}, false), tags...)
}
