// SPDX-License-Identifier: Apache-2.0

//go:build linux

package controller_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/controller"
)

// A journal on a disk that is full refuses entries, and says that it is to be opened anew. That loses none that were
// accepted, and with room again it goes on.
func TestTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("NOT RUN: it needs a small disk, and may mount none: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	fill := func() {
		f, err := os.Create(ballast)
		require.NoError(t, err)
		_, err = f.WriteString(strings.Repeat("x", 2<<20))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NoError(t, f.Close())
	}
	r := newRig(t)
	path := filepath.Join(dir, "journal")
	j := r.open(path, r.client, controller.Options{})
	accept := func(n int) error {
		_, err := j.Accept(soon(t), "", changes(n)...)
		return err
	}
	n := 0
	for n < 20 {
		n++
		require.NoError(t, accept(n))
	}
	fill()
	var full error
	for full == nil { // pages that are free are used up first
		if full = accept(n + 1); full == nil {
			n++
		}
		require.Less(t, n, 10_000)
	}
	require.ErrorIs(t, full, syscall.ENOSPC)
	require.NoError(t, os.Remove(ballast))
	require.ErrorContains(t, accept(n+1), "open it again", "what is on disk is what counts")
	require.NoError(t, j.Close())
	j = r.open(path, r.client, controller.Options{})
	n++
	require.NoError(t, accept(n))

	stop := r.running(j)
	_, err := j.Written(soon(t), uint64(n))
	require.NoError(t, err)
	_ = stop()
	got, _ := r.events()
	require.Equal(t, told(n), got, "each once, in order")
}
