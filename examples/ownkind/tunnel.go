// SPDX-License-Identifier: Apache-2.0

// Package ownkind teaches the engine a kind of object that the library does not
// know, with nothing but the library's public API: Geneve tunnels.
//
// A tunnel is an interface among others: its key is in their space, so bridge
// ports, link states and sub-interfaces work on it as they are. Its tests teach
// the in-memory VPP the messages, and have kindtest hold the kind to the laws
// that the library's own kinds keep. CONTRIBUTING.md explains it line by line.
package ownkind

import (
	"context"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/geneve"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Tunnel is a unicast Geneve tunnel of Ethernet frames, in VRF 0.
type Tunnel struct {
	Name     string
	Src, Dst netip.Addr
	VNI      uint32
}

// Key is vppnet.InterfaceKey(t.Name).
func (t Tunnel) Key() desiredstate.Key { return vppnet.InterfaceKey(t.Name) }

// Deps is empty.
func (t Tunnel) Deps() []desiredstate.Key { return nil }

// Validate refuses what VPP would refuse, or would show as something else.
func (t Tunnel) Validate() error {
	for _, a := range []netip.Addr{t.Src, t.Dst} {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Is4In6() || a.Zone() != "" {
			return fmt.Errorf("address %s: want a unicast IPv4 or IPv6 address", a)
		}
	}
	if t.Src == t.Dst || t.Src.Is4() != t.Dst.Is4() || t.VNI >= 1<<24 {
		return fmt.Errorf("from %s to %s, VNI %d: want two addresses of one family, and a VNI below %d", t.Src, t.Dst, t.VNI, 1<<24)
	}
	return vppnet.CheckName(t.Name)
}

// Tunnels manages Geneve tunnels (geneve_add_del_tunnel2). All that changes
// replaces. VPP tells tunnels apart by Dst and VNI.
func Tunnels(c *vppnet.Conn) *desiredstate.Kind[Tunnel] {
	vpp := geneve.NewServiceClient(c)
	return vppnet.Tagged(c, &desiredstate.Kind[Tunnel]{
		Name:     "geneve-tunnel",
		Messages: c.Uses(&geneve.GeneveAddDelTunnel2{}, &geneve.GeneveTunnelDump{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Tunnel], err error) {
			all, err := vppnet.Collect(vpp.GeneveTunnelDump(ctx, &geneve.GeneveTunnelDump{SwIfIndex: none}))
			for _, d := range all {
				i, _ := desiredstate.At[vppnet.Interface](v, uint32(d.SwIfIndex))
				if d.EncapVrfID == 0 && d.DecapNextIndex == toL2 {
					out = append(out, desiredstate.Actual[Tunnel]{ID: uint32(d.SwIfIndex), Spec: Tunnel{
						Name: i.Spec.Name, Src: addr(d.SrcAddress), Dst: addr(d.DstAddress), VNI: d.Vni,
					}})
				}
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, t Tunnel) (uint32, error) {
			r, err := vpp.GeneveAddDelTunnel2(ctx, t.message(true))
			if err != nil {
				return 0, err
			}
			return uint32(r.SwIfIndex), nil
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Tunnel]) error {
			_, err := vpp.GeneveAddDelTunnel2(ctx, have.Spec.message(false))
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
		Holds: func(t Tunnel) []desiredstate.Key {
			return []desiredstate.Key{{Space: "geneve", Name: fmt.Sprintf("%s VNI %d", t.Dst, t.VNI)}}
		},
	}, vppnet.Orphan[Tunnel]{Up: true, Like: func(have, want Tunnel) bool {
		have.Name = want.Name
		return have == want
	}})
}

const toL2, none = 1, 1<<32 - 1 // where frames go; no interface

// message makes the tunnel, or unmakes it.
func (t Tunnel) message(add bool) *geneve.GeneveAddDelTunnel2 {
	return &geneve.GeneveAddDelTunnel2{
		IsAdd: add, Vni: t.VNI, McastSwIfIndex: none, DecapNextIndex: toL2,
		LocalAddress: ip_types.NewAddress(t.Src.AsSlice()), RemoteAddress: ip_types.NewAddress(t.Dst.AsSlice()),
	}
}

func addr(a ip_types.Address) netip.Addr { ip, _ := netip.ParseAddr(a.String()); return ip }
