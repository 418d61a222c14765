// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// support brings along what a step relies on and is there, but not as wanted:
// its own last change failed, perhaps, and is not due to be tried again. Nothing
// is put on top of what is half done.
func (b *planner) support() {
	b.sort()
	todo := slices.Clone(b.drafts)
	for len(todo) > 0 {
		d := todo[0]
		todo = todo[1:]
		if !d.comesUp() {
			continue
		}
		for _, n := range d.deps {
			p := b.of(n)
			if p.supports || p.draft != nil || !n.ours() || n.writers > 0 || b.want(n) == nil { // or another pass sees to it
				continue
			}
			p.supports = true
			kept := b.kept
			if x := b.look(n, false); x != nil {
				todo = append(todo, x)
			}
			b.kept = kept // what it relies on was not asked about
		}
	}
}

// draftPulled drafts the step of an object that was not asked about, because something
// that it hangs on goes down.
func (b *planner) draftPulled(n *node) *draft {
	have := n.owned()
	if len(have) == 0 {
		return nil
	}
	if b.want(n) != nil {
		return b.look(n, true)
	}
	if b.r.restore || !b.r.prune && !b.r.named(n.key) {
		return b.draftAsItIs(n, have)
	}
	d := b.draft(n, Delete)
	d.there(have, 0)
	return d
}

// draftAsItIs drafts that an object that was not asked about stays as it is, or comes back so.
func (b *planner) draftAsItIs(n *node, have []actual) *draft {
	d := b.draft(n, Keep)
	d.there(have, 0)
	d.wanted(b, have[0].kind, n.spec(have[0]), have[0].spec)
	for _, dep := range n.hiddenDeps() { // of these the target says nothing
		if !slices.Contains(d.deps, dep) {
			d.deps = append(d.deps, dep)
		}
	}
	return d
}

// settle lets steps give way until none has to.
func (b *planner) settle() {
	for len(b.again) > 0 {
		d := b.again[0]
		b.again = b.again[1:]
		d.queued = false
		was, had := d.Action, d.by
		d.Action, d.by, d.Err = b.outcome(d)
		d.Disturbs = d.disturbs()
		if b.e.Refuse != nil && d.Action != Keep && d.Action != Block {
			if err := b.e.Refuse(&d.Step); err != nil {
				d.Action, d.Err, d.Disturbs = Block, err, DisturbsNothing
				d.base, d.why = Block, err // for good, whatever it lets go by that
			}
		}
		if d.goesDown() {
			for _, u := range slices.SortedFunc(slices.Values(d.n.users), byKey) {
				_ = b.doubt(u) // it may hang on this, or not
				if u.draftOf() != nil {
					continue
				}
				if x := b.draftPulled(u); x != nil {
					x.late = true
					b.assign(x)
					b.queue(x)
				}
			}
		}
		news := d.late || d.Action != was || len(d.by) != len(had)
		if d.late = false; news {
			for _, u := range d.n.users {
				b.queue(u.draftOf())
			}
			for _, u := range d.n.plan.waiting {
				b.queue(u)
			}
		}
	}
}

// queue has a step looked at again; nil is none.
func (b *planner) queue(d *draft) {
	if d != nil && !d.queued {
		d.queued = true
		b.again = append(b.again, d)
	}
}

// outcome is what becomes of a step, given what becomes of those around it.
func (b *planner) outcome(d *draft) (Action, []Key, error) {
	// Pulled: what it hangs on goes. Down: it must go along, even if all that it
	// needs will be there again.
	pulled, down := false, d.base == Keep || d.base == Block
	for _, e := range d.n.deps {
		b.wait(e.on, d)
		if dep := e.on.draftOf(); dep != nil && dep.goesDown() {
			pulled = true
			down = down || slices.Contains(d.deps, e.on)
		}
	}
	there := len(d.n.owned()) > 0 // of a suspect, there may be nothing known that could go
	down = down && pulled && there
	if d.base == Delete || d.base == Replace {
		if u, why := b.pinned(d.n); why != nil {
			b.blind = true
			return Block, []Key{u}, fmt.Errorf("%w: %s, which depends on it: %w", ErrUnread, u, why)
		}
	}
	switch d.base {
	case Delete:
		if b.r.refuse {
			if users := b.keptUsers(d); len(users) > 0 {
				return Block, users, fmt.Errorf("%w by %s", ErrInUse, join(users))
			}
		}
		return Delete, nil, nil
	case Block:
		if down {
			return Delete, d.lack, d.why
		}
		return Block, d.lack, d.why
	}

	if d.why == nil { // else for good: what lets go because of a block must not lift it
		d.lack, d.why = b.lacks(d)
	}
	why, by := d.why, d.lack
	switch {
	case why == nil && down:
		return Replace, nil, nil
	case why == nil:
		return d.base, nil, nil
	case pulled && there:
		return Delete, by, why
	case d.base == Keep && there:
		return Keep, nil, nil
	}
	return Block, by, why
}

// lacks says what keeps a wanted object from being made or changed now.
func (b *planner) lacks(d *draft) ([]Key, error) {
	var missing []*node
	for _, n := range d.deps {
		b.wait(n, d)
		if !b.available(n) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		keys := keysOf(missing)
		why := fmt.Errorf("%w: %s", ErrMissing, join(keys))
		for _, n := range missing {
			if unread := b.unread(n); unread != nil {
				b.blind = true
				return keys, fmt.Errorf("%w: %w", why, unread)
			}
		}
		return keys, why
	}
	return b.lacksRoom(d)
}

// wait has who look again when the step of on changes.
func (b *planner) wait(on *node, who *draft) {
	p := b.of(on)
	p.waiting = append(p.waiting, who)
}

// available says whether the target will have something by the key of a node.
func (b *planner) available(n *node) bool {
	doubt := b.doubt(n)
	if d := n.draftOf(); d != nil && d.Action != Block {
		return d.Action != Delete
	}
	return n.exists() && doubt == nil && b.e.blind(n) == nil
}

// keptUsers lists what depends on an object that is to go, and is to stay.
func (b *planner) keptUsers(d *draft) []Key {
	var out []Key
	for _, u := range d.n.users {
		b.wait(u, d)
		if x := u.draftOf(); x == nil || x.base != Delete || x.Action == Block {
			if u.ours() {
				out = append(out, u.key)
			}
		}
	}
	slices.SortFunc(out, Key.Compare)
	return out
}

func (d *draft) goesDown() bool { return d.Action == Delete || d.Action == Replace }

// goesFirst says so of what is there; of a suspect, that may be nothing.
func (d *draft) goesFirst() bool { return d.have.kind != nil && d.have.kind.goesFirst }

func (d *draft) comesUp() bool {
	return d.Action == Create || d.Action == Update || d.Action == Replace
}
