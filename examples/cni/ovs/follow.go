// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"fmt"

	"github.com/vppkit/vppkit/internal/redial"
)

// Follow works with one connection after the other, as vppnet.Follow does with VPPs: it dials,
// calls use, and when the connection has gone, begins anew. The ctx of use ends with the Conn,
// which is closed when use returns. Kinds and engines are made in use; what is wanted, in a
// desiredstate.Store, outlives them.
//
// An error of use is told to [WithReport], and use is called again with a new Conn, after a
// time that grows up to five seconds. Follow returns nil when use does, the error of ctx when
// that ends, and that of Dial if waiting cannot help.
func Follow(ctx context.Context, socket, owner string, use func(ctx context.Context, c *Conn) error, opts ...Option) error {
	o, err := read(owner, opts)
	if err != nil {
		return err
	}
	dial := func(ctx context.Context) (*Conn, error) { return o.dialed(ctx, socket, owner) }
	return redial.Follow(ctx, dial, func(ctx context.Context, c *Conn) error { return c.use(ctx, use) }, o.report)
}

// use calls f with a ctx that ends with the Conn, and closes the Conn.
func (c *Conn) use(ctx context.Context, f func(context.Context, *Conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.dead, func() { cancel(c.Err()) })()
	err := f(ctx, c)
	died := c.Err()
	_ = c.Close()
	if died != nil {
		return fmt.Errorf("OVSDB has gone: %w", died)
	}
	return err
}
