// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// backend is a device as virtio has it: it takes what is available in order, and is
// done with it in any order.
type backend struct {
	*virtqueue
	taken, done uint16
	busy        []uint16
}

func (b *backend) fetch() bool {
	if b.taken == uint16(*b.word(availableStart)>>16) {
		return false
	}
	b.busy = append(b.busy, binary.LittleEndian.Uint16(b.mem[availableStart+4+2*int(b.taken%queueSize):]))
	b.taken++
	return true
}

func (b *backend) finish(n, written int) (id uint16) {
	id = b.busy[n]
	b.busy = append(b.busy[:n], b.busy[n+1:]...)
	u := b.mem[usedStart+4+8*int(b.done%queueSize):]
	binary.LittleEndian.PutUint32(u, uint32(id))
	binary.LittleEndian.PutUint32(u[4:], uint32(written))
	b.done++
	*b.word(usedStart) = uint32(b.done) << 16
	return id
}

// data is what a descriptor points to.
func (b *backend) data(id uint16) (buffer []byte, flags uint16) {
	d := b.mem[16*int(id):]
	start := binary.LittleEndian.Uint64(d) - b.address
	return b.mem[start:][:binary.LittleEndian.Uint32(d[8:])], binary.LittleEndian.Uint16(d[12:])
}

// Frames arrive whole, once, in the order in which the device took them, however it
// gives buffers back; what was not taken on was refused. Indexes wrap.
func TestTransmitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &transmitter{virtqueue: virtqueue{mem: make([]byte, queueBytes), address: guestAddress}}
		start := rapid.SampledFrom([]uint16{0, 65300}).Draw(t, "index")
		x.available, x.used = start, start
		*x.word(availableStart), *x.word(usedStart) = uint32(start)<<16, uint32(start)<<16
		b := &backend{virtqueue: &x.virtqueue, taken: start, done: start}
		var sent, got []string
		receive := func() {
			if b.fetch() {
				frame, flags := b.data(b.busy[len(b.busy)-1])
				require.Zero(t, flags)
				require.Equal(t, make([]byte, headerSize), frame[:headerSize])
				got = append(got, string(frame[headerSize:]))
			}
		}
		for n := range rapid.IntRange(1, 1000).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				frame := fmt.Sprintf("frame %0*d", n%1900, n)
				pending := int(x.available - b.done)
				require.Equal(t, pending < queueSize, x.send([]byte(frame)))
				if pending < queueSize {
					sent = append(sent, frame)
				}
			case 2:
				receive()
			case 3:
				if len(b.busy) > 0 {
					b.finish(rapid.IntRange(0, len(b.busy)-1).Draw(t, "which"), 0)
				}
			}
		}
		for range queueSize {
			receive()
		}
		require.Equal(t, sent, got)
		require.False(t, x.send(make([]byte, bufferSize-headerSize+1)), "too long")
	})
}

// Whatever the device writes is handed on, once, in its order, and its buffer is
// available again.
func TestReceiver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &receiver{virtqueue{mem: make([]byte, queueBytes), address: guestAddress}}
		r.fill()
		b := &backend{virtqueue: &r.virtqueue}
		var written, got []string
		for n := range rapid.IntRange(1, 1000).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				r.drain(func(frame []byte) { got = append(got, string(frame)) })
				require.EqualValues(t, queueSize, r.available-b.done, "all buffers are available")
			case 1: // of two buffers
				if b.fetch() {
					buffer, _ := b.data(b.busy[len(b.busy)-1])
					binary.LittleEndian.PutUint16(buffer[headerSize-2:], 2)
					b.finish(len(b.busy)-1, headerSize+9)
				}
			case 2, 3:
				b.fetch()
			default:
				if len(b.busy) > 0 {
					k := rapid.IntRange(0, len(b.busy)-1).Draw(t, "which")
					buffer, flags := b.data(b.busy[k])
					require.EqualValues(t, descriptorWrite, flags)
					require.Len(t, buffer, bufferSize)
					frame := fmt.Sprintf("frame %0*d", n%1900, n)
					clear(buffer[:headerSize])
					buffer[headerSize-2] = 1
					copy(buffer[headerSize:], frame)
					b.finish(k, headerSize+len(frame))
					written = append(written, frame)
				}
			}
		}
		r.drain(func(frame []byte) { got = append(got, string(frame)) })
		require.Equal(t, written, got)
	})
}
