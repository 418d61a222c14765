// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule says what becomes of the packets that it fits. The zero value of each
// field but Action fits all packets of the family. Rules are comparable.
//
// Of a datagram's later fragments VPP compares addresses and protocol only: what
// a rule says of ports, types and flags does not keep it from fitting them. A
// rule with a protocol does not fit a packet with less than 8 bytes after its IP
// header.
type Rule struct {
	Action Action

	// Family can be left out if Src or Dst tells it. VPP has no rule for both:
	// "any" takes two.
	Family Family

	Src, Dst netip.Prefix // without host bits

	Protocol Protocol

	SrcPorts, DstPorts Range // TCP and UDP only: VPP sees no other protocol's ports

	ICMPTypes, ICMPCodes Range // ICMP and ICMPv6 only; 0 to 255

	// Flags fit if the packet's TCP flags, of those in FlagsMask, are exactly
	// Flags. TCP only.
	Flags, FlagsMask TCPFlags
}

// Action is what becomes of a packet. The zero value is Deny.
type Action uint8

// PermitReflect lets the packet pass and then, while the session lives, the
// rest of its flow in both directions, past any rule. When rules have changed, the
// next packet from the side that began it is judged by them, and with it the session.
// VPP does not tell pings apart: all of one host to another are one session. Of ICMP only requests for echo, timestamp, information and
// address mask, of ICMPv6 those for echo and node information start a session;
// all else is merely permitted.
const (
	Deny Action = iota
	Permit
	PermitReflect
)

// Family is a version of IP.
type Family uint8

// The families. The zero value stands for that of the rule's prefixes.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Protocol is an IP protocol number. 0: any, and with any other first header of
// IPv6. VPP skips IPv6 extension headers, so they cannot be fitted.
type Protocol uint8

// Protocols that rules know more of than the number.
const (
	ICMP   Protocol = 1
	TCP    Protocol = 6
	UDP    Protocol = 17
	ICMPv6 Protocol = 58
)

// family is Family, or that of the prefixes. 0: neither says.
func (r Rule) family() Family { return familyOf(r.Family, r.Src, r.Dst) }

func familyOf(f Family, prefixes ...netip.Prefix) Family {
	for _, p := range prefixes {
		switch {
		case f != 0 || !p.IsValid():
		case p.Addr().Is4():
			f = IPv4
		default:
			f = IPv6
		}
	}
	return f
}

// normal returns the one rule of all that mean the same that a dump yields:
// with a family, without prefixes and ranges that fit all.
func (r Rule) normal() Rule {
	r.Family = r.family()
	r.Src, r.Dst = noAny(r.Src), noAny(r.Dst)
	r.SrcPorts, r.DstPorts = r.SrcPorts.upTo(maxPort), r.DstPorts.upTo(maxPort)
	r.ICMPTypes, r.ICMPCodes = r.ICMPTypes.upTo(maxICMP), r.ICMPCodes.upTo(maxICMP)
	return r
}

func noAny(p netip.Prefix) netip.Prefix {
	if p.IsValid() && p.Bits() == 0 {
		return netip.Prefix{}
	}
	return p
}

// Validate refuses what VPP refuses, and what it would store but never, or
// otherwise than written, apply.
func (r Rule) Validate() error {
	family := r.family()
	if r.Action > PermitReflect {
		return fmt.Errorf("%s, want deny, permit or permit+reflect", r.Action)
	}
	if err := checkFamily(family, r.Src, r.Dst); err != nil {
		return err
	}
	switch {
	case r.Protocol == ICMP && family == IPv6:
		return errors.New("icmp is of IPv4, IPv6 has icmpv6 (58)")
	case r.Protocol == ICMPv6 && family == IPv4:
		return errors.New("icmpv6 is of IPv6, IPv4 has icmp (1)")
	case family == IPv6 && slices.Contains(extensionHeaders, r.Protocol):
		return fmt.Errorf("protocol %d is an IPv6 extension header, which VPP skips", r.Protocol)
	}
	if err := r.checkRanges(); err != nil {
		return err
	}
	if r.Protocol != TCP && r.Flags|r.FlagsMask != 0 {
		return fmt.Errorf("TCP flags of protocol %s", r.Protocol)
	}
	if r.Flags&^r.FlagsMask != 0 {
		return fmt.Errorf("TCP flags %s are not all in the mask %s: no packet could fit", r.Flags, r.FlagsMask)
	}
	return nil
}

func (r Rule) checkRanges() error {
	ports, icmp := r.Protocol == TCP || r.Protocol == UDP, r.Protocol == ICMP || r.Protocol == ICMPv6
	for _, x := range []struct {
		what string
		Range
		max uint16
		on  bool
	}{
		{"source ports", r.SrcPorts, maxPort, ports},
		{"destination ports", r.DstPorts, maxPort, ports},
		{"ICMP types", r.ICMPTypes, maxICMP, icmp},
		{"ICMP codes", r.ICMPCodes, maxICMP, icmp},
	} {
		switch {
		case x.IsZero():
		case !x.on && x.max == maxPort:
			return fmt.Errorf("%s %s of protocol %s: VPP sees ports of TCP and UDP only", x.what, x.Range, r.Protocol)
		case !x.on:
			return fmt.Errorf("%s %s of protocol %s, want icmp or icmpv6", x.what, x.Range, r.Protocol)
		case x.first > x.last:
			return fmt.Errorf("%s %s: the first is after the last", x.what, x.Range)
		case x.last > x.max:
			return fmt.Errorf("%s %s, want at most %d", x.what, x.Range, x.max)
		}
	}
	if r.Action == PermitReflect && icmp && !slices.ContainsFunc(reflected[r.Protocol], r.ICMPTypes.Contains) {
		return fmt.Errorf("permit+reflect of %s types %s: VPP starts sessions for types %d only, so permit the answer by a rule of its own",
			r.Protocol, r.ICMPTypes, reflected[r.Protocol])
	}
	return nil
}

// reflected lists the ICMP types that start a session.
var reflected = map[Protocol][]uint16{ICMP: {8, 13, 15, 17}, ICMPv6: {128, 139}}

// extensionHeaders are what VPP skips in IPv6 on its way to the protocol. 0, hop
// by hop, is one too, but stands for any protocol.
var extensionHeaders = []Protocol{43, 44, 60, 135, 139, 140, 253, 254}

const (
	maxPort = 65535
	maxICMP = 255
)

// checkFamily reports why prefixes are not of one known family.
func checkFamily(f Family, prefixes ...netip.Prefix) error {
	if f != IPv4 && f != IPv6 {
		if f == 0 {
			return errors.New("neither family nor prefix is given: it takes one rule for IPv4 and one for IPv6")
		}
		return fmt.Errorf("family %d, want 4 or 6", f)
	}
	for _, p := range prefixes {
		switch {
		case p == netip.Prefix{}:
		case !p.IsValid():
			return fmt.Errorf("prefix of %s has an impossible length", p.Addr())
		case p.Addr().Is4In6():
			return fmt.Errorf("prefix %s: IPv4 in IPv6 fits no packet, write it as IPv4", p)
		case p.Addr().Is4() != (f == IPv4):
			return fmt.Errorf("prefix %s in a rule for %s", p, f)
		case p != p.Masked():
			return fmt.Errorf("prefix %s has bits beyond its length, %s has none", p, p.Masked())
		}
	}
	return nil
}

// String returns the rule in one line:
//
//	permit+reflect ip4 tcp from 10.0.0.0/8 to any port 80-90 flags syn/syn+ack
func (r Rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Action, r.family())
	if r.Protocol != 0 {
		fmt.Fprintf(&b, " %s", r.Protocol)
	}
	for _, end := range []struct {
		word   string
		prefix netip.Prefix
		ports  Range
	}{{"from", r.Src, r.SrcPorts}, {"to", r.Dst, r.DstPorts}} {
		fmt.Fprintf(&b, " %s %s", end.word, orAny(end.prefix))
		if !end.ports.IsZero() {
			fmt.Fprintf(&b, " port %s", end.ports)
		}
	}
	if !r.ICMPTypes.IsZero() {
		fmt.Fprintf(&b, " type %s", r.ICMPTypes)
	}
	if !r.ICMPCodes.IsZero() {
		fmt.Fprintf(&b, " code %s", r.ICMPCodes)
	}
	if r.FlagsMask|r.Flags != 0 {
		fmt.Fprintf(&b, " flags %s/%s", r.Flags, r.FlagsMask)
	}
	return b.String()
}

func orAny(p netip.Prefix) string {
	if noAny(p) == (netip.Prefix{}) {
		return "any"
	}
	return p.String()
}
