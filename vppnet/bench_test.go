// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/codec"

	"github.com/vppkit/vppkit/vppnet"
)

// Each benchmark times Conn, and then the same by a client written for nothing
// but that, which is the floor: "x-floor" is how many times as long Conn takes.
// The server shares the machine with both.

const dumpSize = 10_000

func benchWire(b *testing.B) *wire {
	w := newWire(b)
	w.forgets = true
	pong := frame(make([]byte, 18))
	binary.BigEndian.PutUint16(pong[16:], w.ids["control_ping_reply_f6b0b8ca"])
	w.answer["control_ping"] = func(p *peer, q question) {
		binary.BigEndian.PutUint32(pong[18:], q.context)
		p.raw(pong)
	}
	details := &interfaces.SwInterfaceDetails{InterfaceName: "GigabitEthernet0/1/0", InterfaceDevType: "dpdk", Tag: "me/vm1"}
	data, err := codec.EncodeMsg(details, w.ids["sw_interface_details_6c221fc7"])
	require.NoError(b, err)
	data = frame(data)
	w.answer["sw_interface_dump"] = func(p *peer, q question) {
		binary.BigEndian.PutUint32(data[18:], q.context)
		for range dumpSize {
			p.raw(data)
		}
	}
	return w
}

// floor is a client that does one thing at a time and checks nothing.
type floor struct {
	w    *wire
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer
	buf  []byte
}

func newFloor(b *testing.B, w *wire) *floor {
	conn, err := net.Dial("unix", w.ln.Addr().String())
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	f := &floor{w: w, conn: conn, in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 64<<10)}
	return f
}

func (f *floor) ask(name string, size int, context uint32) {
	if cap(f.buf) < 26+size {
		f.buf = make([]byte, 26+size)
	}
	msg := f.buf[:26+size]
	clear(msg)
	binary.BigEndian.PutUint32(msg[8:], uint32(10+size))
	binary.BigEndian.PutUint16(msg[16:], f.w.ids[name])
	binary.BigEndian.PutUint32(msg[22:], context)
	f.out.Write(msg)
}

func (f *floor) recv(b *testing.B) []byte {
	var header [16]byte
	if _, err := io.ReadFull(f.in, header[:]); err != nil {
		b.Fatal(err)
	}
	n := int(binary.BigEndian.Uint32(header[8:]))
	msg, err := f.in.Peek(n)
	if err != nil {
		b.Fatal(err)
	}
	f.in.Discard(n)
	return msg
}

// compare runs both, and reports the Conn's figures and the ratio.
func compare(b *testing.B, conn, floor func(n int)) {
	b.ReportAllocs()
	b.ResetTimer()
	begin := time.Now()
	conn(b.N)
	took := time.Since(begin)
	b.StopTimer()
	begin = time.Now()
	floor(b.N)
	least := time.Since(begin)
	b.ReportMetric(float64(took)/float64(least), "x-floor")
	b.ReportMetric(float64(least)/float64(b.N), "floor-ns/op")
}

func BenchmarkInvoke(b *testing.B) {
	w := benchWire(b)
	c, f := w.dial(), newFloor(b, w)
	compare(b, func(n int) {
		var reply memclnt.ControlPingReply
		for range n {
			if err := c.Invoke(context.Background(), &memclnt.ControlPing{}, &reply); err != nil {
				b.Fatal(err)
			}
		}
	}, func(n int) {
		var reply memclnt.ControlPingReply
		for i := range n {
			f.ask("control_ping_51077d14", 0, uint32(i))
			f.out.Flush()
			if err := codec.DecodeMsg(f.recv(b), &reply); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkInvoke64 has 64 goroutines that call; the floor keeps 64 requests in flight from one.
func BenchmarkInvoke64(b *testing.B) {
	const inFlight = 64
	w := benchWire(b)
	c, f := w.dial(), newFloor(b, w)
	compare(b, func(n int) {
		var all sync.WaitGroup
		for g := range inFlight {
			all.Go(func() {
				var reply memclnt.ControlPingReply
				for i := g; i < n; i += inFlight {
					if err := c.Invoke(context.Background(), &memclnt.ControlPing{}, &reply); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
	}, func(n int) {
		var reply memclnt.ControlPingReply
		for sent, got := 0, 0; got < n; got++ {
			for ; sent < n && sent-got < inFlight; sent++ {
				f.ask("control_ping_51077d14", 0, uint32(sent))
			}
			if f.in.Buffered() == 0 {
				f.out.Flush()
			}
			if err := codec.DecodeMsg(f.recv(b), &reply); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDump10000(b *testing.B) {
	w := benchWire(b)
	c, f := w.dial(), newFloor(b, w)
	compare(b, func(n int) {
		for range n {
			all, err := vppnet.Collect(dump(b.Context(), c))
			if err != nil || len(all) != dumpSize {
				b.Fatal(len(all), err)
			}
		}
	}, func(n int) {
		pong := w.ids["control_ping_reply_f6b0b8ca"]
		for range n {
			f.ask("sw_interface_dump_aa610c27", 4+1+4+64, 1)
			f.ask("control_ping_51077d14", 0, 1)
			f.out.Flush()
			var all []*interfaces.SwInterfaceDetails
			for {
				msg := f.recv(b)
				if binary.BigEndian.Uint16(msg) == pong {
					break
				}
				d := new(interfaces.SwInterfaceDetails)
				if err := codec.DecodeMsg(msg, d); err != nil {
					b.Fatal(err)
				}
				all = append(all, d)
			}
			if len(all) != dumpSize {
				b.Fatal(len(all))
			}
		}
	})
}
