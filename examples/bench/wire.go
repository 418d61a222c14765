// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"
)

// wire is a client of VPP that is written for nothing but speed: it trusts VPP to
// answer in order, looks at no more of an answer than its return value, and gives
// up at the first thing that is not as it should be. It is what vppkit is measured
// by, so it uses nothing of it.
type wire struct {
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	client uint32
	ids    map[string]uint16 // by name_crc
	known  map[string]uint16 // by name; written by the sender
	buf    []byte
	*tally
}

// ask is a request, and where its answer goes if anybody wants more of it than
// that VPP did it.
type ask struct {
	request api.Message
	reply   api.Message
}

const (
	frameHeader   = 16 // of which only the length, at 8, means something
	requestHeader = 10 // u16 id, u32 client, u32 context
	replyHeader   = 6  // u16 id, u32 context
	createID      = 15 // of sockclnt_create, in every VPP

	patience = 5 * time.Minute // with one call
)

// openWire connects to VPP. What is sent from then on is counted.
func openWire(socket string, t *tally) (*wire, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, in: bufio.NewReaderSize(conn, 1<<16), out: bufio.NewWriterSize(conn, 1<<16), tally: new(tally)}
	w.begin()
	if err := w.handshake(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake with VPP: %w", err)
	}
	w.tally = t
	return w, nil
}

func (w *wire) handshake() error {
	if err := w.write(createID, &memclnt.SockclntCreate{Name: "bench"}); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	msg, err := w.next()
	if err != nil {
		return err
	}
	var reply memclnt.SockclntCreateReply
	if err := codec.DecodeMsg(msg, &reply); err != nil {
		return err
	}
	w.client = reply.Index
	w.ids, w.known = make(map[string]uint16, len(reply.MessageTable)), make(map[string]uint16)
	for _, m := range reply.MessageTable {
		name, _, _ := strings.Cut(m.Name, "\x13") // some end in it
		w.ids[name] = m.Index
	}
	return nil
}

func (w *wire) begin() { _ = w.conn.SetDeadline(time.Now().Add(patience)) }

func (w *wire) close() { _ = w.conn.Close() }

func (w *wire) id(m api.Message) (uint16, error) {
	name := m.GetMessageName()
	id, ok := w.known[name]
	if !ok {
		if id, ok = w.ids[name+"_"+m.GetCrcString()]; !ok {
			return 0, fmt.Errorf("VPP lacks %s", name)
		}
		w.known[name] = id
	}
	return id, nil
}

func (w *wire) write(id uint16, m api.Message) error {
	body, ok := m.(codec.Marshaler)
	if !ok {
		return fmt.Errorf("%s cannot be encoded", m.GetMessageName())
	}
	head := requestHeader
	if m.GetMessageType() != api.RequestMessage {
		head = replyHeader // sockclnt_create: no client yet
	}
	size := head + body.Size()
	if cap(w.buf) < frameHeader+size {
		w.buf = make([]byte, frameHeader+size)
	}
	f := w.buf[:frameHeader+size]
	clear(f)
	binary.BigEndian.PutUint32(f[8:], uint32(size))
	f = f[frameHeader:]
	binary.BigEndian.PutUint16(f, id)
	if head == requestHeader {
		binary.BigEndian.PutUint32(f[2:], w.client)
	}
	if _, err := body.Marshal(f[head:]); err != nil {
		return err
	}
	w.note(m.GetMessageName())
	_, err := w.out.Write(w.buf[:frameHeader+size])
	return err
}

// next is the next message, valid until called again.
func (w *wire) next() ([]byte, error) {
	head, err := w.in.Peek(frameHeader)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[8:]))
	_, _ = w.in.Discard(frameHeader)
	if n <= w.in.Size() {
		msg, err := w.in.Peek(n)
		_, _ = w.in.Discard(len(msg))
		return msg, err
	}
	msg := make([]byte, n)
	_, err = io.ReadFull(w.in, msg)
	return msg, err
}

// all sends requests as fast as VPP takes them.
func (w *wire) all(asks []ask) error {
	w.begin()
	sent := make(chan error, 1)
	go func() {
		err := w.send(asks)
		if err != nil {
			_ = w.conn.SetReadDeadline(time.Now()) // no answer is to come
		}
		sent <- err
	}()
	err := w.receive(asks)
	if err != nil {
		_ = w.conn.SetWriteDeadline(time.Now()) // nor is it worth to go on
	}
	return errors.Join(err, <-sent) // one of them made the other
}

// each sends one request after the answer to the one before.
func (w *wire) each(asks []ask) error {
	w.begin()
	for i := range asks {
		if err := w.send(asks[i : i+1]); err != nil {
			return err
		}
		if err := w.receive(asks[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (w *wire) send(asks []ask) error {
	for _, a := range asks {
		id, err := w.id(a.request)
		if err != nil {
			return err
		}
		if err := w.write(id, a.request); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

func (w *wire) receive(asks []ask) error {
	for _, a := range asks {
		msg, err := w.next()
		if err != nil {
			return err
		}
		at := replyHeader
		if numbered[a.request.GetMessageName()] {
			at += 4
		}
		if len(msg) < at+4 {
			return fmt.Errorf("%s: answer of %d bytes", a.request.GetMessageName(), len(msg))
		}
		if retval := int32(binary.BigEndian.Uint32(msg[at:])); retval != 0 {
			return fmt.Errorf("%s: %w", a.request.GetMessageName(), api.RetvalToVPPApiError(retval))
		}
		if a.reply != nil {
			if err := codec.DecodeMsg(msg, a.reply); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbered are requests whose answer has a number before its return value.
var numbered = map[string]bool{"acl_add_replace": true, "macip_acl_add_replace": true}

// sendDump sends a dump and a ping behind it, whose answer is its end.
func (w *wire) sendDump(m api.Message) error {
	return w.send([]ask{{request: m}, {request: &memclnt.ControlPing{}}})
}

// receiveDump hands each of a dump's details, decoded by blank, to keep.
func receiveDump[D api.Message](w *wire, blank func() D, keep func(D)) error {
	want, err := w.id(blank())
	if err != nil {
		return err
	}
	end, err := w.id(&memclnt.ControlPingReply{})
	if err != nil {
		return err
	}
	for {
		msg, err := w.next()
		if err != nil {
			return err
		}
		switch id := binary.BigEndian.Uint16(msg); id {
		case end:
			return nil
		case want:
			d := blank()
			if err := codec.DecodeMsg(msg, d); err != nil {
				return err
			}
			keep(d)
		default:
			return fmt.Errorf("message %d in a dump", id)
		}
	}
}
