// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vxlan_gpe"
	binding "go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// at is an interface that listens at a port.
func at(name string, port uint16) wireguard.Interface {
	return wireguard.Interface{Name: name, PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: port}
}

// tunnel listens at 4789, or at another port.
func tunnel(name string, port uint16) vppnet.VXLANTunnel {
	return vppnet.VXLANTunnel{Name: name, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), VNI: 7, LocalPort: port}
}

// No protocol of VPP's own loses its port, and nothing listens where it would hear nothing.
func TestPortsOfVPP(t *testing.T) {
	for _, port := range []uint16{67, 68, 546, 547, 3784, 4341, 4342, 4790} {
		require.ErrorContains(t, at("a", port).Validate(), fmt.Sprintf("UDP port %d is what VPP has for", port))
		require.ErrorContains(t, tunnel("a", port).Validate(), fmt.Sprintf("UDP port %d is what VPP has for", port))
	}
	require.NoError(t, at("a", 4789).Validate())
	require.NoError(t, tunnel("a", 4789).Validate())
}

// WireGuard and VXLAN do not share a port, whether one engine knows both, or a connection has one alone.
func TestPortOfAnother(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		ours := func(kind func(*vppnet.Conn) desiredstate.AnyKind) *desiredstate.Engine {
			return kindrig.Engine(kind(kindrig.Dial(t, vpp.Socket(), "me")))
		}
		tunnels := func(c *vppnet.Conn) desiredstate.AnyKind { return vppnet.VXLANTunnels(c) }
		interfaces := func(c *vppnet.Conn) desiredstate.AnyKind { return wireguard.Interfaces(c) }
		c := kindrig.Dial(t, vpp.Socket(), "me")
		both := kindrig.Engine(tunnels(c), interfaces(c))
		_, err := both.Ensure(t.Context(), tunnel("a", 0), tunnel("b", 5000), at("c", 4789))
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "interface/a wants udp-port/4789 too")
		_, err = both.Sync(t.Context())
		require.NoError(t, err)

		stranger := kindrig.Dial(t, vpp.Socket(), "stranger")
		r, err := kindrig.Engine(tunnels(stranger), interfaces(stranger)).Ensure(t.Context(), tunnel("v", 0), at("w", 5000))
		require.NoError(t, err)
		v, _ := r.Of(vppnet.InterfaceKey("v"))
		w, _ := r.Of(vppnet.InterfaceKey("w"))
		before := state()
		both.Forget()
		_, err = both.Ensure(t.Context(), at("a", 4789))
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.ErrorContains(t, err, "stranger/v")
		_, err = both.Ensure(t.Context(), tunnel("a", 5000))
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.ErrorContains(t, err, "stranger/w")
		_, err = ours(interfaces).Ensure(t.Context(), at("a", 4789))
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, fmt.Sprintf("VXLAN tunnel with index %d listens at UDP port 4789", v.ID))
		_, err = ours(tunnels).Ensure(t.Context(), tunnel("a", 5000))
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, fmt.Sprintf("WireGuard interface with index %d listens at UDP port 5000", w.ID))
		require.Equal(t, before, state())

		_, err = both.Ensure(t.Context(), tunnel("a", 5001), at("b", 5002)) // each its own
		require.NoError(t, err)
	})
}

// A VXLAN-GPE tunnel, which no kind makes, keeps the port at which VPP listens for it.
func TestPortOfVXLANGPE(t *testing.T) {
	run := func(t *testing.T, vpp vpptest.Target) {
		stranger := kindrig.Dial(t, vpp.Socket(), "stranger")
		stranger.Uses(&vxlan_gpe.VxlanGpeAddDelTunnelV2{})
		made := map[uint16]interface_types.InterfaceIndex{} // by port
		for port, q := range map[uint16]*vxlan_gpe.VxlanGpeAddDelTunnelV2{
			5000: {Local: ipv4(10, 0, 0, 1), Remote: ipv4(10, 0, 0, 2), LocalPort: 5000, RemotePort: 5001},
			5002: {Local: ipv6(1), Remote: ipv6(2), LocalPort: 5003, RemotePort: 5002},
		} {
			q.IsAdd, q.Vni, q.Protocol, q.McastSwIfIndex = true, 7, 3, ^interface_types.InterfaceIndex(0)
			r, err := vxlan_gpe.NewServiceClient(stranger).VxlanGpeAddDelTunnelV2(t.Context(), q)
			require.NoError(t, err)
			made[port] = r.SwIfIndex
		}
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := kindrig.Engine(vppnet.VXLANTunnels(c), wireguard.Interfaces(c))
		for port, index := range made {
			for _, o := range []desiredstate.Object{at("a", port), tunnel("a", port)} {
				_, err := e.Ensure(t.Context(), o)
				require.ErrorIs(t, err, desiredstate.ErrConflict)
				require.ErrorContains(t, err, fmt.Sprintf("VXLAN-GPE tunnel with index %d listens at UDP port %d", index, port))
			}
		}
		_, err := e.Ensure(t.Context(), at("a", 5001))
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { run(t, vpptest.New(t, vpptest.WithPlugin("vxlan-gpe", gpeTunnels))) })
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		run(t, vpptest.NewProxy(t, vpp.Socket()))
		ports, err := vpp.CLI("show udp ports")
		require.NoError(t, err)
		require.Regexp(t, `5000\S*\s+ip4\S*\s+vxlan4-gpe-input`, ports)
		require.Regexp(t, `5002\S*\s+ip6\S*\s+vxlan6-gpe-input`, ports)
	})
}

// gpeTunnels is the vxlan-gpe plugin, as far as it makes and shows tunnels.
func gpeTunnels(v *vpptest.VPP) {
	var all []*vxlan_gpe.VxlanGpeTunnelV2Details
	vpptest.Handle(v, func(c *vpptest.Call, q *vxlan_gpe.VxlanGpeAddDelTunnelV2) *vxlan_gpe.VxlanGpeAddDelTunnelV2Reply {
		d := &vxlan_gpe.VxlanGpeTunnelV2Details{
			Local: q.Local, Remote: q.Remote, LocalPort: q.LocalPort, RemotePort: q.RemotePort, Vni: q.Vni,
			SwIfIndex: interface_types.InterfaceIndex(c.AddInterface(vpptest.NewInterface{Name: fmt.Sprintf("vxlan_gpe_tunnel%d", len(all)), DevType: "VXLAN-GPE", NotEthernet: true})),
		}
		all = append(all, d)
		return &vxlan_gpe.VxlanGpeAddDelTunnelV2Reply{SwIfIndex: d.SwIfIndex}
	})
	vpptest.HandleDump(v, func(*vpptest.Call, *vxlan_gpe.VxlanGpeTunnelV2Dump) []*vxlan_gpe.VxlanGpeTunnelV2Details { return all })
}

func ipv4(a ...byte) ip_types.Address {
	return ip_types.Address{Un: ip_types.AddressUnionIP4([4]byte(a))}
}

func ipv6(last byte) ip_types.Address {
	return ip_types.Address{Af: ip_types.ADDRESS_IP6, Un: ip_types.AddressUnionIP6([16]byte{0x20, 1, 0xd, 0xb8, 15: last})}
}

// byHand makes an interface at a port that the library refuses.
func byHand(t *testing.T, c *vppnet.Conn, port uint16) {
	key, err := base64.StdEncoding.DecodeString(private(1).Reveal())
	require.NoError(t, err)
	c.Uses(&binding.WireguardInterfaceCreate{})
	_, err = binding.NewServiceClient(c).WireguardInterfaceCreate(t.Context(), &binding.WireguardInterfaceCreate{Interface: binding.WireguardInterface{
		UserInstance: none, PrivateKey: key, Port: port, SrcIP: ip_types.Address{Un: ip_types.AddressUnionIP4([4]byte{10, 0, 0, 1})},
	}})
	require.NoError(t, err)
}

// DHCP and overlays take no port from a stranger.
func TestPortOfStranger(t *testing.T) {
	for _, port := range []uint16{67, 68, 547, 4341, 4342} {
		t.Run(fmt.Sprint(port), func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
				byHand(t, kindrig.Dial(t, vpp.Socket(), "stranger"), port)
				c := kindrig.Dial(t, vpp.Socket(), "me")
				want := []desiredstate.Object{gpe.Overlay{}}
				if source := map[bool]string{true: "10.0.0.1", false: "2001:db8::1"}[port < 500]; port < 4341 {
					of := netip.MustParseAddr(source)
					want = []desiredstate.Object{l3.Table{Name: "r"}, l3.DHCPRelay{Table: "r", Source: of, Servers: []l3.DHCPServer{{Addr: of.Next()}}}}
				}
				if port == 68 {
					want = append(want, vppnet.Loopback{Name: "lo"}, dhcp.Client{Interface: "lo"})
				}
				report, err := kindrig.Engine(gpe.Overlays(c), l3.Tables(c), l3.DHCPRelays(c), vppnet.Loopbacks(c), dhcp.Clients(c)).Ensure(t.Context(), want...)
				require.Error(t, err)
				for _, r := range report {
					if r.Key.Space == "table" || r.Key.Space == "interface" {
						continue
					}
					require.ErrorIs(t, r.Err, desiredstate.ErrConflict)
					require.ErrorContains(t, r.Err, fmt.Sprintf("WireGuard interface with index 1 listens at UDP port %d", port))
				}
			})
		})
	}
}
