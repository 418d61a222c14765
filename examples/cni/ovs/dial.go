// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/redial"
)

// Socket is where ovsdb-server listens on most machines.
const Socket = "/var/run/openvswitch/db.sock"

// Option changes a Conn from its defaults.
type Option func(*options)

type options struct {
	reply  time.Duration
	uptake time.Duration
	report func(err error, wait time.Duration)
	runDir string
	trace  func(what string)
}

// WithReplyTimeout bounds how long a transaction waits for ovsdb-server; then it fails with
// ErrTimeout. The default is 10 s.
func WithReplyTimeout(d time.Duration) Option { return func(o *options) { o.reply = d } }

// WithUptake bounds how long what was written waits for ovs-vswitchd; then it fails with
// ErrIdle. The default is 10 s.
func WithUptake(d time.Duration) Option { return func(o *options) { o.uptake = d } }

// WithReport has f told of each try to get at OVS that failed, of Dial and of Follow, and how
// long the next one waits.
func WithReport(f func(err error, wait time.Duration)) Option {
	return func(o *options) { o.report = f }
}

// WithRunDir says where OVS's run directory is, as this program sees it; below it, in OVS's
// vhost-sock-dir, are the sockets of VhostUser ports. An ovs-vswitchd that dies leaves them there, and
// the next one cannot make ports whose sockets are in its way. With this option a socket that nobody
// listens on is removed before the port is made, and when the port is found broken. Without it,
// somebody else has to.
//
// Better be whoever starts ovs-vswitchd, and remove all of them before: OVS 3.1.0 with DPDK 22.11
// closes a descriptor that may be another's when it fails to listen, and may hang.
func WithRunDir(dir string) Option { return func(o *options) { o.runDir = dir } }

// WithTrace has f told of each transaction, before it is sent.
func WithTrace(f func(what string)) Option { return func(o *options) { o.trace = f } }

// errEmpty says that nobody has begun to use the database.
var errEmpty = errors.New(`its table Open_vSwitch is empty: start ovs-vswitchd, or run "ovs-vsctl init"`)

// errSchema is of a database that we could not use, however long we waited.
var errSchema = errors.New("not the schema of an Open vSwitch that is supported")

// Dial connects to the ovsdb-server that listens on a unix socket, and waits for it with
// exponential backoff as long as ctx allows; after Dial ctx plays no role. ovs-vswitchd need
// not run.
//
// What the Conn makes in OVS is marked with owner: 1 to 31 letters, digits or any of ._-
// The same owner must be used after a restart to find it again.
//
// It fails at once if waiting cannot help: for an unfit owner, permissions, or a database of
// another schema.
func Dial(ctx context.Context, socket, owner string, opts ...Option) (*Conn, error) {
	o, err := read(owner, opts)
	if err != nil {
		return nil, err
	}
	return o.dialed(ctx, socket, owner)
}

// read are the options of a Conn.
func read(owner string, opts []Option) (options, error) {
	o := options{reply: 10 * time.Second, uptake: 10 * time.Second, trace: func(string) {}}
	for _, opt := range opts {
		opt(&o)
	}
	if err := checkOwner(owner); err != nil {
		return o, fmt.Errorf("dial OVS: %w", err)
	}
	if o.reply <= 0 || o.uptake <= 0 {
		return o, errors.New("dial OVS: timeouts must be positive")
	}
	return o, nil
}

func (o options) dialed(ctx context.Context, socket, owner string) (*Conn, error) {
	try := func(ctx context.Context) (*Conn, error) { return dial(ctx, socket, owner, o) }
	hopeless := func(err error) bool { return errors.Is(err, fs.ErrPermission) || errors.Is(err, errSchema) }
	c, err := redial.Dial(ctx, try, hopeless, o.report)
	if err != nil {
		return nil, fmt.Errorf("dial OVS at %s: %w", socket, err)
	}
	return c, nil
}

func dial(ctx context.Context, socket, owner string, o options) (*Conn, error) {
	tables, err := models()
	if err != nil {
		return nil, err
	}
	db, err := client.NewOVSDBClient(tables, client.WithEndpoint("unix:"+socket))
	if err != nil {
		return nil, err
	}
	c := &Conn{owner: owner, db: db, options: o, target: desiredstate.NewTarget(), moved: make(chan struct{}), watchers: map[chan struct{}]struct{}{}}
	c.dead, c.kill = context.WithCancelCause(context.Background())
	c.unsure.Store(true)
	go func() { // before there can be something to hear
		select {
		case <-db.DisconnectNotify():
			c.kill(ErrDisconnected)
		case <-c.dead.Done():
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, o.reply)
	defer cancel()
	if err := c.begin(ctx, tables); err != nil {
		c.end(err)
		return nil, err
	}
	return c, nil
}

// begin makes the Conn useful.
func (c *Conn) begin(ctx context.Context, tables model.ClientDBModel) error {
	if err := within(ctx, func() error { return c.db.Connect(ctx) }); err != nil {
		return err
	}
	m, wrong := model.NewDatabaseModel(c.db.Schema(), tables)
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %w", errSchema, errors.Join(wrong...))
	}
	c.model = m
	results, err := c.transact(ctx, "read", ovsdb.Operation{Op: ovsdb.OperationSelect, Table: rootTable, Columns: columns[rootTable]})
	if err != nil {
		return err
	}
	roots, err := decode[rootRow](c, rootTable, results[0])
	if err != nil {
		return err
	}
	if len(roots) != 1 {
		return errEmpty
	}
	c.root = roots[0].UUID
	c.hear(roots[0])
	return c.listen(ctx)
}

// within waits for f no longer than ctx lasts; f may never end.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
