// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// assign settles who may take what only one can have: who has it already, else the first
// by name.
func (b *planner) assign(d *draft) {
	if d.want == nil || d.base == Block {
		return
	}
	for _, r := range d.kind.holds(d.want) {
		first, taken := b.takers[r]
		if !taken || !slices.Contains(b.e.holders[r], first.n) && slices.Contains(b.e.holders[r], d.n) {
			b.takers[r] = d
			if taken {
				b.queue(first)
			}
		}
	}
}

// clear drafts the end of a leftover that is in the way of something wanted.
func (b *planner) clear(n *node) *draft {
	d := b.draft(n, Delete)
	d.there(n.owned(), 0)
	d.late = true
	b.queue(d)
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
