// SPDX-License-Identifier: Apache-2.0

//go:build linux

package netrig

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Frames cross a bridge as they are, with no, one or two tags, in order, and are heard
// where they arrive only; all that was made goes with the test.
func TestFramesCrossABridge(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("and go with the test", func(t *testing.T) {
		middle, a, b := New(t, "middle"), New(t, "a"), New(t, "b")
		middle.Bridge(t, "bridge0")
		middle.Plug(t, "bridge0", "to-a", a, "eth0")
		middle.Plug(t, "bridge0", "to-b", b, "eth0")
		source := []byte{2, 0xaa, 0, 0, 0, 1}
		mine := func(frame []byte) bool { return bytes.Equal(frame[6:12], source) }
		ours, theirs, onTheWay := a.Capture(t, "eth0", mine), b.Capture(t, "eth0", mine), middle.Capture(t, "to-a", mine)
		wire := a.Listen(t, "eth0", func([]byte) {})

		var want [][]byte
		for _, tags := range [][]uint16{nil, {0x8100, 101}, {0x8100, 7<<13 | 4094}, {0x88a8, 5, 0x8100, 6}} {
			frame := append([]byte{2, 0xbb, 0, 0, 0, 1}, source...)
			for _, word := range append(tags, 0x88b5) {
				frame = binary.BigEndian.AppendUint16(frame, word)
			}
			want = append(want, append(frame, make([]byte, 60)...))
		}
		var sent [][]byte
		require.Eventually(t, func() bool { // a new bridge port may lose some
			for _, frame := range want {
				wire.Send(frame)
			}
			sent = append(sent, want...)
			return len(theirs.Frames()) >= len(want)
		}, 10*time.Second, 20*time.Millisecond)
		require.Eventually(t, func() bool { return len(onTheWay.Frames()) >= len(sent) }, 10*time.Second, 10*time.Millisecond)
		require.Equal(t, sent, onTheWay.Frames())
		require.Eventually(t, func() bool {
			got := theirs.Frames()
			return slices.EqualFunc(got, sent[len(sent)-len(got):], bytes.Equal)
		}, 10*time.Second, 10*time.Millisecond, "the last that were sent")
		require.Empty(t, ours.Frames(), "what a sends does not arrive there")
	})
	goleak.VerifyNone(t, before)
}
