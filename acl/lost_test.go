// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"context"
	"fmt"
	"testing"
	"time"

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
// Not all of them leave the first ten where they are.
func onEach(t *testing.T, test func(t *testing.T, vpp vpptest.Target, known bool)) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) { test(t, vpp, true) })
	for _, gaps := range [][]int{{10, 14}, {12, 12, 15}, {0, 0, 14}, {5, 14, 15, 15}} { // the first is VPP 26.06
		t.Run(fmt.Sprint("features moved ", gaps), func(t *testing.T) {
			test(t, vpptest.New(t, vpptest.WithL2Features(moved(gaps...))), gaps[0] >= 10)
		})
	}
}

// secured is a port with both filters.
func secured() []desiredstate.Object {
	return append(filtered(), acl.Binding{Interface: "port", Input: []string{"x"}, Output: []string{"y"}}, acl.MACIPBinding{Interface: "port", Set: "x"})
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
	onEach(t, func(t *testing.T, vpp vpptest.Target, known bool) {
		before := engine(dial(t, vpp.Socket(), "me"))
		ensure(t, before, filtered()...) // bridged first, or what that turns on could be taken for a filter's, where numbers are unknown
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
			if anew && !known {
				require.Empty(t, p.Steps, "%s", p)
				continue
			}
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
	onEach(t, func(t *testing.T, vpp vpptest.Target, _ bool) {
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

// VPP leaves the feature on where ethertypes were taken away before the sets were. That
// makes nobody believe that filters elsewhere are lost.
func TestFeatureOfNoFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		types := acl.EtherTypes{Interface: "lo", Input: []uint16{0x0806}}
		bound := acl.Binding{Interface: "lo", Input: []string{"x"}}
		ensure(t, e, append(secured(), types, bound)...)
		for _, gone := range []desiredstate.Key{types.Key(), bound.Key()} {
			_, err := e.Remove(t.Context(), gone)
			require.NoError(t, err)
		}
		for _, e := range []*desiredstate.Engine{e, engine(c)} {
			e.Forget()
			p, err := e.Plan(t.Context(), secured()...)
			require.NoError(t, err)
			require.Empty(t, p.Steps, "%s", p)
		}
		ensure(t, e, bound)
		e.Forget()
		p, err := e.Plan(t.Context(), append(secured(), bound)...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%s", p)
	})
}

// Once the numbers are known, a binding costs no message for them, and a reading one for
// each interface that has a filter.
func TestLearningIsCheap(t *testing.T) {
	vpp := vpptest.New(t)
	e := engine(dial(t, vpp.Socket(), "me"))
	flags := func(f func()) (n int) {
		vpp.ResetLog()
		f()
		for _, m := range vpp.Sent() {
			if m == "l2_flags" {
				n++
			}
		}
		return n
	}
	require.Equal(t, 4, flags(func() { ensure(t, e, secured()...) }))
	more := []desiredstate.Object{acl.Binding{Interface: "lo", Input: []string{"x"}}, acl.MACIPBinding{Interface: "lo", Set: "x"}}
	require.Zero(t, flags(func() { ensure(t, e, more...) }))
	require.Equal(t, 2, flags(func() {
		e.Forget()
		p, err := e.Plan(t.Context(), append(secured(), more...)...)
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	}))
}

// Who mends a filter, which takes an interface's ethertypes to be written as they were
// read, and who sets them, take turns. Nobody else waits: no other interface, no other
// VPP, nobody whose time is over.
func TestTurnsAboutEtherTypes(t *testing.T) {
	vpp := vpptest.New(t)
	c := dial(t, vpp.Socket(), "me")
	e := engine(c)
	r := ensure(t, e, secured()...)
	lo := acl.EtherTypes{Interface: "lo", Input: []uint16{0x0806}}
	port := acl.EtherTypes{Interface: "port", Input: []uint16{0x0806}}
	turn := func(iface string) func() {
		done, err := c.Turn(t.Context(), desiredstate.Key{Space: "acl-ethertypes", Name: vppnet.Foreign(fmt.Sprint(r[vppnet.InterfaceKey(iface)]))})
		require.NoError(t, err)
		return done
	}
	waits := func(want ...desiredstate.Object) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := e.Ensure(ctx, want...)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	done := turn("lo")
	waits(lo)
	ensure(t, e, port)
	other := vpptest.New(t)
	ensure(t, engine(dial(t, other.Socket(), "me")), vppnet.Loopback{Name: "lo"}, lo)
	done()
	ensure(t, e, lo)

	done = turn("port")
	lose(t, c, r)
	e.Forget()
	waits(secured()...)
	done()
	ensure(t, e, secured()...)
	e.Forget()
	p, err := e.Plan(t.Context(), append(secured(), lo, port)...)
	require.NoError(t, err)
	require.Empty(t, p.Steps, "%s", p)
}
