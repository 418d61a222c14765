// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"cmp"
	"slices"
	"sort"
)

// uncovered leaves out what is part of another hole, or there twice.
//
// It goes through the holes in an order in which each comes after those that it can
// be part of: by prefix, so that one comes right after those that it is in.
func uncovered(holes []hole) []hole {
	slices.SortFunc(holes, hole.compareCover)
	c := cover{firsts: map[Protocol][]uint16{}}
	for _, h := range holes {
		h = h.filled()
		c.firsts[h.proto] = append(c.firsts[h.proto], h.span[0].first)
	}
	for p, firsts := range c.firsts {
		slices.Sort(firsts)
		c.firsts[p] = slices.Compact(firsts)
	}
	left := holes[:0]
	for _, h := range holes {
		c.enter(h)
		if f := h.filled(); !c.covers(f) {
			c.add(f)
			left = append(left, h)
		}
	}
	return left
}

func (h hole) compareCover(o hole) int {
	if c := cmp.Compare(h.family, o.family); c != 0 {
		return c
	}
	if c := h.remote.compare(o.remote); c != 0 {
		return c
	}
	if c := cmp.Compare(h.proto, o.proto); c != 0 {
		return c
	}
	for i := range h.span { // the larger first
		if c := cmp.Compare(h.span[i].first, o.span[i].first); c != 0 {
			return c
		}
		if c := cmp.Compare(o.span[i].last, h.span[i].last); c != 0 {
			return c
		}
	}
	return cmp.Compare(o.action, h.action)
}

// filled gives a hole for any protocol, which has no spans, those that contain all.
func (h hole) filled() hole {
	if h.proto == 0 {
		h.span = [2]span{{0, maxPort}, {0, maxPort}}
	}
	return h
}

// A cover is the holes about one prefix, and about those that it is in: they are what
// can cover the next hole. They lie in piles of those that differ in the first span and
// the action only: groups can have thousands of ports.
type cover struct {
	firsts map[Protocol][]uint16 // where first spans begin, in order
	piles  []*pile
	path   []place
	undo   []change // of piles, to be taken back when a place is left
}

// A place is a prefix, and how many changes there were when it was entered.
type place struct {
	family Family
	remote block
	before int
}

type pile struct {
	proto  Protocol
	codes  span
	firsts []uint16
	tree   []reach // a Fenwick tree over firsts, counted from 1
}

// reach says where the first spans end that begin at some place or before: one after the
// last port of all holes, and of those that reflect. 0: there are none.
type reach struct{ all, reflects uint32 }

type change struct {
	at  *reach
	was reach
}

// enter leaves the places that the hole is not in, and goes to its own.
func (c *cover) enter(h hole) {
	n := len(c.path)
	for ; n > 0; n-- {
		p := c.path[n-1]
		if p.family == h.family && p.remote.contains(h.remote) {
			if p.remote == h.remote {
				return
			}
			break
		}
		for _, u := range slices.Backward(c.undo[p.before:]) {
			*u.at = u.was
		}
		c.undo, c.path = c.undo[:p.before], c.path[:n-1]
	}
	c.path = append(c.path, place{h.family, h.remote, len(c.undo)})
}

func (c *cover) add(h hole) {
	i := slices.IndexFunc(c.piles, func(p *pile) bool { return p.proto == h.proto && p.codes == h.span[1] })
	if i < 0 {
		i = len(c.piles)
		firsts := c.firsts[h.proto]
		c.piles = append(c.piles, &pile{h.proto, h.span[1], firsts, make([]reach, len(firsts)+1)})
	}
	p, end := c.piles[i], uint32(h.span[0].last)+1
	for i := p.upTo(h.span[0].first); i < len(p.tree); i += i & -i {
		r := p.tree[i]
		r.all = max(r.all, end)
		if h.action == PermitReflect {
			r.reflects = max(r.reflects, end)
		}
		if r != p.tree[i] {
			c.undo = append(c.undo, change{&p.tree[i], p.tree[i]})
			p.tree[i] = r
		}
	}
}

// covers says whether a hole is part of one of those.
func (c *cover) covers(h hole) bool {
	return slices.ContainsFunc(c.piles, func(p *pile) bool {
		return (p.proto == h.proto || p.proto == 0) && p.codes.contains(h.span[1]) && p.covers(h)
	})
}

func (p *pile) covers(h hole) bool {
	for i := p.upTo(h.span[0].first); i > 0; i -= i & -i {
		end := p.tree[i].all
		if h.action == PermitReflect {
			end = p.tree[i].reflects
		}
		if end > uint32(h.span[0].last) {
			return true
		}
	}
	return false
}

// upTo says how many first spans begin at first or before.
func (p *pile) upTo(first uint16) int {
	return sort.Search(len(p.firsts), func(i int) bool { return p.firsts[i] > first })
}
