// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppnet_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP's lcp-sync says of a sub-interface with a twin in Linux the MTU that it has from its parent. That is none that
// anybody asked for, and none that differs.
func TestSubInterfaceIsSaidToHaveItsParentsMTU(t *testing.T) {
	up := func(name, parent string) vppnet.LinkState {
		return vppnet.LinkState{Interface: name, Parent: parent, Up: true}
	}
	ground := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 100, Pairable: true}}
	test := func(t *testing.T, c *vppnet.Conn, socket string, sync func(parent uint32)) {
		e := layer2(c)
		converges := func(parent uint32, want ...desiredstate.Object) {
			t.Helper()
			want = append(want, ground...)
			_, err := e.Sync(t.Context(), want...)
			require.NoError(t, err)
			sync(parent)
			e.Forget()
			_, err = e.Sync(t.Context(), want...)
			require.NoError(t, err)
			sync(parent)
			e.Forget()
			p, err := e.Plan(t.Context(), want...)
			require.NoError(t, err)
			require.True(t, p.Empty(), p.String())
			mtus := given(t, socket)
			require.Equal(t, parent, mtus[subOf(mtus)])
		}
		converges(9000, up("lo", ""), up("sub", "lo"))
		parent, sub := up("lo", ""), up("sub", "lo")
		for _, parent.MTU = range []uint32{1500, 8000} {
			converges(parent.MTU, parent, sub)
			sub.MTU = parent.MTU
			converges(parent.MTU, parent, sub)
			sub.MTU = 0
		}
		converges(9000, up("lo", ""), sub)
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		c, them := dialVPP(t, vpp.Socket()), dialAs(t, "sync", vpp.Socket())
		them.Uses(&interfaces.SwInterfaceSetMtu{})
		test(t, c, vpp.Socket(), func(parent uint32) {
			_, err := interfaces.NewServiceClient(them).SwInterfaceSetMtu(t.Context(), &interfaces.SwInterfaceSetMtu{SwIfIndex: 2, Mtu: []uint32{parent, 0, 0, 0}})
			require.NoError(t, err)
		})
		_, err := layer2(c).Sync(t.Context()) // nothing is left
		require.NoError(t, err)
		require.Contains(t, vpp.String(), "interface 0")
		require.NotContains(t, vpp.String(), "interface 1")
	})
	t.Run("real", func(t *testing.T) { // a VPP whose twins are interfaces of its own, and as numbers of Linux' devices those of a namespace
		vpp := vpptest.Real(t, vpptest.InNetNS(string(netrig.New(t, "sync"))),
			vpptest.WithStartup("plugins { plugin linux_cp_plugin.so { enable } plugin linux_cp_unittest_plugin.so { enable } }"))
		c := dialVPP(t, vpp.Socket())
		_, err := layer2(c).Sync(t.Context(), ground...)
		require.NoError(t, err)
		sub := subOf(given(t, vpp.Socket()))
		for _, command := range []string{
			"create loopback interface", "create sub-interfaces loop1 100", "lcp lcp-sync on",
			"test lcp add phy loop0 host loop1", "test lcp add phy " + strings.TrimPrefix(sub, "vpp:") + " host loop1.100",
		} {
			out, err := vpp.CLI(command)
			require.NoError(t, err, out)
		}
		out, err := vpp.CLI("show lcp")
		require.NoError(t, err)
		if strings.Count(out, "itf-pair") != 2 {
			t.Skipf("THIS VPP HAS NO PLUGIN linux_cp_unittest: %s", out)
		}
		test(t, c, vpp.Socket(), func(uint32) {})
	})
}

// subOf is the first sub-interface of those.
func subOf(mtus map[string]uint32) string {
	names := slices.Sorted(maps.Keys(mtus))
	return names[slices.IndexFunc(names, func(name string) bool { return strings.Contains(name, ".") })]
}

// Who says so himself, of one that is down, has it said, and what was said is taken back.
func TestSubInterfaceWithItsParentsMTU(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		lo, sub := vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 100}
		said := vppnet.LinkState{Interface: "sub", Parent: "lo", MTU: 9000}
		converge(t, c, lo, sub, vppnet.LinkState{Interface: "lo", Up: true}, said)
		said.Up = true
		converge(t, c, lo, sub, vppnet.LinkState{Interface: "lo", Up: true}, said)
		require.Contains(t, slices.Collect(maps.Values(given(t, socket))), said.MTU)
		converge(t, c, lo, sub, vppnet.LinkState{Interface: "lo", MTU: 1500}) // it is the parent's no more
		require.Contains(t, slices.Collect(maps.Values(given(t, socket))), uint32(0))
		said.Up, said.MTU = false, 1500
		converge(t, c, lo, sub, vppnet.LinkState{Interface: "lo", MTU: 1500}, said)
		converge(t, c, lo, sub, vppnet.LinkState{Interface: "lo", MTU: 1500})
		require.Contains(t, slices.Collect(maps.Values(given(t, socket))), uint32(0))
		converge(t, c)
	})
}
