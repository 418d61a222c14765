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
	mine := make(chan struct{})
	for {
		other, taken := c.turns.LoadOrStore(k, mine)
		if !taken {
			return sync.OnceFunc(func() { c.turns.Delete(k); close(mine) }), nil
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
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
