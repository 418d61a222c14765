// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.fd.io/govpp/api"
)

// NewStream opens a stream of requests and of all that VPP answers to them, in
// order. The generated clients of dumps use it; see [Collect] to read one.
//
// The stream holds as much as VPP sends until it is read: a slow reader loses
// nothing and delays nobody, and pays in memory (see Stats.Queued). RecvMsg
// fails with [ErrTimeout] if VPP sends nothing for the reply timeout, and with
// ctx's error when that ends. A stream that has failed is closed. The options
// of govpp's own streams do not apply here.
//
// Unlike what [api.Stream] asks for, all methods may be called concurrently.
func (c *Conn) NewStream(ctx context.Context, _ ...api.StreamOption) (api.Stream, error) {
	s := &stream{conn: c, ctx: ctx, more: make(chan struct{}, 1), ear: transcriptOf(ctx).listen()}
	if err := c.admit(ctx); err != nil {
		return nil, &Error{Message: unasked, Err: err}
	}
	s.id = c.nextContext()
	c.streams[s.id] = s
	c.mu.Unlock()
	if ctx.Done() != nil {
		s.unwatch(context.AfterFunc(ctx, func() { s.fail(ctx.Err()) }))
	}
	return s, nil
}

type stream struct {
	conn *Conn
	ctx  context.Context
	id   uint32
	ear  *ear // nil: nobody compares

	recv sync.Mutex // held while receiving; guards last and typ
	last uint16     // id of typ
	typ  reflect.Type

	mu    sync.Mutex
	queue queue         // what has come
	more  chan struct{} // the queue is not empty, or the stream has failed
	sent  []sent
	name  string // of the first request
	err   error
	stop  func() bool // watching ctx
}

// sent is a request and where its answers' types are to be found.
type sent struct{ reply, tree string }

func (s *stream) Context() context.Context { return s.ctx }

// Close may be called again. VPP's answers that are still to come reach nobody.
func (s *stream) Close() error {
	s.fail(ErrClosed)
	return nil
}

func (s *stream) SendMsg(msg api.Message) error {
	c := s.conn
	if isNil(msg) {
		return errNil
	}
	r, err := c.request(msg)
	if err != nil {
		return s.traced(msg.GetMessageName(), err)
	}
	frame, err := appendFrame(nil, r.id, c.client, msg)
	if err != nil {
		return s.traced(r.name, &Error{Message: r.name, Err: err})
	}
	// Before it is sent: an answer may be there at once.
	if err := s.expect(r.name, tree(msg)); err != nil {
		return s.traced(r.name, &Error{Message: r.name, Err: err})
	}
	if s.ear.ask(r.name, frame) {
		return nil
	}
	return s.transmit(r.name, frame)
}

// transmit sends a frame.
func (s *stream) transmit(name string, frame []byte) error {
	c := s.conn
	if err := c.admit(s.ctx); err != nil {
		return s.traced(name, &Error{Message: name, Err: err})
	}
	c.queue(frame, s.id)
	c.mu.Unlock()
	return s.traced(name, nil)
}

// traced tells what became of a request.
func (s *stream) traced(name string, err error) error {
	if trace := s.conn.options.trace; trace != nil {
		t := Trace{Ctx: s.ctx, Message: name, Err: err}
		if err == nil {
			t.Context = s.id
		}
		trace(t)
	}
	return err
}

func (s *stream) expect(name, tree string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name == "" {
		s.name = name
	}
	if e := (sent{name + "_reply", tree}); !slices.Contains(s.sent, e) {
		s.sent = append(s.sent, e)
	}
	return s.err
}

func (s *stream) RecvMsg() (api.Message, error) {
	s.recv.Lock()
	defer s.recv.Unlock()
	if err := s.settle(); err != nil {
		return nil, err
	}
	msg, err := s.next()
	if err != nil {
		return nil, err
	}
	s.ear.hear(s.conn.table, msg)
	m, err := s.decode(msg)
	if err != nil {
		return nil, s.failed(err)
	}
	return m, nil
}

// next waits for the next message, which is valid until called again.
func (s *stream) next() ([]byte, error) {
	for {
		msg, err := s.pop()
		if msg != nil || err != nil {
			return msg, err
		}
		if err := s.wait(); err != nil {
			return nil, err
		}
	}
}

// wait waits until something comes, or the stream fails.
func (s *stream) wait() error {
	late := time.NewTimer(s.conn.options.replyTimeout)
	defer late.Stop()
	select {
	case <-s.more:
		return nil
	case <-late.C:
		return s.failed(ErrTimeout)
	}
}

func (s *stream) pop() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended(); err != nil {
		return nil, err
	}
	if s.queue.n == 0 {
		return nil, nil
	}
	s.conn.stats.queued.Add(-1)
	return s.queue.pop(), nil
}

// ended says why there is nothing more to come; nil: there may be. The caller holds mu.
func (s *stream) ended() error {
	if s.err == nil {
		return nil
	}
	return s.error(s.err, !errors.Is(s.err, ErrClosed))
}

// failed fails the stream for good: what comes after a message that was missed
// cannot be told from it.
func (s *stream) failed(err error) error {
	s.fail(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.error(err, true)
}

// unasked is the name, in errors, of what a stream asks before it asks anything.
const unasked = "stream"

// error is that of what the stream asked; unknown says whether VPP may do it still. The caller holds mu.
func (s *stream) error(err error, unknown bool) error {
	if s.name == "" {
		return &Error{Message: unasked, Err: err}
	}
	return &Error{Message: s.name, Err: err, Unknown: unknown}
}

func (s *stream) decode(msg []byte) (api.Message, error) {
	id := binary.BigEndian.Uint16(msg)
	if s.typ == nil || s.last != id {
		typ, err := s.conn.table.resolve(id, s.trees(id))
		if err != nil {
			return nil, err
		}
		s.last, s.typ = id, typ
	}
	m := reflect.New(s.typ).Interface().(api.Message)
	if err := unmarshal(msg, m); err != nil {
		return nil, err
	}
	return m, nil
}

// trees lists the bindings in which to look for an answer: first those that
// the very request is from, because two trees may meet on one stream.
func (s *stream) trees(id uint16) []string {
	name, _ := splitCRC(s.conn.table.name(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	var own, all []string
	for _, e := range s.sent {
		if e.reply == name {
			own = append(own, e.tree)
		}
		all = append(all, e.tree)
	}
	return append(own, all...)
}

// add is called by the reader of the Conn.
func (s *stream) add(msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.queue.push(msg)
	s.conn.stats.queued.Add(1)
	s.signal()
}

// fail ends the stream, whichever way it ends.
func (s *stream) fail(err error) {
	c := s.conn
	c.mu.Lock()
	delete(c.streams, s.id)
	c.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	c.stats.queued.Add(-int64(s.queue.n))
	if s.recv.TryLock() {
		s.queue.release()
		s.recv.Unlock()
	}
	s.queue = queue{} // somebody reads a message in it: not to be used again
	if s.stop != nil {
		s.stop()
	}
	s.signal()
}

// unwatch takes over what stops the watch of ctx once the stream has ended.
func (s *stream) unwatch(stop func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop = stop; s.err != nil {
		stop()
	}
}

func (s *stream) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Collect reads a dump to its end and closes it, as in
//
//	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{}))
//
// It returns all of the dump or an error.
func Collect[M any](s interface{ Recv() (M, error) }, err error) ([]M, error) {
	if err != nil {
		return nil, err
	}
	if s, ok := s.(io.Closer); ok {
		defer s.Close()
	}
	var all []M
	for {
		m, err := s.Recv()
		if err == io.EOF { //nolint:errorlint // itself, never wrapped: that would be a dump cut short
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
}
