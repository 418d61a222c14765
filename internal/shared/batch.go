// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// A Batch asks VPP about many things at once: those who ask while one question is out go
// along with the next, together. Each is told what was so after it asked.
type Batch[Q comparable, A any] struct {
	round *Round[map[Q]A]

	mu   sync.Mutex
	next map[Q]struct{} // what the next round asks
}

// NewBatch returns a Batch that is asked by this function, once at a time; it answers each.
func NewBatch[Q comparable, A any](ask func(context.Context, []Q) (map[Q]A, error)) *Batch[Q, A] {
	b := &Batch[Q, A]{next: map[Q]struct{}{}}
	b.round = NewRound(func(ctx context.Context) (map[Q]A, error) {
		b.mu.Lock()
		all := slices.Collect(maps.Keys(b.next))
		clear(b.next)
		b.mu.Unlock()
		return ask(ctx, all)
	})
	return b
}

// Ask returns the answer to q.
func (b *Batch[Q, A]) Ask(ctx context.Context, q Q) (a A, err error) {
	for {
		b.mu.Lock()
		b.next[q] = struct{}{}
		b.mu.Unlock()
		all, err := b.round.Join(ctx)
		if err != nil {
			return a, err
		}
		if a, answered := all[q]; answered {
			return a, nil
		} // else a round took the question that began before this one joined
	}
}
