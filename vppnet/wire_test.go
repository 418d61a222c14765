// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vpe"
	"go.fd.io/govpp/codec"
	"go.uber.org/goleak"

	"github.com/vppkit/vppkit/vppnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is the least that passes for a VPP: the handshake, with random message
// ids, and what a test gives it to say. Tests break it in ways that
// vpptest must not.
type wire struct {
	t      testing.TB
	pid    uint32
	ids    map[string]uint16 // by name_crc
	names  map[uint16]string // by id, without the CRC
	answer map[string]func(*peer, question)

	mu      sync.Mutex
	ln      net.Listener
	peers   []*peer
	asked   []string // names, without handshake and what Dial asks
	forgets bool     // asked
	work    sync.WaitGroup
}

// question is a request as it came. Body is what follows id, client and context.
type question struct {
	name    string
	client  uint32
	context uint32
	body    []byte
}

// newWire makes a VPP that has all messages of the bindings linked into this test.
func newWire(t testing.TB) *wire {
	w := &wire{
		t:      t,
		pid:    rand.Uint32(),
		ids:    make(map[string]uint16),
		names:  make(map[uint16]string),
		answer: make(map[string]func(*peer, question)),
	}
	id := uint16(100 + rand.IntN(1000))
	for _, key := range slices.Sorted(maps.Keys(api.GetRegisteredMessages()["go.fd.io/govpp/binapi"])) {
		id += 1 + uint16(rand.IntN(3))
		w.ids[key] = id
		w.names[id] = key[:len(key)-9]
	}
	w.answer["control_ping"] = func(p *peer, q question) {
		p.reply(q, &memclnt.ControlPingReply{ClientIndex: q.client, VpePID: w.pid})
	}
	w.answer["show_version"] = func(p *peer, q question) {
		p.reply(q, &vpe.ShowVersionReply{Program: "vpe", Version: "25.10-release"})
	}
	t.Cleanup(w.stop)
	return w
}

// lack makes the VPP one without this message, or with it in another version.
func (w *wire) lack(msg api.Message, crc string) {
	key := msg.GetMessageName() + "_" + msg.GetCrcString()
	if crc != "" {
		w.ids[msg.GetMessageName()+"_"+crc] = w.ids[key]
	}
	delete(w.ids, key)
}

func (w *wire) listen(socket string) {
	ln, err := net.Listen("unix", socket)
	require.NoError(w.t, err)
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	w.mu.Lock()
	w.ln = ln
	w.mu.Unlock()
	w.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			w.work.Go(func() { w.serve(conn) })
		}
	})
}

// stop is VPP's death: the sockets close, the file stays.
func (w *wire) stop() {
	w.mu.Lock()
	if w.ln != nil {
		w.ln.Close()
	}
	for _, p := range w.peers {
		p.conn.Close()
	}
	w.mu.Unlock()
	w.work.Wait()
}

func (w *wire) dial(opts ...vppnet.Option) *vppnet.Conn {
	w.t.Helper()
	socket := filepath.Join(w.t.TempDir(), "api.sock")
	w.listen(socket)
	c, err := vppnet.Dial(w.t.Context(), socket, "me", opts...)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// pipe connects without a socket, which is what works inside of synctest.
func (w *wire) pipe(opts ...vppnet.Option) *vppnet.Conn {
	w.t.Helper()
	c, err := vppnet.Dial(context.Background(), "", "me", append(opts, vppnet.WithTransport(func() (net.Conn, error) {
		ours, theirs := net.Pipe()
		go w.serve(theirs)
		return ours, nil
	}))...)
	require.NoError(w.t, err)
	return c
}

func (w *wire) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) < 2 {
		return nil
	}
	return slices.Clone(w.asked[2:])
}

// peer is one client, seen from VPP.
type peer struct {
	w    *wire
	conn net.Conn
	mu   sync.Mutex
	out  *bufio.Writer
}

func (w *wire) serve(conn net.Conn) {
	defer conn.Close()
	p := &peer{w: w, conn: conn, out: bufio.NewWriterSize(conn, 64<<10)}
	w.mu.Lock()
	w.peers = append(w.peers, p)
	w.mu.Unlock()
	in := bufio.NewReaderSize(conn, 64<<10)
	var buf []byte
	header := make([]byte, 16)
	for {
		if in.Buffered() == 0 {
			p.flush()
		}
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		buf = append(buf[:0], make([]byte, binary.BigEndian.Uint32(header[8:]))...)
		if _, err := io.ReadFull(in, buf); err != nil {
			return
		}
		id := binary.BigEndian.Uint16(buf)
		if id == 15 {
			p.welcome(buf)
			continue
		}
		q := question{w.names[id], binary.BigEndian.Uint32(buf[2:]), binary.BigEndian.Uint32(buf[6:]), buf[10:]}
		w.mu.Lock()
		if !w.forgets {
			w.asked = append(w.asked, q.name)
		}
		answer := w.answer[q.name]
		w.mu.Unlock()
		if answer != nil {
			answer(p, q)
		}
	}
}

const clientIndex = 0x80000007

func (p *peer) welcome(msg []byte) {
	r := &memclnt.SockclntCreateReply{Index: clientIndex}
	for name, id := range p.w.ids {
		r.MessageTable = append(r.MessageTable, memclnt.MessageTableEntry{Index: id, Name: name})
	}
	r.Count = uint16(len(r.MessageTable))
	data, err := codec.EncodeMsg(r, 16)
	require.NoError(p.w.t, err)
	copy(data[6:], msg[2:6])
	p.raw(frame(data))
}

// reply answers q with msg, which need not be the right one.
func (p *peer) reply(q question, msg api.Message) { p.send(q.context, msg) }

func (p *peer) send(context uint32, msg api.Message) {
	m := msg.(codec.Marshaler)
	at := 6
	if msg.GetMessageType() == api.RequestMessage {
		at = 10
	}
	data := make([]byte, at+m.Size())
	binary.BigEndian.PutUint16(data, p.w.ids[msg.GetMessageName()+"_"+msg.GetCrcString()])
	binary.BigEndian.PutUint32(data[at-4:], context)
	if _, err := m.Marshal(data[at:]); err != nil {
		p.w.t.Error(err)
	}
	p.raw(frame(data))
}

// event sends what nobody asked for.
func (p *peer) event(msg api.Message) {
	p.send(clientIndex, msg)
	p.flush()
}

func (p *peer) raw(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
}

func (p *peer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Flush()
}

func frame(msg []byte) []byte {
	b := make([]byte, 16, 16+len(msg))
	binary.BigEndian.PutUint32(b[8:], uint32(len(msg)))
	return append(b, msg...)
}
