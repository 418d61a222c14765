// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// Held is a name, and the target's handle of what had it when last looked at.
type Held struct {
	Key Key
	ID  uint32
}

// A handle proves nothing: the target gives it to another as soon as the first is
// gone. So right before the engine changes or unmakes an object, it asks whether the
// object's handle, and those of what it directly depends on, still are what it takes
// them for. What it made itself a moment ago needs no proof.

// moment is how long what was just made is not doubted, and breath how long what was
// verified: the steps of one object come right after each other.
const (
	moment = time.Second
	breath = 50 * time.Millisecond
)

// A prover asks one kind whether handles are what they were. Questions that come while
// one is out go along with the next, or with that if it was put just now. That is so until
// all who asked have noted the answer, which one that comes in between would not find yet.
type prover struct {
	verify func(context.Context, []Held) ([]bool, error)
	turn   chan struct{} // one question is out at a time

	mu   sync.Mutex
	next *question // collects
	last *question // was put last; nil if it was in vain
}

type question struct {
	held  []Held
	at    map[Held]int
	asked time.Time
	ok    []bool
	err   error
	done  chan struct{}
}

func newProver(verify func(context.Context, []Held) ([]bool, error)) *prover {
	return &prover{verify: verify, turn: make(chan struct{}, 1)}
}

// ask returns those of held that are something else by now, or nothing, and when that was
// asked: not before since.
func (p *prover) ask(ctx context.Context, since time.Time, held ...Held) (changed []Held, asked time.Time, err error) {
	for {
		q, first := p.join(since, held)
		if first {
			p.put(ctx, q)
		}
		select {
		case <-q.done:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
		if q.err != nil && ctx.Err() == nil && (errors.Is(q.err, context.Canceled) || errors.Is(q.err, context.DeadlineExceeded)) && !first {
			continue // who asked for all of us gave up
		}
		for _, h := range held {
			if q.err == nil && !q.ok[q.at[h]] {
				changed = append(changed, h)
			}
		}
		return changed, q.asked, q.err
	}
}

// join adds to the question that is put next, and says whether nobody did before. The last
// may do, answered or not, if it was put since then, and but a part of a breath ago.
func (p *prover) join(since time.Time, held []Held) (q *question, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q = p.last; q != nil && !q.asked.Before(since) && time.Since(q.asked) < breath/2 && q.covers(held) {
		return q, false
	}
	if first = p.next == nil; first {
		p.next = &question{at: map[Held]int{}, done: make(chan struct{})}
	}
	q = p.next
	for _, h := range held {
		if _, dup := q.at[h]; !dup {
			q.at[h] = len(q.held)
			q.held = append(q.held, h)
		}
	}
	return q, first
}

func (q *question) covers(held []Held) bool {
	return !slices.ContainsFunc(held, func(h Held) bool { _, in := q.at[h]; return !in })
}

// put asks the kind, once the question before is answered.
func (p *prover) put(ctx context.Context, q *question) {
	defer close(q.done)
	var blocked error
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		blocked = ctx.Err()
	}
	p.mu.Lock()
	p.next = nil
	if blocked == nil {
		p.last, q.asked = q, time.Now()
	}
	p.mu.Unlock()
	if q.err = blocked; blocked != nil {
		return
	}
	q.ok, q.err = p.verify(ctx, q.held)
	if q.err == nil && len(q.ok) != len(q.held) {
		q.err = fmt.Errorf("%d answers to %d questions", len(q.ok), len(q.held))
	}
	if q.err != nil || slices.Contains(q.ok, false) {
		p.mu.Lock()
		p.last = nil // what has changed may change again
		p.mu.Unlock()
	}
}

// few is how many tasks a pass has that is over within a breath, as a rule.
const few = 64

// proveEarly asks at once about the handles of tasks that still wait for others, so that these
// need not wait for the proof when their turn comes: of few tasks, that is most of the time
// that they take. Whoever comes before the answer waits for it, and what has changed is found
// when it is used.
func (x *pass) proveEarly(tasks []*task, asks *sync.WaitGroup) {
	if len(tasks) > few {
		return
	}
	bySpace := map[string][]Held{}
	for _, t := range tasks {
		if t.need == 0 {
			continue // it asks by itself
		}
		for h := range x.uses(t) {
			if !slices.Contains(bySpace[h.Key.Space], h) {
				bySpace[h.Key.Space] = append(bySpace[h.Key.Space], h)
			}
		}
	}
	for space, held := range bySpace {
		asks.Go(func() {
			if changed, asked, err := x.provers[space].ask(x.ctx, x.began, held...); err == nil && len(changed) == 0 {
				x.e.view.believe(x.number, asked, breath, held...)
			}
		})
	}
}

// uses ranges over the handles that a task uses, as far as there is a kind to ask about them.
func (x *pass) uses(t *task) iter.Seq[Held] {
	return func(yield func(Held) bool) {
		if x.provers[t.step.Key.Space] != nil {
			for _, a := range t.gone {
				if !yield(Held{t.step.Key, a.id}) {
					return
				}
			}
			if t.gone == nil && t.step.Action == Update && !yield(Held{t.step.Key, t.step.have.id}) {
				return
			}
		}
		for _, n := range t.deps {
			if x.provers[n.key.Space] == nil {
				continue
			}
			if h, ok := x.e.view.handle(n.key); ok && !yield(Held{n.key, h.id}) {
				return
			}
		}
	}
}

// prove asks about the handles that a task uses, as far as there is a kind to ask. Lost
// are those of what the task is to change or unmake; that what it depends on has changed
// is an ErrChanged, and makes that suspect.
func (x *pass) prove(ctx context.Context, t *task) (lost []uint32, err error) {
	s, e := t.step, x.e
	var bySpace map[string][]Held
	now := time.Now()
	for h := range x.uses(t) {
		if !e.view.believes(x.number, now, h) {
			if bySpace == nil {
				bySpace = map[string][]Held{}
			}
			bySpace[h.Key.Space] = append(bySpace[h.Key.Space], h)
		}
	}
	var others []Key
	for space, held := range bySpace {
		changed, asked, wrong := x.provers[space].ask(ctx, x.began, held...)
		if wrong != nil {
			err = errors.Join(err, fmt.Errorf("verify %s: %w", space, wrong))
		} else if len(changed) == 0 {
			e.view.believe(x.number, asked, breath, held...)
		}
		for _, h := range changed {
			if h.Key == s.Key {
				lost = append(lost, h.ID)
			} else {
				others = append(others, h.Key)
			}
		}
	}
	if err != nil || len(others) == 0 {
		return lost, err
	}
	slices.SortFunc(others, Key.Compare)
	e.mu.Lock()
	for _, k := range others {
		e.suspect(e.node(k), true)
	}
	e.mu.Unlock()
	return lost, fmt.Errorf("%w: %s", ErrChanged, join(others))
}
