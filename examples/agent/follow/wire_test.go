// SPDX-License-Identifier: Apache-2.0

package follow_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire is a TCP proxy that can be cut and led elsewhere.
type wire struct {
	listener net.Listener

	mu    sync.Mutex
	to    string // "": cut
	last  string
	conns []net.Conn
}

func newWire(t *testing.T, url string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: l}
	w.reroute(url)
	go w.serve()
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	return w
}

func (w *wire) url() string { return "http://" + w.listener.Addr().String() }

func (w *wire) reroute(url string) {
	w.cut()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = strings.TrimPrefix(url, "http://")
	w.last = w.to
}

func (w *wire) mend() { w.reroute(w.last) }

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = ""
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func (w *wire) serve() {
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
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
		w.mu.Unlock()
	}
}
