// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"strconv"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vxlan"
	"go.fd.io/govpp/binapi/vxlan_gpe"
	"go.fd.io/govpp/binapi/wireguard"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// VPP has one listener for each UDP port, and tells nobody who was it before. WireGuard takes a
// port from whoever has it, and when it goes nobody has it; a VXLAN tunnel at a port that is
// taken never sees a packet, nor does a VXLAN-GPE tunnel. Nothing of VPP's API shows that.

// UDPPortKey is what one WireGuard interface holds, and what VXLAN tunnels that listen at the
// port share. It is no object's; see desiredstate.Kind.Holds.
func UDPPortKey(port uint16) desiredstate.Key {
	return desiredstate.Key{Space: "udp-port", Name: strconv.Itoa(int(port))}
}

// listeners are the ports that VPP has for protocols of its own. DHCP registers its ports once,
// and never again when they were taken.
var listeners = map[uint16]string{
	53: "DNS", 67: "DHCP", 68: "DHCP", 500: "IKE", 546: "DHCPv6", 547: "DHCPv6", 2152: "GTP-U",
	3784: "BFD", 3785: "BFD", 4341: "LISP-GPE", 4342: "LISP", 4500: "IKE", 4739: "IPFIX", 4784: "BFD",
	4790: "VXLAN-GPE", 6081: "Geneve", 53053: "DNS",
}

// CheckUDPPort reports why a tunnel cannot listen at a port: VPP has it for another protocol,
// which would be deaf from then on, or the tunnel.
func CheckUDPPort(port uint16) error {
	if what := listeners[port]; what != "" {
		return fmt.Errorf("UDP port %d is what VPP has for %s: choose another", port, what)
	}
	return nil
}

// UDPListeners returns a function that reports, with ErrConflict, which WireGuard interface,
// VXLAN-GPE tunnel or, if vxlans is true, VXLAN tunnel listens at one of these ports by now, whosever it
// is. Those who ask at once share an answer.
func UDPListeners(c *Conn, vxlans bool) func(ctx context.Context, ports ...uint16) error {
	asked := []api.Message{&wireguard.WireguardInterfaceDump{SwIfIndex: allInterfaces}, &vxlan_gpe.VxlanGpeTunnelV2Dump{SwIfIndex: allInterfaces}}
	if vxlans {
		asked = append(asked, &vxlan.VxlanTunnelV2Dump{SwIfIndex: allInterfaces})
	}
	asked = usage.known(c, asked) // who lacks a plugin has nobody who listens
	c.Uses(asked...)
	all := shared.NewRound(func(ctx context.Context) (map[uint16]string, error) {
		found, err := Ask(ctx, c, asked...)
		at := make(map[uint16]string, len(found))
		for _, m := range found {
			switch d := m.(type) {
			case *wireguard.WireguardInterfaceDetails:
				at[d.Interface.Port] = listener("WireGuard interface", d.Interface.SwIfIndex)
			case *vxlan.VxlanTunnelV2Details:
				at[d.SrcPort] = listener("VXLAN tunnel", d.SwIfIndex)
			case *vxlan_gpe.VxlanGpeTunnelV2Details:
				port := d.LocalPort
				if d.Local.Af == ip_types.ADDRESS_IP6 { // VPP listens at that of the other end, and does not set d.IsIPv6
					port = d.RemotePort
				}
				at[port] = listener("VXLAN-GPE tunnel", d.SwIfIndex)
			}
		}
		return at, err
	})
	return func(ctx context.Context, ports ...uint16) error {
		at, err := all.Join(ctx)
		if err != nil {
			return err
		}
		for _, p := range ports {
			if who := at[p]; who != "" {
				return fmt.Errorf("%w: %s listens at UDP port %d, and VPP has one listener for each: choose another port, or have that one removed",
					desiredstate.ErrConflict, who, p)
			}
		}
		return nil
	}
}

func listener(what string, id interface_types.InterfaceIndex) string {
	return fmt.Sprintf("the %s with index %d", what, id)
}
