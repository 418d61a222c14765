// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/uplink"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The kinds keep the laws, on both VPPs.

func TestLawsOfQueues(t *testing.T) {
	base := []desiredstate.Object{vppnet.HostInterface{Name: "a", Device: "uplinka"}, vppnet.HostInterface{Name: "b", Device: "uplinkb"}}
	laws(t, func(c *vppnet.Conn, m *uplink.Memory) *desiredstate.Kind[uplink.Queue] { return uplink.Queues(c, m) }, base, rapid.Custom(func(t *rapid.T) uplink.Queue {
		return uplink.Queue{
			Interface: kindrig.Pick(t, "interface", "a", "b"), Mode: kindrig.Pick(t, "mode", uplink.AsItIs, uplink.Polling, uplink.Interrupt),
			Thread: kindrig.Pick(t, "thread", 0, uplink.MainThread),
		}
	}))
}

func TestLawsOfPromiscuouses(t *testing.T) {
	from := netip.MustParseAddr("10.0.0.1")
	base := []desiredstate.Object{
		vppnet.VXLANTunnel{Name: "a", Src: from, Dst: netip.MustParseAddr("10.0.0.2"), VNI: 1},
		vppnet.VXLANTunnel{Name: "b", Src: from, Dst: netip.MustParseAddr("10.0.0.2"), VNI: 2},
	}
	laws(t, func(c *vppnet.Conn, m *uplink.Memory) *desiredstate.Kind[uplink.Promiscuous] {
		return uplink.Promiscuouses(c, m)
	}, base, rapid.Custom(func(t *rapid.T) uplink.Promiscuous {
		return uplink.Promiscuous{Interface: kindrig.Pick(t, "interface", "a", "b")}
	}))
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn, *uplink.Memory) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		memories := map[string]*uplink.Memory{"me": {}, "namesake": {}}
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			world := func(owner string) kindtest.World[S] {
				c := kindrig.Dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond))
				return kindtest.World[S]{
					Kind: kind(c, memories[owner]), Base: base, State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal,
					More: []desiredstate.AnyKind{vppnet.HostInterfaces(c), vppnet.VXLANTunnels(c), vppnet.LinkStates(c)},
				}
			}
			return world("me")
		}})
	}
	for release, checks := range map[string]int{"": 4, "24.10": 1, "26.06": 1} {
		t.Run("in memory "+release, func(t *testing.T) {
			vpp := vpptest.New(t, vpptest.Release(release))
			run(t, checks, vpp, vpp.String)
		})
	}
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		devices(t)
		run(t, 4, vpp, func() string { return vpp.State(dumps()...) })
	})
}

// devices are two of Linux.
func devices(t *testing.T) {
	for _, d := range []string{"uplinka", "uplinkb"} {
		if out, err := exec.Command("ip", "link", "add", d, "type", "veth", "peer", "name", d[:4]+"p"+d[6:]).CombinedOutput(); err != nil {
			t.Skipf("NO VETH DEVICE FOR THE REAL VPP: %v: %s", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "link", "del", d).Run() })
	}
}

func dumps() []api.Message {
	all := ^interface_types.InterfaceIndex(0)
	return []api.Message{&interfaces.SwInterfaceDump{SwIfIndex: all}, &interfaces.SwInterfaceRxPlacementDump{SwIfIndex: all}}
}

// A queue is read as it was, once nobody wants it otherwise; what somebody changed is changed back.
func TestQueueAsItWas(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("eth0"))
	c := kindrig.Dial(t, vpp.Socket(), "me")
	nic := vppnet.Foreign("eth0")
	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == nic })
	_, err := uplink.Queues(c, new(uplink.Memory)).Ensure(t.Context(), uplink.Queue{Interface: nic, Mode: uplink.Adaptive})
	require.ErrorIs(t, err, desiredstate.ErrForeign)

	c = kindrig.Dial(t, vpp.Socket(), "me")
	before := vpp.String()
	e := kindrig.Engine(uplink.Queues(c, new(uplink.Memory), claim))
	want := uplink.Queue{Interface: nic, Mode: uplink.Adaptive, Thread: uplink.MainThread}
	_, err = e.Ensure(t.Context(), want)
	require.NoError(t, err)
	c.Uses(&interfaces.SwInterfaceSetRxMode{})
	_, err = interfaces.NewServiceClient(c).SwInterfaceSetRxMode(t.Context(), &interfaces.SwInterfaceSetRxMode{SwIfIndex: 1, Mode: interface_types.RX_MODE_API_INTERRUPT})
	require.NoError(t, err)
	e.Forget()
	p, err := e.Plan(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, 1, p.Count(desiredstate.Update), "%s", p)
	_, err = e.Apply(t.Context(), p)
	require.NoError(t, err)
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, vpp.String())
}

func TestRefused(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t, vpptest.WithInterface("eth0")).Socket(), "me")
	nic := vppnet.Foreign("eth0")
	kind := uplink.Queues(c, new(uplink.Memory), vppnet.ClaimInterfaces(func(string) bool { return true }))
	for why, q := range map[string]uplink.Queue{
		"has no queue 7: it has 1":  {Interface: nic, Number: 7},
		"see cpu { workers }":       {Interface: nic, Thread: 1},
		"want MainThread, or":       {Interface: nic, Thread: -2},
		"or a worker from 1 to":     {Interface: nic, Thread: 1<<16 + 1}, // VPP has no number for it
		"which VPP does not have":   {Interface: nic, Mode: 9},
		"interface: name is empty":  {},
		"sw_interface_set_rx_place": {Interface: nic, Thread: 2},
	} {
		_, err := kind.Ensure(t.Context(), q)
		require.ErrorContains(t, err, why)
	}
	_, err := kindrig.Engine(vppnet.Loopbacks(c), uplink.Promiscuouses(c, new(uplink.Memory))).Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, uplink.Promiscuous{Interface: "lo"})
	require.ErrorContains(t, err, "sw_interface_set_promisc")
}
