// SPDX-License-Identifier: Apache-2.0

//go:build linux

package snoop_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/snoop"
	"github.com/vppkit/vppkit/examples/agent/snoop/snooptest"
)

func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "snoop")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "memif")
}

// All frames come whole and in order, however long, and however often the ring goes round.
func TestFramesComeAsTheyWereSent(t *testing.T) {
	var all [][]byte
	for i := range 5000 {
		frame := make([]byte, 60+rand.IntN(100))
		if i%500 == 0 {
			frame = make([]byte, 2048*(1+i%3)+rand.IntN(2)) // the ends of buffers
		}
		for j := range frame {
			frame[j] = byte(rand.Uint32())
		}
		all = append(all, frame)
	}
	path := socket(t)
	master := &snooptest.Master{Frames: all}
	master.Listen(t, path)
	m, err := snoop.Dial(path, 7, "secret")
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, "secret", <-master.Secrets)
	for i, want := range all {
		got, err := m.Next(time.Now().Add(5 * time.Second))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "frame %d", i)
	}
	_, err = m.Next(time.Now().Add(50 * time.Millisecond))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestWhoCannotGetFramesIsTold(t *testing.T) {
	path := socket(t)
	_, err := snoop.Dial(path, 0, "")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = snoop.Dial(path, 0, "longer than twenty-three bytes")
	require.Error(t, err)

	(&snooptest.Master{Refuse: "incorrect secret"}).Listen(t, path)
	_, err = snoop.Dial(path, 0, "wrong")
	require.ErrorContains(t, err, `VPP refuses: "incorrect secret"`)
	_, err = snoop.Dial(path, 0, "longer than twenty-three bytes")
	require.ErrorContains(t, err, "longer than 23 bytes")

	path = socket(t)
	(&snooptest.Master{Frames: [][]byte{{1, 2, 3}}, Lie: true}).Listen(t, path)
	m, err := snoop.Dial(path, 0, "")
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Next(time.Now().Add(5 * time.Second))
	require.ErrorContains(t, err, "longer than it can be")
}
