// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// assign notes what a draft would take. Of what only one can have, it settles who may: who has
// it already, else the first by name. What that changes for others they look at again.
func (b *planner) assign(d *draft) {
	if d.want == nil || d.base == Block {
		return
	}
	for _, r := range d.holds {
		first, taken := b.takers[r]
		if !taken || !slices.Contains(b.e.holders[r], first.n) && slices.Contains(b.e.holders[r], d.n) {
			b.takers[r] = d
			if taken {
				b.queue(first)
			}
			for _, x := range b.sharing[r] {
				b.queue(x)
			}
		}
	}
	for _, r := range d.shares {
		b.sharing[r] = append(b.sharing[r], d)
		b.queue(b.takers[r])
	}
}

// first is the draft that is first to get what some would share and one would have for itself:
// who has it already, or the first by name. Nil: nobody wants it.
func (b *planner) first(r Key) *draft {
	alone, shared := b.takers[r], b.sharing[r]
	switch {
	case len(shared) == 0:
		return alone
	case alone == nil:
		return shared[0]
	case slices.Contains(b.e.holders[r], alone.n):
		return alone
	}
	first := slices.MinFunc(shared, func(x, y *draft) int { return x.Key.Compare(y.Key) })
	if slices.ContainsFunc(b.e.sharers[r], func(n *node) bool { return n.keeps(r) }) || first.Key.Compare(alone.Key) < 0 {
		return first
	}
	return alone
}

// keeps says that what is there of a node, which has a resource, is not to go by itself, and is to have it still.
func (n *node) keeps(r Key) bool {
	d := n.draftOf()
	switch {
	case n.leftover():
		return false
	case d == nil:
		return true
	case d.base == Update || d.base == Replace:
		return slices.Contains(d.holds, r) || slices.Contains(d.shares, r)
	}
	return d.base != Delete
}

// lacksRoom says who has, or is first to get, what a wanted object needs for itself or can only
// share, and lists what must go before it is made.
func (b *planner) lacksRoom(d *draft) ([]Key, error) {
	d.before = d.before[:0]
	for _, r := range d.holds {
		if alone := b.takers[r]; alone != nil && alone != d {
			return b.wants(d, alone, r)
		}
		if by, why := b.inTheWay(d, r, b.e.holders[r], "holds"); why != nil {
			return by, why
		}
		if by, why := b.inTheWay(d, r, b.e.sharing(r), "shares"); why != nil {
			return by, why
		}
		if first := b.first(r); first != nil && first != d {
			return b.wants(d, first, r)
		}
	}
	for _, r := range d.shares {
		if by, why := b.inTheWay(d, r, b.e.holders[r], "holds"); why != nil {
			return by, why
		}
		if alone := b.takers[r]; alone != nil && alone != d && b.first(r) == alone {
			return b.wants(d, alone, r)
		}
	}
	return nil, nil
}

func (b *planner) wants(d, first *draft, r Key) ([]Key, error) {
	b.wait(first.n, d)
	return []Key{first.Key}, fmt.Errorf("%w: %s wants %s too: want one of the two", ErrConflict, first.Key, r)
}

// inTheWay says which of the nodes that have a resource do not let go of it.
func (b *planner) inTheWay(d *draft, r Key, nodes []*node, how string) ([]Key, error) {
	for _, n := range nodes {
		if n == d.n {
			continue
		}
		if n.suspect { // nobody knows; the plan is made again when it is read
			if why := b.doubt(n); why != nil {
				return []Key{n.key}, fmt.Errorf("%w: %s, which may have %s: %w", ErrUnread, n.key, r, why)
			}
			continue
		}
		if !n.ours() {
			return []Key{n.key}, fmt.Errorf("%w: %s %s %s: choose another, or have that one removed", ErrForeign, n.key, how, r)
		}
		b.wait(n, d)
		h := n.draftOf()
		if h == nil && n.leftover() {
			h = b.clear(n)
		}
		if h == nil || !h.letsGo(r) {
			return []Key{n.key}, fmt.Errorf("%w: %s %s %s", ErrConflict, n.key, how, r)
		}
		d.before = append(d.before, h)
	}
	return nil, nil
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
		return !slices.Contains(d.holds, r) && !slices.Contains(d.shares, r)
	}
	return false
}
