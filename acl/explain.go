// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"
	"net/netip"
	"slices"
)

// Packet is what VPP's sets look at in one.
type Packet struct {
	Src, Dst netip.Addr // of one family; both zero: no IP packet
	Protocol Protocol   // IPv6: after the extension headers

	SrcPort, DstPort   uint16   // TCP and UDP
	Flags              TCPFlags // TCP
	ICMPType, ICMPCode uint8    // ICMP and ICMPv6

	// LaterFragment: not the first of its datagram, so there are no ports, types or
	// flags to see.
	LaterFragment bool

	// Short: there are fewer than 8 bytes behind the IP headers. VPP takes no look
	// at them then.
	Short bool
}

// Verdict is what becomes of a packet, and why.
type Verdict struct {
	Action Action
	Set    string // whose rule decides; "": no rule fits
	Index  int    // of the rule, from 0; -1: no rule fits
	Reason string // for people
}

// Passes says whether the packet goes on.
func (v Verdict) Passes() bool { return v.Action != Deny }

// String returns the verdict in one line:
//
//	permit+reflect: sg:web.to rule 2: permit+reflect ip4 tcp from any to any port 80
func (v Verdict) String() string {
	if v.Index < 0 {
		return fmt.Sprintf("%s: %s", v.Action, v.Reason)
	}
	return fmt.Sprintf("%s: %s rule %d: %s", v.Action, v.Set, v.Index, v.Reason)
}

// Explain says what becomes of a packet in one direction of an interface, to which
// these sets are bound in this order, as VPP decides. A packet of a session that
// lives passes whatever Explain says: VPP does not ask its sets about it. It does
// not know of [EtherTypes], by which VPP may drop what is not IP, nor of MACIP sets.
//
// It asks whatever sets it is given, valid or not. An error says that no such packet
// exists.
func Explain(p Packet, sets ...Set) (Verdict, error) {
	family, err := p.family()
	switch {
	case err != nil:
		return Verdict{}, err
	case family == 0:
		return passes("sets are about IP only"), nil
	case len(sets) == 0:
		return passes("no set is bound"), nil
	}
	for _, s := range sets {
		for i, r := range s.Rules {
			if r = r.normal(); r.Family == family && r.fits(p) {
				return Verdict{Action: r.Action, Set: s.Name, Index: i, Reason: r.String() + p.remark(r)}, nil
			}
		}
	}
	return Verdict{Action: Deny, Index: -1, Reason: "no rule fits, and sets are bound"}, nil
}

func passes(reason string) Verdict { return Verdict{Action: Permit, Index: -1, Reason: reason} }

// family returns 0 for what is no IP packet.
func (p Packet) family() (Family, error) {
	switch {
	case !p.Src.IsValid() && !p.Dst.IsValid():
		return 0, nil
	case p.Src.Is4() && p.Dst.Is4():
		return IPv4, nil
	case isPure6(p.Src) && isPure6(p.Dst):
		return IPv6, nil
	}
	return 0, fmt.Errorf("packet from %s to %s: want addresses of one family, without zones", p.Src, p.Dst)
}

func isPure6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() && a.Zone() == "" }

// fits says what VPP says of a packet of the rule's family. Of a later fragment it
// compares addresses and protocol only. A rule for one protocol fits no packet that
// is too short for VPP to look into.
func (r Rule) fits(p Packet) bool {
	if r.Src.IsValid() && !r.Src.Contains(p.Src) || r.Dst.IsValid() && !r.Dst.Contains(p.Dst) {
		return false
	}
	switch {
	case r.Protocol == 0:
		return true
	case r.Protocol != p.Protocol:
		return false
	case p.LaterFragment:
		return true
	case p.Short:
		return false
	}
	switch r.Protocol {
	case TCP:
		return r.SrcPorts.Contains(p.SrcPort) && r.DstPorts.Contains(p.DstPort) && p.Flags&r.FlagsMask == r.Flags
	case UDP:
		return r.SrcPorts.Contains(p.SrcPort) && r.DstPorts.Contains(p.DstPort)
	case ICMP, ICMPv6:
		return r.ICMPTypes.Contains(uint16(p.ICMPType)) && r.ICMPCodes.Contains(uint16(p.ICMPCode))
	}
	return true
}

// remark adds what the rule does not say of itself.
func (p Packet) remark(r Rule) string {
	types, icmp := reflected[p.Protocol]
	switch {
	case p.LaterFragment && r.Protocol != 0:
		return " (a later fragment: VPP compares addresses and protocol only)"
	case r.Action == PermitReflect && icmp && !p.LaterFragment && !slices.Contains(types, uint16(p.ICMPType)):
		return fmt.Sprintf(" (its answer has no session: %s type %d starts none)", p.Protocol, p.ICMPType)
	}
	return ""
}

// String returns the packet in one line: "ip4 tcp 10.0.0.1:40000 > 10.0.0.2:80 syn".
func (p Packet) String() string {
	family, err := p.family()
	if err != nil || family == 0 {
		return "no IP packet"
	}
	src, dst, more := p.Src.String(), p.Dst.String(), ""
	switch {
	case p.LaterFragment:
		more = " later fragment"
	case p.Short:
		more = " short"
	case p.Protocol == TCP || p.Protocol == UDP:
		src, dst = netip.AddrPortFrom(p.Src, p.SrcPort).String(), netip.AddrPortFrom(p.Dst, p.DstPort).String()
		if p.Protocol == TCP {
			more = " " + p.Flags.String()
		}
	case p.Protocol == ICMP || p.Protocol == ICMPv6:
		more = fmt.Sprintf(" type %d code %d", p.ICMPType, p.ICMPCode)
	}
	return fmt.Sprintf("%s %s %s > %s%s", family, p.Protocol, src, dst, more)
}
