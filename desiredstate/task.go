// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"slices"
	"strings"
)

// task is one half of a step: the way down (unmake) or the way up (make or
// change). A replacement has both.
type task struct {
	step *Step
	gone []actual // down: what to unmake; nil: the way up
	ask  bool     // before the way down: whether the target would take what is to come
	deps []*node  // whose handles it uses
	need int      // tasks to be done first
	next []*task  // tasks that wait for this one
	by   *Key     // what failed, so that this task is skipped
	last bool     // it came too early once, see ErrEarly

	stuck int // as need, while tasks are walked through in order
	rank  int // of the first task that hangs on this one and on which nothing hangs
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
	all, asked := make([]*task, 0, len(b.drafts)), false
	add := func(s *Step, gone []actual, deps []*node) *task {
		t := b.tasked.one()
		t.step, t.gone, t.deps = s, gone, deps
		all = append(all, t)
		return t
	}
	for _, d := range b.drafts {
		if d.ask, d.down, d.up = nil, nil, nil; d.Action == Block {
			continue
		}
		gone := d.spare
		if d.goesDown() {
			gone = append([]actual{d.have}, d.spare...)
		}
		if len(gone) > 0 {
			d.down = add(&d.Step, gone, d.n.dependencies())
		}
		if d.comesUp() {
			d.up = add(&d.Step, nil, d.deps)
			d.up.after(d.down)
		}
		if d.foresees() {
			d.ask = add(&d.Step, nil, nil)
			d.ask.ask = true
			asked = true
		}
	}
	for _, d := range b.drafts {
		b.uncoverFirst(d)
		b.redoAfter(d)
		if asked && d.goesDown() {
			d.down.foreseen(d.n, map[*node]bool{})
		}
		if d.down != nil || d.up != nil {
			for _, e := range d.n.deps {
				x := e.on.draftOf()
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
			for _, e := range d.n.deps {
				d.goBefore(e.on)
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
	for _, u := range dep.users {
		x := u.draftOf()
		if x == nil || !x.goesDown() || x.goesFirst() || u.dependsOn(d.Key) {
			continue
		}
		x.down.after(d.down)
	}
}

// opening returns the tasks that wait for nothing: first what goes, and makes room; then what the first of the others
// need to be done. These are in the order of names, as what belongs together is called alike, a port and its filters. So a port is
// whole soon after it is begun, and not when the last one is begun.
func opening(all []*task) (ready []*task) {
	var ends []*task
	for _, t := range all {
		if t.rank = len(all); t.gone != nil {
			t.rank = -1 // what goes makes room
		}
		if t.need == 0 {
			ready = append(ready, t)
		} else if len(t.next) == 0 {
			ends = append(ends, t)
		}
	}
	if len(ends) > 0 { // else nothing hangs on anything
		rank(all, ends)
	}
	slices.SortStableFunc(ready, func(a, b *task) int { return a.rank - b.rank })
	return ready
}

// rank ranks ends by name, and each task as the first of the ends that hang on it.
func rank(all, ends []*task) {
	slices.SortStableFunc(ends, func(a, b *task) int { return strings.Compare(a.step.Key.Name, b.step.Key.Name) })
	for i, t := range ends {
		t.rank = i
	}
	order, _ := inOrder(all)
	for _, t := range slices.Backward(order) {
		for _, n := range t.next {
			t.rank = min(t.rank, n.rank)
		}
	}
}

// inOrder lists tasks after those that they wait for, and leaves out those that wait for
// each other in a circle, or for such tasks. It says how long each still waits.
func inOrder(all []*task) (order []*task, complete bool) {
	order = make([]*task, 0, len(all))
	for _, t := range all {
		if t.stuck = t.need; t.need == 0 {
			order = append(order, t)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, n := range order[i].next {
			if n.stuck--; n.stuck == 0 {
				order = append(order, n)
			}
		}
	}
	return order, len(order) == len(all)
}

// stuckTasks returns the tasks that wait for each other in a circle, or for such
// tasks.
func stuckTasks(all []*task) (stuck []*task) {
	if _, complete := inOrder(all); complete {
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
