// SPDX-License-Identifier: Apache-2.0

// Package shared is how to ask VPP what kinds may have to: one question serves all who
// ask it at once, and an answer may come in pages.
package shared

import (
	"context"
	"errors"
	"sync"
)

// A Round is something that VPP only tells, or does, for all at once. Those who ask while
// one is under way share the next one: what each needs costs all of them one.
type Round[T any] struct {
	take func(context.Context) (T, error)
	turn chan struct{} // whose it is to take one; nobody waits who is told otherwise

	mu   sync.Mutex
	next *answer[T] // for those who have asked since the last one began
}

type answer[T any] struct {
	told  chan struct{}
	value T
	err   error
}

// NewRound returns a Round that is taken by this function, one at a time.
func NewRound[T any](take func(context.Context) (T, error)) *Round[T] {
	return &Round[T]{take: take, turn: make(chan struct{}, 1)}
}

// Join returns what a round shows that began after this call did.
func (r *Round[T]) Join(ctx context.Context) (none T, err error) {
	for {
		r.mu.Lock()
		if r.next == nil {
			r.next = &answer[T]{told: make(chan struct{})}
		}
		a := r.next
		r.mu.Unlock()
		select {
		case <-a.told:
		case <-ctx.Done():
			return none, ctx.Err()
		case r.turn <- struct{}{}:
			r.answer(ctx, a)
			<-r.turn
		}
		if ctx.Err() == nil && (errors.Is(a.err, context.Canceled) || errors.Is(a.err, context.DeadlineExceeded)) {
			continue // it was another one's that ended
		}
		return a.value, a.err
	}
}

// answer is called by one at a time. Who gets the turn may have been told meanwhile.
func (r *Round[T]) answer(ctx context.Context, a *answer[T]) {
	r.mu.Lock()
	mine := r.next == a
	if mine {
		r.next = nil
	}
	r.mu.Unlock()
	if mine {
		a.value, a.err = r.take(ctx)
		close(a.told)
	}
}
