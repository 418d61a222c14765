// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"time"
)

// lookAt says when the target is to be read as a whole: a while after it was, and, with patience, while there
// are kinds of the engine that could not be read, whoever found that, or others that something waits for.
func (r *runner) lookAt(now time.Time) {
	blind, looked := r.e.cannotRead() || len(r.unknown) > 0, r.looked
	r.looked = false
	switch {
	case looked && !blind:
		r.unread, r.full = nil, now.Add(r.resync)
	case looked || blind && r.unread == nil:
		if r.unread == nil {
			r.unread = r.patience()
		}
		if next := now.Add(r.unread.backoff.NextBackOff()); looked || next.Before(r.full) {
			r.full = next
		}
	}
}

// lookAround reads the target as a whole, beside the loop, which takes in what is found when it comes. It may take
// long. What changes meanwhile is done by what is known, as if it had been planned before; if that was forgotten,
// it waits.
func (r *runner) lookAround(ctx context.Context) {
	first := !r.begun
	r.look, r.looking = false, true
	r.passes.Go(func() {
		if r.e.refresh(ctx) != nil {
			return // the loop ends with ctx, too
		}
		if first && r.e.Begun != nil {
			found, _ := r.e.Found(ctx) // as far as it can be read; Run is told of the rest
			r.e.Begun(found)
		}
		r.post(r.takeIn)
	})
}

// takeIn makes everything dirty, as the target has been read as a whole.
func (r *runner) takeIn() {
	r.begun, r.looking, r.looked = true, false, true
	if !r.e.partial.Load() {
		clear(r.unknown) // it is known by now, and looked at anew
	}
	r.changed() // or it would be looked at twice
	r.markOurs()
	r.sight()
	for _, k := range r.s.keys() {
		r.mark(k)
	}
	for k := range r.young {
		r.mark(k)
	}
	for k, t := range r.retries {
		if !t.next.IsZero() {
			r.unmark(k) // failed, and not due yet
		}
	}
}

// markOurs makes dirty all that is ours, and this engine's alone: some of it may have to go.
func (r *runner) markOurs() {
	for _, k := range r.e.ours() {
		r.mark(k)
	}
}
