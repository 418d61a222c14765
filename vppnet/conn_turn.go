// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"sync"

	"github.com/vppkit/vppkit/desiredstate"
)

// Turn waits until nobody else on this Conn has its turn with what k names, and begins
// one, which done ends. A kind takes it where it reads something in order to write it,
// and another kind can write the same. Turns of different keys do not know of each other.
// The error is that of ctx.
func (c *Conn) Turn(ctx context.Context, k desiredstate.Key) (done func(), err error) {
	return c.turns.begin(ctx, k, false)
}

// Share is Turn at once with others who share k.
func (c *Conn) Share(ctx context.Context, k desiredstate.Key) (done func(), err error) {
	return c.turns.begin(ctx, k, true)
}

// turns are those that have begun. The zero value is ready.
type turns struct {
	mu  sync.Mutex
	all map[desiredstate.Key]*turn
}

type turn struct {
	sharers int // 0: it is not shared
	awaited bool
	ended   chan struct{}
}

func (t *turns) begin(ctx context.Context, k desiredstate.Key, share bool) (done func(), err error) {
	for {
		mine, other := t.take(k, share)
		if mine != nil {
			return sync.OnceFunc(func() { t.end(k, mine) }), nil
		}
		select {
		case <-other.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *turns) take(k desiredstate.Key, share bool) (mine, other *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.all[k]
	switch {
	case now == nil:
		now = &turn{ended: make(chan struct{})}
		if t.all == nil {
			t.all = make(map[desiredstate.Key]*turn)
		}
		t.all[k] = now
	case !share || now.sharers == 0 || now.awaited:
		now.awaited = true // so that more and more sharers do not keep who waits
		return nil, now
	}
	if share {
		now.sharers++
	}
	return now, nil
}

func (t *turns) end(k desiredstate.Key, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.sharers--; mine.sharers <= 0 {
		delete(t.all, k)
		close(mine.ended)
	}
}

// Once calls f if no call of it for k has succeeded yet on this Conn, and so in this life of
// VPP; others wait for it meanwhile. It is for what VPP is to be told once, whichever kind
// needs it first. The error is f's, or that of ctx.
func (c *Conn) Once(ctx context.Context, k desiredstate.Key, f func() error) error {
	if _, done := c.once.Load(k); done {
		return nil
	}
	done, err := c.Turn(ctx, k)
	if err != nil {
		return err
	}
	defer done()
	if _, done := c.once.Load(k); done {
		return nil
	}
	if err := f(); err != nil {
		return err
	}
	c.once.Store(k, true)
	return nil
}
