// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// pass brings the target to what the store wants of these keys. Of what it does not
// want, only what goes is removed.
func (r *runner) pass(ctx context.Context, keys []Key, goes map[Key]bool, turn int) {
	e, s := r.e, r.s
	var mu sync.Mutex
	seen := map[Key]Object{}                        // what was planned for
	named := map[Key]bool{}                         // of these, what was deleted by name
	see := func(k Key) (want Object, byName bool) { // the store may say otherwise by now, of which the next pass is
		mu.Lock()
		defer mu.Unlock()
		if _, ok := seen[k]; !ok {
			seen[k], named[k] = s.wantOr(k)
		}
		return seen[k], named[k]
	}
	p, rest, err := e.prepare(ctx, request{
		keys:  keys,
		apart: true,
		want:  func(k Key) Object { o, _ := see(k); return o },
		named: func(k Key) bool {
			_, byName := see(k)
			return goes[k] || e.Prune != PruneNone && byName
		},
	})
	keys = without(keys, rest)
	for _, group := range rest {
		r.passes.Go(func() { r.pass(ctx, group, goes, turn) })
	}
	if err != nil {
		r.post(func() {
			for _, k := range keys {
				r.land(k)
				r.failed(k, s.want(k), Result{Block, k, 0, err})
			}
		})
		return
	}

	stepped := make(map[Key]bool, len(p.Steps))
	for _, st := range p.Steps {
		stepped[st.Key] = true
	}
	s.applied(e, p.kept, seen)
	s.reopen(p.Steps, seen)
	for _, kept := range p.kept {
		stepped[kept.Key] = true
	}
	for _, k := range keys {
		if !stepped[k] && seen[k] == nil && !e.holdsOurs(k) {
			s.gone(k)
			e.letGo(k)
		}
	}
	r.post(func() {
		for _, k := range keys {
			if !stepped[k] { // gone, perhaps by a removal whose answer was lost
				r.land(k)
				delete(r.retries, k)
				r.news(k)
			}
		}
		for _, kept := range p.kept {
			r.land(kept.Key)
			if t := r.retries[kept.Key]; t != nil {
				t.next = time.Time{} // what made it go, and failed, may try that again
			}
			r.unblock(kept.Key)
			r.free(kept.Key)
		}
		for _, st := range p.Steps {
			r.fly(st.Key)
		}
		if !p.Empty() {
			r.s.settle(false)
		}
	})
	e.execute(ctx, p, false, func(res Result, by []Key) {
		want := seenOf(&mu, seen, res.Key)
		r.post(func() { r.finished(res, by, want, turn) })
	})
}

func seenOf(mu *sync.Mutex, seen map[Key]Object, k Key) Object {
	mu.Lock()
	defer mu.Unlock()
	return seen[k]
}

// finished takes note of what became of one object in the pass that began as this
// turn.
func (r *runner) finished(res Result, by []Key, want Object, turn int) {
	k := res.Key
	r.land(k)
	if now := r.s.want(k); (now == nil) != (want == nil) || now != nil && !same(now, want) {
		r.mark(k) // another is wanted by now
	}
	r.unblock(k) // another pass may have left it blocked meanwhile
	if res.Err == nil {
		delete(r.retries, k)
		r.news(k)
		if res.Action == Delete && want == nil {
			r.s.gone(k)
			return
		}
		r.s.report(k, want, Status{State: Applied, ID: res.ID, Unverified: r.e.unverified(want)})
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
		delete(r.retries, k)
		r.s.report(k, want, Status{State: Invalid, ID: res.ID, Err: res.Err})
	case len(by) > 0 || untried && isRefusal(res.Err):
		delete(r.retries, k)
		r.waits[k] = by
		for _, b := range by {
			if r.blocked[b] == nil {
				r.blocked[b] = map[Key]struct{}{}
			}
			r.blocked[b][k] = struct{}{}
			if at, ok := r.freed[b]; ok && at >= turn {
				r.mark(k) // the pass may have been planned before that
			}
		}
		r.s.report(k, want, Status{State: Blocked, ID: res.ID, Err: res.Err, BlockedBy: by})
	default:
		r.failed(k, want, res)
	}
}

// isRefusal says whether the engine itself, not the target, said no.
func isRefusal(err error) bool {
	return slices.ContainsFunc([]error{ErrForeign, ErrConflict, ErrMissing, ErrCycle, ErrUnknownKind, ErrUnavailable, ErrUnread},
		func(why error) bool { return errors.Is(err, why) })
}
