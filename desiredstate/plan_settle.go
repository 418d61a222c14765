// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"maps"
	"slices"
)

// support brings along what a step relies on and is there, but not as wanted:
// its own last change failed, perhaps, and is not due to be tried again. Nothing
// is put on top of what is half done.
func (b *planner) support() {
	todo := slices.SortedFunc(maps.Keys(b.drafts), Key.Compare)
	for len(todo) > 0 {
		d := b.drafts[todo[0]]
		todo = todo[1:]
		if !d.comesUp() {
			continue
		}
		for _, k := range d.deps {
			n := b.e.nodes[k]
			if b.drafts[k] != nil || !n.ours() || n.writers > 0 || b.r.want(k) == nil { // or another pass sees to it
				continue
			}
			kept := b.kept
			if b.look(k, false) != nil {
				todo = append(todo, k)
			}
			b.kept = kept // what it relies on was not asked about
		}
	}
}

// draftPulled drafts the step of an object that was not asked about, because something
// that it hangs on goes down.
func (b *planner) draftPulled(k Key) *draft {
	n := b.e.nodes[k]
	have := n.owned()
	if len(have) == 0 {
		return nil
	}
	if b.r.want(k) != nil {
		return b.look(k, true)
	}
	d := b.draft(k, n, Delete)
	d.there(have, 0)
	if b.r.restore || !b.r.prune && !b.r.named(k) {
		d.base, d.Action = Keep, Keep
		d.wanted(have[0].kind, have[0].spec, have[0].spec)
	}
	return d
}

// settle lets steps give way until none has to.
func (b *planner) settle() {
	for len(b.again) > 0 {
		k := b.again[0]
		b.again = b.again[1:]
		d := b.drafts[k]
		d.done = false
		was, had := d.Action, d.by
		d.Action, d.by, d.Err = b.outcome(d)
		d.Disturbs = d.disturbs()
		if b.e.Refuse != nil && d.Action != Keep && d.Action != Block {
			if err := b.e.Refuse(d.Step); err != nil {
				d.Action, d.Err, d.Disturbs = Block, err, DisturbsNothing
				d.base, d.why = Block, err // for good, whatever it lets go by that
			}
		}
		if d.goesDown() {
			for _, u := range slices.SortedFunc(maps.Keys(d.n.users), Key.Compare) {
				_ = b.doubt(b.e.nodes[u]) // it may hang on this, or not
				if b.drafts[u] != nil {
					continue
				}
				if x := b.draftPulled(u); x != nil {
					x.late = true
					b.assign(u)
					b.queue(u)
				}
			}
		}
		news := d.late || d.Action != was || len(d.by) != len(had)
		if d.late = false; news {
			for u := range d.n.users {
				b.queue(u)
			}
			for _, u := range b.waiting[k] {
				b.queue(u)
			}
		}
	}
}

func (b *planner) queue(k Key) {
	if d := b.drafts[k]; d != nil && !d.done {
		d.done = true
		b.again = append(b.again, k)
	}
}

// outcome is what becomes of a step, given what becomes of those around it.
func (b *planner) outcome(d *draft) (Action, []Key, error) {
	// Pulled: what it hangs on goes. Down: it must go along, even if all that it
	// needs will be there again.
	pulled, down := false, d.base == Keep || d.base == Block
	for _, k := range d.n.deps {
		b.wait(k, d.Key)
		if dep := b.drafts[k]; dep != nil && dep.goesDown() {
			pulled = true
			down = down || slices.Contains(d.deps, k)
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
		if users := b.keptUsers(d); b.r.refuse && len(users) > 0 {
			return Block, users, fmt.Errorf("%w by %s", ErrInUse, join(users))
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
	var missing []Key
	for _, k := range d.deps {
		b.wait(k, d.Key)
		_ = b.doubt(b.e.nodes[k])
		if !b.available(k) {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		why := fmt.Errorf("%w: %s", ErrMissing, join(missing))
		for _, k := range missing {
			if unread := b.unread(k, b.e.nodes[k]); unread != nil {
				b.blind = true
				return missing, fmt.Errorf("%w: %w", why, unread)
			}
		}
		return missing, why
	}
	d.before = d.before[:0]
	for _, r := range d.kind.holds(d.want) {
		if first, ok := b.takers[r]; ok && first != d.Key {
			b.wait(first, d.Key)
			return []Key{first}, fmt.Errorf("%w: %s wants %s too", ErrConflict, first, r)
		}
		for _, k := range b.e.holders[r] {
			if k == d.Key {
				continue
			}
			if n := b.e.nodes[k]; n.suspect { // nobody knows; the plan is made again when it is read
				if why := b.doubt(n); why != nil {
					return []Key{k}, fmt.Errorf("%w: %s, which may hold %s: %w", ErrUnread, k, r, why)
				}
				continue
			}
			if n := b.e.nodes[k]; !n.ours() {
				return []Key{k}, fmt.Errorf("%w: %s holds %s", ErrForeign, k, r)
			}
			b.wait(k, d.Key)
			h := b.drafts[k]
			if h == nil && b.e.nodes[k].leftover() {
				h = b.clear(k)
			}
			if h == nil || !h.letsGo(r) {
				return []Key{k}, fmt.Errorf("%w: %s holds %s", ErrConflict, k, r)
			}
			d.before = append(d.before, k)
		}
	}
	return nil, nil
}

func (b *planner) wait(k, who Key) {
	b.waiting[k] = append(b.waiting[k], who)
}

// available says whether the target will have something of this key.
func (b *planner) available(k Key) bool {
	if d := b.drafts[k]; d != nil {
		switch d.Action {
		case Delete:
			return false
		case Block:
			return d.n.exists()
		}
		return true
	}
	return b.e.nodes[k].exists() && b.e.blind(b.e.nodes[k]) == nil
}

// keptUsers lists what depends on an object that is to go, and is to stay.
func (b *planner) keptUsers(d *draft) []Key {
	var out []Key
	for u := range d.n.users {
		b.wait(u, d.Key)
		if x := b.drafts[u]; x == nil || x.base != Delete || x.Action == Block {
			if b.e.nodes[u].ours() {
				out = append(out, u)
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
