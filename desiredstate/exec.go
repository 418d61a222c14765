// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pass is one plan being carried out.
type pass struct {
	e      *Engine
	ctx    context.Context
	whole  bool // stop at the first failure
	failed atomic.Bool
	by     *runner            // nil: nobody's Run
	result func(*Step, []Key) // told as each object is finished that there was something to do about, and by what it is blocked

	mu     sync.Mutex
	wake   sync.Cond
	soon   []*task // ready, because what they waited for was just done
	ready  []*task // the others that are
	early  []*task // to be tried again when there is nothing else to do
	flying int
	left   int

	steps   []*Step            // in the order of keys
	provers map[string]*prover // by space
	number  uint64
	began   time.Time
}

// execute carries out a claimed plan in a bounded number of goroutines, the
// caller's among them, and releases it. Whole: after a failure nothing more is begun. By: whose Run
// it is part of, and is told of each result of what is not blocked from the start; nil: of nobody's.
func (e *Engine) execute(ctx context.Context, p *Plan, whole bool, by *runner, result func(*Step, []Key)) Report {
	if !p.Empty() {
		e.observe(Event{Type: Planned, Plan: p})
	}
	if result == nil {
		result = func(*Step, []Key) {}
	}
	x := &pass{
		e: e, ctx: ctx, whole: whole, by: by, result: result, left: len(p.tasks), steps: p.Steps,
		provers: e.allProvers(), number: e.view.newPass(), began: time.Now(),
	}
	x.wake.L = &x.mu
	for _, s := range p.Steps {
		if s.Action == Block {
			e.observe(Event{Type: Waiting, Key: s.Key, Action: Block, Err: s.Err})
			s.id = s.have.id
		}
	}
	for _, t := range p.tasks {
		t.step.left++
	}
	x.ready = opening(p.tasks)
	parallel := e.Parallel
	if parallel <= 0 {
		parallel = 512
	}
	var others sync.WaitGroup
	x.proveEarly(p.tasks, &others)
	for range min(parallel, len(p.tasks)) - 1 {
		others.Go(x.work)
	}
	x.work()
	others.Wait()

	report := make(Report, 0, len(p.Steps)+len(p.kept))
	for _, s := range p.Steps {
		report = append(report, s.result())
	}
	return append(report, p.kept...)
}

// work runs tasks until none is left.
func (x *pass) work() {
	x.mu.Lock()
	for {
		for x.idle() && x.left > 0 {
			x.wake.Wait()
		}
		if x.left == 0 {
			x.mu.Unlock() // not deferred: a kind may panic, with the lock not held
			return
		}
		t := x.first()
		x.flying++
		x.mu.Unlock()
		id, err := x.run(t)
		x.mu.Lock()
		x.flying--
		if errors.Is(err, ErrEarly) && !t.last {
			x.early = append(x.early, t)
		} else {
			x.done(t, id, err)
		}
		if x.flying == 0 && x.idle() && len(x.early) > 0 {
			x.ready, x.early = x.early, nil
			for _, t := range x.ready {
				t.last = true
			}
			x.wake.Broadcast()
		}
	}
}

// idle says that no task is ready.
func (x *pass) idle() bool { return len(x.soon) == 0 && len(x.ready) == 0 }

// first takes what is to be done next: what hangs on what was just done goes before what is begun
// anew. So what belongs together is done together, and the handles that it uses need no proof.
func (x *pass) first() *task {
	from := &x.soon
	if len(x.soon) == 0 {
		from = &x.ready
	}
	t := (*from)[0]
	*from = (*from)[1:]
	return t
}

// run does one task and lets the engine know what became of it.
func (x *pass) run(t *task) (uint32, error) {
	s := t.step
	if t.by != nil {
		return 0, fmt.Errorf("%w: %s", ErrFailed, *t.by)
	}
	if err := x.ctx.Err(); err != nil {
		return 0, err
	}
	if x.whole && x.failed.Load() {
		return 0, errStopped
	}
	e, start := x.e, time.Now()
	if !t.last && !t.ask {
		e.observe(Event{Type: Started, Key: s.Key, Action: s.Action})
	}
	ctx := x.ctx
	if e.Limit > 0 {
		limited, cancel := context.WithTimeout(ctx, e.Limit)
		defer cancel()
		ctx = limited
	}
	if t.ask {
		return x.ask(ctx, t)
	}
	end := func(error) {}
	if e.Trace != nil {
		ctx, end = e.Trace(ctx, s.Action, s.Key)
	}
	id, have, err := x.do(ctx, t)
	end(err)
	if errors.Is(err, ErrEarly) && !t.last {
		return id, err
	}

	e.mu.Lock()
	n := s.n
	var more []*node
	var besides []actual
	if s.Want != nil && (len(have) > 0 || err != nil) {
		more = s.deps
	}
	if err != nil {
		more = slices.Concat(more, n.hiddenDeps()) // it may still be there, and then as it was
	}
	if len(have) == 0 && t.gone != nil {
		e.refer(n, nil) // a reference kind knew it by what is gone now
	}
	if err != nil && s.want != nil {
		besides = []actual{{kind: s.kind, spec: s.want}} // the target may have done it all the same
	}
	unseen := n.unseen || t.gone == nil && s.Action != Update
	e.set(n, have, more, besides...)
	n.unseen = unseen && len(have) > 0
	if t.gone == nil && s.Action != Update && err == nil && x.provers[s.Key.Space] != nil {
		e.view.believe(x.number, time.Now(), moment, Held{s.Key, id})
	}
	if e.suspect(n, n.suspect || err != nil); !n.suspect && s.Want != nil && len(n.have) == 1 {
		n.asWanted = s.Want
	}
	e.news(s.Key, x.by)
	x.undo(t)
	e.mu.Unlock()

	ev := Event{Type: Done, Key: s.Key, Action: s.Action, ID: id, Err: err, Took: time.Since(start)}
	if err != nil {
		ev.Type = Failed
		x.failed.Store(true)
	}
	e.observe(ev)
	return id, err
}

// do does what the task is about, if the handles that it uses are what they were, and
// returns what the target has afterwards. What is to go and is another's has gone.
func (x *pass) do(ctx context.Context, t *task) (id uint32, have []actual, err error) {
	defer caught(&err) // Fill, of what was made
	s, view := t.step, x.e.view
	lost, err := x.prove(ctx, t)
	switch {
	case t.gone != nil:
		have = append([]actual{s.have}, s.spare...)
		if s.Action == Create {
			have = s.spare
		}
		if err == nil && s.Action == Replace {
			if err = s.kind.refuses(x.foresight(s), s.Want); err != nil {
				s.eyed = refusedBy(s.eyed, s.kind, s.Want)
			}
		}
		for _, a := range t.gone {
			gone := slices.Contains(lost, a.id)
			switch {
			case err != nil:
			case gone && s.Action == Replace: // what is to come must be planned anew
				err = fmt.Errorf("%w: %s", ErrChanged, s.Key)
			case !gone:
				err = a.kind.delete(ctx, view, a)
			}
			if err != nil {
				break
			}
			have = slices.DeleteFunc(have, func(l actual) bool { return l.kind == a.kind && l.id == a.id })
		}
		return s.have.id, have, err
	case s.Action == Update:
		if err == nil && len(lost) > 0 {
			err = fmt.Errorf("%w: %s", ErrChanged, s.Key)
		}
		if err == nil {
			err = s.kind.update(ctx, view, s.have, s.want)
		}
		if err != nil {
			return s.have.id, []actual{s.have}, err
		}
		return s.have.id, []actual{s.have.mended(s.kind, s.want)}, nil
	}
	if err == nil {
		id, err = s.kind.create(ctx, view, s.Want)
	}
	if err == nil {
		have = []actual{{kind: s.kind, spec: s.kind.made(s.Want), id: id}}
	}
	return id, have, err
}

// done lets what waited for t go on, or be skipped. The pass's lock is held.
func (x *pass) done(t *task, id uint32, err error) {
	s := t.step
	if err != nil && s.err == nil {
		s.err = err
		if t.by != nil {
			s.failedBy = []Key{*t.by}
		}
	}
	s.id = id
	woken := 0
	for _, n := range t.next {
		if err != nil && n.by == nil {
			n.by = &s.Key
		}
		if n.need--; n.need == 0 {
			x.soon = append(x.soon, n)
			woken++
		}
	}
	x.left--
	if s.left--; s.left == 0 {
		by := s.failedBy
		if s.err == nil {
			by = s.by
		}
		x.e.mu.Lock() // told and let go at once: who has all read anew when it is told finds this read, too
		x.result(s, by)
		x.e.release(s)
		x.e.mu.Unlock()
	}
	switch {
	case x.left == 0:
		x.wake.Broadcast()
	case woken > 1:
		for range woken - 1 {
			x.wake.Signal()
		}
	}
}

// result is what came of a step. What is gone but still wanted is blocked by what its Err says.
func (s *Step) result() Result {
	r := Result{s.Action, s.Key, s.id, s.err}
	if r.Err == nil {
		r.Err = s.Err
	}
	return r
}
