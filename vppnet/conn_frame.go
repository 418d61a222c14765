// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/codec"
)

// On the socket each message has a header of 16 bytes, of which only the
// length means something. A request is {u16 id; u32 client; u32 context; …},
// a reply {u16 id; u32 context; …}, all big-endian.
const (
	frameHeader   = 16
	requestHeader = 10
	replyHeader   = 6

	// maxFrame is far above what VPP sends (the largest, get_api_json, has
	// some MB): a longer frame means that the stream is out of step.
	maxFrame = 64 << 20
)

// appendFrame encodes msg at the end of buf, with context 0.
func appendFrame(buf []byte, id uint16, client uint32, msg api.Message) (frame []byte, err error) {
	m, ok := msg.(codec.Marshaler)
	if !ok {
		m = codec.Wrapper{Message: msg}
	}
	defer func() { // generated code panics on lists that disagree with the message's limits
		if p := recover(); p != nil {
			frame, err = buf, fmt.Errorf("cannot encode: %v", p)
		}
	}()
	header := bodyOffset(msg)
	size := header + m.Size()
	start := len(buf)
	frame = slices.Grow(buf, frameHeader+size)[:start+frameHeader+size]
	f := frame[start:]
	clear(f)
	binary.BigEndian.PutUint32(f[8:], uint32(size))
	binary.BigEndian.PutUint16(f[frameHeader:], id)
	if header == requestHeader {
		binary.BigEndian.PutUint32(f[frameHeader+2:], client)
	}
	if _, err = m.Marshal(f[frameHeader+header:]); err != nil {
		return buf, fmt.Errorf("cannot encode: %w", err)
	}
	return frame, nil
}

// setContext numbers a frame made by appendFrame.
func setContext(frame []byte, context uint32) {
	binary.BigEndian.PutUint32(frame[frameHeader+requestHeader-4:], context)
}

func bodyOffset(msg api.Message) int {
	if msg.GetMessageType() == api.RequestMessage {
		return requestHeader
	}
	return replyHeader
}

// decode puts an answer to req into reply, and says what VPP thinks of the request.
func (c *Conn) decode(msg []byte, req *request, want *reply, reply api.Message) error {
	id := binary.BigEndian.Uint16(msg)
	if !c.answers(id, req, want) {
		return &Error{Message: req.name, Unknown: true, Err: fmt.Errorf("%w: %s instead of %s", ErrUnexpectedReply, c.table.name(id), reply.GetMessageName())}
	}
	if want.retval < 0 {
		return c.unmarshal(msg, req, reply)
	}
	field := reflect.ValueOf(reply).Elem().Field(want.retval)
	if retval := first(msg, reply); want.lists && want.retval == 0 && retval != 0 {
		field.SetInt(int64(retval))
	} else if err := c.unmarshal(msg, req, reply); err != nil {
		return err
	}
	if retval := int32(field.Int()); retval != 0 {
		return &Error{Message: req.name, Retval: retval, Reply: reply, Err: api.VPPApiError(retval)}
	}
	return nil
}

func (c *Conn) unmarshal(msg []byte, req *request, reply api.Message) error {
	if err := unmarshal(msg, reply); err != nil {
		return &Error{Message: req.name, Unknown: true, Err: err}
	}
	return nil
}

// first is the first field of a message, where most replies have their retval.
func first(msg []byte, m api.Message) int32 {
	if at := bodyOffset(m); len(msg) >= at+4 {
		return int32(binary.BigEndian.Uint32(msg[at:]))
	}
	return 0
}

// frames cuts what a socket delivers into messages.
type frames struct {
	buf  []byte
	r, w int // unread bytes are buf[r:w]
}

const frameBuffer = 64 << 10

// next returns the next message whole, which is valid until fill. It is nil if more has to be read first.
func (f *frames) next() ([]byte, error) {
	if f.w-f.r < frameHeader {
		return nil, nil
	}
	size := binary.BigEndian.Uint32(f.buf[f.r+8:])
	if size < replyHeader || size > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes", size)
	}
	end := f.r + frameHeader + int(size)
	if end > f.w {
		return nil, nil
	}
	msg := f.buf[f.r+frameHeader : end : end]
	f.r = end
	return msg, nil
}

// fill reads once. The buffer grows with what arrives, not with what a header announces.
func (f *frames) fill(r io.Reader) error {
	switch {
	case f.r == f.w:
		f.r, f.w = 0, 0
		if len(f.buf) != frameBuffer {
			f.buf = make([]byte, frameBuffer)
		}
	case f.w == len(f.buf) && f.r > 0:
		f.w = copy(f.buf, f.buf[f.r:f.w])
		f.r = 0
	case f.w == len(f.buf):
		f.buf = append(f.buf, make([]byte, len(f.buf))...)
	}
	n, err := r.Read(f.buf[f.w:])
	f.w += n
	if n > 0 {
		return nil
	}
	return err
}
