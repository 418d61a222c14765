// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// Conn speaks to one VPP for as long as both live. It implements
// [api.Connection], so every generated client of govpp works on it.
//
// A Conn never reconnects: handles of one VPP mean nothing to the next. When
// VPP goes, every pending call fails at once, Done is closed and Err says why;
// Dial again and build anew what held handles.
//
// What a Conn promises: a reply reaches the call that it answers or nobody; a
// dump is complete or fails; a call ends, whatever VPP does; an event is
// delivered or counted as lost.
//
// All methods may be called from any number of goroutines.
type Conn struct {
	owner   string
	conn    net.Conn
	client  uint32 // what VPP calls us
	table   *table
	vpp     Identity
	options options
	target  *desiredstate.Target

	types   types
	allowed sync.Map // name_crc of the requests that may be sent
	calls   sync.Pool
	turns   turns
	once    sync.Map // the keys of what Once has done

	mu      sync.Mutex
	last    uint32             // context last given out
	pending map[uint32]*call   // by context
	streams map[uint32]*stream // by context
	events  map[uint16][]*subscription
	err     error         // why it died
	parting bool          // Close was called
	parted  chan struct{} // and VPP was told, as far as it listens
	out     []byte        // frames that wait to be written
	room    chan struct{} // closed when out has room again; nil if nobody waits
	asked   int64         // since when VPP owes an answer, 0 if it does not
	probed  uint32        // context of the last sign of life asked for
	ping    []byte        // frame that asks for it
	behind  uint32        // context of the ping that asks after what is late, 0 if none is out
	since   int64         // when it was sent

	wake chan struct{} // out is not empty
	done chan struct{} // dead
	born time.Time
	work sync.WaitGroup

	heard atomic.Int64 // when VPP last sent something
	links linkEvents

	bridgesOfBVIs *shared.Round[map[uint32]uint32] // see askBVIs
	stats         stats
}

// maxContext keeps contexts below what VPP uses as client index in events.
const maxContext = 1<<31 - 1

// now is the time on this Conn's clock; never 0.
func (c *Conn) now() int64 { return int64(time.Since(c.born)) + 1 }

// Invoke sends req and waits until VPP's answer is in reply. It fails with an [*Error]:
//
//   - a Retval in the reply that is not 0: errors.Is(err, api.NO_SUCH_ENTRY)
//     and the like, with the decoded reply in Error.Reply and in reply. Unlike
//     govpp's own connection this one looks at it, so generated clients
//     return the same rich error;
//   - [ErrNotAllowed], [ErrUnsupported]: nothing was sent;
//   - [ErrTimeout], [ErrDisconnected], [ErrWedged], [ErrClosed], or that of
//     ctx: Error.Unknown says whether VPP may have executed the request.
//
// A ctx that ends before the request is sent prevents it; ended later, it
// abandons the call, and the late answer reaches nobody.
func (c *Conn) Invoke(ctx context.Context, req, reply api.Message) error {
	if isNil(req) || isNil(reply) {
		return errNil
	}
	if c.options.trace == nil {
		_, err := c.invoke(ctx, req, reply)
		return err
	}
	begin := time.Now()
	id, err := c.invoke(ctx, req, reply)
	c.options.trace(Trace{Ctx: ctx, Message: req.GetMessageName(), Duration: time.Since(begin), Err: err, Context: id})
	return err
}

func (c *Conn) invoke(ctx context.Context, req, reply api.Message) (id uint32, err error) {
	r, err := c.request(req)
	if err != nil {
		return 0, err
	}
	want, err := c.reply(reply)
	if err != nil {
		return 0, &Error{Message: r.name, Err: err}
	}
	transcriptOf(ctx).spoil()
	call := c.calls.Get().(*call)
	call.err = nil
	if call.buf, err = appendFrame(call.buf[:0], r.id, c.client, req); err != nil {
		return 0, &Error{Message: r.name, Err: err}
	}
	if err := c.admit(ctx); err != nil {
		return 0, &Error{Message: r.name, Err: err}
	}
	id = c.nextContext()
	call.since = c.now()
	c.pending[id] = call
	c.queue(call.buf, id)
	c.mu.Unlock()
	select {
	case <-call.done:
	case <-ctx.Done():
		c.forget(id, ctx.Err())
		<-call.done
	}
	defer c.release(call)
	if call.err != nil {
		return id, &Error{Message: r.name, Err: call.err, Unknown: true}
	}
	// Clipped, or a short reply would be decoded together with what the buffer held before.
	return id, c.decode(slices.Clip(call.buf), r, want, reply)
}

// call is one request that waits for its reply. Whoever takes it out of
// pending, under the lock, says how it ended: exactly once.
type call struct {
	since int64
	buf   []byte // the request's frame, then the reply's message
	err   error
	done  chan struct{}
}

func (l *call) end(err error) {
	l.err = err
	l.done <- struct{}{}
}

// release keeps a call for the next one, though not the memory of an outsized reply.
func (c *Conn) release(l *call) {
	if cap(l.buf) > frameBuffer {
		l.buf = nil
	}
	c.calls.Put(l)
}

// forget ends a call, unless it has just ended otherwise. What is still to come reaches nobody.
func (c *Conn) forget(id uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.pending[id]; l != nil {
		delete(c.pending, id)
		l.end(err)
	}
}

// Close ends the Conn; what is pending fails with [ErrClosed]. VPP keeps what
// was configured. Closing again does nothing. The error is always nil.
func (c *Conn) Close() error {
	c.mu.Lock()
	first := !c.parting
	c.parting = true
	c.mu.Unlock()
	if first {
		c.part()
		close(c.parted)
	}
	<-c.parted
	c.die(ErrClosed)
	c.work.Wait()
	return nil
}

// farewell is how long Close waits for VPP to let go of us.
const farewell = 200 * time.Millisecond

// part tells VPP that we leave. VPP 25.10 can overlook that a client has just gone: at
// the end of a file it looks at errno, which is EAGAIN for as long as the last call
// that failed was a write to a slow reader. Such a socket is looked at again and again,
// and when there are 16 of them VPP's main loop does nothing else any more, for ever.
func (c *Conn) part() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_, _ = c.invoke(ctx, &memclnt.SockclntDelete{Index: c.client}, new(memclnt.SockclntDeleteReply))
}

// start runs f on a goroutine that Close waits for.
func (c *Conn) start(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.work.Go(f)
	}
	return c.err
}

// Done is closed when the Conn is dead, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the Conn died: [ErrClosed], [ErrDisconnected] or [ErrWedged]. It is nil as long as the Conn lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Target is what all kinds and engines on this Conn share.
func (c *Conn) Target() *desiredstate.Target {
	if c == nil {
		return nil
	}
	return c.target
}

// VPP says which VPP this is; nil has none.
func (c *Conn) VPP() Identity {
	if c == nil {
		return Identity{}
	}
	return c.vpp
}

// die fails all that is pending. Only the first cause counts.
func (c *Conn) die(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if c.parting {
		err = ErrClosed // whoever hangs up first
	}
	c.err = err
	calls, streams := c.pending, c.streams
	c.pending, c.streams = nil, nil
	close(c.done)
	c.mu.Unlock()

	c.conn.Close()
	for _, l := range calls {
		l.end(err)
	}
	for _, s := range streams {
		s.fail(err)
	}
}

// Stats is what a Conn has done and what it holds.
type Stats struct {
	Sent     uint64 // requests
	Received uint64 // replies, details and events
	Pending  int    // calls that wait for their reply
	Streams  int    // streams that are open; one that only grows is a leak
	Queued   int    // messages that wait for the reader of a stream or watcher
	Late     uint64 // answers that came after their call or stream had given up; they reached nobody
	Lost     uint64 // events that a watcher was too slow for
}

type stats struct {
	sent, received, late, lost atomic.Uint64
	queued                     atomic.Int64
}

// Stats is a snapshot for metrics and tests.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	pending, streams := len(c.pending), len(c.streams)
	c.mu.Unlock()
	return Stats{
		Sent:     c.stats.sent.Load(),
		Received: c.stats.received.Load(),
		Pending:  pending,
		Streams:  streams,
		Queued:   int(c.stats.queued.Load()),
		Late:     c.stats.late.Load(),
		Lost:     c.stats.lost.Load(),
	}
}

// Trace tells of one request, see [WithTrace].
type Trace struct {
	Ctx      context.Context // of the caller, such as for the span that it belongs to
	Message  string          // name of the request
	Duration time.Duration   // until answered; for a message of a stream until queued
	Err      error           // nil if VPP did it
	Context  uint32          // number of the request on this Conn; 0 if it was never sent
}

func (t Trace) String() string {
	if t.Err != nil {
		return fmt.Sprintf("%s #%d %v: %v", t.Message, t.Context, t.Duration, t.Err)
	}
	return fmt.Sprintf("%s #%d %v", t.Message, t.Context, t.Duration)
}
