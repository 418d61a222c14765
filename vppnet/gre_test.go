// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/gre"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

func TestLawsOfGRETunnels(t *testing.T) {
	lawsWith(t, func(c *vppnet.Conn) *desiredstate.Kind[vppnet.GRETunnel] { return vppnet.GRETunnels(c, l3.Tables(c)) },
		[]desiredstate.Object{l3.Table{Name: "blue"}}, rapid.Custom(func(t *rapid.T) vppnet.GRETunnel {
			x := vppnet.GRETunnel{
				Name: pick(t, "name", "a", "b"), Table: pick(t, "table", "", "blue"),
				Type: pick(t, "type", vppnet.GREPackets, vppnet.GREFrames, vppnet.GREMirror),
			}
			x.Src, x.Dst = ends(t)
			if x.Type == vppnet.GREMirror {
				x.Session = pick[uint16](t, "session", 0, 1, 1023)
			}
			if x.Type != vppnet.GREPackets {
				x.MAC = pick(t, "MAC", vppnet.MAC{}, mac(1), mac(2))
			}
			return x
		}), lawsOptions{more: withTables, dumps: []api.Message{
			&gre.GreTunnelDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &ip.IPRouteV2Dump{}, &ip.IPRouteV2Dump{Table: ip.IPTable{IsIP6: true}},
		}})
}

// Frames of a port go to an analyser elsewhere, by ERSPAN.
func TestMirrorToAnotherHost(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.GRETunnels(c), vppnet.Loopbacks(c), vppnet.LinkStates(c), vppnet.Mirrors(c))
			e.MaxPrune = 1
			return e
		}
		want := []desiredstate.Object{
			vppnet.GRETunnel{Name: "analyser", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Type: vppnet.GREMirror, Session: 7},
			vppnet.LinkState{Interface: "analyser", Up: true},
			vppnet.Loopback{Name: "port"},
			vppnet.Mirror{From: "port", To: "analyser"},
		}
		for range 2 {
			_, err := engine().Sync(t.Context(), want...)
			require.NoError(t, err)
			p, err := engine().Plan(t.Context(), want...)
			require.NoError(t, err)
			require.True(t, p.Empty(), p)
			tunnel := want[0].(vppnet.GRETunnel)
			tunnel.Session = 8 // another tunnel: link and mirror go with the old one
			want[0] = tunnel
		}
		_, err := engine().Sync(t.Context())
		require.NoError(t, err)
	})
}

// Between two ends there can be tunnels whose packets bear keys. Such a one is somebody's, and none of what the kind makes.
func TestGRETunnelsWithKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, other := dialVPP(t, socket), dialAs(t, "other", socket)
		other.Uses(&gre.GreTunnelAddDelV2{}, &gre.GreTunnelDumpV2{})
		want := vppnet.GRETunnel{Name: "a", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")}
		keyed := gre.GreTunnelV2{Instance: 9, Key: 7, Src: ip_types.NewAddress(want.Src.AsSlice()), Dst: ip_types.NewAddress(want.Dst.AsSlice())}
		_, err := gre.NewServiceClient(other).GreTunnelAddDelV2(t.Context(), &gre.GreTunnelAddDelV2{IsAdd: true, Tunnel: keyed})
		require.NoError(t, err)
		e := desiredstate.New(vppnet.GRETunnels(c))
		_, err = e.Ensure(t.Context(), want)
		require.NoError(t, err)
		_, err = e.Adoption(t.Context(), vppnet.GRETunnel{Name: "b", Src: want.Src, Dst: want.Dst}, vppnet.InterfaceKey(vppnet.Foreign("gre9")))
		require.Error(t, err, "its key would be lost")
		_, err = e.Remove(t.Context(), want.Key())
		require.NoError(t, err)
		left, err := vppnet.Ask(t.Context(), other, &gre.GreTunnelDumpV2{SwIfIndex: ^interface_types.InterfaceIndex(0)})
		require.NoError(t, err)
		require.Len(t, left, 1)
		_, err = gre.NewServiceClient(other).GreTunnelAddDelV2(t.Context(), &gre.GreTunnelAddDelV2{Tunnel: keyed})
		require.NoError(t, err)
	})
}

func TestValidateGRETunnel(t *testing.T) {
	good := vppnet.GRETunnel{Name: "a", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), Type: vppnet.GREMirror, Session: 1023, MAC: mac(1)}
	require.NoError(t, good.Validate())
	for _, tc := range []struct {
		err   string
		spoil func(*vppnet.GRETunnel)
	}{
		{"name is empty", func(t *vppnet.GRETunnel) { t.Name = "" }},
		{"destination is not set", func(t *vppnet.GRETunnel) { t.Dst = netip.Addr{} }},
		{"is a multicast address", func(t *vppnet.GRETunnel) { t.Dst = netip.MustParseAddr("239.0.0.1") }},
		{"the default table", func(t *vppnet.GRETunnel) { t.Table = "vpp:0" }},
		{"type 3", func(t *vppnet.GRETunnel) { t.Type = 3 }},
		{"session 1024", func(t *vppnet.GRETunnel) { t.Session = 1024 }},
		{"only GREMirror has sessions", func(t *vppnet.GRETunnel) { t.Type = vppnet.GREFrames }},
		{"no MAC", func(t *vppnet.GRETunnel) { t.Type, t.Session = vppnet.GREPackets, 0 }},
		{"multicast", func(t *vppnet.GRETunnel) { t.MAC = vppnet.MAC{1} }},
	} {
		bad := good
		tc.spoil(&bad)
		require.ErrorContains(t, bad.Validate(), tc.err)
	}
}
