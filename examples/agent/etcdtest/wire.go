// SPDX-License-Identifier: Apache-2.0

package etcdtest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Wire is a TCP proxy before one etcd, that can be cut, led elsewhere, and made slow or dumb.
type Wire struct {
	listener net.Listener

	mu    sync.Mutex
	to    string // "": cut
	last  string
	conns []net.Conn
	delay time.Duration // of each piece, either way
	dumb  [2]bool       // what goes to etcd, what comes from it, is lost
}

// NewWire makes one to an etcd's URL; it ends with the test.
func NewWire(t testing.TB, url string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{listener: l}
	w.Reroute(url)
	go w.serve()
	t.Cleanup(func() { _ = l.Close(); w.Cut() })
	return w
}

// URL is where clients reach it.
func (w *Wire) URL() string { return "http://" + w.listener.Addr().String() }

// Reroute cuts it and leads it to another etcd.
func (w *Wire) Reroute(url string) {
	w.Cut()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = strings.TrimPrefix(url, "http://")
	w.last = w.to
}

// Cut closes all connections, and refuses new ones, until Mend or Reroute.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = ""
	w.close()
}

func (w *Wire) close() {
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// Slow delays each piece of what goes either way.
func (w *Wire) Slow(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = by
}

// Blackhole loses what goes to etcd, or what comes from it, or both, with all connections open, and
// those that are made meanwhile.
func (w *Wire) Blackhole(to, from bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dumb = [2]bool{to, from}
}

// Mend ends all of that. Connections that lost something are closed, as no bytes can be missing
// in the middle of one.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dumb != [2]bool{} {
		w.close()
	}
	w.to, w.delay, w.dumb = w.last, 0, [2]bool{}
}

func (w *Wire) serve() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		out, err := net.Dial("tcp", w.to)
		if w.to == "" || err != nil {
			_ = in.Close()
		} else {
			w.conns = append(w.conns, in, out)
			go w.carry(in, out, 0)
			go w.carry(out, in, 1)
		}
		w.mu.Unlock()
	}
}

func (w *Wire) carry(from, to net.Conn, way int) {
	defer func() { _ = to.Close() }()
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		w.mu.Lock()
		delay, lost := w.delay, w.dumb[way]
		w.mu.Unlock()
		if delay > 0 {
			time.Sleep(delay)
		}
		if n > 0 && !lost {
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
