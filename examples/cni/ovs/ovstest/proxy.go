// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"encoding/json"
	"net"
	"slices"
	"sync"
)

// fault is what becomes of a transaction that writes.
type fault int

const (
	refuse    fault = iota // answered by an error, and not done
	lie                    // done, and answered by an error
	lose                   // done, and not answered
	cutBefore              // the connection ends, and it is not done
	cutAfter               // it is done, and the connection ends
)

// proxy stands before an ovsdb-server.
type proxy struct {
	socket, server string

	mu     sync.Mutex
	writes int
	at     int // which write fails; 0: none
	fault  fault
	conns  map[net.Conn]struct{}
	hung   chan struct{} // closed when nobody is kept waiting; nil: nobody is

	listener net.Listener
	serving  sync.WaitGroup
}

func newProxy(socket, server string) (*proxy, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	p := &proxy{socket: socket, server: server, conns: map[net.Conn]struct{}{}, listener: l}
	p.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serving.Go(func() { p.serve(c) })
		}
	})
	return p, nil
}

// hang has all requests wait, or no more.
func (p *proxy) hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.hung == nil:
		p.hung = make(chan struct{})
	case !on && p.hung != nil:
		close(p.hung)
		p.hung = nil
	}
}

func (p *proxy) pause() {
	p.mu.Lock()
	hung := p.hung
	p.mu.Unlock()
	if hung != nil {
		<-hung
	}
}

func (p *proxy) close() {
	p.hang(false)
	p.listener.Close()
	p.cut()
	p.serving.Wait()
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}()
	l := &link{p: p, client: c, server: s, faults: map[string]fault{}}
	p.serving.Go(l.replies)
	l.requests()
	l.hangUp()
}

// link is one connection. That to the server outlives the client's until all requests are
// answered: libovsdb's server has a data race when it writes two answers to who has gone. It
// also waits for its clients to answer what it tells them, which is done for them here.
type link struct {
	p              *proxy
	client, server net.Conn

	mu     sync.Mutex // of writing to the client, too
	faults map[string]fault
	owed   int  // answers that the server has still to give
	over   bool // the client has gone
}

// hangUp ends the connection to the server as soon as it owes nothing.
func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over = true; l.owed == 0 {
		l.server.Close()
	}
}

// owe counts an answer that the server has to give, or has given. It says whether there is
// anything left to wait for.
func (l *link) owe(by int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed += by
	return !l.over || l.owed > 0
}

type message struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// asks says whether a message is to be answered.
func (m message) asks() bool { return m.Method != "" && len(m.ID) > 0 && string(m.ID) != "null" }

func (l *link) requests() {
	for d := json.NewDecoder(l.client); ; {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return
		}
		l.p.pause()
		var m message
		if json.Unmarshal(raw, &m) == nil && m.Method == "transact" && writes(m.Params) {
			switch f, struck := l.p.count(); {
			case !struck:
			case f == cutBefore:
				return
			case f == refuse:
				if l.send(failure(m.ID, "refused by the test")) != nil {
					return
				}
				continue
			default:
				l.mu.Lock()
				l.faults[string(m.ID)] = f
				l.mu.Unlock()
			}
		}
		switch {
		case m.asks():
			l.owe(1)
		case m.Method == "":
			continue // answered already
		}
		if _, err := l.server.Write(raw); err != nil {
			return
		}
	}
}

func (l *link) replies() {
	defer l.server.Close()
	defer l.client.Close()
	for d := json.NewDecoder(l.server); ; {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return
		}
		var m message
		_ = json.Unmarshal(raw, &m)
		l.mu.Lock()
		f, struck := l.faults[string(m.ID)]
		l.mu.Unlock()
		answer := m.Method == ""
		if m.asks() {
			done, _ := json.Marshal(map[string]any{"id": m.ID, "error": nil, "result": []any{}})
			_, _ = l.server.Write(done)
		}
		switch {
		case struck && answer && f == cutAfter:
			l.client.Close()
		case struck && answer && f == lose:
		case struck && answer && f == lie:
			_ = l.send(failure(m.ID, "done all the same by the test"))
		default:
			_ = l.send(raw) // who has gone hears nothing
		}
		if answer && !l.owe(-1) {
			return
		}
	}
}

func (l *link) send(raw []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.client.Write(raw)
	return err
}

// failure answers a transaction.
func failure(id json.RawMessage, why string) []byte {
	answer, _ := json.Marshal(map[string]any{"id": id, "error": nil, "result": []any{map[string]string{"error": "resources exhausted", "details": why}}})
	return answer
}

// writes says whether a transaction can change anything.
func writes(params []json.RawMessage) bool {
	return slices.ContainsFunc(params, func(p json.RawMessage) bool {
		var op struct{ Op string }
		return json.Unmarshal(p, &op) == nil && slices.Contains([]string{"insert", "update", "mutate", "delete"}, op.Op)
	})
}

// count counts a write, and says what becomes of it.
func (p *proxy) count() (fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	return p.fault, p.writes == p.at
}

// fail has the nth write from now fail.
func (p *proxy) fail(nth int, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.fault = p.writes+nth, f
}
