// SPDX-License-Identifier: Apache-2.0

package vhost_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// everywhere runs a test on the in-memory VPP and on a real one.
func everywhere(t *testing.T, test func(t *testing.T, socket string)) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		before := vpp.String()
		test(t, vpp.Socket())
		require.Equal(t, before, vpp.String(), "all is as it was")
	})
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}

// sockets is a directory whose path is short.
func sockets(t *testing.T) string {
	dir, err := os.MkdirTemp("", "vhost")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// converge makes these all the ports there are, and sees that whoever reads them
// anew finds nothing to do.
func converge(t *testing.T, c *vppnet.Conn, dir string, want ...desiredstate.Object) {
	t.Helper()
	e := desiredstate.New(vhost.Ports(c, dir))
	e.MaxPrune = 1
	_, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	p, err := desiredstate.New(vhost.Ports(c, dir)).Plan(t.Context(), want...)
	require.NoError(t, err)
	require.True(t, p.Empty(), p.String())
	require.Equal(t, len(want), p.Count(desiredstate.Keep), p.String())
}

func TestChanges(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, dir := kindrig.Dial(t, socket, "me"), sockets(t)
		port := vhost.Port{Name: "vm1", Socket: dir + "/vm1"}
		server := vhost.Port{Name: "vm2", Socket: dir + "/vm2", Server: true, GSO: true, Packed: true, EventIndex: true}
		converge(t, c, dir, port, server)

		port.MAC = vppnet.MAC{2, 0, 0, 0, 0, 1}
		server.GSO, server.Packed = false, false
		p, err := desiredstate.New(vhost.Ports(c, dir)).Plan(t.Context(), port, server)
		require.NoError(t, err)
		require.Equal(t, desiredstate.Update, p.Steps[0].Action, p.String())
		require.Equal(t, desiredstate.Replace, p.Steps[1].Action, p.String())
		converge(t, c, dir, port, server)

		port.Socket, server.Socket = server.Socket, port.Socket // each waits for the other to let go
		converge(t, c, dir, port, server)
		port.Server, server.Server = true, false
		converge(t, c, dir, port, server)
		converge(t, c, dir)
	})
}

func TestSocketsOfOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, other, dir := kindrig.Dial(t, socket, "me"), kindrig.Dial(t, socket, "other"), sockets(t)
		theirs := vhost.Port{Name: "vm1", Socket: dir + "/vm1", Server: true}
		converge(t, other, dir, theirs)
		_, err := vhost.Ports(c, dir).Ensure(t.Context(), vhost.Port{Name: "mine", Socket: dir + "/vm1"})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = vhost.Ports(other, dir).Ensure(t.Context(), vhost.Port{Name: "vm2", Socket: dir + "/vm1"})
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		converge(t, c, dir)
		converge(t, other, dir)
	})
}

// A component that goes on with another directory closes its kind, and makes it anew: its ports
// stay, and so does what is on them.
func TestAnotherDirectory(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, dir, next := kindrig.Dial(t, socket, "me"), sockets(t), sockets(t)
		vm1, vm2 := vhost.Port{Name: "vm1", Socket: dir + "/vm1"}, vhost.Port{Name: "vm2", Socket: next + "/vm2"}
		links := vppnet.LinkStates(c)
		ports := vhost.Ports(c, dir)
		_, err := ports.Ensure(t.Context(), vm1)
		require.NoError(t, err)
		_, err = links.Ensure(t.Context(), vppnet.LinkState{Interface: "vm1", Up: true})
		require.NoError(t, err)

		_, err = vhost.Ports(c, next).Ensure(t.Context(), vm2)
		require.ErrorContains(t, err, "or close what uses it (Engine.Close, Kind.Close)")
		ports.Close()
		ports = vhost.Ports(c, next)
		_, err = ports.Ensure(t.Context(), vm2)
		require.NoError(t, err)
		_, err = ports.Remove(t.Context(), vm1)
		require.ErrorIs(t, err, desiredstate.ErrInUse, "it is up")
		_, err = links.Remove(t.Context(), vppnet.LinkState{Interface: "vm1"})
		require.NoError(t, err)
		_, err = ports.Remove(t.Context(), vm1, vm2)
		require.NoError(t, err)
	})
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		port vhost.Port
		err  string // "": valid
	}{
		{vhost.Port{Name: "vm", Socket: "/run/vm"}, ""},
		{vhost.Port{Name: strings.Repeat("n", 55), Socket: "/s", GSO: true, Packed: true, EventIndex: true}, ""},
		{vhost.Port{Name: strings.Repeat("n", 56), Socket: "/s", GSO: true, Packed: true, EventIndex: true}, "has 56 bytes, at most 55 fit"},
		{vhost.Port{Socket: "/run/vm"}, "name is empty"},
		{vhost.Port{Name: "vm"}, "socket is not set"},
		{vhost.Port{Name: "vm", Socket: "/" + strings.Repeat("s", 107)}, "has 108 bytes, want at most 107"},
		{vhost.Port{Name: "vm", Socket: "vm"}, "want an absolute path"},
		{vhost.Port{Name: "vm", Socket: "/"}, "want an absolute path"},
		{vhost.Port{Name: "vm", Socket: "/run/../etc/passwd"}, "want an absolute path"},
		{vhost.Port{Name: "vm", Socket: "/run//vm"}, "want an absolute path"},
		{vhost.Port{Name: "vm", Socket: "/run/vm/"}, "want an absolute path"},
		{vhost.Port{Name: "vm", Socket: "/run/v m"}, "contains ' '"},
		{vhost.Port{Name: "vm", Socket: "/run/v\x00m"}, `contains '\x00'`},
		{vhost.Port{Name: "vm", Socket: "/run/vm", MAC: vppnet.MAC{1}}, "is a multicast address"},
	} {
		if err := tc.port.Validate(); tc.err == "" {
			require.NoError(t, err, "%+v", tc.port)
		} else {
			require.ErrorContains(t, err, tc.err, "%+v", tc.port)
		}
	}
}

// VPP would remove whatever has the name of a server's socket, as root.
func TestSocketsAreConfined(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	top := sockets(t)
	dir := filepath.Join(top, "in")
	require.NoError(t, os.MkdirAll(dir+"/vm", 0o755))
	require.NoError(t, os.Mkdir(top+"/in2", 0o755))
	require.NoError(t, os.WriteFile(dir+"/plain", nil, 0o644))
	require.NoError(t, os.Symlink(top, dir+"/out"))
	require.NoError(t, os.Symlink(dir+"/vm", dir+"/inside"))
	require.NoError(t, os.Symlink("/etc/passwd", dir+"/link"))
	before := vpp.String()
	for _, socket := range []string{"/etc/passwd", top + "/x", top + "/in2/x", dir, dir + "/out/x", dir + "/plain", dir + "/link", dir + "/vm"} {
		_, err := vhost.Ports(c, dir).Ensure(t.Context(), vhost.Port{Name: "vm", Socket: socket, Server: true})
		require.Error(t, err, socket)
		require.Equal(t, before, vpp.String(), socket)
	}
	for _, d := range []string{"", "relative", "/a/../b"} {
		_, err := vhost.Ports(kindrig.Dial(t, vpp.Socket(), "me"), d).Ensure(t.Context(), vhost.Port{Name: "vm", Socket: dir + "/x"})
		require.ErrorIs(t, err, desiredstate.ErrInvalid, d)
	}
	_, err := vhost.Ports(c, dir).Ensure(t.Context(),
		vhost.Port{Name: "a", Socket: dir + "/vm/x", Server: true},
		vhost.Port{Name: "b", Socket: dir + "/inside/y", Server: true},
		vhost.Port{Name: "c", Socket: dir + "/not-here/z", Server: true}, // VPP may see it
	)
	require.NoError(t, err)
}

// The port of a VM and a VLAN of the uplink are one segment with a router's leg.
func TestSegment(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("GigabitEthernet0/8/0"))
	c := kindrig.Dial(t, vpp.Socket(), "me")
	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == "vpp:GigabitEthernet0/8/0" })
	e := desiredstate.New(
		vhost.Ports(c, "/run/vms"), vppnet.Loopbacks(c), vppnet.SubInterfaces(c),
		vppnet.LinkStates(c, claim), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c),
	)
	e.Parallel = 1
	_, err := e.Sync(t.Context(),
		vppnet.LinkState{Interface: "vpp:GigabitEthernet0/8/0", Up: true, MTU: 1500},
		vppnet.SubInterface{Name: "uplink.100", Parent: "vpp:GigabitEthernet0/8/0", Outer: 100, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
		vppnet.LinkState{Interface: "uplink.100", Parent: "vpp:GigabitEthernet0/8/0", Up: true},
		vhost.Port{Name: "vm1", Socket: "/run/vms/vm1", Server: true, GSO: true, MAC: vppnet.MAC{2, 0, 0, 0, 0, 1}},
		vppnet.LinkState{Interface: "vm1", Up: true},
		vppnet.Loopback{Name: "gateway", BVI: true},
		vppnet.LinkState{Interface: "gateway", Up: true},
		vppnet.BridgeDomain{Name: "net100", ID: 100, MACAge: 300e9},
		vppnet.BridgePort{Bridge: "net100", Interface: "uplink.100"},
		vppnet.BridgePort{Bridge: "net100", Interface: "vm1"},
		vppnet.BridgePort{Bridge: "net100", Interface: "gateway", BVI: true},
		vppnet.FIBEntry{Bridge: "net100", MAC: vppnet.MAC{2, 0, 0, 0, 0, 2}, Interface: "vm1"},
	)
	require.NoError(t, err)
	const golden = "testdata/segment.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(vpp.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), vpp.String())
}

// A path that passes cannot leave its directory, or be cut by VPP.
func FuzzSocket(f *testing.F) {
	for _, s := range []string{"/run/vm", "", "/", "/a/../b", "/a//b", "/a\x00b", "a", "/..", "/a/."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if (vhost.Port{Name: "vm", Socket: s}).Validate() == nil {
			require.True(t, filepath.IsAbs(s))
			require.LessOrEqual(t, len(s), 107)
			require.Equal(t, s, filepath.Clean(s))
			for _, part := range strings.Split(s, "/")[1:] {
				require.NotContains(t, []string{"", ".", ".."}, part)
			}
		}
	})
}

func TestInstance(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, dir := kindrig.Dial(t, socket, "me"), sockets(t)
		port := vhost.Port{Name: "vm", Socket: dir + "/s", Instance: 300}
		converge(t, c, dir, port)
		name := func() string {
			e := desiredstate.New(vhost.Ports(c, dir))
			found, err := e.Found(t.Context())
			require.NoError(t, err)
			require.Len(t, found, 1)
			return fmt.Sprint(found[0].Spec.(vhost.Port).Instance)
		}
		require.Equal(t, "300", name())
		port.Instance = 301 // not to be changed: replaced
		converge(t, c, dir, port)
		require.Equal(t, "301", name())
		port.Instance = 0 // whichever it is
		converge(t, c, dir, port)
		require.Equal(t, "301", name())
		converge(t, c, dir)
	})
}

// A socket is one thing's: VPP has a port remove what memif listens on, and says nothing.
func TestSocketOfMemif(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		dir := sockets(t)
		engine := func(owner string) *desiredstate.Engine {
			c := kindrig.Dial(t, socket, owner)
			return kindrig.Engine(vhost.Ports(c, dir), vppnet.MemifSockets(c, dir), vppnet.Memifs(c))
		}
		memif := func(path string) []desiredstate.Object {
			return []desiredstate.Object{vppnet.MemifSocket{Path: path}, vppnet.Memif{Name: "m", Socket: path}}
		}
		mine, stranger := engine("me"), engine("stranger")
		_, err := mine.Ensure(t.Context(), memif(dir+"/a")...)
		require.NoError(t, err)
		_, err = mine.Ensure(t.Context(), vhost.Port{Name: "v", Socket: dir + "/a", Server: true})
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "unix-socket/"+dir+"/a")
		_, err = stranger.Ensure(t.Context(), vhost.Port{Name: "v", Socket: dir + "/a", Server: true})
		require.ErrorIs(t, err, desiredstate.ErrForeign)

		_, err = stranger.Ensure(t.Context(), vhost.Port{Name: "v", Socket: dir + "/b", Server: true})
		require.NoError(t, err)
		mine.Forget()
		_, err = mine.Ensure(t.Context(), vppnet.MemifSocket{Path: dir + "/b"})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.ErrorContains(t, err, "stranger/v holds unix-socket/"+dir+"/b")

		_, err = mine.Sync(t.Context(), vhost.Port{Name: "v", Socket: dir + "/a"}) // it is free with what had it
		require.NoError(t, err)
		for _, e := range []*desiredstate.Engine{mine, stranger} {
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
		}
	})
}
