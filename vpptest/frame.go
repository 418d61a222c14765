// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bufio"
	"encoding/binary"
	"io"

	"go.fd.io/govpp/api"
)

// A message on the socket follows a header of 16 bytes, of which only the length,
// big-endian at offset 8, means something to the other side.
const (
	headerSize = 16
	lengthAt   = 8
)

// trusted is how much is allocated on the word of a header alone. VPP waits in
// silence for a frame that announces 2 GiB; so does readFrame, without the memory.
const trusted = 1 << 20

// readFrame returns the next message, in memory of its own.
func readFrame(r *bufio.Reader) ([]byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(header[lengthAt:]))
	msg := make([]byte, min(n, trusted))
	for done := 0; ; {
		if _, err := io.ReadFull(r, msg[done:]); err != nil {
			return nil, err
		}
		if done = len(msg); done == n {
			return msg, nil
		}
		msg = append(msg, make([]byte, min(n-done, done))...)
	}
}

// appendFrame adds msg with its header to buf.
func appendFrame(buf, msg []byte) []byte {
	var header [headerSize]byte
	binary.BigEndian.PutUint32(header[lengthAt:], uint32(len(msg)))
	return append(append(buf, header[:]...), msg...)
}

// another tells whether r holds a whole frame already, so that reading it cannot
// block: answers are written out only when the input has run dry.
func another(r *bufio.Reader) bool {
	if r.Buffered() < headerSize {
		return false
	}
	header, err := r.Peek(headerSize)
	return err == nil && r.Buffered()-headerSize >= int(binary.BigEndian.Uint32(header[lengthAt:]))
}

// Where a message carries what. A request begins with id, client index and
// context, a reply with id and context, an event with id and client index.
const (
	idAt             = 0
	clientAt         = 2
	requestContextAt = 6
	replyContextAt   = 2
	requestHead      = 10
)

// contextAt is where an answer of this type has its context. Some begin like requests,
// with a client index (sockclnt_create_reply, feature_is_enabled_reply), and bindings
// call them so. Events have none.
func contextAt(m api.Message) (at int, ok bool) {
	switch m.GetMessageType() {
	case api.RequestMessage:
		return requestContextAt, true
	case api.ReplyMessage:
		return replyContextAt, true
	}
	return 0, false
}

// contextOf reads the context of an answer; false: it has none.
func contextOf(m api.Message, msg []byte) (uint32, bool) {
	at, ok := contextAt(m)
	if !ok || len(msg) < at+4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(msg[at:]), true
}
