// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A change that is refused must not cost what is there. So what would be refused is told apart
// before anything is taken away: by Kind.Check from what is known, and by Kind.Foresee from what
// the target says.

// Known returns, during a Check or a Foresee, what will be there of a key once the plan is carried
// out: what is wanted of it, else what is there and was read or made. Nil: nothing that any
// engine's kinds know of, but that they may know by name. Outside of these it is nil.
func (v *View) Known(k Key) Object {
	if v.known == nil {
		return nil
	}
	return v.known(k)
}

// foresight is the View of a Check or a Foresee.
func (v *View) foresight(known func(Key) Object) *View { return &View{base: v, known: known} }

func (b *planner) foresight() *View {
	if b.view == nil {
		b.view = b.e.view.foresight(b.known)
	}
	return b.view
}

// foresight has it noted what a step's kind asks of it.
func (x *pass) foresight(s *Step) *View {
	return x.e.view.foresight(func(k Key) Object {
		s.eyed = append(s.eyed, k)
		return x.known(k)
	})
}

// refusedBy lists by what a kind may refuse an object, which it does no more, perhaps, once that has changed: what
// it asked for, and what the object depends on.
func refusedBy(eyed []Key, k *kind, want Object) []Key { return slices.Concat(eyed, k.depsOf(want)) }

// known is View.Known for a plan that is being made. The engine's lock is held.
func (b *planner) known(k Key) Object {
	b.eyed = append(b.eyed, k)
	n := b.e.nodes[k]
	switch {
	case b.r.want != nil:
		if want := b.r.want(k); want != nil {
			return want
		}
	case n != nil:
		if want := b.want(n); want != nil {
			return want
		}
	}
	return n.stands()
}

// known is View.Known for a plan that is being carried out.
func (x *pass) known(k Key) Object {
	i, ok := slices.BinarySearchFunc(x.steps, k, func(s *Step, k Key) int { return s.Key.Compare(k) })
	if ok && x.steps[i].Want != nil && x.steps[i].Action != Block {
		return x.steps[i].Want
	}
	x.e.mu.Lock()
	defer x.e.mu.Unlock()
	return x.e.nodes[k].stands()
}

// stands is what the target has of a node, ours first.
func (n *node) stands() Object {
	if n == nil || len(n.have) == 0 {
		return nil
	}
	i := slices.IndexFunc(n.have, func(a actual) bool { return !a.foreign })
	return n.have[max(i, 0)].spec
}

// refuses is what the kind's Check says, as an error that says what it is.
func (k *kind) refuses(view *View, want Object) error {
	if k.check == nil {
		return nil
	}
	err := k.check(view, want)
	if err != nil && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrInvalid) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}

// foresees says whether the target is to be asked before anything is taken away for a step. While
// something that the object depends on changes, what the target says means nothing.
func (d *draft) foresees() bool {
	changes := func(n *node) bool {
		x := n.draftOf()
		return x != nil && x != d && x.Action != Block && x.Action != Keep
	}
	return d.Action == Replace && d.kind.foresee != nil && !slices.ContainsFunc(d.deps, changes) &&
		!slices.ContainsFunc(d.n.deps, func(e edge) bool { return changes(e.on) })
}

// foreseen has a way down wait until the target was asked about all that it hangs on and that is
// to come again.
func (t *task) foreseen(n *node, seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	x := n.draftOf()
	if x == nil || !x.goesDown() {
		return
	}
	t.after(x.ask)
	for _, e := range n.deps {
		t.foreseen(e.on, seen)
	}
}

// ask asks the target. If it refuses, nothing has changed.
func (x *pass) ask(ctx context.Context, t *task) (uint32, error) {
	s, start := t.step, time.Now()
	err := s.kind.foresee(ctx, x.foresight(s), s.have.id, s.Want)
	if err != nil {
		s.eyed = refusedBy(s.eyed, s.kind, s.Want)
	}
	if err != nil && (t.last || !errors.Is(err, ErrEarly)) {
		x.failed.Store(true)
		x.e.observe(Event{Type: Started, Key: s.Key, Action: s.Action})
		x.e.observe(Event{Type: Failed, Key: s.Key, Action: s.Action, ID: s.have.id, Err: err, Took: time.Since(start)})
	}
	return s.have.id, err
}
