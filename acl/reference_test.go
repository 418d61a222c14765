// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"net/netip"
	"slices"
)

// refHole and refUnite are what unite is measured by: the same steps, one after the
// other until none finds anything, in plain and slow code.
type refHole struct {
	action Action
	family Family
	proto  Protocol
	remote netip.Prefix
	span   [2]span
}

func (h hole) reference() refHole {
	return refHole{h.action, h.family, h.proto, h.remote.prefix(h.family), h.span}
}

func (h refHole) compare(o refHole) int {
	spans := func(s, o span) int { return cmp.Or(cmp.Compare(s.first, o.first), cmp.Compare(s.last, o.last)) }
	return cmp.Or(
		cmp.Compare(o.action, h.action),
		cmp.Compare(h.family, o.family),
		cmp.Compare(h.proto, o.proto),
		comparePrefixes(h.remote, o.remote),
		spans(h.span[0], o.span[0]),
		spans(h.span[1], o.span[1]))
}

func refUnite(holes []refHole) []refHole {
	for {
		slices.SortFunc(holes, refHole.compare)
		holes = slices.Compact(holes)
		n := len(holes)
		holes = refJoinPrefixes(refJoinSpans(refJoinSpans(refUncovered(holes), 0), 1))
		if len(holes) == n {
			slices.SortFunc(holes, refHole.compare)
			return holes
		}
	}
}

func (h refHole) covers(o refHole) bool {
	return h != o && h.action >= o.action && (h.proto == o.proto || h.proto == 0) && contains(h.remote, o.remote) &&
		(h.proto == 0 || h.span[0].contains(o.span[0]) && h.span[1].contains(o.span[1]))
}

func refUncovered(holes []refHole) (left []refHole) {
	for _, h := range holes {
		if !slices.ContainsFunc(holes, func(o refHole) bool { return o.covers(h) }) {
			left = append(left, h)
		}
	}
	return left
}

func refJoinSpans(holes []refHole, i int) (out []refHole) {
	without := func(h refHole) refHole { h.span[i] = span{}; return h }
	slices.SortFunc(holes, func(a, b refHole) int { return cmp.Or(without(a).compare(without(b)), a.compare(b)) })
	for _, h := range holes {
		if n := len(out); n > 0 && without(out[n-1]) == without(h) && uint32(h.span[i].first) <= uint32(out[n-1].span[i].last)+1 {
			out[n-1].span[i].last = max(out[n-1].span[i].last, h.span[i].last)
			continue
		}
		out = append(out, h)
	}
	return out
}

func refJoinPrefixes(holes []refHole) (out []refHole) {
	without := func(h refHole) refHole { h.remote = netip.Prefix{}; return h }
	slices.SortFunc(holes, func(a, b refHole) int {
		return cmp.Or(without(a).compare(without(b)), comparePrefixes(a.remote, b.remote))
	})
	for len(holes) > 0 {
		h := without(holes[0])
		n := 1
		for n < len(holes) && without(holes[n]) == h {
			n++
		}
		var prefixes []netip.Prefix
		for _, p := range holes[:n] {
			prefixes = append(prefixes, p.remote)
		}
		for _, h.remote = range refAggregate(prefixes) {
			out = append(out, h)
		}
		holes = holes[n:]
	}
	return out
}

func refAggregate(prefixes []netip.Prefix) (out []netip.Prefix) {
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
