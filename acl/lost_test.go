// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// moved numbers L2 features as if more of them stood in VPP's list.
func moved(gaps ...int) func(uint32) uint32 {
	return func(features uint32) (out uint32) {
		for bit := range 18 {
			at := bit
			for _, gap := range gaps {
				if bit >= gap {
					at++
				}
			}
			out |= features >> bit & 1 << at
		}
		return out
	}
}

// onEach runs a test on VPPs that number L2 features in several ways, and on the real one.
func onEach(t *testing.T, test func(t *testing.T, vpp vpptest.Target)) {
	onBoth(t, test)
	for _, gaps := range [][]int{{10, 14}, {0, 0, 14}, {5, 14, 15, 15}} { // the first is VPP 26.06
		t.Run(fmt.Sprint("features moved ", gaps), func(t *testing.T) { test(t, vpptest.New(t, vpptest.WithL2Features(moved(gaps...)))) })
	}
}

// secured is a port with both filters, beside one without.
func secured() []desiredstate.Object {
	return append(filtered(), vppnet.Loopback{Name: "uplink"}, vppnet.BridgePort{Bridge: "net", Interface: "uplink"},
		acl.Binding{Interface: "port", Input: []string{"x"}, Output: []string{"y"}}, acl.MACIPBinding{Interface: "port", Set: "x"})
}

// lose takes a port off its bridge domain and puts it there again, behind the back of all.
func lose(t *testing.T, c *vppnet.Conn, r map[desiredstate.Key]uint32) {
	t.Helper()
	c.Uses(&l2.SwInterfaceSetL2Bridge{})
	for _, on := range []bool{false, true} {
		_, err := l2.NewServiceClient(c).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{
			RxSwIfIndex: interface_types.InterfaceIndex(r[vppnet.InterfaceKey("port")]), BdID: r[vppnet.BridgeKey("net")], Enable: on,
		})
		require.NoError(t, err)
	}
}

// Filters that have an effect are left alone, and those that lost it are mended, however
// VPP numbers features, and whether it was us who bound them.
func TestEffectOnAnyVPP(t *testing.T) {
	onEach(t, func(t *testing.T, vpp vpptest.Target) {
		before := engine(dial(t, vpp.Socket(), "me"))
		r := ensure(t, before, secured()...)
		for _, anew := range []bool{false, true} {
			c := dial(t, vpp.Socket(), "me")
			e := before
			if anew {
				e = engine(c)
			}
			quiet := func() {
				t.Helper()
				e.Forget()
				vpp.ResetLog()
				p, err := e.Plan(t.Context(), secured()...)
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s", p)
				require.Zero(t, vpp.Writes())
			}
			quiet()
			lit := features(t, c, r[vppnet.InterfaceKey("port")])
			lose(t, c, r)
			require.NotEqual(t, lit, features(t, c, r[vppnet.InterfaceKey("port")]))
			e.Forget()
			p, err := e.Plan(t.Context(), secured()...)
			require.NoError(t, err)
			require.Equal(t, 2, p.Count(desiredstate.Update), "%s", p)
			_, err = e.Apply(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, lit, features(t, c, r[vppnet.InterfaceKey("port")]))
			quiet()
		}
	})
}

// One filter of an interface can lose its effect alone.
func TestHalfLost(t *testing.T) {
	onEach(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		r := ensure(t, e, filtered()...)
		ensure(t, e, secured()...)
		lit := features(t, c, r[vppnet.InterfaceKey("port")])
		lose(t, c, r)
		other := engine(c)
		for _, half := range []desiredstate.Object{acl.MACIPBinding{Interface: "port", Set: "y"}, acl.MACIPBinding{Interface: "port", Set: "x"}} {
			ensure(t, other, half)
		}
		require.NotEqual(t, lit, features(t, c, r[vppnet.InterfaceKey("port")]))
		e.Forget()
		ensure(t, e, secured()...)
		require.Equal(t, lit, features(t, c, r[vppnet.InterfaceKey("port")]))
	})
}

// What is read to learn the numbers is read once.
func TestLearningIsCheap(t *testing.T) {
	vpp := vpptest.New(t)
	want := secured()
	for i := range 20 {
		want = append(want, vppnet.Loopback{Name: fmt.Sprint("more", i)})
	}
	ensure(t, engine(dial(t, vpp.Socket(), "me")), want...)
	e := engine(dial(t, vpp.Socket(), "me"))
	flags := func() (n int) {
		e.Forget()
		vpp.ResetLog()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, p.Steps)
		for _, m := range vpp.Sent() {
			if m == "l2_flags" {
				n++
			}
		}
		return n
	}
	require.Greater(t, flags(), 20)
	require.Equal(t, 1, flags())
}
