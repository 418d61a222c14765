// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"slices"
)

// claim is a step's hold on what has a key: to change it, or to rely on it.
type claim struct {
	n     *node
	write bool
}

// touches ranges over what a plan changes or relies on, and what it doubts.
func (p *Plan) touches(yield func(claim) bool) {
	for _, n := range slices.Concat(p.suspects, p.busy) {
		if !yield(claim{n, false}) {
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

// turns are the tickets of those who wait to change a node, and of those who wait to rely on it,
// in order: the lowest has waited longest.
type turns struct{ change, rely []uint64 }

func (t *turns) of(write bool) *[]uint64 {
	if write {
		return &t.change
	}
	return &t.rely
}

// taken says whether another pass has claimed what c wants, or waits for it since before ticket;
// 0 is a newcomer's. Without that, passes that come and go could keep one waiting for ever that is
// to change several objects, or relies on one that is changed again and again. Who only relies on
// a node is not in the way of others who do.
func (e *Engine) taken(c claim, ticket uint64) bool {
	n := e.live(c.n)
	if n.writers > 0 || c.write && n.readers > 0 {
		return true
	}
	if n.waiting == nil { // hardly ever does anybody wait
		return false
	}
	before := func(tickets []uint64) bool { return len(tickets) > 0 && (ticket == 0 || tickets[0] < ticket) }
	return before(n.waiting.change) || c.write && before(n.waiting.rely)
}

// await gives who has the ticket a turn, and says whether it had none.
func (n *node) await(ticket uint64, write bool) bool {
	if n.waiting == nil {
		n.waiting = &turns{}
	}
	tickets := n.waiting.of(write)
	i, has := slices.BinarySearch(*tickets, ticket)
	if !has {
		*tickets = slices.Insert(*tickets, i, ticket)
	}
	return !has
}

func (n *node) awaitNoMore(ticket uint64, write bool) {
	tickets := n.waiting.of(write)
	if i, has := slices.BinarySearch(*tickets, ticket); has {
		*tickets = slices.Delete(*tickets, i, i+1)
	}
	if len(n.waiting.change)+len(n.waiting.rely) == 0 {
		n.waiting = nil
	}
}

// claim takes all that a plan's steps touch, or nothing if another pass has any of
// it. The engine's lock is held.
func (e *Engine) claim(p *Plan, ticket uint64) bool {
	for c := range p.touches {
		if e.taken(c, ticket) {
			return false
		}
	}
	for _, s := range p.Steps {
		for i := range s.claims {
			c := &s.claims[i]
			if c.n.dropped {
				c.n = e.node(c.n.key)
			}
			if c.write {
				c.n.writers++
			} else {
				c.n.readers++
			}
		}
		s.n = e.live(s.n)
	}
	return true
}

// live returns the node that has the key of one that a plan knows, which may have been
// dropped since, and even be another's by now.
func (e *Engine) live(n *node) *node {
	if n.dropped {
		if now := e.nodes[n.key]; now != nil {
			return now
		}
	}
	return n
}

// queue waits until other passes have let go of all that a plan touches, which is to
// be made again then. Who has a ticket already keeps its place. The engine's lock is held
// before and after, not meanwhile.
func (e *Engine) queue(ctx context.Context, p *Plan, ticket *uint64) error {
	if *ticket == 0 {
		e.tickets++
		*ticket = e.tickets
	}
	mine := *ticket
	var waiting []claim
	for c := range p.touches {
		if c.n = e.node(c.n.key); c.n.await(mine, c.write) {
			waiting = append(waiting, c)
		}
	}
	defer func() {
		for _, c := range waiting {
			c.n.awaitNoMore(mine, c.write)
			e.tidy(c.n)
		}
		e.change.Broadcast()
	}()
	for c := range p.touches {
		if err := e.wait(ctx, func() bool { return !e.taken(c, mine) }); err != nil {
			return err
		}
	}
	return nil
}

// release lets go of what claim took for one step. The engine's lock is held.
func (e *Engine) release(s *Step) {
	for _, c := range s.claims {
		if c.write {
			c.n.writers--
		} else {
			c.n.readers--
		}
		e.tidy(c.n)
	}
	if len(s.claims) > 0 {
		e.change.Broadcast()
	}
}

// unclaim lets go of all that claim took for a plan that is not carried out. The engine's lock is held.
func (e *Engine) unclaim(p *Plan) {
	for _, s := range p.Steps {
		e.release(s)
	}
}

// reconsider reads anew what earlier failures left in doubt, under a plan's claims,
// which it releases: the plan must be made again. It returns false if there was
// no doubt. The engine's lock is held before and after.
func (e *Engine) reconsider(ctx context.Context, p *Plan) (bool, error) {
	if len(p.suspects) == 0 {
		return false, nil
	}
	for _, n := range p.suspects {
		n.writers++
	}
	err := e.reread(ctx, p.suspects)
	for _, n := range p.suspects {
		n.writers--
		e.tidy(n)
	}
	e.unclaim(p)
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
