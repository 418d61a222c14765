// SPDX-License-Identifier: Apache-2.0

package ownkind_test

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/vpptest"
)

const none = ^interface_types.InterfaceIndex(0)

// plugin teaches the in-memory VPP what the kind sends: as much of VPP's vxlan
// plugin as the recording in testdata shows.
var plugin = vpptest.WithPlugin("vxlan", func(v *vpptest.VPP) {
	var tunnels []*vxlan.VxlanTunnelV2Details // by instance, nil is free; made anew at each restart
	vpptest.Handle(v, func(c *vpptest.Call, q *vxlan.VxlanAddDelTunnelV3) *vxlan.VxlanAddDelTunnelV3Reply {
		refuse := func(err api.VPPApiError) *vxlan.VxlanAddDelTunnelV3Reply {
			return &vxlan.VxlanAddDelTunnelV3Reply{Retval: int32(err), SwIfIndex: none}
		}
		at := slices.IndexFunc(tunnels, func(t *vxlan.VxlanTunnelV2Details) bool {
			return t != nil && t.SrcAddress == q.SrcAddress && t.DstAddress == q.DstAddress && t.Vni == q.Vni
		})
		switch {
		case q.SrcAddress == q.DstAddress:
			return refuse(api.SAME_SRC_DST)
		case q.IsAdd && at >= 0:
			return refuse(api.TUNNEL_EXIST)
		case !q.IsAdd && at < 0:
			return refuse(api.NO_SUCH_ENTRY)
		case !q.IsAdd:
			index := tunnels[at].SwIfIndex
			tunnels[at] = nil
			c.DeleteInterface(uint32(index))
			return &vxlan.VxlanAddDelTunnelV3Reply{SwIfIndex: index}
		}
		n := slices.Index(tunnels, nil)
		if n < 0 {
			n, tunnels = len(tunnels), append(tunnels, nil)
		}
		index := interface_types.InterfaceIndex(c.AddInterface(vpptest.NewInterface{
			Name: fmt.Sprintf("vxlan_tunnel%d", n), DevType: "VXLAN", Up: true,
		}))
		tunnels[n] = &vxlan.VxlanTunnelV2Details{
			SwIfIndex: index, Instance: uint32(n), SrcAddress: q.SrcAddress, DstAddress: q.DstAddress, SrcPort: q.SrcPort, DstPort: q.DstPort,
			McastSwIfIndex: q.McastSwIfIndex, DecapNextIndex: 1, Vni: q.Vni, // 1 is L2
		}
		return &vxlan.VxlanAddDelTunnelV3Reply{SwIfIndex: index}
	})
	vpptest.HandleDump(v, func(*vpptest.Call, *vxlan.VxlanTunnelV2Dump) []*vxlan.VxlanTunnelV2Details {
		return slices.DeleteFunc(slices.Clone(tunnels), func(t *vxlan.VxlanTunnelV2Details) bool { return t == nil })
	})
	v.Dump(func() (out []string) {
		for _, t := range tunnels {
			if t != nil {
				out = append(out, fmt.Sprintf("vxlan %+v", *t))
			}
		}
		return out
	})
})
