// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// saysMAC are objects of which one says what MAC an interface has.
type saysMAC func(vppnet.MAC) []desiredstate.Object

// whoHasMACs are those of the interface "a"; sockets are in dir.
func whoHasMACs(dir string) map[string]saysMAC {
	socket := dir + "/s"
	return map[string]saysMAC{
		"loopback": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.Loopback{Name: "a", MAC: mac}}
		},
		"BVI": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.Loopback{Name: "a", BVI: true, MAC: mac}}
		},
		"memif": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.MemifSocket{Path: socket}, vppnet.Memif{Name: "a", Socket: socket, MAC: mac}}
		},
		"GRE": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.GRETunnel{
				Name: "a", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Type: vppnet.GREFrames, MAC: mac,
			}}
		},
		"host interface": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.HostInterface{Name: "a", Device: "hiddenbond", MAC: mac}}
		},
		"vhost": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vhost.Port{Name: "a", Socket: socket, Server: true, MAC: mac}}
		},
		"TAP": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.TAP{Name: "a", MAC: mac}}
		},
		"NIC": func(mac vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.LinkState{Interface: "vpp:loop0", Up: true, MAC: mac}}
		},
	}
}

// What of a member's MAC changes while the bond hides it is right as soon as the bond does so no more: in the same
// pass, whether VPP was read meanwhile or not.
func TestMACAfterBond(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // a short one
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, with := range whoHasMACs(dir) {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, vpp vpptest.Target) {
				_, real := vpp.(*vpptest.Proxy)
				iface := "a"
				switch name {
				case "TAP":
					if _, err := os.Stat("/dev/vhost-net"); err != nil && real {
						t.Skip("this Linux has no vhost-net")
					}
				case "host interface":
					if real {
						veth(t, "hiddenbond")
					}
				case "NIC":
					iface = "vpp:loop0"
					c := kindrig.Dial(t, vpp.Socket(), "nobody")
					c.Uses(&interfaces.CreateLoopbackInstance{})
					_, err := interfaces.NewServiceClient(c).CreateLoopbackInstance(t.Context(), &interfaces.CreateLoopbackInstance{})
					require.NoError(t, err)
				}
				for how, again := range map[string]func(e, other *desiredstate.Engine) *desiredstate.Engine{
					"known":   func(e, _ *desiredstate.Engine) *desiredstate.Engine { return e },
					"read":    func(e, _ *desiredstate.Engine) *desiredstate.Engine { e.Forget(); return e },
					"another": func(_, other *desiredstate.Engine) *desiredstate.Engine { return other },
				} {
					t.Run(how, func(t *testing.T) {
						hides(t, vpp, dir, iface, with, again)
					})
				}
			})
		})
	}
}

func hides(t *testing.T, vpp vpptest.Target, dir, iface string, with saysMAC, again func(e, other *desiredstate.Engine) *desiredstate.Engine) {
	anew := func() *desiredstate.Engine {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		return kindrig.Engine(bond.Bonds(c), bond.Members(c), vppnet.Loopbacks(c), vppnet.MemifSockets(c, dir), vppnet.Memifs(c),
			vppnet.GRETunnels(c), vppnet.HostInterfaces(c), vhost.Ports(c, dir), vppnet.TAPs(c), vppnet.LinkStates(c, vppnet.ClaimInterfaces(func(name string) bool { return name == "vpp:loop0" })))
	}
	e := anew()
	sync := func(want ...desiredstate.Object) desiredstate.Report {
		e = again(e, anew())
		r, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		p, err := anew().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%v", p)
		return r
	}
	in := []desiredstate.Object{bond.Bond{Name: "up", Mode: bond.XOR, MAC: kindrig.MAC(7)}, bond.Member{Bond: "up", Interface: iface}}
	alone := in[:1]
	has := func(mac vppnet.MAC) {
		t.Helper()
		require.Equal(t, mac, macOf(t, vpp, iface))
	}

	sync(append(with(kindrig.MAC(9)), in...)...)
	has(kindrig.MAC(7))
	r := sync(append(with(kindrig.MAC(5)), in...)...)
	has(kindrig.MAC(7))
	require.Zero(t, r.Changed(), "what is hidden is no difference: %v", r)
	sync(with(kindrig.MAC(5))...)
	has(kindrig.MAC(5))
	sync(append(with(kindrig.MAC(3)), in...)...) // both at once
	sync(append(with(kindrig.MAC(7)), in...)...) // what it has, as the bond's
	sync(append(with(kindrig.MAC(7)), alone...)...)
	has(kindrig.MAC(7))
	sync(append(with(kindrig.MAC(1)), in...)...)
	sync(append(with(kindrig.MAC(1)), alone...)...)
	has(kindrig.MAC(1))
	sync()
}

func macOf(t *testing.T, vpp vpptest.Target, iface string) vppnet.MAC {
	c := kindrig.Dial(t, vpp.Socket(), "me")
	all, err := desiredstate.List[vppnet.Interface](t.Context(), kindrig.Engine(vppnet.Loopbacks(c)))
	require.NoError(t, err)
	for _, a := range all {
		if a.Spec.Name == iface {
			return a.Spec.MAC
		}
	}
	t.Fatalf("there is no %s", iface)
	return vppnet.MAC{}
}

func veth(t *testing.T, name string) {
	if out, err := exec.Command("ip", "link", "add", name, "type", "veth", "peer", "name", name+"p").CombinedOutput(); err != nil {
		t.Skipf("no veth pairs: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() })
}
