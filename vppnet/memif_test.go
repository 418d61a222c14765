// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/memif"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var memifDumps = []api.Message{&memif.MemifDump{}, &memif.MemifSocketFilenameDump{}}

// memifDir is a directory whose path is short.
func memifDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "memif")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestLawsOfMemifSockets(t *testing.T) {
	dir := memifDir(t)
	lawsWith(t, func(c *vppnet.Conn) *desiredstate.Kind[vppnet.MemifSocket] { return vppnet.MemifSockets(c, dir) }, nil,
		rapid.Custom(func(t *rapid.T) vppnet.MemifSocket {
			return vppnet.MemifSocket{Path: dir + pick(t, "path", "/a", "/b"), ID: pick[uint32](t, "ID", 0, 7, 1<<32-2)}
		}), lawsOptions{dumps: memifDumps})
}

func memifGen(dir string, secrets ...vppnet.Secret) *rapid.Generator[vppnet.Memif] {
	return rapid.Custom(func(t *rapid.T) vppnet.Memif {
		m := vppnet.Memif{
			Name: pick(t, "name", "a", "b"), Socket: dir + pick(t, "socket", "/a", "/b"), ID: pick[uint32](t, "ID", 0, 7, 1<<32-1),
			Slave: pick(t, "slave", false, true), IP: pick(t, "IP", false, true), Secret: pick(t, "secret", secrets...),
		}
		if !m.IP {
			m.MAC = pick(t, "MAC", vppnet.MAC{}, mac(1), mac(2))
		}
		if m.Slave {
			m.RxQueues, m.TxQueues = pick[uint8](t, "queues", 0, 1, 255), pick[uint8](t, "queues", 0, 2)
			m.RingSize, m.BufferSize = pick[uint32](t, "ring", 0, 2, 1<<14), pick[uint16](t, "buffer", 0, 4096)
			m.NoZeroCopy = pick(t, "copied", false, true)
		}
		return m
	})
}

func TestLawsOfMemifs(t *testing.T) {
	dir := memifDir(t)
	base := []desiredstate.Object{vppnet.MemifSocket{Path: dir + "/a"}, vppnet.MemifSocket{Path: dir + "/b", ID: 8}}
	lawsWith(t, vppnet.Memifs, base, memifGen(dir, vppnet.Secret{}), lawsOptions{dumps: memifDumps, more: func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.MemifSockets(c, dir)}
	}})
}

// With a secret all laws hold but that of JSON, which would have to tell it.
func TestLawsOfSecrets(t *testing.T) {
	vpp := vpptest.New(t)
	dir := "/run/memif"
	gen := memifGen(dir, vppnet.Secret{}, vppnet.NewSecret("one"), vppnet.NewSecret("two"))
	world := func() kindtest.World[vppnet.Memif] {
		c := dialVPP(t, vpp.Socket(), vppnet.WithLostAfter(20*time.Millisecond))
		return kindtest.World[vppnet.Memif]{
			Kind: vppnet.Memifs(c), More: []desiredstate.AnyKind{vppnet.MemifSockets(c, dir)}, State: vpp.String, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
			Base: []desiredstate.Object{vppnet.MemifSocket{Path: dir + "/a"}, vppnet.MemifSocket{Path: dir + "/b"}},
		}
	}
	w := world()
	w.Reopen = world
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		if n++; n > 4 {
			return
		}
		from, to := gen.Draw(t, "from"), gen.Draw(t, "to")
		to.Name = from.Name
		require.NoError(t, kindtest.Idempotent(t.Context(), w, from))
		require.NoError(t, kindtest.Faithful(t.Context(), w, from))
		require.NoError(t, kindtest.Changeable(t.Context(), w, from, to))
		require.NoError(t, kindtest.Predicted(t.Context(), w, from, to))
		require.NoError(t, kindtest.Repairable(t.Context(), w, nil, &from))
		require.NoError(t, kindtest.Repairable(t.Context(), w, &from, &to))
	})
}

// Wherever a Memif is shown, its secret is not.
func TestSecretIsNeverShown(t *testing.T) {
	const text = "tell-nobody"
	vpp := vpptest.New(t)
	c := dialVPP(t, vpp.Socket())
	m := vppnet.Memif{Name: "wire", Socket: "/run/memif/a", Secret: vppnet.NewSecret(text)}
	socket := vppnet.MemifSocket{Path: m.Socket}
	e := desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, "/run/memif"))
	var said strings.Builder
	e.Observe = func(ev desiredstate.Event) { fmt.Fprintf(&said, "%v %+v %#v %s\n", ev, ev, ev, asJSON(ev)) }
	show := func(all ...any) {
		for _, x := range all {
			deep := struct{ x any }{x} // where methods are out of reach
			fmt.Fprintf(&said, "%v %+v %#v %s %q %d %x\n%v %+v %#v\n%s\n", x, x, x, x, x, x, x, deep, deep, deep, asJSON(x))
		}
	}
	show(m, m.Secret, &m, []vppnet.Memif{m}, map[string]vppnet.Secret{"s": m.Secret})
	p, err := e.Plan(t.Context(), socket, m)
	require.NoError(t, err)
	show(p, p.Steps)
	r, err := e.Apply(t.Context(), p)
	require.NoError(t, err)
	show(r)
	for _, secret := range []vppnet.Secret{{}, vppnet.NewSecret(text + "!")} {
		changed := m
		changed.Secret = secret
		e.Forget()
		p, err = e.Plan(t.Context(), socket, changed)
		require.NoError(t, err)
		require.Equal(t, desiredstate.Replace, p.Steps[0].Action)
		require.Contains(t, p.String(), "Secret: (secret) -> ")
		show(p, p.Steps)
	}
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	show(found)
	m.Name, m.Slave = "other", true
	_, err = e.Ensure(t.Context(), m) // of one ID
	require.Error(t, err)
	show(err, err.Error())
	m.ID = 1
	_, err = e.Ensure(t.Context(), m) // of another role
	require.ErrorIs(t, err, api.SUBIF_ALREADY_EXISTS)
	show(err, err.Error())
	_, err = e.Ensure(t.Context(), vppnet.Memif{Name: "x", Socket: m.Socket, Secret: vppnet.NewSecret(strings.Repeat(text, 3))})
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	show(err, err.Error())
	require.NotContains(t, said.String(), text)
	require.NotContains(t, said.String(), fmt.Sprintf("%x", text))
	require.Contains(t, vpp.String(), text, "though VPP has it")

	var s vppnet.Secret
	require.NoError(t, json.Unmarshal([]byte(`"tell-nobody"`), &s))
	require.Equal(t, vppnet.NewSecret(text), s)
	require.Error(t, json.Unmarshal([]byte(asJSON(s)), &s), "what is hidden is not read as a secret")
}

func asJSON(x any) string {
	text, err := json.Marshal(x)
	return fmt.Sprint(string(text), err)
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

// VPP never listens again on a socket on which it could not once; so that is made anew.
func TestMemifThatCannotListen(t *testing.T) {
	listens := func(t *testing.T, socket, dir string) {
		c := dialVPP(t, socket)
		e := desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, dir))
		m := vppnet.Memif{Name: "a", Socket: dir + "/none/a"}
		_, err := e.Ensure(t.Context(), vppnet.MemifSocket{Path: m.Socket})
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), m)
		require.ErrorContains(t, err, "cannot listen on "+m.Socket)
		p, err := e.Plan(t.Context(), vppnet.MemifSocket{Path: m.Socket}, m)
		require.NoError(t, err)
		require.Equal(t, "+ interface/a (memif)\n1 to create, 1 as wanted\n", p.String())
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t, vpptest.WithDirectory("/run/memif"))
		listens(t, vpp.Socket(), "/run/memif")
		require.NotContains(t, vpp.String(), "deaf")
	})
	t.Run("real", func(t *testing.T) {
		vpp, dir := vpptest.Real(t), memifDir(t)
		listens(t, vpp.Socket(), dir)
		require.NoError(t, os.Mkdir(dir+"/none", 0o755))
		c := dialVPP(t, vpp.Socket())
		_, err := vppnet.Memifs(c).Ensure(t.Context(), vppnet.Memif{Name: "a", Socket: dir + "/none/a"})
		require.NoError(t, err)
		f, err := os.Stat(dir + "/none/a")
		require.NoError(t, err, "it listens")
		require.Equal(t, os.ModeSocket, f.Mode().Type())
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

func TestValidateMemif(t *testing.T) {
	good := vppnet.Memif{Name: "a", Socket: "/s", Slave: true, RingSize: 1 << 14, BufferSize: 1, RxQueues: 255, Secret: vppnet.NewSecret(strings.Repeat("s", 23))}
	require.NoError(t, good.Validate())
	for name, spoil := range map[string]func(*vppnet.Memif){
		"name is empty":                 func(m *vppnet.Memif) { m.Name = "" },
		"at most 40 fit":                func(m *vppnet.Memif) { m.Name = strings.Repeat("n", 61) },
		"socket is not set":             func(m *vppnet.Memif) { m.Socket = "" },
		"want an absolute path":         func(m *vppnet.Memif) { m.Socket = "/a/../b" },
		"secret has 24 bytes":           func(m *vppnet.Memif) { m.Secret = vppnet.NewSecret(strings.Repeat("s", 24)) },
		"not printable":                 func(m *vppnet.Memif) { m.Secret = vppnet.NewSecret("a\x00b") },
		"from the slave":                func(m *vppnet.Memif) { m.Slave = false },
		"ring size 3, want a power":     func(m *vppnet.Memif) { m.RingSize = 3 },
		"ring size 32768, want a power": func(m *vppnet.Memif) { m.RingSize = 1 << 15 },
		"multicast":                     func(m *vppnet.Memif) { m.MAC = vppnet.MAC{1} },
		"of IP packets has no MAC":      func(m *vppnet.Memif) { m.IP, m.MAC = true, mac(1) },
	} {
		bad := good
		spoil(&bad)
		require.ErrorContains(t, bad.Validate(), name)
	}
	require.NoError(t, vppnet.MemifSocket{Path: "/" + strings.Repeat("s", 106)}.Validate())
	require.ErrorContains(t, vppnet.MemifSocket{Path: "/" + strings.Repeat("s", 106), ID: 1}.Validate(), "want at most 96")
	require.ErrorContains(t, vppnet.MemifSocket{Path: "/a", ID: 1<<32 - 1}.Validate(), "VPP's word for none")
	require.ErrorContains(t, vppnet.MemifSocket{Path: "/a~7"}.Validate(), "contains '~'")
}

// Who does not know the secret does not get in.
func TestMemifBetweenTwoVPPs(t *testing.T) {
	dir := memifDir(t)
	ends := func(secret string) (up func() bool) {
		a, b := dialVPP(t, vpptest.Real(t).Socket()), dialVPP(t, vpptest.Real(t).Socket())
		socket := vppnet.MemifSocket{Path: dir + "/" + secret}
		for c, m := range map[*vppnet.Conn]vppnet.Memif{
			a: {Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret("one")},
			b: {Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret(secret), Slave: true, RingSize: 256, BufferSize: 4096},
		} {
			e := desiredstate.New(vppnet.MemifSockets(c, dir), vppnet.Memifs(c), vppnet.LinkStates(c))
			_, err := e.Sync(t.Context(), socket, m, vppnet.LinkState{Interface: "wire", Up: true})
			require.NoError(t, err)
		}
		return func() bool {
			for _, c := range []*vppnet.Conn{a, b} {
				c.Uses(&interfaces.SwInterfaceDump{}, &memclnt.ControlPing{})
				all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: 1}))
				require.NoError(t, err)
				require.Len(t, all, 1)
				if all[0].Flags&interface_types.IF_STATUS_API_FLAG_LINK_UP == 0 {
					return false
				}
			}
			return true
		}
	}
	friends, strangers := ends("one"), ends("two")
	require.Eventually(t, friends, 30*time.Second, 100*time.Millisecond)
	time.Sleep(3500 * time.Millisecond) // VPP tries every three seconds
	require.False(t, strangers())
}

// However a Memif comes to be made again, it is with its secret, or not at all.
func TestSecretIsNeverLost(t *testing.T) {
	vpp := vpptest.New(t)
	engine := func() *desiredstate.Engine {
		c := dialVPP(t, vpp.Socket())
		return desiredstate.New(vppnet.Memifs(c), vppnet.MemifSockets(c, "/run/memif"))
	}
	socket := vppnet.MemifSocket{Path: "/run/memif/a"}
	m := vppnet.Memif{Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret("one"), Slave: true}
	has := func() { require.Contains(t, vpp.String(), `secret "one"`) }
	_, err := engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
	m.RingSize = 256 // another interface, of the same secret
	_, err = engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
	socket.ID = 7 // takes the interface along
	_, err = engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
	socket.ID = 8 // and nobody says what its secret is
	_, err = engine().Ensure(t.Context(), socket)
	require.NotContains(t, vpp.String(), `secret ""`, "%v", err)
	_, err = engine().Sync(t.Context(), socket, m)
	require.NoError(t, err)
	has()
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
