// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"maps"
	"slices"
)

// assignHolds settles who may take what only one can have: who has it already,
// else the first by name.
func (b *planner) assignHolds() {
	for _, k := range slices.SortedFunc(maps.Keys(b.drafts), Key.Compare) {
		b.assign(k)
	}
}

func (b *planner) assign(k Key) {
	d := b.drafts[k]
	if d.want == nil || d.base == Block {
		return
	}
	for _, r := range d.kind.holds(d.want) {
		first, taken := b.takers[r]
		if !taken || !slices.Contains(b.e.holders[r], first) && slices.Contains(b.e.holders[r], k) {
			b.takers[r] = k
			b.queue(first)
		}
	}
}

// clear drafts the end of a leftover that is in the way of something wanted.
func (b *planner) clear(k Key) *draft {
	n := b.e.nodes[k]
	d := b.draft(k, n, Delete)
	d.there(n.owned(), 0)
	d.late = true
	b.queue(k)
	return d
}

// letsGo says whether the step frees resource r of what it has.
func (d *draft) letsGo(r Key) bool {
	switch d.Action {
	case Delete:
		return true
	case Update, Replace:
		return !slices.Contains(d.kind.holds(d.want), r)
	}
	return false
}
