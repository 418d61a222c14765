// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vpe"
	"go.fd.io/govpp/codec"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/redial"
	"github.com/vppkit/vppkit/internal/shared"
)

// Option changes a Conn from its defaults.
type Option func(*options)

type options struct {
	replyTimeout time.Duration
	lostAfter    time.Duration
	wedgedAfter  time.Duration
	trace        func(Trace)
	report       func(err error, wait time.Duration)
	dial         func(ctx context.Context, socket string) (net.Conn, error)
}

// WithReplyTimeout bounds how long a call waits for its reply, and a stream
// for its next message; then it fails with [ErrTimeout]. VPP answers in order,
// so the time includes that of all requests before it. The default is 10 s.
func WithReplyTimeout(d time.Duration) Option { return func(o *options) { o.replyTimeout = d } }

// WithLostAfter has a call that waits for longer asked after: VPP answers in order,
// so if it answers a ping that was sent later, the reply is lost, and the call
// fails with [ErrTimeout] at once. Unlike a short reply timeout it takes no busy
// VPP for one that lost something. The default, 0, is to wait for the reply timeout.
func WithLostAfter(d time.Duration) Option { return func(o *options) { o.lostAfter = d } }

// WithWedgedAfter bounds how long VPP may say nothing at all though it owes an
// answer; then the Conn dies with [ErrWedged]. A busy VPP that answers slowly
// is not cut off: any traffic is life. An idle one is asked for a sign of life
// every third of this time. The default is 30 s, longer than any request of
// which we know blocks VPP's main thread.
func WithWedgedAfter(d time.Duration) Option { return func(o *options) { o.wedgedAfter = d } }

// WithTrace has f called once for each request: for Invoke when it ends, for a
// message of a stream when it is sent. It runs on the goroutine of the caller,
// from many at a time, and should be quick.
func WithTrace(f func(Trace)) Option { return func(o *options) { o.trace = f } }

// WithReport has f told of each try to get at VPP that failed, of Dial and of Follow, and
// how long the next one waits: what a program that does not get on waits for.
func WithReport(f func(err error, wait time.Duration)) Option {
	return func(o *options) { o.report = f }
}

// Identity says which run of which VPP a Conn speaks to. It is comparable: it
// is equal for two Conns through one socket path exactly if VPP was not
// restarted in between.
type Identity struct {
	PID     uint32 // as VPP sees itself, so in a container often the same at each start
	Version string // such as "25.10-release"

	// Started is when VPP began to listen on the socket, which it does once,
	// at its start: the time of the socket file. VPP's API does not tell its
	// start, and /proc does not reach into other containers. It is zero for a
	// socket without a file; then identities tell less.
	Started time.Time
}

func (i Identity) String() string {
	return fmt.Sprintf("VPP %s, pid %d, since %s", i.Version, i.PID, i.Started.Format(time.RFC3339))
}

// Dial connects to the VPP that listens on socket, and waits for it with
// exponential backoff as long as ctx allows; after Dial ctx plays no role.
//
// What the Conn creates in VPP is tagged with owner: 1 to 31 letters, digits
// or any of ._- The same owner must be used after a restart to find it again.
//
// It fails at once if waiting cannot help: for an unfit owner, permissions, or
// a peer that is no VPP.
func Dial(ctx context.Context, socket, owner string, opts ...Option) (*Conn, error) {
	o, err := read(owner, opts)
	if err != nil {
		return nil, err
	}
	return o.dialed(ctx, socket, owner)
}

// read are the options of a Conn.
func read(owner string, opts []Option) (options, error) {
	o := options{replyTimeout: 10 * time.Second, wedgedAfter: 30 * time.Second, dial: dialUnix}
	for i, opt := range opts {
		if opt == nil {
			return o, fmt.Errorf("dial VPP: option %d is nil", i)
		}
		opt(&o)
	}
	if err := checkOwner(owner); err != nil {
		return o, fmt.Errorf("dial VPP: %w", err)
	}
	if o.replyTimeout <= 0 || o.wedgedAfter <= 0 {
		return o, errors.New("dial VPP: timeouts must be positive")
	}
	return o, nil
}

func (o options) dialed(ctx context.Context, socket, owner string) (*Conn, error) {
	if strings.ContainsRune(socket, 0) {
		return nil, fmt.Errorf("dial VPP at %q: no path has a zero in it", socket)
	}
	try := func(ctx context.Context) (*Conn, error) { return dial(ctx, socket, owner, o) }
	c, err := redial.Dial(ctx, try, func(err error) bool { return !transient(err) }, o.report)
	if err != nil {
		return nil, fmt.Errorf("dial VPP at %s: %w", socket, err)
	}
	return c, nil
}

// errNoAPI says that somebody else listens on the socket, or nobody ever will.
var errNoAPI = errors.New(`not VPP's API socket: want the one that startup.conf names, "socksvr { default }" is /run/vpp/api.sock`)

// errRestarting says that one VPP took over from another while we connected.
var errRestarting = errors.New("VPP is restarting")

// transient reports whether err is what a VPP that is still to come, or that is just going, looks like, or a
// machine that has nothing left for a moment.
func transient(err error) bool {
	for _, e := range []error{
		fs.ErrNotExist, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EAGAIN,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, // of ours, or of the machine
		os.ErrDeadlineExceeded, io.EOF, errRestarting, ErrDisconnected, ErrTimeout, ErrWedged,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func dialUnix(ctx context.Context, socket string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", socket)
}

// dial tries once.
func dial(ctx context.Context, socket, owner string, o options) (*Conn, error) {
	started := listening(socket)
	if info, err := os.Stat(socket); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%w: it is no socket but %v", errNoAPI, info.Mode())
	}
	conn, err := o.dial(ctx, socket)
	if errors.Is(err, syscall.EPROTOTYPE) { // such as that of the statistics
		err = fmt.Errorf("%w: %w", errNoAPI, err)
	}
	if err != nil {
		return nil, err
	}
	c := &Conn{
		target:  desiredstate.NewTarget(),
		owner:   owner,
		conn:    conn,
		options: o,
		pending: make(map[uint32]*call),
		streams: make(map[uint32]*stream),
		events:  make(map[uint16][]*subscription),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		parted:  make(chan struct{}),
		born:    time.Now(),
	}
	c.bridgesOfBVIs = shared.NewRound(c.askBVIs)
	c.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	c.links.turn = make(chan struct{}, 1)
	var in frames
	if err := c.register(ctx, &in); err != nil {
		conn.Close()
		return nil, err
	}
	c.heard.Store(c.now())
	c.work.Go(c.write)
	c.work.Go(c.keepTime)
	c.work.Go(func() { c.read(&in) })
	if err := c.identify(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if c.vpp.Started = listening(socket); !c.vpp.Started.Equal(started) {
		c.Close()
		return nil, errRestarting
	}
	return c, nil
}

// listening is the time since when somebody listens on socket.
func listening(socket string) time.Time {
	info, err := os.Stat(socket)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// createID is the one id that is the same in every VPP: that of sockclnt_create.
const createID = 15

// register introduces us to VPP, and learns its messages.
func (c *Conn) register(ctx context.Context, in *frames) error {
	_ = c.conn.SetDeadline(time.Now().Add(c.options.replyTimeout))
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	frame, err := appendFrame(nil, createID, 0, &memclnt.SockclntCreate{Name: "vppkit:" + c.owner})
	if err != nil {
		return err
	}
	if _, err := c.conn.Write(frame); err != nil {
		return err
	}
	var msg []byte
	for msg == nil {
		if err := in.fill(c.conn); err != nil {
			return err
		}
		if msg, err = in.next(); err != nil {
			return fmt.Errorf("%w: %w", errNoAPI, err)
		}
	}
	var reply memclnt.SockclntCreateReply
	if err := codec.DecodeMsg(msg, &reply); err != nil {
		return fmt.Errorf("%w: %w", errNoAPI, err)
	}
	if reply.Response != 0 {
		return fmt.Errorf("VPP refuses the connection: %d", reply.Response)
	}
	ids := make(map[string]uint16, len(reply.MessageTable))
	for _, m := range reply.MessageTable {
		name, _, _ := strings.Cut(m.Name, "\x13") // some end in it
		ids[name] = m.Index
	}
	c.client, c.table = reply.Index, newTable(ids)

	id, err := c.table.id(&memclnt.ControlPing{})
	if err != nil {
		return err
	}
	if c.ping, err = appendFrame(nil, id, c.client, &memclnt.ControlPing{}); err != nil {
		return err
	}
	if !stop() {
		return ctx.Err()
	}
	return c.conn.SetDeadline(time.Time{})
}

func (c *Conn) identify(ctx context.Context) error {
	var ping memclnt.ControlPingReply
	if err := c.Invoke(ctx, &memclnt.ControlPing{}, &ping); err != nil {
		return err
	}
	var version vpe.ShowVersionReply
	if err := c.Invoke(ctx, &vpe.ShowVersion{}, &version); err != nil {
		return err
	}
	c.vpp = Identity{PID: ping.VpePID, Version: version.Version}
	return nil
}
