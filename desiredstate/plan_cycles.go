// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// cycles blocks wanted objects that would come to depend on themselves, and says
// whether there were any.
func (b *planner) cycles() bool {
	b.walks += 2
	open, left := b.walks-1, b.walks
	found := false
	var path []*node
	var visit func(n *node)
	visit = func(n *node) {
		p := b.of(n)
		switch p.walk {
		case left:
			return
		case open:
			loop := slices.Clone(path[slices.Index(path, n):])
			why := fmt.Errorf("%w: %s", ErrCycle, join(keysOf(append(loop, n))))
			for _, l := range loop {
				if d := l.draftOf(); d != nil && d.comesUp() {
					d.base, d.why, d.lack, found = Block, why, keysOf(slices.DeleteFunc(slices.Clone(loop), func(x *node) bool { return x == l })), true
					b.queue(d)
				}
			}
			return
		}
		p.walk = open
		path = append(path, n)
		for _, dep := range willHangOn(n) {
			visit(dep)
		}
		path = path[:len(path)-1]
		p.walk = left
	}
	for _, d := range b.drafts {
		if d.comesUp() && !d.alone() {
			visit(d.n)
		}
	}
	return found
}

// alone says that a step is on no way from one step to another: nothing hangs on its object, which
// hangs on nothing that has a step. A cycle of objects that come up has some that are not alone.
func (d *draft) alone() bool {
	return len(d.n.users) == 0 && !slices.ContainsFunc(d.deps, func(n *node) bool { return n.draftOf() != nil })
}

// willHangOn lists what an object will depend on after the plan.
func willHangOn(n *node) []*node {
	if d := n.draftOf(); d != nil {
		switch {
		case d.comesUp():
			return d.deps
		case d.Action == Delete:
			return nil
		}
	}
	return n.dependencies()
}

// replaceInCircle makes replacements of updates that wait for each other in a circle; it
// returns false if none does.
func (b *planner) replaceInCircle(stuck []*task) bool {
	found := false
	for _, t := range stuck {
		if d := t.step.n.draftOf(); d.base == Update && d.Action == Update {
			d.base, found = Replace, true
			b.queue(d)
		}
	}
	return found
}
