// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/span"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

var spanDumps = []api.Message{&span.SwInterfaceSpanDump{}, &span.SwInterfaceSpanDump{IsL2: true}}

func TestLawsOfMirrors(t *testing.T) {
	base := append(segment(), vppnet.BridgePort{Bridge: "net", Interface: "sub"})
	lawsWith(t, vppnet.Mirrors, base, rapid.Custom(func(t *rapid.T) vppnet.Mirror {
		m := vppnet.Mirror{From: pick(t, "from", "up", "sub", theirLoopback), To: "lo", L2: pick(t, "L2", false, true)}
		m.L2 = m.L2 || m.From == "sub"
		m.NoRx = pick(t, "no rx", false, true)
		m.NoTx = !m.NoRx && pick(t, "no tx", false, true)
		if m.From == "sub" && m.L2 {
			m.After = []desiredstate.Key{vppnet.BridgePortKey("sub")}
		}
		return m
	}), lawsOptions{dumps: spanDumps})
}

// Several mirrors of one interface do not know of each other; and one that VPP lists for the
// next interface with an index, and does not obey, is put into effect.
func TestMirrorsThatOutliveTheirInterface(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		o.Uses(&span.SwInterfaceSpanEnableDisable{}, &span.SwInterfaceSpanDump{})
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.Loopbacks(c), vppnet.Mirrors(c))
			e.MaxPrune = 1
			return e
		}
		first := o.loopback(mac(9))
		to := []desiredstate.Object{vppnet.Loopback{Name: "b"}, vppnet.Loopback{Name: "c"}}
		r, err := engine().Ensure(t.Context(), to...)
		require.NoError(t, err)
		b, _ := r.Of(vppnet.InterfaceKey("b"))
		set := func(state span.SpanState) {
			_, err := span.NewServiceClient(o).SwInterfaceSpanEnableDisable(t.Context(), &span.SwInterfaceSpanEnableDisable{SwIfIndexFrom: first, SwIfIndexTo: interface_types.InterfaceIndex(b.ID), State: state})
			require.NoError(t, err)
		}
		set(span.SPAN_STATE_API_RX_TX)
		o.remove(first)

		want := append(to, vppnet.Loopback{Name: "a"}, vppnet.Mirror{From: "a", To: "b"}, vppnet.Mirror{From: "a", To: "c", NoTx: true})
		_, err = engine().Ensure(t.Context(), want[:3]...)
		require.NoError(t, err)
		_, err = engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		p, err := engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
		_, err = engine().Sync(t.Context())
		require.NoError(t, err)
		left, err := vppnet.Collect(span.NewServiceClient(o).SwInterfaceSpanDump(t.Context(), &span.SwInterfaceSpanDump{}))
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// A mirror to an interface that somebody removed goes, before another one gets that index and the copies; the
// same one that comes again with that index is mirrored to.
func TestMirrorThatOutlivesWhereItIsTo(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		o.Uses(&span.SwInterfaceSpanDump{})
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.Loopbacks(c), vppnet.Mirrors(c))
			e.MaxPrune = 1
			return e
		}
		mirrors := func() []*span.SwInterfaceSpanDetails {
			all, err := vppnet.Collect(span.NewServiceClient(o).SwInterfaceSpanDump(t.Context(), &span.SwInterfaceSpanDump{}))
			require.NoError(t, err)
			return all
		}
		want := []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, vppnet.Mirror{From: "a", To: "b"}}
		lose := func() {
			r, err := engine().Sync(t.Context(), want...)
			require.NoError(t, err)
			b, _ := r.Of(vppnet.InterfaceKey("b"))
			o.remove(interface_types.InterfaceIndex(b.ID))
			require.Len(t, mirrors(), 1, "VPP keeps it")
		}
		lose()
		_, err := engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		require.Len(t, mirrors(), 1)
		p, err := engine().Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)

		lose()
		_, err = engine().Sync(t.Context(), want[0])
		require.NoError(t, err)
		require.Empty(t, mirrors())
		_, err = engine().Sync(t.Context())
		require.NoError(t, err)
	})
}

// A port that somebody took out of L2, and put back or not, is mirrored again, as are others' mirrors of it.
func TestMirrorOfAPortThatLeftL2(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		o.Uses(&l2.L2Flags{}, &span.SwInterfaceSpanEnableDisable{})
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.Loopbacks(c), vppnet.Mirrors(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c))
			e.MaxPrune = 1
			return e
		}
		want := []desiredstate.Object{vppnet.BridgeDomain{Name: "net", ID: 7}}
		for _, name := range []string{"a", "b", "c"} {
			want = append(want, vppnet.Loopback{Name: name}, vppnet.BridgePort{Bridge: "net", Interface: name})
		}
		want = append(want, vppnet.Mirror{From: "a", To: "b", L2: true, After: []desiredstate.Key{vppnet.BridgePortKey("a"), vppnet.BridgePortKey("b")}})
		r, err := engine().Sync(t.Context(), want...)
		require.NoError(t, err)
		a, _ := r.Of(vppnet.InterfaceKey("a"))
		from := interface_types.InterfaceIndex(a.ID)
		features := func() uint32 {
			r, err := l2.NewServiceClient(o).L2Flags(t.Context(), &l2.L2Flags{SwIfIndex: from, IsSet: true})
			require.NoError(t, err)
			return r.ResultingFeatureBitmap
		}
		mirrored := features()
		other, _ := r.Of(vppnet.InterfaceKey("c"))
		for _, beside := range []span.SpanState{0, span.SPAN_STATE_API_RX_TX} {
			_, err := span.NewServiceClient(o).SwInterfaceSpanEnableDisable(t.Context(), &span.SwInterfaceSpanEnableDisable{
				SwIfIndexFrom: from, SwIfIndexTo: interface_types.InterfaceIndex(other.ID), State: beside, IsL2: true,
			})
			require.NoError(t, err)
			for _, back := range []bool{false, true} {
				o.bridge(from, 7, false)
				if back {
					o.bridge(from, 7, true)
				}
				require.NotEqual(t, mirrored, features(), "VPP has forgotten it")
				_, err := engine().Ensure(t.Context(), want...)
				require.NoError(t, err)
				require.Equal(t, mirrored, features())
				p, err := engine().Plan(t.Context(), want...)
				require.NoError(t, err)
				require.Equal(t, len(want), p.Count(desiredstate.Keep), p)
			}
		}
		_, err = engine().Sync(t.Context())
		require.NoError(t, err)
	})
}

// A sub-interface is no device: VPP takes a mirror of one, and copies nothing.
func TestMirrorOfASubInterface(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.Mirrors(c))
			e.MaxPrune = 1
			return e
		}
		up := o.loopback(mac(9), 77)
		theirs := o.subInterface(up, 5, 5, 0)
		want := []desiredstate.Object{vppnet.Loopback{Name: "up"}, vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 7}}
		for _, from := range []string{"sub", "vpp:loop77.5"} {
			_, err := engine().Sync(t.Context(), append(want, vppnet.Mirror{From: from, To: "lo"})...)
			require.ErrorIs(t, err, desiredstate.ErrInvalid)
			require.ErrorContains(t, err, from+" is a sub-interface, and VPP mirrors devices")
			_, err = engine().Sync(t.Context(), append(want, vppnet.Mirror{From: from, To: "lo", L2: true}, vppnet.Mirror{From: "up", To: "lo"})...)
			require.NoError(t, err)
		}
		_, err := engine().Sync(t.Context())
		require.NoError(t, err)
		_, err = o.DeleteSubif(t.Context(), &interfaces.DeleteSubif{SwIfIndex: theirs})
		require.NoError(t, err)
		o.remove(up)
	})
}

func TestValidateMirror(t *testing.T) {
	for _, tc := range []struct {
		m   vppnet.Mirror
		err string
	}{
		{vppnet.Mirror{From: "a", To: "a"}, "to itself"},
		{vppnet.Mirror{From: "a", To: "b", NoRx: true, NoTx: true}, "no mirror at all"},
		{vppnet.Mirror{To: "b"}, "mirrored interface: name is empty"},
		{vppnet.Mirror{From: "a"}, "interface of the copies: name is empty"},
		{vppnet.Mirror{From: "a", To: "b", After: []desiredstate.Key{vppnet.MirrorKey("a", "b", false)}}, "after itself"},
	} {
		require.ErrorContains(t, tc.m.Validate(), tc.err)
	}
	require.NoError(t, vppnet.Mirror{From: uplink, To: "b", L2: true, NoTx: true}.Validate())
}
