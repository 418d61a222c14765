// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// cycles blocks wanted objects that would come to depend on themselves, and says
// whether there were any.
func (b *planner) cycles() bool {
	const (
		open = 1 + iota
		closed
	)
	found := false
	state := map[Key]int{}
	var path []Key
	var visit func(k Key)
	visit = func(k Key) {
		if state[k] == closed {
			return
		}
		if state[k] == open {
			loop := slices.Clone(path[slices.Index(path, k):])
			why := fmt.Errorf("%w: %s", ErrCycle, join(append(loop, k)))
			for _, l := range loop {
				if d := b.drafts[l]; d != nil && d.comesUp() {
					d.base, d.why, found = Block, why, true
					b.queue(l)
				}
			}
			return
		}
		state[k] = open
		path = append(path, k)
		for _, dep := range b.depsOf(k) {
			visit(dep)
		}
		path = path[:len(path)-1]
		state[k] = closed
	}
	keys := make([]Key, 0, len(b.drafts))
	for k, d := range b.drafts {
		if d.comesUp() {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	for _, k := range keys {
		visit(k)
	}
	return found
}

// depsOf lists what the object will depend on after the plan.
func (b *planner) depsOf(k Key) []Key {
	if d := b.drafts[k]; d != nil {
		switch {
		case d.comesUp():
			return d.deps
		case d.Action == Delete:
			return nil
		}
	}
	if n := b.e.nodes[k]; n != nil {
		return n.deps
	}
	return nil
}

// replaceInCircle makes replacements of updates that wait for each other in a circle; it
// returns false if none does.
func (b *planner) replaceInCircle(stuck []*task) bool {
	found := false
	for _, t := range stuck {
		if d := b.drafts[t.step.Key]; d.base == Update && d.Action == Update {
			d.base, found = Replace, true
			b.queue(d.Key)
		}
	}
	return found
}
