// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"encoding/binary"
	"net"
	"sync"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"
)

// A link is one connection through a proxy, both halves of it.
//
// VPP answers in order, so the answers to one request are what comes between the
// replies to a ping before it and one behind it. That holds for whatever clients do
// with contexts; in a stream all requests have the same.
type link struct {
	proxy       *Proxy
	client, vpp net.Conn
	end         sync.Once
	ended       chan struct{} // closed with the link

	mu     sync.Mutex
	ids    map[string]uint16 // by name_crc; nil before the handshake
	names  map[uint16]string
	fences []fence // pings of the proxy's own that are not answered yet, oldest first
	passed uint32  // number of fences so far
	muted  bool    // what comes is not for the client
}

// A fence is a ping of the proxy's own, and what is to happen when its reply comes.
type fence struct {
	context uint32
	say     []byte // what the client gets in its place
	mute    bool   // what follows, up to the next fence, is not for the client
	cut     bool   // the link ends here
}

// Contexts of fences count from here. They are told from a client's by being expected.
const fenceContext = 0xffcc0000

func newLink(p *Proxy, client, vpp net.Conn) *link {
	return &link{proxy: p, client: client, vpp: vpp, ended: make(chan struct{})}
}

func (l *link) close() {
	l.end.Do(func() {
		close(l.ended)
		_ = l.client.Close()
		_ = l.vpp.Close()
	})
}

// requests carries what the client says to VPP.
func (l *link) requests() {
	r := bufio.NewReaderSize(l.client, 1<<16)
	w := bufio.NewWriterSize(l.vpp, 1<<16)
	var frame []byte
	for {
		msg, err := readFrame(r)
		if err != nil {
			return
		}
		out, open := l.request(w, msg)
		if !open {
			return
		}
		for _, msg := range out {
			frame = appendFrame(frame[:0], msg)
			if _, err := w.Write(frame); err != nil {
				return
			}
		}
		if !another(r) && w.Flush() != nil {
			return
		}
	}
}

// request is what becomes of one: the messages that VPP gets instead, and whether the
// connection lives on.
func (l *link) request(w *bufio.Writer, msg []byte) ([][]byte, bool) {
	name, known := l.nameOf(msg)
	if !known || len(msg) < requestHead || name == "sockclnt_create" || name == "sockclnt_delete" {
		return [][]byte{msg}, true
	}
	fault := l.proxy.hit(name, l.proxy.note(name, msg))
	switch fault.Kind {
	case Delay, Stall:
		if w.Flush() != nil { // what came before is not held up
			return nil, false
		}
		l.proxy.wait(fault, l.ended)
	case CutBefore:
		l.sendAndWait(w, l.ping(msg, fence{cut: true}))
		return nil, false
	case CutAfter:
		l.sendAndWait(w, l.ping(msg, fence{mute: true}), msg, l.ping(msg, fence{cut: true}))
		return nil, false
	case Drop:
		return [][]byte{l.ping(msg, fence{mute: true}), msg, l.ping(msg, fence{})}, true
	case Refuse:
		reply := l.forge(name, binary.BigEndian.Uint32(msg[requestContextAt:]), fault.Retval)
		if reply == nil {
			return nil, true // a dump: refused is empty
		}
		return [][]byte{l.ping(msg, fence{say: reply})}, true // in its place among the answers
	}
	return [][]byte{msg}, true
}

// sendAndWait sends the last messages of this link, of which the last is a fence that
// cuts it, and waits for that: all answers due to the client before have then gone to it.
func (l *link) sendAndWait(w *bufio.Writer, messages ...[]byte) {
	for _, msg := range messages {
		if _, err := w.Write(appendFrame(nil, msg)); err != nil {
			return
		}
	}
	if w.Flush() == nil {
		<-l.ended
	}
}

func (l *link) nameOf(msg []byte) (string, bool) {
	if len(msg) < 2 {
		return "", false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	full, ok := l.names[binary.BigEndian.Uint16(msg)]
	name, _ := cutCRC(full)
	return name, ok
}

// ping makes a control_ping of the client that sent like, which is a fence.
func (l *link) ping(like []byte, f fence) []byte {
	msg := append([]byte(nil), like[:requestHead]...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passed++
	f.context = fenceContext | l.passed&0xffff
	l.fences = append(l.fences, f)
	binary.BigEndian.PutUint16(msg[idAt:], l.ids[crcName(&memclnt.ControlPing{})])
	binary.BigEndian.PutUint32(msg[requestContextAt:], f.context)
	return msg
}

// forge makes the reply that says retval, or nil if bindings do not know of one.
func (l *link) forge(name string, context uint32, retval int32) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, id := replyTo(l.ids, name)
	if m == nil {
		return nil
	}
	spoil(m, retval)
	msg, err := codec.EncodeMsg(m, id)
	if err != nil {
		return nil
	}
	if at, ok := contextAt(m); ok {
		binary.BigEndian.PutUint32(msg[at:], context)
	}
	return msg
}

// answers carries what VPP says to the client.
func (l *link) answers() {
	r := bufio.NewReaderSize(l.vpp, 1<<16)
	w := bufio.NewWriterSize(l.client, 1<<16)
	defer w.Flush()
	var frame []byte
	for {
		msg, err := readFrame(r)
		if err != nil {
			return
		}
		msg, open := l.answer(msg)
		if !open {
			return
		}
		if msg != nil {
			frame = appendFrame(frame[:0], msg)
			if _, err := w.Write(frame); err != nil {
				return
			}
		}
		if !another(r) && w.Flush() != nil {
			return
		}
	}
}

// answer is what becomes of one: what the client gets instead, nil for nothing, and
// whether the connection lives on.
func (l *link) answer(msg []byte) ([]byte, bool) {
	if len(msg) < replyContextAt+4 {
		return msg, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil {
		var reply memclnt.SockclntCreateReply
		if binary.BigEndian.Uint16(msg) == sockclntCreateID+1 && codec.DecodeMsg(msg, &reply) == nil {
			l.ids, l.names = learnTable(reply.MessageTable)
		}
		return msg, true
	}
	full := l.names[binary.BigEndian.Uint16(msg)]
	m, known := bindings()[full]
	if known && m.GetMessageType() == api.EventMessage {
		return msg, true
	}
	if context, ok := contextOf(pong, msg); ok && full == crcName(pong) && len(l.fences) > 0 && context == l.fences[0].context {
		f := l.fences[0]
		l.fences = l.fences[1:]
		l.muted = f.mute
		return f.say, !f.cut
	}
	if l.muted {
		return nil, true
	}
	return msg, true
}

var pong = &memclnt.ControlPingReply{}
