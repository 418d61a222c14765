// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/vppnet"
)

// Frame is what MACIP sets look at in one. VLAN tags, up to two, make no
// difference.
type Frame struct {
	MAC vppnet.MAC // the source's
	Src netip.Addr // the packet's source, or ARP's sender; zero: neither IP nor ARP

	// ARP, and the sender's MAC that it tells; zero: as MAC.
	ARP    bool
	Sender vppnet.MAC
}

// ExplainMACIP says what becomes of a frame that comes in from a bridged interface
// to which the set is bound. VPP asks its rules not in their order but table by
// table, a table being the rules that look at the same bits; see [MACIPSet].
//
// It asks whatever set it is given. If that is not valid, what VPP does can depend
// on how its C library sorts what is equal; Explain goes by glibc. An error says
// that no such frame exists.
func ExplainMACIP(f Frame, s MACIPSet) (Verdict, error) {
	if f.Src.IsValid() && !f.Src.Is4() && !isPure6(f.Src) || f.ARP && !f.Src.Is4() {
		return Verdict{}, fmt.Errorf("frame from %q (ARP: %v): want an address without a zone, of IPv4 if it is ARP", f.Src, f.ARP)
	}
	if len(s.Rules) == 0 {
		return passes("a set without rules lets all pass"), nil
	}
	type place struct {
		table
		MAC vppnet.MAC
		src netip.Prefix
	}
	count := map[table]int{}
	var order []table
	last := map[place]int{} // of rules for the same bits the last one is kept
	for i, r := range s.Rules {
		r = r.normal()
		t := r.table()
		if count[t]++; count[t] == 1 {
			order = append(order, t)
		}
		last[place{t, and(r.MAC, t.mask), r.Src.Masked()}] = i
	}
	slices.Reverse(order)
	slices.SortStableFunc(order, func(a, b table) int { return cmp.Compare(b.weight(count[b]), a.weight(count[a])) })
	for _, t := range order {
		if f.fits(t) {
			at := place{t, and(f.MAC, t.mask), netip.Prefix{}}
			if t.length > 0 {
				at.src, _ = f.Src.Prefix(t.length)
			}
			if i, ok := last[at]; ok {
				return Verdict{Action: s.Rules[i].Action, Set: s.Name, Index: i, Reason: s.Rules[i].String()}, nil
			}
		}
	}
	return Verdict{Action: Deny, Index: -1, Reason: "no source fits"}, nil
}

// fits says whether a frame can fit a rule of the table at all.
func (f Frame) fits(t table) bool {
	family := IPv6
	if f.Src.Is4() {
		family = IPv4
	}
	same := !f.ARP || f.Sender.IsZero() || and(f.Sender, t.mask) == and(f.MAC, t.mask)
	return f.Src.IsValid() && family == t.family && same
}

// String returns the frame in one line: "arp 10.0.0.1 at 02:00:00:00:00:01".
func (f Frame) String() string {
	switch {
	case !f.Src.IsValid():
		return fmt.Sprintf("neither ip nor arp at %s", f.MAC)
	case f.ARP && !f.Sender.IsZero() && f.Sender != f.MAC:
		return fmt.Sprintf("arp %s is at %s, at %s", f.Src, f.Sender, f.MAC)
	case f.ARP:
		return fmt.Sprintf("arp %s at %s", f.Src, f.MAC)
	}
	return fmt.Sprintf("ip %s at %s", f.Src, f.MAC)
}
