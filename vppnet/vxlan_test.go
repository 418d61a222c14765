// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/vxlan"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

func withTables(c *vppnet.Conn) []desiredstate.AnyKind { return []desiredstate.AnyKind{l3.Tables(c)} }

// ends draws both ends of a tunnel in one family.
func ends(t *rapid.T) (src, dst netip.Addr) {
	net := pick(t, "net", "192.0.2.", "2001:db8::")
	return netip.MustParseAddr(net + "1"), netip.MustParseAddr(net + pick(t, "to", "2", "3"))
}

func TestLawsOfVXLANTunnels(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, l3.Table{Name: "blue"}}
	lawsWith(t, func(c *vppnet.Conn) *desiredstate.Kind[vppnet.VXLANTunnel] {
		return vppnet.VXLANTunnels(c, l3.Tables(c))
	}, base,
		rapid.Custom(func(t *rapid.T) vppnet.VXLANTunnel {
			x := vppnet.VXLANTunnel{
				Name: pick(t, "name", "a", "b"), Table: pick(t, "table", "", "blue"), VNI: pick[uint32](t, "VNI", 0, 1, 1<<24-1),
				LocalPort: pick[uint16](t, "local port", 0, 4789, 5000), RemotePort: pick[uint16](t, "remote port", 0, 4790),
				Payload: pick(t, "payload", vppnet.Frames, vppnet.Packets4, vppnet.Packets6),
			}
			x.Src, x.Dst = ends(t)
			if pick(t, "group", false, true) {
				x.Group, x.Dst = pick(t, "interface", "lo", "up"), netip.MustParseAddr("239.0.0.1")
				x.Table = ""
				if x.Src.Is6() {
					x.Dst = netip.MustParseAddr("ff05::1")
				}
			}
			return x
		}), lawsOptions{more: withTables, dumps: []api.Message{
			&vxlan.VxlanTunnelV2Dump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &ip.IPRouteV2Dump{}, &ip.IPRouteV2Dump{Table: ip.IPTable{IsIP6: true}},
		}})
}

func TestValidateVXLANTunnel(t *testing.T) {
	good := vppnet.VXLANTunnel{Name: "a", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), VNI: 1<<24 - 1, Payload: vppnet.Packets6}
	require.NoError(t, good.Validate())
	for _, tc := range []struct {
		err   string
		spoil func(*vppnet.VXLANTunnel)
	}{
		{"name is empty", func(t *vppnet.VXLANTunnel) { t.Name = "" }},
		{"source is not set", func(t *vppnet.VXLANTunnel) { t.Src = netip.Addr{} }},
		{"source 0.0.0.0", func(t *vppnet.VXLANTunnel) { t.Src = netip.IPv4Unspecified() }},
		{"source 224.0.0.1 is a multicast", func(t *vppnet.VXLANTunnel) { t.Src = netip.MustParseAddr("224.0.0.1") }},
		{"two addresses of one family", func(t *vppnet.VXLANTunnel) { t.Dst = t.Src }},
		{"two addresses of one family", func(t *vppnet.VXLANTunnel) { t.Dst = netip.MustParseAddr("2001:db8::1") }},
		{"without a zone", func(t *vppnet.VXLANTunnel) { t.Dst = netip.MustParseAddr("fe80::1%eth0") }},
		{"want an IPv4 or IPv6", func(t *vppnet.VXLANTunnel) { t.Dst = netip.MustParseAddr("::ffff:192.0.2.2") }},
		{"want an IPv4 or IPv6", func(t *vppnet.VXLANTunnel) {
			t.Src, t.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::7")
		}},
		{"want the interface that it is on", func(t *vppnet.VXLANTunnel) { t.Dst = netip.MustParseAddr("239.0.0.1") }},
		{"want no interface", func(t *vppnet.VXLANTunnel) { t.Group = "lo" }},
		{"on itself", func(t *vppnet.VXLANTunnel) { t.Dst, t.Group = netip.MustParseAddr("239.0.0.1"), "a" }},
		{"the default table", func(t *vppnet.VXLANTunnel) { t.Table = "vpp:0" }},
		{"VNI 16777216", func(t *vppnet.VXLANTunnel) { t.VNI = 1 << 24 }},
		{"payload 3", func(t *vppnet.VXLANTunnel) { t.Payload = 3 }},
	} {
		bad := good
		tc.spoil(&bad)
		require.ErrorContains(t, bad.Validate(), tc.err)
	}
}

// All tunnels to one group go one way; VPP dies of what they would do else.
func TestVXLANGroups(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		e := desiredstate.New(vppnet.VXLANTunnels(c, l3.Tables(c)), vppnet.Loopbacks(c), l3.Tables(c))
		e.MaxPrune = 1
		tunnel := func(name string, vni uint32, group, table string) vppnet.VXLANTunnel {
			return vppnet.VXLANTunnel{Name: name, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("239.0.0.1"), VNI: vni, Group: group, Table: table}
		}
		_, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, l3.Table{Name: "blue"}, tunnel("a", 1, "lo", ""), tunnel("b", 2, "lo", ""))
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), tunnel("c", 3, "up", ""))
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "VPP has only one way to each group")
		_, err = e.Ensure(t.Context(), tunnel("c", 3, "lo", "blue"))
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
	})
}

// Of IPv6, VPP tells tunnels apart by their other ends alone.
func TestVXLANOfOneOtherEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		k := vppnet.VXLANTunnels(dialVPP(t, socket))
		tunnel := func(name, src, dst string) vppnet.VXLANTunnel {
			return vppnet.VXLANTunnel{Name: name, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), VNI: 7}
		}
		_, err := k.Ensure(t.Context(), tunnel("a", "2001:db8::1", "2001:db8::9"), tunnel("c", "192.0.2.1", "192.0.2.9"))
		require.NoError(t, err)
		_, err = k.Ensure(t.Context(), tunnel("b", "2001:db8::2", "2001:db8::9"))
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		_, err = k.Ensure(t.Context(), tunnel("d", "192.0.2.2", "192.0.2.9"))
		require.NoError(t, err)
		_, err = k.Remove(t.Context(), vppnet.VXLANTunnel{Name: "a"}, vppnet.VXLANTunnel{Name: "c"}, vppnet.VXLANTunnel{Name: "d"})
		require.NoError(t, err)
	})
}
