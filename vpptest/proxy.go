// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A Proxy stands between clients and a VPP, which may be a real one: it counts what
// passes, and does to it what faults say. Every client has a connection to VPP of its
// own behind it.
//
// The faults are those of VPP, but that Delay and Stall hold up only the connection
// that they hit.
type Proxy struct {
	journal
	faults

	upstream string
	dir      string
	listener *net.UnixListener
	running  sync.WaitGroup

	mu    sync.Mutex
	links map[*link]bool // nil when closed
}

// NewProxy is StartProxy for a test: the proxy ends with it.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p, err := StartProxy(upstream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// StartProxy starts a proxy for the VPP at a socket; the caller must Close it. The VPP
// need not be there yet: a client that comes while it is not gets its connection closed.
func StartProxy(upstream string) (*Proxy, error) {
	dir, err := os.MkdirTemp("", "vpptest")
	if err != nil {
		return nil, fmt.Errorf("vpptest: %w", err)
	}
	p := &Proxy{upstream: upstream, dir: dir, links: make(map[*link]bool)}
	p.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: p.Socket(), Net: "unix"})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("vpptest: %w", err)
	}
	p.running.Go(p.accept)
	return p, nil
}

// Socket is where clients find the proxy.
func (p *Proxy) Socket() string { return filepath.Join(p.dir, "api.sock") }

// Cut closes all connections of the moment. New ones can be made at once.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// Close ends the proxy and all connections through it. Twice is once.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for l := range p.links {
		l.close()
	}
	p.links = nil
	p.mu.Unlock()
	p.running.Wait()
	_ = os.RemoveAll(p.dir)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.AcceptUnix()
		if err != nil {
			return
		}
		vpp, err := net.Dial("unix", p.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := newLink(p, client, vpp)
		if !p.keep(l) {
			l.close()
			return
		}
		// Whichever side ends first, the other must not be left waiting.
		p.running.Go(func() { defer p.drop(l); l.requests() })
		p.running.Go(func() { defer p.drop(l); l.answers() })
	}
}

func (p *Proxy) keep(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links == nil {
		return false
	}
	p.links[l] = true
	return true
}

func (p *Proxy) drop(l *link) {
	l.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
