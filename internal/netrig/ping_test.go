// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// To ask something else from a namespace costs whoever asks there already nothing,
// however long a search for a neighbour takes; and a neighbour that was searched for in
// vain, but has come, is found at once.
func TestPingsDoNotDisturbEachOther(t *testing.T) {
	const searching = 30 * time.Millisecond
	a, b := New(t, "a"), New(t, "b")
	Veth(t, a, "eth0", b, "eth0")
	a.Address(t, "192.0.2.1/24")
	a.Misses(t, "192.0.2.2")
	out := b.Listen(t, "eth0", func([]byte) {})
	b.Listen(t, "eth0", func(frame []byte) {
		if binary.BigEndian.Uint16(frame[12:]) == 0x0806 {
			time.Sleep(searching)
		}
		if answer(frame) {
			out.Send(frame)
		}
	})

	began := time.Now()
	a.Reaches(t, "192.0.2.2")
	require.Less(t, time.Since(began), 2*time.Second)
	stop := a.Pings(t, "192.0.2.2")
	for began := time.Now(); time.Since(began) < 2*time.Second; {
		a.Reaches(t, "192.0.2.2")
	}
	answers, lost := stop()
	require.Zero(t, lost, "of %d", answers)
}

// An answer that another overtakes is not lost; one that never comes is.
func TestPingsCountWhatNeverCame(t *testing.T) {
	a, b := New(t, "a"), New(t, "b")
	Veth(t, a, "eth0", b, "eth0")
	a.Address(t, "192.0.2.1/24")
	var silent atomic.Bool
	out := b.Listen(t, "eth0", func([]byte) {})
	var late sync.WaitGroup
	t.Cleanup(late.Wait) // when nobody listens any more, and while it can still be sent
	b.Listen(t, "eth0", func(frame []byte) {
		frame = bytes.Clone(frame)
		if !answer(frame) {
			return
		}
		seq := 0
		if binary.BigEndian.Uint16(frame[12:]) == 0x0800 {
			if seq = int(binary.BigEndian.Uint16(frame[40:])); silent.Load() && seq%10 == 0 {
				return
			}
		}
		late.Go(func() {
			time.Sleep(time.Duration(seq%3) * 130 * time.Millisecond)
			out.Send(frame)
		})
	})
	stop := a.Pings(t, "192.0.2.2")
	time.Sleep(2 * time.Second)
	answers, lost := stop()
	require.Greater(t, answers, 10)
	require.Zero(t, lost)

	silent.Store(true)
	stop = a.Pings(t, "192.0.2.2")
	time.Sleep(2 * time.Second)
	answers, lost = stop()
	require.Positive(t, lost)
	require.InDelta(t, (answers+lost)/10, lost, 1, "of %d", answers+lost) // each tenth, from whichever on
}

// What is lost while there is no way yet is not counted: what was asked before the first answer came.
func TestPingsBeginWhenThereIsAWay(t *testing.T) {
	a, b := New(t, "a"), New(t, "b")
	Veth(t, a, "eth0", b, "eth0")
	a.Address(t, "192.0.2.1/24")
	out := b.Listen(t, "eth0", func([]byte) {})
	b.Listen(t, "eth0", func(frame []byte) {
		if !answer(frame) {
			return
		}
		if binary.BigEndian.Uint16(frame[12:]) == 0x0800 {
			switch seq := binary.BigEndian.Uint16(frame[40:]); {
			case seq == 1:
				time.Sleep(300 * time.Millisecond)
			case seq < 8: // what was asked meanwhile
				return
			}
		}
		out.Send(frame)
	})
	stop := a.Pings(t, "192.0.2.2")
	time.Sleep(time.Second)
	answers, lost := stop()
	require.Zero(t, lost, "of %d", answers)
}

// answer makes the answer of a request for a neighbour, whatever its address, or for an
// echo.
func answer(frame []byte) bool {
	me := []byte{2, 0xbb, 0, 0, 0, 1}
	switch {
	case binary.BigEndian.Uint16(frame[12:]) == 0x0806 && frame[21] == 1:
		asker, asked := bytes.Clone(frame[22:32]), bytes.Clone(frame[38:42])
		frame[21] = 2
		copy(frame[22:], append(bytes.Clone(me), asked...))
		copy(frame[32:], asker)
	case binary.BigEndian.Uint16(frame[12:]) == 0x0800 && frame[23] == 1 && frame[34] == 8:
		frame[34] = 0
		sum := uint32(binary.BigEndian.Uint16(frame[36:])) + 0x0800
		binary.BigEndian.PutUint16(frame[36:], uint16(sum+sum>>16))
		source := bytes.Clone(frame[26:30])
		copy(frame[26:], frame[30:34])
		copy(frame[30:], source)
	default:
		return false
	}
	copy(frame, frame[6:12])
	copy(frame[6:], me)
	return true
}
