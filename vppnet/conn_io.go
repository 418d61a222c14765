// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// maxQueued bounds the bytes that wait to be written; beyond it senders wait.
const maxQueued = 1 << 20

// admit waits for room in the queue as long as ctx allows. If it succeeds, the
// caller holds mu.
func (c *Conn) admit(ctx context.Context) error {
	for {
		c.mu.Lock()
		err := c.err
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && len(c.out) < maxQueued {
			return nil
		}
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-room:
		case <-c.done:
		case <-ctx.Done():
		}
	}
}

// queue hands a frame to the writer. The caller holds mu.
func (c *Conn) queue(frame []byte, id uint32) {
	setContext(frame, id)
	c.out = append(c.out, frame...)
	c.stats.sent.Add(1)
	if c.asked == 0 {
		c.asked = c.now()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// nextContext gives a number that nobody waits under. The caller holds mu.
func (c *Conn) nextContext() uint32 {
	for {
		if c.last++; c.last > maxContext {
			c.last = 1
		}
		if c.pending[c.last] == nil && c.streams[c.last] == nil {
			return c.last
		}
	}
}

// write is the goroutine that writes. All that was queued while it wrote goes
// out in one piece.
func (c *Conn) write() {
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		if c.busy() {
			// Let those who are about to send do so: one write for all of
			// them costs VPP and us far less than one for each.
			runtime.Gosched()
		}
		c.mu.Lock()
		out := c.out
		c.out = spare[:0]
		if c.room != nil {
			close(c.room)
			c.room = nil
		}
		c.mu.Unlock()
		if err := c.writeAll(out); err != nil {
			c.die(err)
			return
		}
		spare = out
	}
}

// busy reports whether there is more than one caller.
func (c *Conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > 1
}

// writeAll has patience with a VPP that does not read, as long as that gives
// any sign of life.
func (c *Conn) writeAll(b []byte) error {
	for len(b) > 0 {
		_ = c.conn.SetWriteDeadline(time.Now().Add(c.options.wedgedAfter))
		n, err := c.conn.Write(b)
		b = b[n:]
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w: %s", ErrDisconnected, err.Error())
		case n == 0 && c.now()-c.heard.Load() >= int64(c.options.wedgedAfter):
			return fmt.Errorf("%w: it has not read for %v", ErrWedged, c.options.wedgedAfter)
		}
	}
	return nil
}

// read is the goroutine that reads. It hands out copies and never waits for
// whom they are for.
func (c *Conn) read(f *frames) {
	for {
		msg, err := f.next()
		if err == nil && msg != nil {
			c.dispatch(msg)
			continue
		}
		if err == nil {
			err = f.fill(c.conn)
			c.heard.Store(c.now())
		}
		if err != nil {
			// Not wrapped: an io.EOF inside would look like the end of a dump.
			c.die(fmt.Errorf("%w: %s", ErrDisconnected, err.Error()))
			return
		}
	}
}

// dispatch delivers one message to whoever waits for it.
func (c *Conn) dispatch(msg []byte) {
	c.stats.received.Add(1)
	id := binary.BigEndian.Uint16(msg)
	context, ok := c.table.context(id, msg)

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.events[id] {
		s.add(msg)
	}
	if !ok || c.events[id] != nil {
		return
	}
	switch l, s := c.pending[context], c.streams[context]; {
	case l != nil:
		delete(c.pending, context)
		l.buf = append(l.buf[:0], msg...)
		l.end(nil)
	case s != nil:
		s.add(msg)
	case context == c.behind:
		c.lose()
	case context != c.probed:
		c.stats.late.Add(1)
	}
	if c.asked = 0; len(c.pending) > 0 {
		c.asked = c.heard.Load() // the rest is owed from now on
	}
}

// context finds whom an incoming message answers; events answer nobody.
func (t *table) context(id uint16, msg []byte) (context uint32, ok bool) {
	at := t.contextAt(id)
	if at < 0 || len(msg) < at+4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(msg[at:]), true
}

// contextAt is where an incoming message has its context; -1: it has none.
func (t *table) contextAt(id uint16) int {
	if int(id) < len(t.shape) {
		switch t.shape[id] {
		case shapeEvent:
			return -1
		case shapeLong:
			return 6
		}
	}
	return 2
}

// keepTime is the goroutine that ends what takes too long.
func (c *Conn) keepTime() {
	shortest := min(c.options.replyTimeout, c.options.wedgedAfter)
	if c.options.lostAfter > 0 {
		shortest = min(shortest, c.options.lostAfter)
	}
	ticker := time.NewTicker(max(time.Millisecond, shortest/10))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-c.done:
			return
		}
		c.expire()
		if c.wedged() {
			c.die(fmt.Errorf("%w: it has said nothing for %v", ErrWedged, c.options.wedgedAfter))
			return
		}
	}
}

// expire ends the calls that have waited for too long.
func (c *Conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	then := c.now() - int64(c.options.replyTimeout)
	for id, l := range c.pending {
		if l.since <= then {
			delete(c.pending, id)
			l.end(ErrTimeout)
		}
	}
	if c.behind != 0 && c.since <= then {
		c.behind = 0 // what was to tell was lost itself
	}
	if c.options.lostAfter > 0 && c.behind == 0 && c.err == nil && c.late(c.now()) {
		c.behind, c.since = c.nextContext(), c.now()
		c.queue(c.ping, c.behind)
	}
}

// late tells whether a call waited for too long at a time. The caller holds mu.
func (c *Conn) late(at int64) bool {
	for _, l := range c.pending {
		if l.since <= at-int64(c.options.lostAfter) {
			return true
		}
	}
	return false
}

// lose ends the calls that were late when VPP was asked after them: it is beyond them.
// The caller holds mu.
func (c *Conn) lose() {
	for id, l := range c.pending {
		if l.since <= c.since-int64(c.options.lostAfter) {
			delete(c.pending, id)
			l.end(ErrTimeout)
		}
	}
	c.behind = 0
}

// wedged reports whether VPP has been silent for too long since it was last
// asked something. A VPP that nobody talks to is asked for a sign of life
// from time to time; any will do.
func (c *Conn) wedged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := int64(c.options.wedgedAfter)
	silent := c.now() - max(c.asked, c.heard.Load())
	if c.asked == 0 && silent >= limit/3 && c.err == nil {
		c.probed = c.nextContext()
		c.queue(c.ping, c.probed)
	}
	return c.asked != 0 && silent >= limit
}
