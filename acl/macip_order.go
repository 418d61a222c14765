// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"

	"github.com/vppkit/vppkit/vppnet"
)

// VPP keeps MACIP rules that look at the same bits in one table, and asks the
// tables one after the other, those with many rules first. A table holds one rule
// for each value of its bits.

// table is what the rules of one table have in common.
type table struct {
	family Family
	mask   vppnet.MAC
	length int
}

func (r MACIPRule) table() table {
	t := table{family: r.family(), mask: r.mask()}
	if r.Src.IsValid() {
		t.length = r.Src.Bits()
	}
	return t
}

// weight is what VPP sorts tables by, the heaviest being asked first.
func (t table) weight(rules int) int {
	w := t.length + 10*rules
	for _, b := range t.mask {
		w += bits.OnesCount8(b)
	}
	if t.family == IPv6 {
		w++
	}
	return w
}

// checkOrder refuses rules of different actions that one packet could fit, if VPP
// would not let the first of them decide.
func (s MACIPSet) checkOrder() error {
	tables := map[table]*[2][]int{} // rules, by action
	for i, r := range s.Rules {
		t := r.table()
		if tables[t] == nil {
			tables[t] = &[2][]int{}
		}
		tables[t][r.Action] = append(tables[t][r.Action], i)
	}
	weight := func(t table) int { return t.weight(len(tables[t][Deny]) + len(tables[t][Permit])) }
	for d, denies := range tables {
		for p, permits := range tables {
			if d.family == p.family && s.contradict(denies[Deny], permits[Permit], d, p, cmp.Compare(weight(d), weight(p))) {
				return s.contradiction(weight)
			}
		}
	}
	return nil
}

// source is what rules of two tables have in common if a packet can fit both.
type source struct {
	mac vppnet.MAC
	src netip.Prefix
}

// contradict says whether denies of a table and permits of one contradict each other;
// heavier says whether VPP asks the denies' table first (1), the other (-1) or either.
func (s MACIPSet) contradict(denies, permits []int, d, p table, heavier int) bool {
	if len(denies) == 0 || len(permits) == 0 {
		return false
	}
	both, length := and(d.mask, p.mask), min(d.length, p.length)
	at := func(r MACIPRule) source {
		f := source{mac: and(r.MAC, both)}
		if length > 0 {
			f.src, _ = r.Src.Addr().Prefix(length)
		}
		return f
	}
	type bounds struct{ first, last int }
	found := make(map[source]bounds, len(denies))
	for _, i := range denies { // in order
		k := at(s.Rules[i])
		b, ok := found[k]
		if !ok {
			b.first = i
		}
		found[k] = bounds{b.first, i}
	}
	for _, i := range permits {
		b, ok := found[at(s.Rules[i])]
		if ok && (d == p || b.first < i && heavier <= 0 || b.last > i && heavier >= 0) {
			return true
		}
	}
	return false
}

// contradiction names the first two rules that contradict each other; nil: there are none.
func (s MACIPSet) contradiction(weight func(table) int) error {
	for d, deny := range s.Rules {
		for p, permit := range s.Rules {
			if deny.Action != Deny || permit.Action == Deny || !overlap(deny, permit) {
				continue
			}
			a, b := s.Rules[min(d, p)].table(), s.Rules[max(d, p)].table()
			if a == b {
				return fmt.Errorf("rules %d and %d (%s) are about the same sources", min(d, p), max(d, p), s.Rules[max(d, p)])
			}
			if weight(a) <= weight(b) {
				return fmt.Errorf("rule %d (%s) is to decide before rule %d (%s), but VPP would ask that first, or either",
					min(d, p), s.Rules[min(d, p)], max(d, p), s.Rules[max(d, p)])
			}
		}
	}
	return nil
}

// overlap says whether a packet can fit both.
func overlap(a, b MACIPRule) bool {
	both := and(a.mask(), b.mask())
	return a.family() == b.family() && and(a.MAC, both) == and(b.MAC, both) &&
		(!a.Src.IsValid() || !b.Src.IsValid() || a.Src.Overlaps(b.Src))
}
