// SPDX-License-Identifier: Apache-2.0

// Package ownkind teaches the engine a kind of object that the library does not
// know, with nothing but the library's public API: VXLAN tunnels.
//
// A tunnel is an interface among others: its key is in their space, so bridge
// ports, link states and sub-interfaces work on it as they are. Its tests teach
// the in-memory VPP the messages, and have kindtest hold the kind to the laws
// that the library's own kinds keep.
package ownkind

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Tunnel is a unicast VXLAN tunnel in VRF 0, on port 4789.
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
	if t.Src == t.Dst || t.Src.Is4() != t.Dst.Is4() {
		return fmt.Errorf("from %s to %s: want two addresses of one family", t.Src, t.Dst)
	}
	if t.VNI >= 1<<24 {
		return fmt.Errorf("VNI %d, want less than %d", t.VNI, 1<<24)
	}
	return vppnet.CheckName(t.Name)
}

const (
	port = 4789
	none = ^uint32(0)
	all  = ^interface_types.InterfaceIndex(0)
)

// message is the request that makes the tunnel, or unmakes it.
func (t Tunnel) message(add bool) *vxlan.VxlanAddDelTunnelV3 {
	return &vxlan.VxlanAddDelTunnelV3{
		IsAdd: add, Instance: none, Vni: t.VNI, SrcPort: port, DstPort: port, McastSwIfIndex: all, DecapNextIndex: none,
		SrcAddress: ip_types.NewAddress(t.Src.AsSlice()), DstAddress: ip_types.NewAddress(t.Dst.AsSlice()),
	}
}

// holds names what only one tunnel can have.
func (t Tunnel) holds() desiredstate.Key {
	return desiredstate.Key{Space: "vxlan", Name: fmt.Sprintf("%s-%s-%d", t.Src, t.Dst, t.VNI)}
}

// Tunnels manages VXLAN tunnels (vxlan_add_del_tunnel_v3). All that changes
// replaces.
func Tunnels(c *vppnet.Conn) *desiredstate.Kind[Tunnel] {
	k := tunnels{c, vxlan.NewServiceClient(c), interfaces.NewServiceClient(c), l2.NewServiceClient(c)}
	return &desiredstate.Kind[Tunnel]{
		Name:     "vxlan-tunnel",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c)},
		Messages: c.Uses(&vxlan.VxlanAddDelTunnelV3{}, &vxlan.VxlanTunnelV2Dump{}, &interfaces.SwInterfaceTagAddDel{}, &interfaces.SwInterfaceDump{}, &l2.BridgeDomainDump{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Tunnel], err error) {
			found, err := k.dump(ctx)
			for id, t := range found {
				a, ok := desiredstate.At[vppnet.Interface](v, id)
				if !ok || a.Spec.Tag == "" {
					continue // the last may be ours, Create finds out
				}
				t.Name = a.Spec.Name
				out = append(out, desiredstate.Actual[Tunnel]{Spec: t, ID: id, Foreign: a.Foreign})
			}
			return out, err
		},
		Create: func(ctx context.Context, _ *desiredstate.View, t Tunnel) (uint32, error) {
			r, err := k.vxlan.VxlanAddDelTunnelV3(ctx, t.message(true))
			if errors.Is(err, api.TUNNEL_EXIST) {
				return k.adopt(ctx, t)
			}
			if err != nil {
				return 0, err
			}
			id := uint32(r.SwIfIndex)
			return id, c.Own(ctx, id, t.Name, func(ctx context.Context) error { return k.delete(ctx, t) })
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Tunnel]) error {
			return vppnet.Gone(k.delete(ctx, have.Spec), api.NO_SUCH_ENTRY)
		},
		Holds: func(t Tunnel) []desiredstate.Key { return []desiredstate.Key{t.holds()} },
	}
}

type tunnels struct {
	c     *vppnet.Conn
	vxlan vxlan.RPCService
	vpp   interfaces.RPCService
	l2    l2.RPCService
}

// dump returns the tunnels that a Tunnel can describe, without names, by index.
func (k tunnels) dump(ctx context.Context) (map[uint32]Tunnel, error) {
	found, err := vppnet.Collect(k.vxlan.VxlanTunnelV2Dump(ctx, &vxlan.VxlanTunnelV2Dump{SwIfIndex: all}))
	out := make(map[uint32]Tunnel, len(found))
	for _, d := range found {
		src, _ := netip.AddrFromSlice(d.SrcAddress.ToIP())
		dst, _ := netip.AddrFromSlice(d.DstAddress.ToIP())
		if d.EncapVrfID == 0 && d.SrcPort == port && d.DstPort == port {
			out[uint32(d.SwIfIndex)] = Tunnel{Src: src.Unmap(), Dst: dst.Unmap(), VNI: d.Vni}
		}
	}
	return out, err
}

func (k tunnels) delete(ctx context.Context, t Tunnel) error {
	_, err := k.vxlan.VxlanAddDelTunnelV3(ctx, t.message(false))
	return err
}

// adopt makes a tunnel ours that is there already, if it has no tag and is in no
// bridge domain: whoever made it, us most likely, died before setting the tag.
func (k tunnels) adopt(ctx context.Context, t Tunnel) (uint32, error) {
	found, err := k.dump(ctx)
	if err != nil {
		return 0, err
	}
	bridges, err := vppnet.Collect(k.l2.BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: none, SwIfIndex: all}))
	if err != nil {
		return 0, err
	}
	used := map[uint32]bool{}
	for _, b := range bridges {
		for _, p := range b.SwIfDetails {
			used[uint32(p.SwIfIndex)] = true
		}
	}
	for id, f := range found {
		if f.holds() != t.holds() || used[id] {
			continue
		}
		list, err := vppnet.Collect(k.vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
		if err != nil {
			return 0, err
		}
		if len(list) == 1 && list[0].Tag == "" {
			return id, k.c.Own(ctx, id, t.Name, nil)
		}
	}
	return 0, fmt.Errorf("%w: the tunnel is there already", desiredstate.ErrForeign)
}
