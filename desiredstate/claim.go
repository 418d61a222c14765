// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"slices"
)

// claim is a step's hold on a key: to change it, or to rely on it.
type claim struct {
	key   Key
	write bool
}

// touches ranges over what a plan changes or relies on, and what it doubts.
func (p *Plan) touches(yield func(claim) bool) {
	for _, k := range slices.Concat(p.suspects, p.busy) {
		if !yield(claim{k, false}) {
			return
		}
	}
	for _, s := range p.Steps {
		for _, c := range s.claims {
			if !yield(c) {
				return
			}
		}
	}
}

// taken says whether another pass has claimed what c wants.
func (e *Engine) taken(c claim) bool {
	n := e.nodes[c.key]
	return n != nil && (n.writers > 0 || c.write && n.readers > 0)
}

// claim takes all that a plan's steps touch, or nothing if another pass has any of
// it. The engine's lock is held.
func (e *Engine) claim(p *Plan) bool {
	for c := range p.touches {
		if e.taken(c) {
			return false
		}
	}
	for _, s := range p.Steps {
		for _, c := range s.claims {
			n := e.node(c.key)
			if c.write {
				n.writers++
			} else {
				n.readers++
			}
		}
	}
	return true
}

// queue waits until other passes have let go of all that a plan touches, which is to
// be made again then. The engine's lock is held before and after, not meanwhile.
func (e *Engine) queue(ctx context.Context, p *Plan) error {
	for c := range p.touches {
		if !e.taken(c) {
			continue
		}
		if err := e.wait(ctx, func() bool { return !e.taken(c) }); err != nil {
			return err
		}
	}
	return nil
}

// release lets go of what claim took for one step. The engine's lock is held.
func (e *Engine) release(s *Step) {
	for _, c := range s.claims {
		n := e.nodes[c.key]
		if c.write {
			n.writers--
		} else {
			n.readers--
		}
		e.tidy(n)
	}
	if len(s.claims) > 0 {
		e.change.Broadcast()
	}
}

// reconsider reads anew what earlier failures left in doubt, under a plan's claims,
// which it releases: the plan must be made again. It returns false if there was
// no doubt. The engine's lock is held before and after.
func (e *Engine) reconsider(ctx context.Context, p *Plan) (bool, error) {
	if len(p.suspects) == 0 {
		return false, nil
	}
	suspects := make([]*node, len(p.suspects))
	for i, k := range p.suspects {
		suspects[i] = e.nodes[k]
		suspects[i].writers++
	}
	err := e.reread(ctx, suspects)
	for _, n := range suspects {
		n.writers--
		e.tidy(n)
	}
	for _, s := range p.Steps {
		e.release(s)
	}
	e.change.Broadcast()
	return true, err
}

// wait lets others use the engine until what they do makes a condition true. The
// engine's lock is held before, after, and while the condition is looked at.
func (e *Engine) wait(ctx context.Context, until func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.change.Broadcast()
	})
	defer stop()
	for !until() {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.change.Wait()
	}
	return nil
}
