// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"
)

// A wire is a client of the smallest kind: one request at a time, and all that comes
// back, as it comes.
type wire struct {
	conn    net.Conn
	r       *bufio.Reader
	index   uint32
	ids     map[string]uint16
	names   map[uint16]string
	context uint32
}

// patience is how long a wire waits for VPP to answer.
const patience = 10 * time.Second

// bindings finds a binding by name_crc.
var bindings = sync.OnceValue(func() map[string]api.Message {
	all := make(map[string]api.Message)
	for _, messages := range api.GetRegisteredMessages() {
		for name, m := range messages {
			all[name] = m
		}
	}
	return all
})

func dial(socket string) (*wire, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, r: bufio.NewReaderSize(conn, 1<<16)}
	if err := w.handshake(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return w, nil
}

func (w *wire) handshake() error {
	msg, err := codec.EncodeMsg(&memclnt.SockclntCreate{Name: "vpptest"}, sockclntCreateID)
	if err != nil {
		return err
	}
	if _, err := w.conn.Write(appendFrame(nil, msg)); err != nil {
		return err
	}
	if msg, err = w.next(patience); err != nil {
		return err
	}
	var reply memclnt.SockclntCreateReply
	if err := codec.DecodeMsg(msg, &reply); err != nil {
		return err
	}
	w.index = reply.Index
	w.ids, w.names = learnTable(reply.MessageTable)
	return nil
}

// learnTable makes maps, both ways, of the table that VPP sends.
func learnTable(entries []memclnt.MessageTableEntry) (map[string]uint16, map[uint16]string) {
	ids, names := make(map[string]uint16, len(entries)), make(map[uint16]string, len(entries))
	for _, e := range entries {
		ids[e.Name], names[e.Index] = e.Index, e.Name
	}
	return ids, names
}

func (w *wire) close() { _ = w.conn.Close() }

// next is the next message of whatever kind.
func (w *wire) next(timeout time.Duration) ([]byte, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	return readFrame(w.r)
}

// frame makes a request of m, and returns its context.
func (w *wire) frame(buf []byte, m api.Message) ([]byte, uint32, error) {
	id, ok := w.ids[crcName(m)]
	if !ok {
		return nil, 0, fmt.Errorf("vpp does not know %s", crcName(m))
	}
	msg, err := codec.EncodeMsg(m, id)
	if err != nil {
		return nil, 0, err
	}
	w.context++
	binary.BigEndian.PutUint32(msg[clientAt:], w.index)
	binary.BigEndian.PutUint32(msg[requestContextAt:], w.context)
	return appendFrame(buf, msg), w.context, nil
}

// ask sends requests at once and returns all answers to them, and what events came
// between. A control_ping sent behind tells where the answers end.
func (w *wire) ask(requests ...api.Message) (answers, events []api.Message, err error) {
	var out []byte
	var fence uint32
	for _, m := range append(requests[:len(requests):len(requests)], &memclnt.ControlPing{}) {
		if out, fence, err = w.frame(out, m); err != nil {
			return nil, nil, err
		}
	}
	if _, err := w.conn.Write(out); err != nil {
		return nil, nil, err
	}
	for {
		m, context, err := w.receive(patience)
		if err != nil {
			return answers, events, err
		}
		switch {
		case m.GetMessageType() == api.EventMessage:
			events = append(events, m)
		case context == fence:
			return answers, events, nil
		default:
			answers = append(answers, m)
		}
	}
}

// receive decodes the next message.
func (w *wire) receive(timeout time.Duration) (api.Message, uint32, error) {
	msg, err := w.next(timeout)
	if err != nil {
		return nil, 0, err
	}
	if len(msg) < replyContextAt+4 {
		return nil, 0, errors.New("short message")
	}
	name := w.names[binary.BigEndian.Uint16(msg)]
	known, ok := bindings()[name]
	if !ok {
		return nil, 0, fmt.Errorf("no binding for %s", name)
	}
	m := newMessage(known)
	if err := codec.DecodeMsg(msg, m); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	at := replyContextAt
	if m.GetMessageType() == api.RequestMessage { // feature_is_enabled_reply is built like one
		at = requestContextAt
	}
	if len(msg) < at+4 {
		return nil, 0, errors.New("short message")
	}
	return m, binary.BigEndian.Uint32(msg[at:]), nil
}

// quiet collects events until none has come for a while.
func (w *wire) quiet(while time.Duration) (events []api.Message, err error) {
	for {
		m, _, err := w.receive(while)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, m)
	}
}
