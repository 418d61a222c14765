// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind keeps the laws, on both VPPs.

func TestLawsOfLoopbacks(t *testing.T) {
	laws(t, vppnet.Loopbacks, nil, rapid.Custom(func(t *rapid.T) vppnet.Loopback {
		return vppnet.Loopback{
			Name: pick(t, "name", "a", "b"), Instance: pick[uint32](t, "instance", 0, 7, 16383),
			MAC: pick(t, "MAC", vppnet.MAC{}, mac(1), mac(2)), BVI: pick(t, "BVI", false, true),
		}
	}))
}

func TestLawsOfHostInterfaces(t *testing.T) {
	laws(t, vppnet.HostInterfaces, nil, rapid.Custom(func(t *rapid.T) vppnet.HostInterface {
		return vppnet.HostInterface{
			Name: pick(t, "name", "a", "b"), Device: pick(t, "device", "lawsa", "lawsb"),
			MAC: pick(t, "MAC", vppnet.MAC{}, mac(1), mac(2)),
		}
	}), "lawsa", "lawsb")
}

func TestLawsOfSubInterfaces(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "lo"}}
	laws(t, vppnet.SubInterfaces, base, rapid.Custom(func(t *rapid.T) vppnet.SubInterface {
		s := vppnet.SubInterface{
			Name: pick(t, "name", "a", "b"), Parent: pick(t, "parent", "lo", theirLoopback),
			Outer: pick[uint16](t, "outer", 1, 100, 4094), Inner: pick[uint16](t, "inner", 0, 200, 4094), Dot1ad: pick(t, "dot1ad", false, true),
		}
		vlan := rapid.Uint16Range(1, 4094)
		ops := []vppnet.Rewrite{
			{},
			{Op: vppnet.Pop1},
			{Op: vppnet.Push1, Tag1: vlan.Draw(t, "tag1")},
			{Op: vppnet.Push2, Tag1: 1, Tag2: vlan.Draw(t, "tag2"), Dot1ad: true},
			{Op: vppnet.Translate11, Tag1: 4094, Dot1ad: true},
			{Op: vppnet.Translate12, Tag1: 5, Tag2: 6},
		}
		if s.Inner != 0 {
			ops = append(ops, vppnet.Rewrite{Op: vppnet.Pop2}, vppnet.Rewrite{Op: vppnet.Translate21, Tag1: 7}, vppnet.Rewrite{Op: vppnet.Translate22, Tag1: 8, Tag2: 9})
		}
		s.Rewrite = pick(t, "rewrite", ops...)
		s.Pairable = s.Inner == 0 && pick(t, "pairable", false, true)
		return s
	}))
}

// A MAC is left out: by its definition it outlives its LinkState.
func TestLawsOfLinkStates(t *testing.T) {
	base := []desiredstate.Object{
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "up"},
		vppnet.LinkState{Interface: "up", Up: true},
		vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100},
	}
	// Claimed, as the machine's own NIC would be.
	kind := func(c *vppnet.Conn) *desiredstate.Kind[vppnet.LinkState] {
		return vppnet.LinkStates(c, vppnet.ClaimInterfaces(func(name string) bool { return name == theirLoopback && c.Owner() == "me" }))
	}
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) vppnet.LinkState {
		l := vppnet.LinkState{Interface: pick(t, "interface", "lo", "sub", theirLoopback), Up: pick(t, "up", false, true)}
		if l.Interface == "sub" {
			l.Parent = "up"
		}
		if pick(t, "after", false, true) {
			l.After = []desiredstate.Key{vppnet.LinkKey("up"), vppnet.InterfaceKey("sub")}
		}
		l.MTU = pick[uint32](t, "MTU", 0, 68, 1400, 65535)
		if !l.Up && l.MTU == 0 {
			l.MTU = 1300
		}
		return l
	}))
}

func TestLawsOfPipes(t *testing.T) {
	lawsWith(t, vppnet.Pipes, nil, rapid.Custom(func(t *rapid.T) vppnet.Pipe {
		return vppnet.Pipe{Name: pick(t, "name", "a", "b", "c")}
	}), lawsOptions{})
}

func TestLawsOfPipeEnds(t *testing.T) {
	base := []desiredstate.Object{vppnet.Pipe{Name: "one"}, vppnet.Pipe{Name: "two"}}
	lawsWith(t, vppnet.PipeEnds, base, rapid.Custom(func(t *rapid.T) vppnet.PipeEnd {
		return vppnet.PipeEnd{Name: pick(t, "name", "a", "b"), Pipe: pick(t, "pipe", "one", "two"), Second: pick(t, "second", false, true)}
	}), lawsOptions{more: func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Pipes(c)}
	}})
}

func TestLawsOfBridgeDomains(t *testing.T) {
	laws(t, vppnet.BridgeDomains, nil, rapid.Custom(func(t *rapid.T) vppnet.BridgeDomain {
		return vppnet.BridgeDomain{
			Name: pick(t, "name", "a", "b"), ID: pick[uint32](t, "ID", 0, 7, 1<<24-1),
			NoLearn: pick(t, "learn", false, true), NoForward: pick(t, "forward", false, true), NoFlood: pick(t, "flood", false, true),
			NoUnknownUnicastFlood: pick(t, "flood unknown", false, true), ARPTermination: pick(t, "ARP", false, true),
			MACAge: pick(t, "age", 0, time.Minute, 255*time.Minute),
		}
	}))
}

// segment is two bridge domains and three interfaces.
func segment() []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.BridgeDomain{Name: "net"},
		vppnet.BridgeDomain{Name: "other"},
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "up"},
		vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100, Rewrite: vppnet.Rewrite{Op: vppnet.Translate11, Tag1: 7}},
	}
}

func TestLawsOfBridgePorts(t *testing.T) {
	laws(t, vppnet.BridgePorts, segment(), rapid.Custom(func(t *rapid.T) vppnet.BridgePort {
		p := vppnet.BridgePort{
			Bridge: pick(t, "bridge", "net", "other", theirBridge), Interface: pick(t, "interface", "lo", "sub"),
			SplitHorizonGroup: pick[uint8](t, "group", 0, 1, 255),
		}
		p.BVI = p.Interface == "lo" && pick(t, "BVI", false, true)
		return p
	}))
}

func TestLawsOfFIBEntries(t *testing.T) {
	base := append(segment(), vppnet.BridgePort{Bridge: "net", Interface: "lo"}, vppnet.BridgePort{Bridge: "net", Interface: "sub"})
	laws(t, vppnet.FIBEntries, base, rapid.Custom(func(t *rapid.T) vppnet.FIBEntry {
		f := vppnet.FIBEntry{Bridge: "net", MAC: pick(t, "MAC", mac(1), mac(2)), Interface: pick(t, "interface", "lo", "sub", "")}
		f.Filter = f.Interface == ""
		return f
	}))
}

// laws runs them for one kind; devices are of Linux.
func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S], devices ...string) {
	lawsWith(t, kind, base, gen, lawsOptions{devices: devices})
}

type lawsOptions struct {
	devices []string // of Linux
	more    func(*vppnet.Conn) []desiredstate.AnyKind
	unreal  string        // why they are not run on a real VPP
	dumps   []api.Message // that show what the kind can change, beside layer2Dumps
}

func lawsWith[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S], o lawsOptions) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			world := func(c *vppnet.Conn) kindtest.World[S] {
				w := kindtest.World[S]{Kind: kind(c), Base: base, State: state, Writes: vpp.Writes, Fault: vpp.FailWrite, Heal: vpp.Heal}
				all := []desiredstate.AnyKind{
					vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
				}
				if o.more != nil {
					all = append(all, o.more(c)...)
				}
				for _, m := range all {
					if m.KindName() != w.Kind.Name {
						w.More = append(w.More, m)
					}
				}
				return w
			}
			w := world(dialVPP(t, vpp.Socket(), vppnet.WithLostAfter(20*time.Millisecond)))
			w.Stranger = func() kindtest.World[S] {
				return world(dialAs(t, "namesake", vpp.Socket(), vppnet.WithLostAfter(20*time.Millisecond)))
			}
			return w
		}})
	}
	t.Parallel()
	for release, checks := range map[string]int{"": 4, "24.10": 1, "26.06": 1} {
		t.Run("in memory "+release, func(t *testing.T) {
			t.Parallel()
			vpp := vpptest.New(t, vpptest.Release(release), vpptest.WithInterface(nic))
			strangers(t, vpp.Socket())
			run(t, checks, vpp, vpp.String)
		})
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		if o.unreal != "" {
			t.Skip(o.unreal)
		}
		for _, d := range o.devices {
			if out, err := exec.Command("ip", "link", "add", d, "type", "veth", "peer", "name", d+"p").CombinedOutput(); err != nil {
				t.Skipf("NO VETH DEVICE FOR THE REAL VPP: %v: %s", err, out)
			}
			t.Cleanup(func() { _ = exec.Command("ip", "link", "del", d).Run() })
		}
		vpp := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		strangers(t, vpp.Socket())
		run(t, 4, vpp, func() string { return vpp.State(slices.Concat(layer2Dumps, o.dumps)...) })
	})
}

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func mac(n byte) vppnet.MAC { return vppnet.MAC{2, 0, 0, 0, 0, n} }

// Names of what strangers make.
const (
	theirLoopback = "stranger/a"
	theirBridge   = "stranger/net"
)

// layer2Dumps show all that the kinds of this package can change.
var layer2Dumps = []api.Message{
	&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)},
	&l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: ^interface_types.InterfaceIndex(0)},
	&l2.L2FibTableDump{BdID: ^uint32(0)},
}

// strangers makes what is not ours.
func strangers(t *testing.T, socket string) {
	c, err := vppnet.Dial(t.Context(), socket, "stranger")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	e := desiredstate.New(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c))
	for _, o := range []desiredstate.Object{ // in order, so that the first is loop0
		vppnet.Loopback{Name: "a"},
		vppnet.Loopback{Name: "b"},
		vppnet.LinkState{Interface: "b", Up: true, MTU: 1234},
		vppnet.SubInterface{Name: "sub", Parent: "b", Outer: 300, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
		vppnet.BridgeDomain{Name: "net", ID: 99, NoLearn: true},
		vppnet.BridgePort{Bridge: "net", Interface: "sub", SplitHorizonGroup: 2},
		vppnet.FIBEntry{Bridge: "net", MAC: mac(1), Interface: "sub"},
	} {
		_, err := e.Ensure(t.Context(), o)
		require.NoError(t, err)
	}
}
