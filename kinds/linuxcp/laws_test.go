// SPDX-License-Identifier: Apache-2.0

package linuxcp_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lcp"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/linuxcp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Both kinds keep the laws: pairs in memory only, unless Linux has what they need.

func TestLawsOfPairs(t *testing.T) {
	base := []desiredstate.Object{
		vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100, Pairable: true}, linuxcp.Pair{Interface: "up", Device: "up"},
	}
	gen := rapid.Custom(func(t *rapid.T) linuxcp.Pair {
		p := linuxcp.Pair{
			Interface: kindrig.Pick(t, "interface", "lo", "sub"), Device: kindrig.Pick(t, "device", "a", "b.1", "fourteen-bytes"),
			Netns: kindrig.Pick(t, "namespace", "", "red", "blue"), TUN: kindrig.Pick(t, "TUN", false, true),
		}
		if p.Interface == "sub" { // in its parent's namespace
			p.Parent, p.Netns = "up", ""
		}
		return p
	})
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindrig.Laws(t, kindtest.Suite[linuxcp.Pair]{Gen: gen, Checks: checks, Open: kindrig.Owners(vpp, state, base, pairs, kinds)})
	}
	if _, err := os.Stat("/dev/vhost-net"); err == nil {
		kindrig.OnEachVPP(t, 8, strangers, state, run, enabled)
		return
	}
	kindrig.InMemory(t, 8, strangers, run)
	t.Run("real", func(t *testing.T) { t.Skip("PAIRS NEED /dev/vhost-net: THEIR LAWS ARE RUN IN MEMORY ONLY") })
}

func TestLawsOfNamespaces(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) linuxcp.Namespace {
		return linuxcp.Namespace{Name: kindrig.Pick(t, "name", "red", "blue", "thirty-bytes-of-a-network-name")}
	})
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		var memory vppnet.Memory
		kindtest.Run(t, kindtest.Suite[linuxcp.Namespace]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[linuxcp.Namespace] {
			c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindrig.World(vpp, state, linuxcp.Namespaces(c, &memory), nil, kinds(c))
		}})
	}
	kindrig.OnEachVPP(t, 4, func(*testing.T, string) {}, state, run, enabled)
}

// enabled loads the plugin, which VPP does not by itself.
var enabled = vpptest.WithStartup("plugins { plugin linux_cp_plugin.so { enable } }")

func pairs(c *vppnet.Conn) *desiredstate.Kind[linuxcp.Pair] { return linuxcp.Pairs(c) }

func kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{linuxcp.Pairs(c), vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c)}
}

func state(p *vpptest.Proxy) string {
	return p.State(&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &lcp.LcpItfPairGet{})
}

// strangers make what is not ours.
func strangers(t *testing.T, socket string) {
	_, err := kindrig.Engine(kinds(kindrig.Dial(t, socket, "stranger"))...).Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, linuxcp.Pair{Interface: "lo", Device: "theirs"})
	require.NoError(t, err)
}

// Where Linux has no vhost-net it is said what to do, and what is refused leaves nothing, as on a real VPP.
func TestWithoutVhostNet(t *testing.T) {
	test := func(t *testing.T, socket string) {
		e := kindrig.Engine(kinds(kindrig.Dial(t, socket, "me"))...)
		lo := vppnet.Loopback{Name: "lo"}
		for why, p := range map[string]linuxcp.Pair{
			"no /dev/vhost-net": {Interface: "lo", Device: "twin"},
			"ip netns add":      {Interface: "lo", Device: "twin", Netns: "vppkit-none"},
			"take another":      {Interface: "lo", Device: "lo"},
		} {
			_, err := e.Ensure(t.Context(), lo, p)
			if err != nil && strings.Contains(err.Error(), "plugin tap") {
				t.Skip("THIS VPP HAS NO TAPS")
			}
			require.ErrorContains(t, err, why)
		}
		_, err := e.Ensure(t.Context(), vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5, Pairable: true}, linuxcp.Pair{Interface: "sub", Device: "twin"})
		require.ErrorContains(t, err, "name it as Parent")
		e.Forget()
		_, err = e.Remove(t.Context(), vppnet.InterfaceKey("sub"))
		require.NoError(t, err)
		p, err := e.Plan(t.Context(), lo)
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	}
	t.Run("in memory", func(t *testing.T) {
		test(t, vpptest.New(t, vpptest.WithoutVhostNet(), vpptest.WithHostNamespace("red")).Socket())
	})
	t.Run("real", func(t *testing.T) {
		if _, err := os.Stat("/dev/vhost-net"); err == nil {
			t.Skip("/dev/vhost-net IS HERE")
		}
		test(t, vpptest.Real(t, enabled).Socket())
	})
}

func TestValidate(t *testing.T) {
	good := linuxcp.Pair{Interface: "lo", Device: "fifteen-bytes.1", Netns: "thirty-bytes-of-a-network-name"}
	require.NoError(t, good.Validate())
	for why, spoil := range map[string]func(*linuxcp.Pair){
		"interface":           func(p *linuxcp.Pair) { p.Interface = "" },
		"parent":              func(p *linuxcp.Pair) { p.Parent = "a/b/c" },
		"outer":               func(p *linuxcp.Pair) { p.Outer = "a/b/c" },
		"its own outer one":   func(p *linuxcp.Pair) { p.Outer = p.Interface },
		"of 0 bytes, want 1":  func(p *linuxcp.Pair) { p.Device = "" },
		"of 16 bytes, want 1": func(p *linuxcp.Pair) { p.Device += "1" },
		"of 15 bytes, want 1": func(p *linuxcp.Pair) { p.TUN = true },
		"letters, digits":     func(p *linuxcp.Pair) { p.Device = "a:b" },
		"of 31 bytes":         func(p *linuxcp.Pair) { p.Netns += "s" },
	} {
		bad := good
		spoil(&bad)
		require.ErrorContains(t, bad.Validate(), why)
	}
	for _, name := range []string{".", "..", "all", "default"} { // Linux says "invalid argument"
		bad := good
		bad.Device = name
		require.ErrorContains(t, bad.Validate(), "Linux has no device")
	}
	for _, name := range []string{".", "..", "pid:1", "a/b", "\xff"} {
		bad := good
		bad.Netns = name
		require.ErrorContains(t, bad.Validate(), "/var/run/netns")
		require.ErrorContains(t, linuxcp.Namespace{Name: name}.Validate(), "/var/run/netns")
	}
	require.ErrorContains(t, linuxcp.Namespace{}.Validate(), "leave the Namespace out")
}

// The twin of two tags is a VLAN of that of the outer one: it comes after it, and goes, and is made anew with it.
func TestTwinOfTwoTags(t *testing.T) {
	vpp := vpptest.New(t)
	up, outer := linuxcp.Pair{Interface: "up", Device: "up"}, linuxcp.Pair{Interface: "sub", Parent: "up", Device: "up.100"}
	inner := linuxcp.Pair{Interface: "a-qinq", Parent: "up", Outer: "sub", Device: "up.100.7"} // the first by name
	ground := []desiredstate.Object{
		vppnet.Loopback{Name: "up"},
		vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100, Pairable: true},
		vppnet.SubInterface{Name: "a-qinq", Parent: "up", Outer: 100, Inner: 7},
		vppnet.SubInterface{Name: "other", Parent: "up", Outer: 100, Dot1ad: true, Pairable: true},
		linuxcp.Pair{Interface: "other", Parent: "up", Device: "other"},
	}
	e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"))...)
	sync := func(want ...desiredstate.Object) {
		t.Helper()
		want = append(want, ground...)
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		e.Forget()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p.String())
	}
	sync(up, outer, inner)
	outer.Device = "up.100b"
	sync(up, outer, inner)
	open := inner
	open.Outer = "" // it is found
	p, err := e.Plan(t.Context(), append(ground, up, outer, open)...)
	require.NoError(t, err)
	require.True(t, p.Empty(), p.String())
	e.Forget()
	_, err = e.Sync(t.Context(), ground[:3]...)
	require.NoError(t, err)
	require.NotContains(t, vpp.String(), "linux-cp pairs")
}
