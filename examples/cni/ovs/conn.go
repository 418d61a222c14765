// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/rpc2"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/vppkit/vppkit/desiredstate"
)

// Conn speaks to one ovsdb-server for as long as both live. It never reconnects: when the
// server goes, every pending call fails at once, Done is closed and Err says why. Dial again,
// and make kinds and engines anew; see [Follow].
//
// All methods may be called from any number of goroutines.
type Conn struct {
	owner   string
	db      client.Client
	model   model.DatabaseModel
	root    string // the UUID of the one row of Open_vSwitch
	options options
	target  *desiredstate.Target
	handles handles

	dead context.Context // ends with the Conn
	kill context.CancelCauseFunc

	mu       sync.Mutex
	vswitchd rootRow       // as ovs-vswitchd last wrote it
	moved    chan struct{} // closed when that changes
	watchers map[chan struct{}]struct{}

	unsure atomic.Bool // something may be written that nobody has heard of

	asking   sync.Mutex // who asks ovsdb-server to tell
	watching bool       // it does
}

// Target is what all engines and kinds of this Conn share.
func (c *Conn) Target() *desiredstate.Target { return c.target }

// Done is closed when the Conn is dead.
func (c *Conn) Done() <-chan struct{} { return c.dead.Done() }

// Err says why the Conn is dead, as ErrClosed or ErrDisconnected; nil while it lives.
func (c *Conn) Err() error { return context.Cause(c.dead) }

// Close ends the Conn. Pending calls fail with ErrClosed.
func (c *Conn) Close() error {
	c.end(ErrClosed)
	return nil
}

func (c *Conn) end(why error) {
	c.kill(why)
	wait, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = within(wait, func() error { c.db.Close(); return nil }) // it waits for calls that a hung server holds up
}

// transact carries out ops, all or none of them; what says what for.
func (c *Conn) transact(ctx context.Context, what string, ops ...ovsdb.Operation) (results []ovsdb.OperationResult, err error) {
	answered := make(chan []ovsdb.OperationResult, 1) // a call that is given up may be answered later
	err = c.call(ctx, what, func(ctx context.Context) error {
		r, err := c.db.Transact(ctx, ops...)
		answered <- r
		return err
	})
	if err != nil {
		return nil, err
	}
	results = <-answered
	if wrong, err := ovsdb.CheckOperationResults(results, ops); err != nil {
		for _, w := range wrong {
			err = w // there is one
		}
		return nil, &Error{What: what, Err: err}
	}
	return results, nil
}

// call asks ovsdb-server for something. It ends, whatever the server and libovsdb do.
func (c *Conn) call(ctx context.Context, what string, ask func(context.Context) error) error {
	if err := c.Err(); err != nil {
		return &Error{What: what, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return &Error{What: what, Err: err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.reply, ErrTimeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(c.dead, func() { stop(c.Err()) })()
	c.options.trace(what)
	err := within(ctx, func() error { return ask(ctx) })
	var refusal rpc2.ServerError
	switch why := context.Cause(ctx); {
	case err == nil:
		return nil
	case why != nil:
		err = why
	case errors.As(err, &refusal): // ovsdb-server would not have it at all
		return &Error{What: what, Err: err}
	default:
		err = fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	c.unsure.Store(true)
	return &Error{What: what, Unknown: true, Err: err}
}

// write carries out ops, and waits until ovs-vswitchd has taken them up. The results are
// also there if it did not.
func (c *Conn) write(ctx context.Context, what string, ops ...ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	ops = append(slices.Clip(ops),
		mutate(rootTable, "next_cfg", ovsdb.MutateOperationAdd, 1, is(c.root)),
		ovsdb.Operation{Op: ovsdb.OperationSelect, Table: rootTable, Where: []ovsdb.Condition{is(c.root)}, Columns: []string{"_uuid", "next_cfg"}})
	results, err := c.transact(ctx, what, ops...)
	if err != nil {
		return nil, err
	}
	rows, err := decode[rootRow](c, rootTable, results[len(ops)-1])
	if err != nil {
		return nil, &Error{What: what, Err: err}
	}
	if len(rows) != 1 {
		return nil, &Error{What: what, Err: errEmpty}
	}
	results = results[:len(ops)-2]
	if err := c.takenUp(ctx, rows[0].NextCfg); err != nil {
		return results, &Error{What: what, Err: err}
	}
	return results, nil
}

// takenUp waits until ovs-vswitchd has done all that was written before cfg was.
func (c *Conn) takenUp(ctx context.Context, cfg int) error {
	late := time.NewTimer(c.options.uptake)
	defer late.Stop()
	for {
		c.mu.Lock()
		now, moved := c.vswitchd.CurCfg, c.moved
		c.mu.Unlock()
		if now >= cfg {
			return nil
		}
		select {
		case <-moved:
		case <-late.C:
			return fmt.Errorf("%w (within %v)", ErrIdle, c.options.uptake)
		case <-ctx.Done():
			return ctx.Err()
		case <-c.Done():
			return c.Err()
		}
	}
}

// settle waits until ovs-vswitchd has taken up what may have been written without an answer, by
// this Conn or by who died before it. Without that, what has just gone from the database would be
// read as gone while ovs-vswitchd still has it, and nothing be left to wait for. If ovs-vswitchd
// takes up nothing, what is in the database has to do.
func (c *Conn) settle(ctx context.Context) error {
	if !c.unsure.Swap(false) {
		return nil
	}
	root, _, err := one[rootRow](ctx, c, rootTable, c.root)
	if err == nil {
		err = c.takenUp(ctx, root.NextCfg)
	}
	if errors.Is(err, ErrIdle) {
		return nil
	}
	if err != nil {
		c.unsure.Store(true)
	}
	return err
}

// busy is what ovs-vswitchd says of a device whose namesake it has not quite let go of.
const busy = "Device or resource busy"

// works says why something that ovs-vswitchd has taken up does not work. What is busy is looked
// at again, for a second or so.
func (c *Conn) works(ctx context.Context, what string, look func() (broken string, err error)) error {
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		broken, err := look()
		switch {
		case err != nil:
			return &Error{What: what, Err: err}
		case broken == "":
			return nil
		case !strings.Contains(broken, busy) || pause > time.Second:
			return &Error{What: what, Err: fmt.Errorf("ovs-vswitchd: %s", broken)}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return &Error{What: what, Err: ctx.Err()}
		}
		if _, err := c.write(ctx, what); err != nil { // it tries again when something is written
			return err
		}
	}
}

// hear takes over what ovs-vswitchd says of itself.
func (c *Conn) hear(r rootRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vswitchd = r
	close(c.moved)
	c.moved = make(chan struct{})
}

// Alive asks ovs-vswitchd for a sign of life: nil, or ErrIdle. It changes nothing but a number
// in the database that is there for that.
func (c *Conn) Alive(ctx context.Context) error {
	_, err := c.write(ctx, "look whether ovs-vswitchd lives")
	return err
}

// VhostSocket is the path of the socket of a VhostUser port that OVS calls so, as this program
// sees it; "" without WithRunDir.
func (c *Conn) VhostSocket(ovsName string) string {
	if c.options.runDir == "" {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return filepath.Join(c.options.runDir, c.vswitchd.OtherConfig["vhost-sock-dir"], ovsName)
}

// InterfaceTypes are those that ovs-vswitchd can make, such as "dpdkvhostuser"; nil if none has
// ever run on this database.
func (c *Conn) InterfaceTypes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.vswitchd.IfaceTypes)
}

// DatapathTypes are those that ovs-vswitchd can make, as InterfaceTypes.
func (c *Conn) DatapathTypes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.vswitchd.DatapathTypes)
}
