// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"slices"
)

// A hole is what one rule of a security group permits: a box in the space of
// packets. It is comparable.
type hole struct {
	action Action // Permit or PermitReflect
	family Family
	proto  Protocol
	remote block
	span   [2]span // destination ports; or ICMP types and codes
}

// span is an inclusive range.
type span struct{ first, last uint16 }

func (s span) contains(o span) bool { return s.first <= o.first && o.last <= s.last }

// holeOf returns the hole of a rule of one remote side, Src.
func holeOf(r Rule) hole {
	h := hole{action: r.Action, family: r.Family, proto: r.Protocol, remote: blockOf(r.Src)}
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
		r.Src = h.remote.prefix(h.family)
	} else {
		r.Dst = h.remote.prefix(h.family)
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

// unite returns the holes that permit the same as those given, in order: none is
// part of another, and no two of them differ in one way only and are one
// together. To unite what was united changes nothing.
//
// There can be several such lists of one meaning (three boxes that overlap can be
// cut in more than one way), so lists that mean the same can differ if they were
// not made of the same rules.
//
// A step that has found nothing to do need not be done again before another has
// found something, so a list with nothing to unite is gone through once.
func unite(holes []hole) []hole {
	steps := []func([]hole) []hole{
		uncovered,
		func(holes []hole) []hole { return joinSpans(holes, 0) },
		func(holes []hole) []hole { return joinSpans(holes, 1) },
		joinPrefixes,
	}
	for i, done := 0, 0; done < len(steps); i, done = i+1, done+1 {
		n := len(holes)
		if holes = steps[i%len(steps)](holes); len(holes) < n {
			done = 0
		}
	}
	slices.SortFunc(holes, hole.compare)
	return holes
}

// The orders below compare numbers only, one after the other: sorting is most of what
// it costs to unite holes.

// head is what sorts holes first. What reflects comes before what does not: so the
// first rule that fits is one that reflects, if there is any, and the order of what
// was merged means nothing.
func (h hole) head() uint32 { return uint32(^h.action)<<16 | uint32(h.family)<<8 | uint32(h.proto) }

func (s span) number() uint32 { return uint32(s.first)<<16 | uint32(s.last) }

func (h hole) compare(o hole) int { return h.compareSpans(o, 0, 1) }

// compareSpans looks at span j last.
func (h hole) compareSpans(o hole, i, j int) int {
	if c := cmp.Compare(h.head(), o.head()); c != 0 {
		return c
	}
	if c := h.remote.compare(o.remote); c != 0 {
		return c
	}
	if c := cmp.Compare(h.span[i].number(), o.span[i].number()); c != 0 {
		return c
	}
	return cmp.Compare(h.span[j].number(), o.span[j].number())
}

// compareRemote looks at the remote side last.
func (h hole) compareRemote(o hole) int {
	if c := cmp.Compare(h.head(), o.head()); c != 0 {
		return c
	}
	if c := cmp.Compare(h.span[0].number(), o.span[0].number()); c != 0 {
		return c
	}
	if c := cmp.Compare(h.span[1].number(), o.span[1].number()); c != 0 {
		return c
	}
	return h.remote.compare(o.remote)
}

// joinSpans makes one of holes that differ in span i only, where these overlap or
// follow each other.
func joinSpans(holes []hole, i int) []hole {
	slices.SortFunc(holes, func(a, b hole) int { return a.compareSpans(b, 1-i, i) })
	out := holes[:0]
	for _, h := range holes {
		if n := len(out); n > 0 {
			last := &out[n-1]
			same := h
			same.span[i] = last.span[i]
			if same == *last && uint32(h.span[i].first) <= uint32(last.span[i].last)+1 {
				last.span[i].last = max(last.span[i].last, h.span[i].last)
				continue
			}
		}
		out = append(out, h)
	}
	return out
}

// joinPrefixes makes one of holes that differ in the prefix only, where these are
// one together.
func joinPrefixes(holes []hole) []hole {
	slices.SortFunc(holes, hole.compareRemote)
	out := holes[:0]
	var remotes []block
	for len(holes) > 0 {
		h, n := holes[0], 0
		remotes = remotes[:0]
		for ; n < len(holes); n++ {
			same := holes[n]
			same.remote = h.remote
			if same != h {
				break
			}
			remotes = append(remotes, holes[n].remote)
		}
		holes = holes[n:]
		for _, h.remote = range aggregate(remotes) {
			out = append(out, h)
		}
	}
	return out
}
