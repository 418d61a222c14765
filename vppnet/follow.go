// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vppkit/vppkit/internal/redial"
)

// errGone is why Follow dials again if nobody says more.
var errGone = errors.New("VPP has gone")

// errAnother: the one that is connected may live on, but nobody else will ever reach it.
var errAnother = fmt.Errorf("%w: another VPP listens there now", ErrDisconnected)

// glance is how often Follow looks who listens.
const glance = time.Second

// Follow works with one VPP after the other: it dials, as Dial does, calls use, and when
// that VPP has gone, begins anew. The ctx of use ends with the Conn, which is closed when
// use returns. That another one has come to listen there, though the first one lives, it notices within
// a second or two. Kinds and engines are made in use; what is wanted, in a desiredstate.Store,
// outlives them:
//
//	err := vppnet.Follow(ctx, socket, "me", func(ctx context.Context, c *vppnet.Conn) error {
//		return desiredstate.New(vhost.Ports(c, dir), vppnet.BridgePorts(c)).Run(ctx, store, time.Minute)
//	})
//
// An error of use is told to [WithReport], and use is called again with a new Conn, after a
// time that grows up to five seconds. Follow returns nil when use does, the error of ctx
// when that ends, and that of Dial if waiting cannot help.
func Follow(ctx context.Context, socket, owner string, use func(ctx context.Context, c *Conn) error, opts ...Option) error {
	o, err := read(owner, opts)
	if err != nil {
		return err
	}
	dial := func(ctx context.Context) (*Conn, error) { return o.dialed(ctx, socket, owner) }
	return redial.Follow(ctx, dial, func(ctx context.Context, c *Conn) error { return c.use(ctx, socket, use) }, o.report)
}

// use calls f with a ctx that ends with the Conn, and closes the Conn.
func (c *Conn) use(ctx context.Context, socket string, f func(context.Context, *Conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		look := time.NewTicker(glance)
		defer look.Stop()
		for {
			select {
			case <-c.Done():
				cancel(c.Err())
				return
			case <-stop:
				return
			case <-look.C:
				if at := listening(socket); !at.IsZero() && !at.Equal(c.vpp.Started) && !c.vpp.Started.IsZero() {
					c.die(errAnother)
				}
			}
		}
	}()
	err := f(ctx, c)
	died := c.Err()
	_ = c.Close()
	if died != nil && !errors.Is(died, ErrClosed) { // f may close it
		return fmt.Errorf("%w: %w", errGone, died)
	}
	return err
}
