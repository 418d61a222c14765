// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"slices"
	"time"
)

// pass brings the target to what the store wants of these keys. Of what it does not
// want, only what was deleted by name is removed, and what may be.
func (r *runner) pass(ctx context.Context, keys []Key, may *leave, turn int) {
	e, s := r.e, r.s
	saw := outlook{s, make(map[Key]ask, len(keys))}
	p, rest, err := e.prepare(ctx, request{
		keys:    keys,
		apart:   true,
		begin:   func() { clear(saw.asks) }, // while it waited for another pass, the store may have changed
		want:    saw.want,
		named:   func(k Key) bool { return e.Prune != PruneNone && saw.of(k).byName || s.granted(may, k) },
		planned: func(p *Plan, rest [][]Key) { r.planned(p, without(keys, rest), saw, turn) },
	})
	s.pass(may, len(rest)-1)
	for _, group := range rest {
		r.passes.Go(func() { r.pass(ctx, group, may, turn) })
	}
	if err != nil {
		r.post(func() {
			for _, k := range without(keys, rest) {
				r.land(k)
				r.failed(k, s.want(k), Result{Block, k, 0, err})
			}
		})
		return
	}
	e.execute(ctx, p, false, r, func(s *Step, by []Key) { r.did(s, by, saw, turn) })
}

// planned tells what of these keys a pass need not touch, or cannot. The engine's lock is held, so that
// this is told before anything that was planned later.
func (r *runner) planned(p *Plan, keys []Key, saw outlook, turn int) {
	e, s := r.e, r.s
	stepped := make(map[Key]struct{}, len(p.Steps)+len(p.kept))
	for _, st := range p.Steps {
		stepped[st.Key] = struct{}{}
	}
	for _, kept := range p.kept {
		stepped[kept.Key] = struct{}{}
	}
	news := s.applied(e, p.kept, saw)
	s.reopen(p.Steps, saw)
	var done []Key // gone, perhaps by a removal whose answer was lost
	for _, k := range keys {
		if said := saw.asks[k]; said.want != nil || said.byName {
			delete(e.adopted, k)
		}
		if _, ok := stepped[k]; ok {
			continue
		}
		if done = append(done, k); saw.seen(k) == nil && !e.mayHave(k) {
			s.gone(k)
			e.news(k, r)
		}
	}
	r.post(func() {
		for _, k := range done {
			r.land(k)
			delete(r.retries, k)
			r.news(k)
		}
		for _, kept := range p.kept {
			r.land(kept.Key)
			if t := r.retries[kept.Key]; t != nil {
				t.next = time.Time{} // what made it go, and failed, may try that again
			}
			r.unblock(kept.Key)
			r.free(kept.Key)
		}
		for _, k := range news { // who waits for it may be yet to be told so, by an older pass
			r.news(k)
		}
		for _, st := range p.Steps {
			r.fly(st.Key)
		}
		if !p.Empty() {
			r.s.settle(false)
		}
	})
	for _, st := range p.Steps {
		if st.Action == Block {
			st.id = st.have.id
			r.did(st, st.by, saw, turn)
		}
	}
}

// did has the loop take note of what became of one object.
func (r *runner) did(s *Step, by []Key, saw outlook, turn int) {
	res, eyed, want := s.result(), s.eyed, saw.seen(s.Key)
	r.post(func() { r.finished(res, by, eyed, want, turn) })
}

// outlook is what a pass takes to be wanted: what the store said when its plan, the last if it was made
// several times, first asked for a key. It may say otherwise by now, of which the next pass is.
type outlook struct {
	s    *Store
	asks map[Key]ask // changed while the plan is made, only read afterwards
}

type ask struct {
	want   Object
	byName bool // nothing is wanted, and somebody said so
}

func (o outlook) of(k Key) ask {
	a, ok := o.asks[k]
	if !ok {
		a.want, a.byName = o.s.wantOr(k)
		o.asks[k] = a
	}
	return a
}

func (o outlook) want(k Key) Object { return o.of(k).want }

// seen is what the plan was made for; nil if it did not ask.
func (o outlook) seen(k Key) Object { return o.asks[k].want }

// finished takes note of what became of one object in the pass that began as this
// turn: by what it is blocked, and by what its kind may have refused it.
func (r *runner) finished(res Result, by, eyed []Key, want Object, turn int) {
	k := res.Key
	r.land(k)
	if now := r.s.want(k); (now == nil) != (want == nil) || now != nil && !same(now, want) {
		r.mark(k) // another is wanted by now
	}
	r.unblock(k) // another pass may have left it blocked meanwhile
	if res.Err == nil {
		delete(r.retries, k)
		r.news(k)
		switch {
		case want != nil:
		case res.Action == Delete:
			r.s.gone(k)
			return
		default: // it was only taken along
			r.s.renumbered(k, res.ID)
			r.mark(k)
			return
		}
		r.s.report(k, want, Status{State: Applied, ID: res.ID, Unverified: r.e.unverified(want)})
		return
	}
	if want == nil && res.Action == Block && r.e.isWantedElsewhere(k) { // it stays as it is, and another Run sees to it
		r.giveUp(k)
		r.s.gone(k)
		return
	}
	if want == nil && r.e.nothing(k) { // it was taken along, and does not come back
		delete(r.retries, k)
		r.news(k)
		r.s.gone(k)
		return
	}
	// What could not be tried waits for something else. What is gone, for a reason
	// that keeps it from coming back, does so too.
	untried := res.Action == Block
	if res.Action == Delete && !r.e.holdsOurs(k) {
		untried = true
		r.news(k)
	}
	switch {
	case errors.Is(res.Err, ErrInvalid):
		r.giveUp(k)
		r.await(k, eyed, turn)
		r.s.report(k, want, Status{State: Invalid, ID: res.ID, Err: res.Err})
	case len(by) > 0 || untried && isRefusal(res.Err):
		r.giveUp(k)
		r.await(k, slices.Concat(by, eyed), turn)
		if errors.Is(res.Err, ErrUnread) {
			r.unknown[k] = struct{}{}
		}
		r.s.report(k, want, Status{State: Blocked, ID: res.ID, Err: res.Err, BlockedBy: by})
	default:
		r.failed(k, want, res)
	}
}

// await has k looked at again when any of these changes.
func (r *runner) await(k Key, by []Key, turn int) {
	by = slices.DeleteFunc(by, func(b Key) bool { return b == k })
	r.waits[k] = by
	for _, b := range by {
		if r.blocked[b] == nil {
			r.blocked[b] = map[Key]struct{}{}
		}
		r.blocked[b][k] = struct{}{}
		if r.freedSince(b, turn) {
			r.mark(k) // the pass may have been planned before that
		}
	}
}

// isRefusal says whether the engine itself, not the target, said no.
func isRefusal(err error) bool {
	return slices.ContainsFunc([]error{ErrForeign, ErrConflict, ErrMissing, ErrCycle, ErrUnknownKind, ErrUnavailable, ErrUnread},
		func(why error) bool { return errors.Is(err, why) })
}
