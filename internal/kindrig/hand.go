// SPDX-License-Identifier: Apache-2.0

package kindrig

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"
)

// Hand is a client with one connection and no goroutine but the one that writes.
type Hand struct {
	conn   net.Conn
	in     *bufio.Reader
	client uint32
	ids    map[string]uint16
}

// NewHand connects until the benchmark ends.
func NewHand(b *testing.B, socket string) *Hand {
	conn, err := net.Dial("unix", socket)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	h := &Hand{conn: conn, in: bufio.NewReaderSize(conn, 1<<20), ids: map[string]uint16{}}
	hello := make([]byte, 16+2+4+64)
	binary.BigEndian.PutUint32(hello[8:], 70)
	binary.BigEndian.PutUint16(hello[16:], 15)
	copy(hello[22:], "hand")
	_, err = conn.Write(hello)
	require.NoError(b, err)
	reply := new(memclnt.SockclntCreateReply)
	require.NoError(b, codec.DecodeMsg(h.Recv(b), reply))
	h.client = reply.Index
	for _, m := range reply.MessageTable {
		h.ids[m.Name] = m.Index
	}
	return h
}

// Recv is the next message.
func (h *Hand) Recv(b *testing.B) []byte {
	var header [16]byte
	if _, err := io.ReadFull(h.in, header[:]); err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, binary.BigEndian.Uint32(header[8:]))
	if _, err := io.ReadFull(h.in, msg); err != nil {
		b.Fatal(err)
	}
	return msg
}

// Send writes all in one go.
func (h *Hand) Send(b *testing.B, messages []api.Message) {
	var out []byte
	for _, m := range messages {
		msg, err := codec.EncodeMsg(m, h.ids[m.GetMessageName()+"_"+m.GetCrcString()])
		if err != nil {
			b.Fatal(err)
		}
		binary.BigEndian.PutUint32(msg[2:], h.client)
		var header [16]byte
		binary.BigEndian.PutUint32(header[8:], uint32(len(msg)))
		out = append(append(out, header[:]...), msg...)
	}
	go func() { _, _ = h.conn.Write(out) }()
}

// Ask sends all and reads as many replies, whose context and retval come first.
func (h *Hand) Ask(b *testing.B, messages ...api.Message) {
	h.Send(b, messages)
	for range messages {
		if retval := int32(binary.BigEndian.Uint32(h.Recv(b)[6:])); retval != 0 {
			b.Fatal(retval)
		}
	}
}

// Read sends a dump and reads its n details.
func (h *Hand) Read(b *testing.B, dump, details api.Message, n int) {
	h.Send(b, []api.Message{dump, &memclnt.ControlPing{}})
	for range n {
		if err := codec.DecodeMsg(h.Recv(b), details); err != nil {
			b.Fatal(err)
		}
	}
	h.Recv(b)
}
