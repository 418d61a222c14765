// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Run makes the target hold what the store wants, and keeps it so, until ctx
// ends; it returns ctx's error, the engine's misuse, or ErrClosed. A change in the store
// costs the work on its objects and on what depends on them. Resync after it was
// read (0: never) and after Forget the target is read anew, and what drifted is repaired.
// That may take long: what changes meanwhile does not wait for it, except for the first
// reading and those after Forget, as nothing is planned before these.
//
// What fails is read and tried again after a time that grows; what is blocked,
// when that changes which blocks it; what is invalid, when it is changed; what its kind's Check
// refuses, also when anything changes that it depends on or that the Check asked for. None
// of them delays another. When Run ends, all statuses are Pending: the target
// may be gone.
func (e *Engine) Run(ctx context.Context, s *Store, resync time.Duration) error {
	if err := e.ended(); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	r := &runner{
		e: e, s: s, changes: s.subscribe(s.runs),
		dirty: map[Key]struct{}{}, flying: map[Key]bool{},
		blocked: map[Key]map[Key]struct{}{}, waits: map[Key][]Key{}, retries: map[Key]*retry{},
		sightings: map[Key]sighting{}, young: map[Key]struct{}{}, freed: map[Key]int{}, unknown: map[Key]struct{}{},
		wake: make(chan struct{}, 1), resync: resync,
	}
	if resync <= 0 {
		r.resync = 1 << 62
	}
	defer s.unsubscribe(s.runs, r.changes)
	defer s.leave()
	e.mu.Lock()
	e.runs[r] = struct{}{}
	e.forget(anyKind)
	e.mu.Unlock()
	defer func() { // what it wanted, nobody does any more
		e.mu.Lock()
		delete(e.runs, r)
		maps.DeleteFunc(e.firsts, func(_ Key, first *runner) bool { return first == r })
		e.mu.Unlock()
		r.letGo(s.keys()...)
	}()
	defer r.passes.Wait()
	defer end()
	stop := context.AfterFunc(e.life, end) // also a reading that is under way
	defer stop()
	err := r.loop(ctx)
	if closed := e.ended(); closed != nil {
		return closed
	}
	return err
}

// runner is the state of one Run. Its loop alone touches all but the inbox.
type runner struct {
	e       *Engine
	s       *Store
	changes *subscription
	passes  sync.WaitGroup

	dirty   map[Key]struct{}         // to be looked at, and in no pass
	flying  map[Key]bool             // in a pass; true: to be looked at once more after that
	blocked map[Key]map[Key]struct{} // by what blocks them
	waits   map[Key][]Key            // the same, by what is blocked
	retries map[Key]*retry
	due     schedule // of retries

	sightings map[Key]sighting // of what is ours and nobody has wanted; see Grace
	young     map[Key]struct{} // of these, what has grace left
	told      string           // the token of what the observer knows to be held back

	turn     int         // counts passes
	freed    map[Key]int // or looked at anew, in what turn, while there are passes that cannot know
	freedAny int         // in what turn others may have been, whose keys were too many to keep

	resync  time.Duration
	full    time.Time        // when the target is to be read as a whole, at the latest
	begun   bool             // it has been, once
	look    bool             // it is to be, at once
	looking bool             // it is being read, beside the loop
	looked  bool             // that has just been taken in
	unread  *retry           // the patience with kinds that cannot be read; nil: all can
	unknown map[Key]struct{} // what is blocked because a kind, perhaps another engine's, could not be read

	complete  bool // the store was, when last looked
	converged bool

	mu    sync.Mutex
	inbox []func()
	heard []Key // what others have changed
	wake  chan struct{}
}

// retry is the patience with one failing object.
type retry struct {
	backoff  *backoff.ExponentialBackOff
	attempts int
	last     time.Time // it failed
	tried    time.Time // it was looked at since
	next     time.Time // zero: being tried, or as wanted by itself
}

func (r *runner) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		r.lookAt(now)
		if !r.looking && (r.look || !now.Before(r.full)) {
			r.lookAround(ctx)
		}
		for _, k := range r.due.upTo(now) {
			if t := r.retries[k]; t != nil && !t.next.IsZero() && !now.Before(t.next) {
				t.next = time.Time{}
				r.mark(k)
			}
			if _, ok := r.young[k]; ok {
				r.mark(k)
			}
		}
		if !r.looking || r.begun && r.e.remembers() { // else all that is planned waits for the reading
			if r.s.isComplete() && !r.complete {
				r.complete = true
				r.markOurs()
			}
			r.launch(ctx)
			r.converge()
		}

		next := r.full
		if r.looking {
			next = now.Add(r.resync) // when that is done it is set anew
		}
		if len(r.due) > 0 && r.due[0].at.Before(next) {
			next = r.due[0].at
		}
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-r.changes.wake:
			r.changed()
		case <-r.wake:
		case <-r.e.nudge:
			r.look = true
		}
		r.deliver()
	}
}

// changed makes dirty what changed in the store. That is a new chance for it, at once.
func (r *runner) changed() {
	for k := range r.s.take(r.changes) {
		r.mark(k)
		delete(r.retries, k)
	}
}

// mark has a key be looked at: in the next pass or, if it is in one, in one after that.
func (r *runner) mark(k Key) {
	if _, flies := r.flying[k]; flies {
		r.flying[k] = true
	} else {
		r.dirty[k] = struct{}{}
	}
}

func (r *runner) unmark(k Key) {
	if r.flying[k] {
		r.flying[k] = false
	}
	delete(r.dirty, k)
}

// fly notes that a pass has come to a key that it did not begin with, which may still be marked.
func (r *runner) fly(k Key) {
	_, marked := r.dirty[k]
	delete(r.dirty, k)
	r.flying[k] = r.flying[k] || marked
}

// land notes that a key is in no pass any more.
func (r *runner) land(k Key) {
	again := r.flying[k]
	if delete(r.flying, k); again {
		r.dirty[k] = struct{}{}
	}
	if len(r.flying) == 0 {
		r.flying = map[Key]bool{} // one that was large once stays so
	}
}

// launch starts a pass over what is dirty.
func (r *runner) launch(ctx context.Context) {
	if len(r.dirty) == 0 {
		return
	}
	keys := slices.Collect(maps.Keys(r.dirty))
	// Who waits for one of them comes along: they may have to give way to each other.
	for i := 0; i < len(keys); i++ {
		for u := range r.blocked[keys[i]] {
			if _, flies := r.flying[u]; flies {
				r.mark(u)
			} else if _, in := r.dirty[u]; !in {
				r.dirty[u] = struct{}{}
				keys = append(keys, u)
			}
		}
	}
	now := time.Now()
	for _, k := range keys {
		r.flying[k] = false
		r.unblock(k)
		r.stir(k)
		if t := r.retries[k]; t != nil {
			t.tried = now
		}
	}
	r.dirty = map[Key]struct{}{} // one that was large once stays slow to range over
	if r.turn++; len(r.flying) == len(keys) {
		r.freed = map[Key]int{} // no pass is older
	}
	turn, may := r.turn, r.s.grant(r.removable(keys))
	r.passes.Go(func() { r.pass(ctx, keys, may, turn) })
}

// failed schedules another try.
func (r *runner) failed(k Key, want Object, res Result) {
	t, now := r.retries[k], time.Now()
	if t == nil || t.tried.Sub(t.last) > 2*t.backoff.MaxInterval {
		t = r.patience()
		r.retries[k] = t
	}
	t.attempts++
	t.last, t.next = now, now.Add(t.backoff.NextBackOff())
	r.due.add(k, t.next)
	r.s.report(k, want, Status{State: Failing, ID: res.ID, Err: res.Err, Attempts: t.attempts, NextTry: t.next})
}

func (r *runner) patience() *retry {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 200*time.Millisecond, time.Minute
	if r.e.RetryMin > 0 {
		b.InitialInterval = r.e.RetryMin
	}
	if r.e.RetryMax > 0 {
		b.MaxInterval = r.e.RetryMax
	}
	b.Multiplier, b.RandomizationFactor, b.MaxElapsedTime = 2, 0.5, 0
	b.Reset()
	return &retry{backoff: b}
}

// giveUp has what failed not be tried again by itself. Who waited for that is not to wait for ever.
func (r *runner) giveUp(k Key) {
	if r.retries[k] != nil {
		delete(r.retries, k)
		r.news(k)
	}
}

// unblock forgets what k waits for, as it is looked at anew.
func (r *runner) unblock(k Key) {
	for _, b := range r.waits[k] {
		if delete(r.blocked[b], k); len(r.blocked[b]) == 0 {
			delete(r.blocked, b)
		}
	}
	delete(r.waits, k)
	delete(r.unknown, k)
}

// news makes dirty what k blocked, or is yet to be known to have blocked.
func (r *runner) news(k Key) {
	r.stir(k)
	r.free(k)
}

// stir takes note that who is found to wait for k by a pass that has begun is to be looked at again: by then k has
// changed, or is in a later pass, which did not know that it is waited for. It may be able to give way.
func (r *runner) stir(k Key) {
	if len(r.freed) >= maxFreed { // a pass hangs, perhaps
		r.freed, r.freedAny = map[Key]int{}, r.turn
	}
	r.freed[k] = r.turn
}

// maxFreed bounds what is kept for passes that are under way. What is not costs them another look at
// what they find blocked.
const maxFreed = 10_000

// freedSince says whether a key may have been freed when the pass of a turn had been planned.
func (r *runner) freedSince(k Key, turn int) bool {
	at, ok := r.freed[k]
	return ok && at >= turn || r.freedAny >= turn
}

// free makes dirty what k blocked.
func (r *runner) free(k Key) {
	for u := range r.blocked[k] {
		r.mark(u)
	}
}

// converge takes note of there being nothing left to do.
func (r *runner) converge() {
	if len(r.flying) == 0 && len(r.dirty) == 0 {
		r.s.settle(r.unread == nil && len(r.young) == 0)
	}
	was := r.converged
	r.converged = r.s.check(was)
	if r.converged && !was {
		r.e.observe(Event{Type: Converged})
	}
}

// post hands f to the loop.
func (r *runner) post(f func()) {
	r.mu.Lock()
	r.inbox = append(r.inbox, f)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *runner) deliver() {
	r.mu.Lock()
	all, heard := r.inbox, r.heard
	r.inbox, r.heard = nil, nil
	r.mu.Unlock()
	for _, f := range all {
		f()
	}
	for _, k := range heard {
		r.news(k)
		if r.s.want(k) != nil {
			r.mark(k)
		}
	}
}

// hear takes note that another Run, or a call, has changed what the target has of a key.
func (r *runner) hear(k Key) {
	r.mu.Lock()
	r.heard = append(r.heard, k)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// holdsOurs says whether the target has something by this key that is ours, and this
// engine's alone.
func (e *Engine) holdsOurs(k Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.nodes[k]
	return n.ours() && e.manages(n) && e.elsewhere(k) == nil
}

// nothing says whether it is known that the target has nothing of ours by this key.
func (e *Engine) nothing(k Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.nodes[k].mayGo() && e.hides(k) == nil
}

// mayHave says whether the target has something by this key that is this engine's alone to remove, or may have.
// The engine's lock is held.
func (e *Engine) mayHave(k Key) bool {
	n := e.nodes[k]
	return (n.mayGo() && e.manages(n) || e.hides(k) != nil) && e.elsewhere(k) == nil
}

// isWantedElsewhere says whether the Run of another engine wants something by this key.
func (e *Engine) isWantedElsewhere(k Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.elsewhere(k) != nil
}

// letGo tells the other Runs that this one does not want something any more.
func (r *runner) letGo(keys ...Key) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	for _, k := range keys {
		r.e.news(k, r)
	}
}
