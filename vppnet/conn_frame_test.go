// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memclnt"
)

func readAll(r io.Reader) (msgs [][]byte, err error) {
	var f frames
	for {
		msg, err := f.next()
		if err != nil {
			return msgs, err
		}
		if msg != nil {
			msgs = append(msgs, bytes.Clone(msg))
			continue
		}
		if err := f.fill(r); err != nil {
			return msgs, err
		}
	}
}

func TestFramesAreCutWhereverTheyAreSplit(t *testing.T) {
	var wire []byte
	var want [][]byte
	for _, size := range []int{6, 7, 4096, frameBuffer - 16, frameBuffer, 5 * frameBuffer, 6} {
		msg := bytes.Repeat([]byte{byte(size)}, size)
		want = append(want, msg)
		wire = append(binary.BigEndian.AppendUint32(append(wire, make([]byte, 8)...), uint32(size)), 0, 0, 0, 0)
		wire = append(wire, msg...)
	}
	for _, r := range []io.Reader{bytes.NewReader(wire), iotest.OneByteReader(bytes.NewReader(wire)), iotest.HalfReader(bytes.NewReader(wire))} {
		got, err := readAll(r)
		require.Equal(t, io.EOF, err)
		require.Equal(t, want, got)
	}
}

// A header that announces much costs nothing until it comes.
func TestAnnouncedFrameIsNotAllocated(t *testing.T) {
	var f frames
	header := binary.BigEndian.AppendUint32(make([]byte, 8, 16), maxFrame)
	require.NoError(t, f.fill(bytes.NewReader(append(header, make([]byte, 5)...))))
	msg, err := f.next()
	require.NoError(t, err)
	require.Nil(t, msg)
	require.LessOrEqual(t, len(f.buf), frameBuffer)
}

// Whatever comes, the parser cuts it as a whole or says that it cannot, the same however it is split.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{8: 0, 0, 0, 6, 15: 0, 21: 1}, uint8(1))
	f.Add([]byte{8: 0xff, 0xff, 0xff, 0xff, 15: 0}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		want, wantErr := readAll(bytes.NewReader(b))
		got, err := readAll(&steps{b, int(step)%7 + 1})
		require.Equal(t, want, got)
		require.Equal(t, wantErr, err)
	})
}

type steps struct {
	b []byte
	n int
}

func (s *steps) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b[:min(s.n, len(s.b))])
	s.b = s.b[n:]
	return n, nil
}

// Whatever VPP answers, a call ends with its reply or an error.
func FuzzReply(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Add([]byte{0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff})
	f.Add([]byte{0, 3, 0, 0})
	replies := []api.Message{&interfaces.SwInterfaceSetFlagsReply{}, &memclnt.GetAPIJSONReply{}, &memclnt.ControlPingReply{}}
	ids := make(map[string]uint16)
	for i, r := range replies {
		ids[nameCRC(r)] = uint16(i + 1)
	}
	c := &Conn{table: newTable(ids)}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) < replyHeader { // frames sees to that
			return
		}
		for _, r := range replies {
			want, err := c.reply(r)
			require.NoError(t, err)
			if err := c.decode(msg, &request{name: "x"}, want, r); err != nil {
				var e *Error
				require.True(t, errors.As(err, &e))
				require.True(t, e.Retval != 0 || errors.Is(err, ErrUnexpectedReply))
			}
		}
		c.table.context(binary.BigEndian.Uint16(msg), msg)
		c.table.name(binary.BigEndian.Uint16(msg))
	})
}

// A name as long as its field leaves nothing of what the buffer held before.
func TestEncodingLeavesNothingOfTheLastMessage(t *testing.T) {
	long := &interfaces.SwInterfaceTagAddDel{Tag: string(bytes.Repeat([]byte{'x'}, 64))}
	frame, err := appendFrame(nil, 1, 2, long)
	require.NoError(t, err)
	short := &interfaces.SwInterfaceTagAddDel{Tag: "y"}
	want, err := appendFrame(nil, 1, 2, short)
	require.NoError(t, err)
	got, err := appendFrame(frame[:0], 1, 2, short)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
