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
type link struct {
	proxy       *Proxy
	client, vpp net.Conn
	end         sync.Once
	ended       chan struct{} // closed with the link

	mu     sync.Mutex
	ids    map[string]uint16 // by name_crc; nil before the handshake
	names  map[uint16]string
	muted  map[uint32]bool   // contexts whose answers are dropped
	forged map[uint32][]byte // contexts of pings whose replies become something else
}

// The proxy's own ping, behind a request after which it cuts the connection.
const cutContext = 0xffcc0001

func newLink(p *Proxy, client, vpp net.Conn) *link {
	return &link{
		proxy: p, client: client, vpp: vpp, ended: make(chan struct{}),
		muted: make(map[uint32]bool), forged: make(map[uint32][]byte),
	}
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
	writes := l.proxy.note(name, msg)
	context := binary.BigEndian.Uint32(msg[requestContextAt:])
	l.mu.Lock()
	delete(l.muted, context)
	l.mu.Unlock()

	fault := l.proxy.hit(name, writes)
	switch fault.Kind {
	case Delay, Stall:
		if w.Flush() != nil { // what came before is not held up
			return nil, false
		}
		l.proxy.wait(fault, l.ended)
	case CutBefore:
		l.cutBehind(w, l.ping(msg, cutContext))
		return nil, false
	case CutAfter:
		l.mute(context)
		l.cutBehind(w, msg, l.ping(msg, cutContext))
		return nil, false
	case Drop:
		l.mute(context)
	case Refuse:
		reply := l.forge(name, context, fault.Retval)
		if reply == nil {
			return nil, true // a dump: refused is empty
		}
		// A ping in its place keeps the answers in order.
		l.mu.Lock()
		l.forged[context] = reply
		l.mu.Unlock()
		return [][]byte{l.ping(msg, context)}, true
	}
	return [][]byte{msg}, true
}

// cutBehind sends the last messages of this link, of which the last is the proxy's
// own ping, and waits until its reply has ended the link: all answers due to the
// client before have then gone to it.
func (l *link) cutBehind(w *bufio.Writer, messages ...[]byte) {
	for _, msg := range messages {
		if _, err := w.Write(appendFrame(nil, msg)); err != nil {
			return
		}
	}
	if w.Flush() == nil {
		<-l.ended
	}
}

func (l *link) mute(context uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted[context] = true
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

// ping makes a control_ping of the client that sent like.
func (l *link) ping(like []byte, context uint32) []byte {
	msg := append([]byte(nil), like[:requestHead]...)
	l.mu.Lock()
	defer l.mu.Unlock()
	binary.BigEndian.PutUint16(msg[idAt:], l.ids[crcName(&memclnt.ControlPing{})])
	binary.BigEndian.PutUint32(msg[requestContextAt:], context)
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
	binary.BigEndian.PutUint32(msg[replyContextAt:], context)
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
	if m, ok := bindings()[full]; ok && m.GetMessageType() == api.EventMessage {
		return msg, true
	}
	context := binary.BigEndian.Uint32(msg[replyContextAt:])
	pong := full == crcName(&memclnt.ControlPingReply{})
	switch {
	case pong && context == cutContext:
		return nil, false
	case pong && l.forged[context] != nil:
		msg = l.forged[context]
		delete(l.forged, context)
	case l.muted[context]:
		return nil, true
	}
	return msg, true
}
