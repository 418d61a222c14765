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

// plugin teaches the in-memory VPP what the kind sends: VPP's vxlan plugin.
var plugin = vpptest.WithPlugin("vxlan", func(v *vpptest.VPP) {
	s := new(sim) // made anew at each restart
	vpptest.Handle(v, s.addDel)
	vpptest.HandleDump(v, s.dump)
	v.Dump(func() (out []string) {
		for _, t := range s.all {
			if t != nil {
				out = append(out, fmt.Sprintf("vxlan %+v", *t))
			}
		}
		return out
	})
})

// sim is its state: tunnels by instance, nil is free.
type sim struct{ all []*vxlan.VxlanTunnelV2Details }

func (s *sim) addDel(c *vpptest.Call, q *vxlan.VxlanAddDelTunnelV3) *vxlan.VxlanAddDelTunnelV3Reply {
	refuse := func(err api.VPPApiError) *vxlan.VxlanAddDelTunnelV3Reply {
		return &vxlan.VxlanAddDelTunnelV3Reply{Retval: int32(err), SwIfIndex: none}
	}
	if q.SrcAddress == q.DstAddress {
		return refuse(api.SAME_SRC_DST)
	}
	if q.SrcAddress.Af != q.DstAddress.Af || q.Vni >= 1<<24 {
		return refuse(api.INVALID_VALUE)
	}
	at := slices.IndexFunc(s.all, func(t *vxlan.VxlanTunnelV2Details) bool {
		return t != nil && t.SrcAddress == q.SrcAddress && t.DstAddress == q.DstAddress && t.Vni == q.Vni &&
			t.EncapVrfID == q.EncapVrfID && t.SrcPort == q.SrcPort && t.DstPort == q.DstPort
	})
	switch {
	case q.IsAdd && at >= 0:
		return refuse(api.TUNNEL_EXIST)
	case !q.IsAdd && at < 0:
		return refuse(api.NO_SUCH_ENTRY)
	case !q.IsAdd:
		index := s.all[at].SwIfIndex
		s.all[at] = nil
		c.DeleteInterface(uint32(index))
		return &vxlan.VxlanAddDelTunnelV3Reply{SwIfIndex: index}
	}
	n := slices.Index(s.all, nil)
	if n < 0 {
		n, s.all = len(s.all), append(s.all, nil)
	}
	index := interface_types.InterfaceIndex(c.AddInterface(vpptest.NewInterface{
		Name: fmt.Sprintf("vxlan_tunnel%d", n), DevType: "VXLAN",
	}))
	s.all[n] = &vxlan.VxlanTunnelV2Details{
		SwIfIndex: index, Instance: uint32(n), SrcAddress: q.SrcAddress, DstAddress: q.DstAddress, SrcPort: q.SrcPort, DstPort: q.DstPort,
		McastSwIfIndex: q.McastSwIfIndex, EncapVrfID: q.EncapVrfID, DecapNextIndex: q.DecapNextIndex, Vni: q.Vni,
	}
	return &vxlan.VxlanAddDelTunnelV3Reply{SwIfIndex: index}
}

func (s *sim) dump(_ *vpptest.Call, q *vxlan.VxlanTunnelV2Dump) (out []*vxlan.VxlanTunnelV2Details) {
	for _, t := range s.all {
		if t != nil && (q.SwIfIndex == none || q.SwIfIndex == t.SwIfIndex) {
			out = append(out, t)
		}
	}
	return out
}

const none = ^interface_types.InterfaceIndex(0)
