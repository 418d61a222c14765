// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// One VPP goes, and the next one is made to be as the first was; what is waited for is told.
func TestFollow(t *testing.T) {
	vpp := vpptest.New(t)
	s := desiredstate.NewStore()
	require.NoError(t, s.Put(vppnet.BridgeDomain{Name: "net"}))
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var reports []string
	report := vppnet.WithReport(func(err error, wait time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		require.Positive(t, wait)
		reports = append(reports, err.Error())
	})
	done := make(chan error, 1)
	go func() {
		done <- vppnet.Follow(ctx, vpp.Socket(), "me", func(ctx context.Context, c *vppnet.Conn) error {
			return desiredstate.New(vppnet.BridgeDomains(c)).Run(ctx, s, 0)
		}, report)
	}()
	for range 2 {
		require.Eventually(t, func() bool { return strings.Contains(vpp.String(), "me/net") }, 10*time.Second, time.Millisecond)
		require.NoError(t, vpp.Restart())
	}
	require.Eventually(t, func() bool { return strings.Contains(vpp.String(), "me/net") }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, reports)
	require.Contains(t, reports[0], "VPP has gone")
}

// Another VPP takes the place of one that lives on: it is served, and the first one is left alone.
func TestFollowAnother(t *testing.T) {
	first := vpptest.New(t)
	time.Sleep(20 * time.Millisecond) // the time of a file is no finer
	second := vpptest.New(t)
	dir, err := os.MkdirTemp("", "follow")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "api.sock")
	require.NoError(t, os.Symlink(first.Socket(), path))
	s := desiredstate.NewStore()
	require.NoError(t, s.Put(vppnet.BridgeDomain{Name: "net"}))
	go func() {
		_ = vppnet.Follow(t.Context(), path, "me", func(ctx context.Context, c *vppnet.Conn) error {
			return desiredstate.New(vppnet.BridgeDomains(c)).Run(ctx, s, 0)
		})
	}()
	require.Eventually(t, func() bool { return strings.Contains(first.String(), "me/net") }, 10*time.Second, time.Millisecond)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink(second.Socket(), path))
	require.Eventually(t, func() bool { return strings.Contains(second.String(), "me/net") }, 10*time.Second, time.Millisecond)
	require.Contains(t, first.String(), "me/net")
}

func TestFollowEnds(t *testing.T) {
	vpp := vpptest.New(t)
	calls := 0
	failed := errors.New("not this time")
	var told error
	err := vppnet.Follow(t.Context(), vpp.Socket(), "me", func(context.Context, *vppnet.Conn) error {
		if calls++; calls == 1 {
			return failed
		}
		return nil
	}, vppnet.WithReport(func(err error, _ time.Duration) { told = err }))
	require.NoError(t, err)
	require.Equal(t, 2, calls)
	require.ErrorIs(t, told, failed)
	require.Error(t, vppnet.Follow(t.Context(), vpp.Socket(), "no/owner", nil))

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var tries int
	err = vppnet.Follow(ctx, vpp.Socket()+"-not", "me", nil, vppnet.WithReport(func(error, time.Duration) { tries++ }))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Positive(t, tries)
}

// A use that closes its Conn, as Go programs do with what they are given, and returns nil has ended Follow.
func TestFollowEndsWhenUseHasClosedItsConn(t *testing.T) {
	vpp := vpptest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	calls := 0
	err := vppnet.Follow(ctx, vpp.Socket(), "me", func(_ context.Context, c *vppnet.Conn) error {
		defer c.Close()
		calls++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, calls)
}

// What a Conn dies of is one of the errors that the package has, also where Follow left its VPP.
func TestConnThatFollowLeavesDiesOfANamedError(t *testing.T) {
	first := vpptest.New(t)
	time.Sleep(20 * time.Millisecond)
	second := vpptest.New(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	require.NoError(t, os.Symlink(first.Socket(), socket))
	var died error
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n := 0
	_ = vppnet.Follow(ctx, socket, "me", func(ctx context.Context, c *vppnet.Conn) error {
		if n++; n > 1 {
			return nil
		}
		next := filepath.Join(dir, "t")
		require.NoError(t, os.Symlink(second.Socket(), next))
		require.NoError(t, os.Rename(next, socket))
		<-ctx.Done()
		died = c.Err()
		return died
	})
	require.ErrorIs(t, died, vppnet.ErrDisconnected)
}
