// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
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
		return vppnet.LinkStates(c, vppnet.ClaimInterfaces(func(name string) bool { return name == theirLoopback }))
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
	run := func(t *testing.T, checks int, timeout time.Duration, vpp lawTarget, state func() string) {
		connect := func(t testing.TB) kindtest.World[S] {
			s := &saboteur{vpp: vpp}
			c, err := vppnet.Dial(t.Context(), vpp.Socket(), "me", vppnet.WithReplyTimeout(timeout), vppnet.WithTrace(s.sent))
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			k := kind(c)
			s.learn(k.Uses())
			w := kindtest.World[S]{Kind: k, Base: base, State: state, Writes: vpp.Writes, Fault: s.plan, Heal: s.heal}
			for _, m := range []desiredstate.AnyKind{
				vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c),
			} {
				if m.KindName() != k.Name {
					w.More = append(w.More, m)
				}
			}
			return w
		}
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			w := connect(t)
			w.Reopen = func() kindtest.World[S] { return connect(t) }
			return w
		}})
	}
	t.Parallel()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		vpp := vpptest.New(t, vpptest.WithInterface(nic))
		strangers(t, vpp.Socket())
		run(t, 4, 300*time.Millisecond, vpp, vpp.String)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		for _, d := range devices {
			if out, err := exec.Command("ip", "link", "add", d, "type", "veth", "peer", "name", d+"p").CombinedOutput(); err != nil {
				t.Skipf("NO VETH DEVICE FOR THE REAL VPP: %v: %s", err, out)
			}
			t.Cleanup(func() { _ = exec.Command("ip", "link", "del", d).Run() })
		}
		socket := vpptest.Real(t).Socket()
		theirs := strangers(t, socket)
		run(t, 4, 500*time.Millisecond, vpptest.NewProxy(t, socket), theirs)
	})
}

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func mac(n byte) vppnet.MAC { return vppnet.MAC{2, 0, 0, 0, 0, n} }

// Names of what strangers make.
const (
	theirLoopback = "loop0"
	theirBridge   = "#99"
)

// strangers makes what is not ours, and returns a way to see all there is.
func strangers(t *testing.T, socket string) (state func() string) {
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
	c.Uses(&interfaces.SwInterfaceDump{}, &l2.BridgeDomainDump{}, &l2.L2FibTableDump{})
	return func() string {
		var b strings.Builder
		ifs, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interfaces.SwInterfaceDump{}.SwIfIndex}))
		require.NoError(t, err)
		for _, i := range ifs {
			fmt.Fprintf(&b, "%+v\n", *i)
		}
		bds, err := vppnet.Collect(l2.NewServiceClient(c).BridgeDomainDump(t.Context(), &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: ^interfaces.SwInterfaceDump{}.SwIfIndex}))
		require.NoError(t, err)
		for _, d := range bds {
			fmt.Fprintf(&b, "%+v\n", *d)
		}
		fib, err := vppnet.Collect(l2.NewServiceClient(c).L2FibTableDump(t.Context(), &l2.L2FibTableDump{BdID: ^uint32(0)}))
		require.NoError(t, err)
		for _, f := range fib {
			fmt.Fprintf(&b, "%+v\n", *f)
		}
		return b.String()
	}
}

// lawTarget is a vpptest.VPP, or a vpptest.Proxy before a real one.
type lawTarget interface {
	Socket() string
	Writes() int
	Inject(vpptest.Fault)
	Heal()
}

// A saboteur makes the nth message fail that can change VPP. It goes by what the
// connection traces, because faults count all messages of a name.
type saboteur struct {
	vpp lawTarget

	mu     sync.Mutex
	writes map[string]bool // the kind's, by name
	left   int             // messages up to the one that fails, it included; 0: none will
	fault  vpptest.FaultKind
}

func (s *saboteur) learn(messages []string) {
	s.writes = map[string]bool{}
	for _, m := range messages {
		m = m[:strings.LastIndexByte(m, '_')]
		if !strings.HasSuffix(m, "_dump") && !strings.HasSuffix(m, "_details") && !strings.HasSuffix(m, "_reply") {
			s.writes[m] = true
		}
	}
}

func (s *saboteur) plan(nth int, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.fault = nth, vpptest.Refuse
	if lost {
		s.fault = vpptest.Drop
	}
	s.arm()
}

// arm makes the next message fail, if that is the one.
func (s *saboteur) arm() {
	if s.left == 1 {
		for name := range s.writes {
			s.vpp.Inject(vpptest.Fault{Message: name, Kind: s.fault, Retval: -1})
		}
	}
}

// sent is told of each message when it has been answered, or was not in time.
func (s *saboteur) sent(tr vppnet.Trace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 || !s.writes[tr.Message] {
		return
	}
	if s.left--; s.left == 0 {
		s.vpp.Heal()
	}
	s.arm()
}

func (s *saboteur) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = 0
	s.vpp.Heal()
}
