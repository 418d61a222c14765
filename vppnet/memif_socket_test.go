// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memif"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestLawsOfMemifSockets(t *testing.T) {
	dir := memifDir(t)
	lawsWith(t, func(c *vppnet.Conn) *desiredstate.Kind[vppnet.MemifSocket] { return vppnet.MemifSockets(c, dir) }, nil,
		rapid.Custom(func(t *rapid.T) vppnet.MemifSocket {
			return vppnet.MemifSocket{Path: dir + pick(t, "path", "/a", "/b"), ID: pick[uint32](t, "ID", 0, 7, 1<<32-2)}
		}), lawsOptions{dumps: memifDumps})
}

// What of a Memif makes VPP listen on a path is confined as vhost-user's sockets are.
func TestMemifSocketsAreConfined(t *testing.T) {
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket())
	top := memifDir(t)
	dir := filepath.Join(top, "in")
	require.NoError(t, os.MkdirAll(dir+"/sub", 0o755))
	require.NoError(t, os.Mkdir(top+"/in2", 0o755))
	require.NoError(t, os.WriteFile(dir+"/plain", nil, 0o644))
	require.NoError(t, os.Symlink(top, dir+"/out"))
	require.NoError(t, os.Symlink("/etc/passwd", dir+"/link"))
	before := vpp.String()
	for _, path := range []string{"/etc/passwd", top + "/x", top + "/in2/x", dir, dir + "/out/x", dir + "/plain", dir + "/link", dir + "/../x", "a"} {
		_, err := vppnet.MemifSockets(c, dir).Ensure(t.Context(), vppnet.MemifSocket{Path: path})
		require.Error(t, err, path)
		require.Equal(t, before, vpp.String(), path)
	}
	_, err := vppnet.MemifSockets(c, dir).Ensure(t.Context(), vppnet.MemifSocket{Path: dir + "/sub/x"})
	require.NoError(t, err)
}

// VPP never listens again on a socket on which it could not once, though it answers the next time as if it did; so that is
// made anew: before another interface comes, and by who comes after a process that died of it.
func TestMemifThatCannotListen(t *testing.T) {
	listens := func(t *testing.T, socket, dir string) *desiredstate.Engine {
		c := dialVPP(t, socket)
		e := desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, dir))
		on := vppnet.MemifSocket{Path: dir + "/none/a"}
		a, b := vppnet.Memif{Name: "a", Socket: on.Path}, vppnet.Memif{Name: "b", Socket: on.Path, ID: 1}
		r, err := e.Ensure(t.Context(), on)
		require.NoError(t, err)
		for range 3 { // each is the first, once
			_, err = e.Ensure(t.Context(), on, a, b)
			require.ErrorContains(t, err, "interface/a")
			require.ErrorContains(t, err, "interface/b", "the next is not made where nobody listens")
			require.ErrorContains(t, err, "cannot listen on "+on.Path)
		}
		p, err := e.Plan(t.Context(), on, a, b)
		require.NoError(t, err)
		require.Equal(t, "+ interface/a (memif)\n+ interface/b (memif)\n2 to create, 1 as wanted\n", p.String())

		_, err = memif.NewServiceClient(c).MemifCreateV2(t.Context(), &memif.MemifCreateV2{SocketID: r[0].ID})
		require.ErrorIs(t, err, api.SYSCALL_ERROR_4, "and then its process dies")
		c = dialVPP(t, socket)
		e = desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, dir))
		_, err = e.Ensure(t.Context(), a)
		require.ErrorContains(t, err, "cannot listen on "+on.Path)
		return e
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t, vpptest.WithDirectory("/run/memif"))
		listens(t, vpp.Socket(), "/run/memif")
		require.NotContains(t, vpp.String(), "deaf")
	})
	t.Run("real", func(t *testing.T) {
		vpp, dir := vpptest.Real(t), memifDir(t)
		e := listens(t, vpp.Socket(), dir)
		require.NoError(t, os.Mkdir(dir+"/none", 0o755))
		for i, name := range []string{"a", "b"} {
			_, err := e.Ensure(t.Context(), vppnet.Memif{Name: name, Socket: dir + "/none/a", ID: uint32(i)})
			require.NoError(t, err)
		}
		f, err := os.Stat(dir + "/none/a")
		require.NoError(t, err, "it listens")
		require.Equal(t, os.ModeSocket, f.Mode().Type())
		for _, name := range []string{"b", "a"} {
			_, err := e.Remove(t.Context(), vppnet.InterfaceKey(name))
			require.NoError(t, err)
		}
	})
}

// Sockets of others can be used, and stay.
func TestMemifOnSocketsOfOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		me, other, dir := dialVPP(t, socket), dialAs(t, "other", socket), memifDir(t)
		theirs := vppnet.MemifSocket{Path: dir + "/theirs", ID: 7}
		_, err := vppnet.MemifSockets(other, dir).Ensure(t.Context(), theirs)
		require.NoError(t, err)
		e := desiredstate.New(vppnet.Memifs(me), vppnet.MemifSockets(me, dir))
		for _, want := range []vppnet.MemifSocket{theirs, {Path: theirs.Path}, {Path: dir + "/mine", ID: 7}} {
			_, err = e.Ensure(t.Context(), want)
			require.ErrorIs(t, err, desiredstate.ErrForeign, "%+v", want)
		}
		_, err = e.Ensure(t.Context(), vppnet.Memif{Name: "a", Socket: "vpp:7", ID: 3, Slave: true})
		require.NoError(t, err)
		_, err = vppnet.Memifs(other).Ensure(t.Context(), vppnet.Memif{Name: "b", Socket: theirs.Path, ID: 3, Slave: true})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = vppnet.Memifs(other).Ensure(t.Context(), vppnet.Memif{Name: "b", Socket: theirs.Path, ID: 4, Slave: true, IP: true})
		require.NoError(t, err)
		_, err = vppnet.Memifs(other).Remove(t.Context(), vppnet.Memif{Name: "b"})
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), vppnet.InterfaceKey("a"))
		require.NoError(t, err)
		p, err := desiredstate.New(vppnet.MemifSockets(other, dir)).Plan(t.Context(), theirs)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
		_, err = vppnet.MemifSockets(other, dir).Remove(t.Context(), theirs)
		require.NoError(t, err)
	})
}

// VPP answers who adds what is there already as if it had added it.
func TestMemifSocketThatAnotherMadeFirst(t *testing.T) {
	dir := shortDir(t)
	vpp := vpptest.New(t)
	s := vppnet.MemifSocket{Path: dir + "/a", ID: 7}
	e := desiredstate.New(vppnet.MemifSockets(dialAs(t, "me", vpp.Socket()), dir))
	_, err := e.Ensure(t.Context(), s)
	require.NoError(t, err)
	_, err = e.Remove(t.Context(), s.Key())
	require.NoError(t, err)

	other := desiredstate.New(vppnet.MemifSockets(dialAs(t, "other", vpp.Socket()), dir))
	_, err = other.Ensure(t.Context(), s)
	require.NoError(t, err)
	_, err = e.Ensure(t.Context(), s)
	require.ErrorIs(t, err, desiredstate.ErrForeign)
	_, err = e.Remove(t.Context(), s.Key())
	require.NoError(t, err)
	other.Forget()
	plan, err := other.Plan(t.Context(), s)
	require.NoError(t, err)
	require.True(t, plan.Empty(), plan)
}
