// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"io"
	"sync"
)

// An outbox writes frames to a connection from a goroutine of its own. It has no
// limit, as VPP's has none: a client that reads nothing holds up only itself.
type outbox struct {
	mu     sync.Mutex
	buf    []byte
	closed bool
	wake   chan struct{}
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// add queues a message; flush lets what is queued go.
func (o *outbox) add(msg []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.buf = appendFrame(o.buf, msg)
	}
}

func (o *outbox) flush() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close lets the writer end once it has written what is queued.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.flush()
}

// writeTo runs until the outbox is closed and empty, or w fails.
func (o *outbox) writeTo(w io.Writer) {
	var spare []byte
	for range o.wake {
		for {
			o.mu.Lock()
			out, closed := o.buf, o.closed
			o.buf = spare[:0]
			o.mu.Unlock()
			if len(out) == 0 {
				if closed {
					return
				}
				spare = out
				break
			}
			if _, err := w.Write(out); err != nil {
				return
			}
			spare = out
		}
	}
}
