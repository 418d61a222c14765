// SPDX-License-Identifier: Apache-2.0

package socketpath_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
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

// What counts is who can put something else where any link on the way leads.
func TestGuardedFollowsLinks(t *testing.T) {
	top := t.TempDir()
	open := filepath.Join(top, "open")
	require.NoError(t, os.MkdirAll(filepath.Join(open, "dir"), 0o755))
	link := func(to, name string) string {
		t.Helper()
		name = filepath.Join(top, name)
		require.NoError(t, os.Symlink(to, name))
		return name
	}
	private := filepath.Join(top, "private")
	require.NoError(t, os.Mkdir(private, 0o755))
	require.NoError(t, os.Symlink("../private", filepath.Join(open, "back")))
	links := []string{
		link(filepath.Join(open, "dir"), "link"), link("link", "relative"), link("open/dir/../back", "back"),
		link("open/none", "dangling"), link("open", "above") + "/dir",
	}
	for _, l := range links {
		require.NoError(t, socketpath.Guarded(l), l)
	}
	require.NoError(t, os.Chmod(open, 0o777))
	for _, l := range links {
		require.ErrorContains(t, socketpath.Guarded(l), "everybody can put", l)
	}
	require.ErrorContains(t, socketpath.Guarded(link("ring", "ring")), "more than 40 symbolic links")
}

// No link leads a socket out of its directory: not one that is a client's socket, nor one to what is not there yet.
func TestConfineFollowsLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "s")
	ln, err := net.Listen("unix", target)
	require.NoError(t, err)
	defer ln.Close()
	require.NoError(t, os.Symlink(target, filepath.Join(dir, "s")))
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "later"), filepath.Join(dir, "sub")))
	require.NoError(t, os.Symlink(".", filepath.Join(dir, "same")))
	for _, server := range []bool{false, true} {
		require.NoError(t, socketpath.Confine([]string{elsewhere}, target, server))
		require.Error(t, socketpath.Confine([]string{dir}, filepath.Join(dir, "s"), server))
		require.ErrorIs(t, socketpath.Confine([]string{dir}, filepath.Join(dir, "sub", "s"), server), desiredstate.ErrInvalid)
		require.NoError(t, socketpath.Confine([]string{dir}, filepath.Join(dir, "same", "none"), server))
	}
}

// What a Look has seen goes for one plan, and what is wrong for none.
func TestLookIsOfOnePlan(t *testing.T) {
	dir := t.TempDir()
	var look socketpath.Look
	confine := func(plan *desiredstate.View) error {
		return look.Confine(plan, []string{dir}, filepath.Join(dir, "sub", "s"), true)
	}
	sub := filepath.Join(dir, "sub")
	require.NoError(t, os.Mkdir(sub, 0o755))
	first, second := new(desiredstate.View), new(desiredstate.View)
	require.NoError(t, confine(first))
	require.NoError(t, os.Chmod(sub, 0o777))
	require.NoError(t, confine(first))
	for range 2 {
		require.Error(t, confine(second))
		require.Error(t, confine(nil))
	}
	require.NoError(t, os.Chmod(sub, 0o755))
	require.NoError(t, confine(second))
	require.NoError(t, os.Chmod(sub, 0o777))
	require.Error(t, confine(nil))
	require.Error(t, look.Confine(second, []string{dir}, filepath.Join(t.TempDir(), "s"), true), "elsewhere")
}

func BenchmarkConfine(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "run", "vpp", "vhost")
	require.NoError(b, os.MkdirAll(dir, 0o755))
	for b.Loop() {
		if err := socketpath.Confine([]string{dir}, filepath.Join(dir, "port"), true); err != nil {
			b.Fatal(err)
		}
	}
}
