// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
)

// A hole is what one rule of a security group permits: a box in the space of
// packets. It is comparable.
type hole struct {
	action Action // Permit or PermitReflect
	family Family
	proto  Protocol
	remote netip.Prefix // masked; all addresses are 0.0.0.0/0 or ::/0
	span   [2]span      // destination ports; or ICMP types and codes
}

// span is an inclusive range.
type span struct{ first, last uint16 }

func (s span) contains(o span) bool { return s.first <= o.first && o.last <= s.last }

// holeOf returns the hole of a rule of one remote side, Src.
func holeOf(r Rule) hole {
	h := hole{action: r.Action, family: r.Family, proto: r.Protocol, remote: r.Src}
	if !h.remote.IsValid() {
		h.remote = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if h.family == IPv4 {
			h.remote = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
	}
	switch h.proto {
	case TCP, UDP:
		h.span[0].first, h.span[0].last = r.DstPorts.Bounds(maxPort)
	case ICMP, ICMPv6:
		h.span[0].first, h.span[0].last = r.ICMPTypes.Bounds(maxICMP)
		h.span[1].first, h.span[1].last = r.ICMPCodes.Bounds(maxICMP)
	}
	return h
}

// rule returns the rule that permits a hole: from the remote side, or to it.
func (h hole) rule(from bool) Rule {
	r := Rule{Action: h.action, Family: h.family, Protocol: h.proto}
	if from {
		r.Src = h.remote
	} else {
		r.Dst = h.remote
	}
	a, b := Between(h.span[0].first, h.span[0].last), Between(h.span[1].first, h.span[1].last)
	switch h.proto {
	case TCP, UDP:
		r.DstPorts = a
	case ICMP, ICMPv6:
		r.ICMPTypes, r.ICMPCodes = a, b
	}
	return r.normal()
}

// compare puts what reflects first. So the first rule that fits is one that
// reflects, if there is any, and the order of what was merged means nothing.
func (h hole) compare(o hole) int {
	return cmp.Or(
		cmp.Compare(o.action, h.action),
		cmp.Compare(h.family, o.family),
		cmp.Compare(h.proto, o.proto),
		comparePrefixes(h.remote, o.remote),
		h.span[0].compare(o.span[0]),
		h.span[1].compare(o.span[1]))
}

func (s span) compare(o span) int {
	return cmp.Or(cmp.Compare(s.first, o.first), cmp.Compare(s.last, o.last))
}

// unite returns the holes that permit the same as those given, in order: none is
// part of another, and no two of them differ in one way only and are one
// together. To unite what was united changes nothing.
//
// There can be several such lists of one meaning (three boxes that overlap can be
// cut in more than one way), so lists that mean the same can differ if they were
// not made of the same rules.
func unite(holes []hole) []hole {
	for {
		slices.SortFunc(holes, hole.compare)
		holes = slices.Compact(holes)
		n := len(holes)
		holes = joinPrefixes(joinSpans(joinSpans(uncovered(holes), 0), 1))
		if len(holes) == n {
			slices.SortFunc(holes, hole.compare)
			return holes
		}
	}
}

// uncovered leaves out what is part of another hole.
func uncovered(holes []hole) []hole {
	at := make(map[place]*stack, len(holes))
	var lengths [2][129]bool // that prefixes have
	slices.SortFunc(holes, func(a, b hole) int { return cmp.Compare(a.span[0].first, b.span[0].first) })
	for _, h := range holes {
		p := place{h.proto, h.remote}
		if at[p] == nil {
			at[p] = &stack{}
		}
		at[p].add(h)
		lengths[is6(h.remote)][h.remote.Bits()] = true
	}
	covered := func(h hole) bool {
		for bits := h.remote.Bits(); bits >= 0; bits-- {
			if lengths[is6(h.remote)][bits] {
				p, _ := h.remote.Addr().Prefix(bits)
				if at[place{h.proto, p}].covers(h) || h.proto != 0 && at[place{0, p}].covers(h) {
					return true
				}
			}
		}
		return false
	}
	var left []hole
	for _, h := range holes {
		if !covered(h) {
			left = append(left, h)
		}
	}
	return left
}

// A place is what of a hole another must share, or contain, to cover it.
type place struct {
	proto  Protocol
	remote netip.Prefix
}

// A stack is the holes of a place, in the order of where their first spans begin.
// What covers a hole is quickly found: groups can have thousands of ports.
type stack struct {
	holes []hole
	reach []uint16 // how far the first spans up to this hole go
}

func (s *stack) add(h hole) {
	reach := h.span[0].last
	if n := len(s.reach); n > 0 {
		reach = max(reach, s.reach[n-1])
	}
	s.holes, s.reach = append(s.holes, h), append(s.reach, reach)
}

// covers says whether h is part of another hole. A nil stack covers nothing.
func (s *stack) covers(h hole) bool {
	if s == nil {
		return false
	}
	if s.holes[0].proto == 0 { // for any protocol, without spans: one for each action
		return slices.ContainsFunc(s.holes, func(o hole) bool { return o != h && o.action >= h.action })
	}
	n := sort.Search(len(s.holes), func(i int) bool { return s.holes[i].span[0].first > h.span[0].first })
	for i := n - 1; i >= 0 && s.reach[i] >= h.span[0].last; i-- {
		if o := s.holes[i]; o != h && o.action >= h.action && o.span[0].contains(h.span[0]) && o.span[1].contains(h.span[1]) {
			return true
		}
	}
	return false
}

func is6(p netip.Prefix) int {
	if p.Addr().Is6() {
		return 1
	}
	return 0
}

// joinSpans makes one of holes that differ in span i only, where these overlap or
// follow each other.
func joinSpans(holes []hole, i int) []hole {
	without := func(h hole) hole { h.span[i] = span{}; return h }
	slices.SortFunc(holes, func(a, b hole) int {
		return cmp.Or(without(a).compare(without(b)), a.span[i].compare(b.span[i]))
	})
	var out []hole
	for _, h := range holes {
		if n := len(out); n > 0 && without(out[n-1]) == without(h) && uint32(h.span[i].first) <= uint32(out[n-1].span[i].last)+1 {
			out[n-1].span[i].last = max(out[n-1].span[i].last, h.span[i].last)
			continue
		}
		out = append(out, h)
	}
	return out
}

// joinPrefixes makes one of holes that differ in the prefix only, where these are
// one together.
func joinPrefixes(holes []hole) []hole {
	without := func(h hole) hole { h.remote = netip.Prefix{}; return h }
	slices.SortFunc(holes, func(a, b hole) int {
		return cmp.Or(without(a).compare(without(b)), comparePrefixes(a.remote, b.remote))
	})
	var out []hole
	for len(holes) > 0 {
		h := without(holes[0])
		n := 1
		for n < len(holes) && without(holes[n]) == h {
			n++
		}
		prefixes := make([]netip.Prefix, n)
		for i := range prefixes {
			prefixes[i] = holes[i].remote
		}
		for _, h.remote = range aggregate(prefixes) {
			out = append(out, h)
		}
		holes = holes[n:]
	}
	return out
}

// aggregate returns the fewest prefixes that are together those given, which are
// in order. There is only one such list.
func aggregate(prefixes []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range prefixes {
		if n := len(out); n > 0 && contains(out[n-1], p) {
			continue
		}
		out = append(out, p)
		for n := len(out); n > 1; n = len(out) {
			up, err := out[n-1].Addr().Prefix(out[n-1].Bits() - 1)
			if err != nil || out[n-2].Bits() != out[n-1].Bits() || !up.Contains(out[n-2].Addr()) {
				break
			}
			out = append(out[:n-2], up)
		}
	}
	return out
}

// contains says whether all addresses of q are in p.
func contains(p, q netip.Prefix) bool { return p.Bits() <= q.Bits() && p.Contains(q.Addr()) }
