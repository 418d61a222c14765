// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net"
	"sync"

	"go.fd.io/govpp/api"
)

// A life is all that a VPP loses when it restarts. Its fields are touched only by
// the main thread, that is with VPP.mu held, but for those of its last block.
type life struct {
	options  *options
	pid      uint32
	table    *table
	handlers map[uint16]handler
	clients  []*peer // by slot; nil is free
	free     []int   // slots, the last freed last

	interfaces *interfaces
	features   *features
	nodes      *nodes
	bridges    *bridges
	bonds      *bonds
	taps       *taps
	ips        *ips
	routers    *routers
	asking     *dhcpClients
	classes    *classifier

	lookedUp []func(set uint32) bool // who has sets of rules looked up, beside the acl plugin itself

	states []func(*dump) // each part's share of String
	idle   []func()      // called when the input has run dry

	commands map[string]func() string // of the CLI, and what they print

	listener *net.UnixListener
	done     chan struct{} // closed when this life ends
	end      sync.Once
	running  sync.WaitGroup
	connMu   sync.Mutex
	conns    map[*net.UnixConn]bool
}

func newLife(o *options) *life {
	return &life{
		options:  o,
		table:    newTable(o),
		handlers: make(map[uint16]handler),
		commands: make(map[string]func() string),
		done:     make(chan struct{}),
		conns:    make(map[*net.UnixConn]bool),
	}
}

// handle makes h answer request, and the messages of its package known.
// One that this release of VPP lacks stays unknown.
func (l *life) handle(request api.Message, h handler) {
	if id := l.idOf(request); id != 0 {
		l.handlers[id] = h
	}
}

// idOf numbers the module of m first, if that has not happened. It is 0 for what this
// release of VPP lacks.
func (l *life) idOf(m api.Message) uint16 {
	if id, ok := l.table.ids[crcName(m)]; ok {
		return id
	}
	l.table.add(moduleOf(m))
	if l.options.lacks(m) {
		return 0
	}
	l.table.number(crcName(m)) // a message that its package does not register
	return l.table.ids[crcName(m)]
}

// settle sends the events that VPP collects while it has requests to execute.
func (l *life) settle() {
	for _, f := range l.idle {
		f()
	}
}

// keep remembers a connection to cut it when this life ends; false: it has ended.
func (l *life) keep(conn *net.UnixConn) bool {
	l.connMu.Lock()
	defer l.connMu.Unlock()
	if l.conns == nil {
		return false
	}
	l.conns[conn] = true
	return true
}

func (l *life) forget(conn *net.UnixConn) {
	l.connMu.Lock()
	defer l.connMu.Unlock()
	delete(l.conns, conn)
}

// cut closes all connections, and those to come.
func (l *life) cut() {
	l.connMu.Lock()
	defer l.connMu.Unlock()
	for conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}
