// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"sync"
)

// look is something that VPP only tells, or does, for all at once. Those who ask while
// one is under way share the next one: what each needs costs all of them one.
type look[T any] struct {
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

func newLook[T any](take func(context.Context) (T, error)) *look[T] {
	return &look[T]{take: take, turn: make(chan struct{}, 1)}
}

// at returns what a look shows that began after this call did.
func (l *look[T]) at(ctx context.Context) (none T, err error) {
	for {
		l.mu.Lock()
		if l.next == nil {
			l.next = &answer[T]{told: make(chan struct{})}
		}
		a := l.next
		l.mu.Unlock()
		select {
		case <-a.told:
		case <-ctx.Done():
			return none, ctx.Err()
		case l.turn <- struct{}{}:
			l.answer(ctx, a)
			<-l.turn
		}
		if ctx.Err() == nil && (errors.Is(a.err, context.Canceled) || errors.Is(a.err, context.DeadlineExceeded)) {
			continue // it was another one's that ended
		}
		return a.value, a.err
	}
}

// answer is called by one at a time. Who gets the turn may have been told meanwhile.
func (l *look[T]) answer(ctx context.Context, a *answer[T]) {
	l.mu.Lock()
	mine := l.next == a
	if mine {
		l.next = nil
	}
	l.mu.Unlock()
	if mine {
		a.value, a.err = l.take(ctx)
		close(a.told)
	}
}
