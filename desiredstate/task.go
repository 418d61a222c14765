// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// task is one half of a step: the way down (unmake) or the way up (make or
// change). A replacement has both.
type task struct {
	step *Step
	gone []actual // down: what to unmake; nil: the way up
	deps []Key    // whose handles it uses
	need int      // tasks to be done first
	next []*task  // tasks that wait for this one
	by   *Key     // what failed, so that this task is skipped
	last bool     // it came too early once, see ErrEarly
}

// precedes makes t wait for before.
func (t *task) after(before *task) {
	if before != nil && t != nil && before != t {
		before.next = append(before.next, t)
		t.need++
	}
}

// tasks turns the steps into tasks that know what they wait for. There are no
// waves: each runs as soon as its own predecessors are done.
func (b *planner) tasks() []*task {
	keys := make([]Key, 0, len(b.drafts))
	for k := range b.drafts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, Key.Compare)

	downs, ups := map[Key]*task{}, map[Key]*task{}
	var all []*task
	for _, k := range keys {
		d := b.drafts[k]
		if d.Action == Block {
			continue
		}
		gone := d.spare
		if d.goesDown() {
			gone = append([]actual{d.have}, d.spare...)
		}
		if len(gone) > 0 {
			downs[k] = &task{step: d.Step, gone: gone, deps: slices.Clone(d.n.deps)}
			all = append(all, downs[k])
		}
		if d.comesUp() {
			ups[k] = &task{step: d.Step, deps: d.deps}
			ups[k].after(downs[k])
			all = append(all, ups[k])
		}
	}
	for _, k := range keys {
		d, down, up := b.drafts[k], downs[k], ups[k]
		if down != nil || up != nil {
			for _, dep := range d.n.deps {
				if x := b.drafts[dep]; x == nil || !x.goesDown() {
					continue
				}
				if d.goesDown() {
					downs[dep].after(down) // users go before what they use
				} else {
					downs[dep].after(up) // an update lets go before what it used goes
				}
			}
		}
		if d.goesDown() && d.goesFirst() {
			for _, dep := range d.n.deps {
				b.before(down, dep, downs)
			}
		}
		if up == nil {
			continue
		}
		for _, dep := range d.deps {
			up.after(ups[dep])
			if x := b.drafts[dep]; x != nil && !x.goesDown() {
				up.after(downs[dep]) // or it would hang on what is surplus
			}
		}
		for _, holder := range d.before {
			if t := downs[holder]; t != nil && b.drafts[holder].goesDown() {
				up.after(t)
			} else {
				up.after(ups[holder])
			}
		}
	}
	return all
}

// before puts the way down of an object that goes first before that of all else
// that depends on dep, unless that depends on the object itself.
func (b *planner) before(first *task, dep Key, downs map[Key]*task) {
	for u := range b.e.nodes[dep].users {
		x := b.drafts[u]
		if x == nil || !x.goesDown() || x.goesFirst() || slices.Contains(x.n.deps, first.step.Key) {
			continue
		}
		downs[u].after(first)
	}
}

// stuckTasks returns the tasks that wait for each other in a circle, or for such
// tasks.
func stuckTasks(all []*task) []*task {
	need := make(map[*task]int, len(all))
	var ready []*task
	for _, t := range all {
		if need[t] = t.need; t.need == 0 {
			ready = append(ready, t)
		}
	}
	for len(ready) > 0 {
		t := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		delete(need, t)
		for _, n := range t.next {
			if need[n]--; need[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	var stuck []*task
	for _, t := range all {
		if _, ok := need[t]; ok {
			stuck = append(stuck, t)
		}
	}
	return stuck
}

// cutCircles lets tasks go that wait for each other in a circle all the same: the
// target itself has a circle. Any order is as good then.
func cutCircles(all []*task) {
	for stuck := stuckTasks(all); len(stuck) > 0; stuck = stuckTasks(all) {
		first := stuck[0]
		for _, t := range stuck {
			t.next = slices.DeleteFunc(t.next, func(n *task) bool {
				if n == first {
					first.need--
				}
				return n == first
			})
		}
	}
}
