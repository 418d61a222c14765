// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"fmt"
	"math/bits"

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
	count := map[table]int{}
	var denies []int
	for i, r := range s.Rules {
		count[r.table()]++
		if r.Action == Deny {
			denies = append(denies, i)
		}
	}
	for _, d := range denies {
		deny := s.Rules[d]
		for p, permit := range s.Rules {
			if permit.Action == Deny || !overlap(deny, permit) {
				continue
			}
			a, b := s.Rules[min(d, p)].table(), s.Rules[max(d, p)].table()
			if a == b {
				return fmt.Errorf("rules %d and %d (%s) are about the same sources", min(d, p), max(d, p), s.Rules[max(d, p)])
			}
			if a.weight(count[a]) <= b.weight(count[b]) {
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
