// SPDX-License-Identifier: Apache-2.0

package socketpath_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/socketpath"
)

// A directory that everybody can write to, or replace, holds no sockets, by whatever name it is reached.
func TestGuarded(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	mode := func(of string, m os.FileMode) {
		t.Helper()
		require.NoError(t, os.Chmod(of, m))
	}
	socket := filepath.Join(dir, "s")
	good := func() {
		t.Helper()
		require.NoError(t, socketpath.Guarded(dir))
		require.NoError(t, socketpath.Confine([]string{top}, socket, false))
		require.NoError(t, socketpath.Confine([]string{dir}, socket, true))
	}
	bad := func(says string) {
		t.Helper()
		require.ErrorContains(t, socketpath.Guarded(dir), says)
		require.ErrorContains(t, socketpath.Confine([]string{top}, socket, false), says)
		require.ErrorContains(t, socketpath.Confine([]string{dir}, socket, true), says)
	}
	good()
	mode(dir, 0o775)
	good()
	mode(dir, 0o777)
	bad("everybody can put sockets there")
	mode(dir, 0o777|os.ModeSticky)
	bad("has mode 1777")
	mode(dir, 0o757)
	bad("has mode 0757")
	mode(dir, 0o755)
	mode(filepath.Dir(dir), 0o777)
	bad("can put another one in its place")
	mode(filepath.Dir(dir), 0o777|os.ModeSticky)
	good()
	mode(filepath.Dir(dir), 0o755)
	link := filepath.Join(top, "link")
	require.NoError(t, os.Symlink(dir, link))
	require.NoError(t, socketpath.Guarded(link))
	mode(dir, 0o777)
	require.Error(t, socketpath.Guarded(link))
	require.NoError(t, socketpath.Guarded(filepath.Join(top, "none", "of", "it")))
}
