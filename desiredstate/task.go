// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// task is one half of a step: the way down (unmake) or the way up (make or
// change). A replacement has both.
type task struct {
	step *Step
	gone []actual // down: what to unmake; nil: the way up
	deps []*node  // whose handles it uses
	need int      // tasks to be done first
	next []*task  // tasks that wait for this one
	by   *Key     // what failed, so that this task is skipped
	last bool     // it came too early once, see ErrEarly

	stuck int // as need, while circles are looked for
}

// after makes t wait for before.
func (t *task) after(before *task) {
	if before != nil && t != nil && before != t {
		before.next = append(before.next, t)
		t.need++
	}
}

// tasks turns the steps into tasks that know what they wait for. There are no
// waves: each runs as soon as its own predecessors are done.
func (b *planner) tasks() []*task {
	all := make([]*task, 0, len(b.drafts))
	add := func(s *Step, gone []actual, deps []*node) *task {
		t := b.tasked.one()
		t.step, t.gone, t.deps = s, gone, deps
		all = append(all, t)
		return t
	}
	for _, d := range b.drafts {
		if d.down, d.up = nil, nil; d.Action == Block {
			continue
		}
		gone := d.spare
		if d.goesDown() {
			gone = append([]actual{d.have}, d.spare...)
		}
		if len(gone) > 0 {
			d.down = add(&d.Step, gone, slices.Clone(d.n.deps))
		}
		if d.comesUp() {
			d.up = add(&d.Step, nil, d.deps)
			d.up.after(d.down)
		}
	}
	for _, d := range b.drafts {
		if d.down != nil || d.up != nil {
			for _, n := range d.n.deps {
				x := n.draftOf()
				if x == nil || !x.goesDown() {
					continue
				}
				if d.goesDown() {
					x.down.after(d.down) // users go before what they use
				} else {
					x.down.after(d.up) // an update lets go before what it used goes
				}
			}
		}
		if d.goesDown() && d.goesFirst() {
			for _, n := range d.n.deps {
				d.goBefore(n)
			}
		}
		if d.up == nil {
			continue
		}
		for _, n := range d.deps {
			x := n.draftOf()
			if x == nil {
				continue
			}
			d.up.after(x.up)
			if !x.goesDown() {
				d.up.after(x.down) // or it would hang on what is surplus
			}
		}
		for _, h := range d.before {
			if h.down != nil && h.goesDown() {
				d.up.after(h.down)
			} else {
				d.up.after(h.up)
			}
		}
	}
	return all
}

// goBefore puts the way down of an object that goes first before that of all else
// that depends on dep, unless that depends on the object itself.
func (d *draft) goBefore(dep *node) {
	for u := range dep.users {
		x := u.draftOf()
		if x == nil || !x.goesDown() || x.goesFirst() || slices.Contains(u.deps, d.n) {
			continue
		}
		x.down.after(d.down)
	}
}

// stuckTasks returns the tasks that wait for each other in a circle, or for such
// tasks.
func stuckTasks(all []*task) (stuck []*task) {
	ready := make([]*task, 0, len(all))
	for _, t := range all {
		if t.stuck = t.need; t.need == 0 {
			ready = append(ready, t)
		}
	}
	free := 0
	for ; len(ready) > 0; free++ {
		t := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, n := range t.next {
			if n.stuck--; n.stuck == 0 {
				ready = append(ready, n)
			}
		}
	}
	if free == len(all) {
		return nil
	}
	for _, t := range all {
		if t.stuck > 0 {
			stuck = append(stuck, t)
		}
	}
	return stuck
}

// cutCircles lets tasks go that wait for each other in a circle all the same: the
// target itself has a circle. Any order is as good then.
func cutCircles(all, stuck []*task) {
	for ; len(stuck) > 0; stuck = stuckTasks(all) {
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
