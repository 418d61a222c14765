// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

const (
	nic    = "GigabitEthernet0/8/0"
	uplink = "vpp:" + nic // as specs call it
)

// everywhere runs a test on the in-memory VPP and on a real one. devices names
// Linux devices that are to be there.
func everywhere(t *testing.T, test func(t *testing.T, socket string), devices ...string) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t, vpptest.WithInterface(nic))
		before := vpp.String()
		test(t, vpp.Socket())
		if !t.Failed() && !t.Skipped() {
			require.Equal(t, before, vpp.String(), "all is as it was")
		}
	})
	t.Run("real", func(t *testing.T) {
		for _, d := range devices {
			if out, err := exec.Command("ip", "link", "add", d, "type", "veth", "peer", "name", d+"p").CombinedOutput(); err != nil {
				t.Skipf("NO VETH DEVICE FOR THE REAL VPP: %v: %s", err, out)
			}
			t.Cleanup(func() { _ = exec.Command("ip", "link", "del", d).Run() })
		}
		test(t, vpptest.Real(t).Socket())
	})
}

func dialVPP(t testing.TB, socket string, opts ...vppnet.Option) *vppnet.Conn {
	t.Helper()
	return dialAs(t, "me", socket, opts...)
}

func dialAs(t testing.TB, owner, socket string, opts ...vppnet.Option) *vppnet.Conn {
	t.Helper()
	return kindrig.Dial(t, socket, owner, opts...)
}

func layer2(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Engine {
	e := desiredstate.New(
		vppnet.Loopbacks(c), vppnet.HostInterfaces(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c, claims...),
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c),
	)
	e.MaxPrune = 1
	return e
}

// converge makes all of VPP's objects of ours be these, and sees that whoever
// reads them anew finds nothing to do.
func converge(t *testing.T, c *vppnet.Conn, want ...desiredstate.Object) {
	t.Helper()
	_, err := layer2(c).Sync(t.Context(), want...)
	require.NoError(t, err)
	p, err := layer2(c).Plan(t.Context(), want...)
	require.NoError(t, err)
	require.True(t, p.Empty(), p.String())
	require.Equal(t, len(want), p.Count(desiredstate.Keep), p.String())
}

func plan(t *testing.T, c *vppnet.Conn, want ...desiredstate.Object) string {
	t.Helper()
	p, err := layer2(c).Plan(t.Context(), want...)
	require.NoError(t, err)
	return p.String()
}

// A change is planned as wanted, done, and undone without a trace.
func TestChanges(t *testing.T) {
	type objects = []desiredstate.Object
	net := vppnet.BridgeDomain{Name: "net"}
	lo := vppnet.Loopback{Name: "lo"}
	inLo := vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 100}
	qinq := vppnet.SubInterface{Name: "qinq", Parent: "lo", Outer: 100, Inner: 200, Dot1ad: true}
	port := vppnet.BridgePort{Bridge: "net", Interface: "lo"}
	mac := func(n byte) vppnet.MAC { return vppnet.MAC{2, 0, 0, 0, 0, n} }
	with := func(o vppnet.SubInterface, r vppnet.Rewrite) vppnet.SubInterface { o.Rewrite = r; return o }

	for _, tc := range []struct {
		name     string
		from, to objects
		plan     string
	}{
		{
			"bridge domain, in place",
			objects{net},
			objects{vppnet.BridgeDomain{
				Name: "net", NoLearn: true, NoForward: true, NoFlood: true, NoUnknownUnicastFlood: true,
				ARPTermination: true, MACAge: 255 * time.Minute,
			}},
			`~ bridge-domain/net
      NoLearn: false -> true
      NoForward: false -> true
      NoFlood: false -> true
      NoUnknownUnicastFlood: false -> true
      ARPTermination: false -> true
      MACAge: 0s -> 4h15m0s
1 to update
`,
		},
		{
			"bridge domain, back",
			objects{vppnet.BridgeDomain{Name: "net", NoLearn: true, NoUnknownUnicastFlood: true, ARPTermination: true, MACAge: time.Minute}},
			objects{net},
			`~ bridge-domain/net
      NoLearn: true -> false
      NoUnknownUnicastFlood: true -> false
      ARPTermination: true -> false
      MACAge: 1m0s -> 0s
1 to update
`,
		},
		{
			"bridge domain, another number takes its ports along",
			objects{vppnet.BridgeDomain{Name: "net", ID: 7}, lo, port},
			objects{vppnet.BridgeDomain{Name: "net", ID: 8}, lo, port},
			`± bridge-domain/net
      ID: 7 -> 8
± bridge-port/lo
2 to replace, 1 as wanted
`,
		},
		{
			"port moves",
			objects{net, vppnet.BridgeDomain{Name: "other"}, lo, port},
			objects{net, vppnet.BridgeDomain{Name: "other"}, lo, vppnet.BridgePort{Bridge: "other", Interface: "lo", SplitHorizonGroup: 3}},
			`~ bridge-port/lo
      Bridge: "net" -> "other"
      SplitHorizonGroup: 0 -> 3
1 to update, 3 as wanted
`,
		},
		{
			"BVI changes hands",
			objects{net, lo, vppnet.Loopback{Name: "bvi", BVI: true}, vppnet.BridgePort{Bridge: "net", Interface: "lo", BVI: true}, vppnet.BridgePort{Bridge: "net", Interface: "bvi"}},
			objects{net, lo, vppnet.Loopback{Name: "bvi", BVI: true}, port, vppnet.BridgePort{Bridge: "net", Interface: "bvi", BVI: true}},
			`~ bridge-port/bvi
      BVI: false -> true
~ bridge-port/lo
      BVI: true -> false
2 to update, 3 as wanted
`,
		},
		{
			"rewrite, in place",
			objects{lo, inLo, with(qinq, vppnet.Rewrite{Op: vppnet.Pop2})},
			objects{
				lo, with(inLo, vppnet.Rewrite{Op: vppnet.Translate12, Dot1ad: true, Tag1: 5, Tag2: 4094}),
				with(qinq, vppnet.Rewrite{Op: vppnet.Translate21, Tag1: 1}),
			},
			`~ interface/qinq (sub-interface)
      Rewrite.Op: pop-2 -> translate-2-1
      Rewrite.Tag1: 0 -> 1
~ interface/sub (sub-interface)
      Rewrite.Op: (none) -> translate-1-2
      Rewrite.Dot1ad: false -> true
      Rewrite.Tag1: 0 -> 5
      Rewrite.Tag2: 0 -> 4094
2 to update, 1 as wanted
`,
		},
		{
			"VLANs trade places",
			objects{lo, inLo, vppnet.SubInterface{Name: "next", Parent: "lo", Outer: 101}},
			objects{lo, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 101}, vppnet.SubInterface{Name: "next", Parent: "lo", Outer: 100}},
			`± interface/next (sub-interface)
      Outer: 101 -> 100
± interface/sub (sub-interface)
      Outer: 100 -> 101
2 to replace, 1 as wanted
`,
		},
		{
			"a port that is replaced keeps its rewrite",
			objects{vppnet.BridgeDomain{Name: "net", ID: 7}, lo, with(inLo, vppnet.Rewrite{Op: vppnet.Pop1}), vppnet.BridgePort{Bridge: "net", Interface: "sub"}},
			objects{vppnet.BridgeDomain{Name: "net", ID: 8}, lo, with(inLo, vppnet.Rewrite{Op: vppnet.Pop1}), vppnet.BridgePort{Bridge: "net", Interface: "sub"}},
			`± bridge-domain/net
      ID: 7 -> 8
± bridge-port/sub
2 to replace, 2 as wanted
`,
		},
		{
			"loopback",
			objects{lo, vppnet.Loopback{Name: "bvi", BVI: true}, vppnet.Loopback{Name: "seven", Instance: 7}},
			objects{vppnet.Loopback{Name: "lo", MAC: mac(1)}, vppnet.Loopback{Name: "bvi", BVI: true, MAC: mac(2)}, vppnet.Loopback{Name: "seven", Instance: 8, BVI: true}},
			`~ interface/bvi (loopback)
      MAC: 06:f4:48:ef:36:00 -> 02:00:00:00:00:02
~ interface/lo (loopback)
      MAC: 52:d3:1b:45:8d:59 -> 02:00:00:00:00:01
± interface/seven (loopback)
      Instance: 7 -> 8
      BVI: false -> true
2 to update, 1 to replace
`,
		},
		{
			"link state",
			objects{lo, vppnet.LinkState{Interface: "lo", Up: true}},
			objects{lo, vppnet.LinkState{Interface: "lo", MTU: 1400}},
			`~ link/lo, disturbs its traffic
      Up: true -> false
      MTU: 9000 -> 1400
1 to update, 1 as wanted
`,
		},
		{
			"MTU back to VPP's default",
			objects{lo, inLo, vppnet.LinkState{Interface: "lo", Up: true, MTU: 1400}, vppnet.LinkState{Interface: "sub", Parent: "lo", Up: true, MTU: 1300}},
			objects{lo, inLo, vppnet.LinkState{Interface: "lo", Up: true}, vppnet.LinkState{Interface: "sub", Parent: "lo", Up: true}},
			`~ link/lo, disturbs its traffic
      MTU: 1400 -> 9000
~ link/sub, disturbs its traffic
      MTU: 1300 -> 0
2 to update, 2 as wanted
`,
		},
		{
			"a parent that goes down takes its sub-interfaces along",
			objects{lo, inLo, vppnet.LinkState{Interface: "lo", Up: true}, vppnet.LinkState{Interface: "sub", Parent: "lo", Up: true}},
			objects{lo, inLo, vppnet.LinkState{Interface: "lo", MTU: 1000}, vppnet.LinkState{Interface: "sub", Parent: "lo", MTU: 900}},
			`~ link/lo, disturbs its traffic
      Up: true -> false
      MTU: 9000 -> 1000
± link/sub
      Up: true -> false
      MTU: 0 -> 900
1 to update, 1 to replace, 2 as wanted
`,
		},
		{
			"FIB entry",
			objects{
				net, lo, port,
				vppnet.Loopback{Name: "lo2"},
				vppnet.BridgePort{Bridge: "net", Interface: "lo2", BVI: true},
				vppnet.FIBEntry{Bridge: "net", MAC: mac(1), Interface: "lo"},
				vppnet.FIBEntry{Bridge: "net", MAC: mac(2), Interface: "lo"},
				vppnet.FIBEntry{Bridge: "net", MAC: mac(3), Filter: true},
			},
			objects{
				net, lo, port,
				vppnet.Loopback{Name: "lo2"},
				vppnet.BridgePort{Bridge: "net", Interface: "lo2", BVI: true},
				vppnet.FIBEntry{Bridge: "net", MAC: mac(1), Interface: "lo2"},
				vppnet.FIBEntry{Bridge: "net", MAC: mac(2), Filter: true},
				vppnet.FIBEntry{Bridge: "net", MAC: mac(3), Interface: "lo"},
			},
			`~ l2-fib/net 02:00:00:00:00:01
      Interface: "lo" -> "lo2"
~ l2-fib/net 02:00:00:00:00:02
      Interface: "lo" -> ""
      Filter: false -> true
~ l2-fib/net 02:00:00:00:00:03
      Interface: "" -> "lo"
      Filter: true -> false
3 to update, 5 as wanted
`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, socket string) {
				c := dialVPP(t, socket)
				converge(t, c, tc.from...)
				require.Equal(t, tc.plan, plan(t, c, tc.to...))
				converge(t, c, tc.to...)
				converge(t, c, tc.from...)
				converge(t, c)
			})
		})
	}
}

func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "vppkit")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
