// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"os"
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
	"github.com/vppkit/vppkit/l3"
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
	ends := func(secret string) (up func() bool, ping func() string) {
		master, slave := vpptest.Real(t), vpptest.Real(t)
		a, b := dialVPP(t, master.Socket()), dialVPP(t, slave.Socket())
		socket := vppnet.MemifSocket{Path: dir + "/" + secret}
		for c, m := range map[*vppnet.Conn]vppnet.Memif{
			a: {Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret("one")},
			b: {Name: "wire", Socket: socket.Path, Secret: vppnet.NewSecret(secret), Slave: true, RingSize: 256, BufferSize: 4096},
		} {
			own := l3.Address{Interface: "wire", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
			if m.Slave {
				own.Prefix = netip.MustParsePrefix("10.0.0.2/24")
			}
			e := desiredstate.New(vppnet.MemifSockets(c, dir), vppnet.Memifs(c), vppnet.LinkStates(c), l3.Addresses(c))
			_, err := e.Sync(t.Context(), socket, m, vppnet.LinkState{Interface: "wire", Up: true}, own)
			require.NoError(t, err)
		}
		ping = func() string {
			said, err := master.CLI("ping 10.0.0.2 repeat 3 interval 0.1")
			require.NoError(t, err)
			return said
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
		}, ping
	}
	friends, ping := ends("one")
	strangers, knock := ends("two")
	require.Eventually(t, friends, 30*time.Second, 100*time.Millisecond)
	time.Sleep(3500 * time.Millisecond) // VPP tries every three seconds
	require.False(t, strangers())
	require.Eventually(t, func() bool { return strings.Contains(ping(), " 0% packet loss") }, 10*time.Second, 10*time.Millisecond, "frames pass")
	require.Contains(t, knock(), "100% packet loss")
}
