// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/vppnet"
)

// A restarted VPP leaves a gap in which the old file refuses, and has other ids.
func TestDialAgainAfterARestart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	old := newWire(t)
	old.listen(socket)
	c1, err := vppnet.Dial(t.Context(), socket, "me")
	require.NoError(t, err)
	defer c1.Close()
	again, err := vppnet.Dial(t.Context(), socket, "me")
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, c1.VPP(), again.VPP(), "the same run of VPP")
	require.Equal(t, "25.10-release", c1.VPP().Version)
	require.Equal(t, old.pid, c1.VPP().PID)
	require.WithinDuration(t, time.Now(), c1.VPP().Started, time.Minute)

	old.stop()
	<-c1.Done()
	restarted := newWire(t)
	restarted.pid = old.pid // as in a container
	go func() {
		time.Sleep(100 * time.Millisecond)
		os.Remove(socket)
		time.Sleep(100 * time.Millisecond)
		restarted.listen(socket)
	}()
	c2, err := vppnet.Dial(t.Context(), socket, "me")
	require.NoError(t, err)
	defer c2.Close()
	require.NoError(t, ping(t.Context(), c2))
	require.NotEqual(t, c1.VPP(), c2.VPP(), "another run of VPP")
	require.ErrorIs(t, ping(t.Context(), c1), vppnet.ErrDisconnected, "the old Conn stays dead")
	require.True(t, c1.Has("control_ping_51077d14"), "and keeps its verdict on the messages")
}

func TestDialFailsAtOnceWhereWaitingIsNoHelp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, owner := range []string{"", strings.Repeat("x", 32), "a/b", "a+b", "é"} {
		_, err := vppnet.Dial(ctx, "/nowhere", owner)
		require.ErrorContains(t, err, "owner")
	}
	_, err := vppnet.Dial(ctx, "/nowhere", "me", vppnet.WithReplyTimeout(0))
	require.ErrorContains(t, err, "positive")
	_, err = vppnet.Dial(ctx, "/"+strings.Repeat("x", 200), "me")
	require.Error(t, err, "no socket has such a long path")

	socket := filepath.Join(t.TempDir(), "other.sock")
	ln, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		conn.Read(make([]byte, 100))
		conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
		conn.Close()
	}()
	_, err = vppnet.Dial(ctx, socket, "me")
	require.ErrorContains(t, err, "frame of")

	w := newWire(t)
	w.lack(&memclnt.ControlPing{}, "")
	w.listen(filepath.Join(t.TempDir(), "vpp.sock"))
	_, err = vppnet.Dial(ctx, w.ln.Addr().String(), "me")
	require.ErrorIs(t, err, vppnet.ErrUnsupported)
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := vppnet.Dial(ctx, filepath.Join(t.TempDir(), "api.sock"), "me")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, fs.ErrNotExist)

	// Also in the middle of a handshake that nobody answers.
	socket := filepath.Join(t.TempDir(), "mute.sock")
	ln, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer ln.Close()
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = vppnet.Dial(ctx, socket, "me")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 5*time.Second)
}

// What no waiting can help is an error at once.
func TestDialRefusesWhatCannotBe(t *testing.T) {
	_, err := vppnet.Dial(t.Context(), "/run/vpp/\x00.sock", "me")
	require.ErrorContains(t, err, "no path has a zero in it")
	_, err = vppnet.Dial(t.Context(), filepath.Join(t.TempDir(), "s"), "me", nil)
	require.ErrorContains(t, err, "option 0 is nil")
}
