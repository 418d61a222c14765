// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// taken is what Kind.Holds and Kind.Shares say of what a node has.
type taken struct {
	holds  []Key
	shares []share
}

// share is a resource, and the place of the node among those who share it: there can be very
// many of one.
type share struct {
	of Key
	at int
}

// take notes what a node holds or shares because it has, or may have, something.
func (w *world) take(n *node, a actual) {
	holds, shares := a.kind.holds(a.spec), a.kind.shares(a.spec)
	if len(holds)+len(shares) == 0 {
		return
	}
	if n.takes == nil {
		n.takes = new(taken)
	}
	n.takes.holds = append(n.takes.holds, holds...)
	for _, r := range holds {
		if !slices.Contains(w.holders[r], n) {
			w.holders[r] = append(w.holders[r], n)
		}
	}
	n.takes.shares = slices.Grow(n.takes.shares, len(shares))
	for _, r := range shares {
		if n.takes.share(r) == nil {
			n.takes.shares = append(n.takes.shares, share{r, len(w.sharers[r])})
			w.sharers[r] = append(w.sharers[r], n)
		}
	}
}

// share finds the share of a resource; nil: there is none.
func (t *taken) share(of Key) *share {
	i := slices.IndexFunc(t.shares, func(s share) bool { return s.of == of })
	if i < 0 {
		return nil
	}
	return &t.shares[i]
}

// giveUp notes that a node holds and shares nothing. Of those who share the same, the last gets
// its place.
func (w *world) giveUp(n *node) {
	if n.takes == nil {
		return
	}
	for _, r := range n.takes.holds {
		if w.holders[r] = slices.DeleteFunc(w.holders[r], func(x *node) bool { return x == n }); len(w.holders[r]) == 0 {
			delete(w.holders, r)
		}
	}
	for _, s := range n.takes.shares {
		rest, last, moved := takeOut(w.sharers[s.of], s.at)
		if moved {
			last.takes.share(s.of).at = s.at
		}
		if w.sharers[s.of] = rest; len(rest) == 0 {
			delete(w.sharers, s.of)
		}
	}
	n.takes = nil
}

// sharing lists by key who shares a resource.
func (w *world) sharing(r Key) []*node {
	return slices.SortedFunc(slices.Values(w.sharers[r]), byKey)
}
