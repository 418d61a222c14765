// SPDX-License-Identifier: Apache-2.0

package ownkind_test

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/geneve"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vpptest"
)

const none = ^interface_types.InterfaceIndex(0)

// plugin teaches the in-memory VPP what the kind sends: as much of VPP's geneve
// plugin as the recording in testdata shows.
var plugin = vpptest.WithPlugin("geneve", func(v *vpptest.VPP) {
	var tunnels []*geneve.GeneveTunnelDetails // by number, nil is free; made anew at each restart
	vpptest.Handle(v, func(c *vpptest.Call, q *geneve.GeneveAddDelTunnel2) *geneve.GeneveAddDelTunnel2Reply {
		refuse := func(err api.VPPApiError) *geneve.GeneveAddDelTunnel2Reply {
			return &geneve.GeneveAddDelTunnel2Reply{Retval: int32(err), SwIfIndex: none}
		}
		at := slices.IndexFunc(tunnels, func(t *geneve.GeneveTunnelDetails) bool {
			return t != nil && t.DstAddress == q.RemoteAddress && t.Vni == q.Vni
		})
		switch {
		case q.LocalAddress == q.RemoteAddress:
			return refuse(api.SAME_SRC_DST)
		case q.IsAdd && at >= 0:
			return refuse(api.TUNNEL_EXIST)
		case !q.IsAdd && at < 0:
			return refuse(api.NO_SUCH_ENTRY)
		case !q.IsAdd:
			index := tunnels[at].SwIfIndex
			tunnels[at] = nil
			c.DeleteInterface(uint32(index))
			return &geneve.GeneveAddDelTunnel2Reply{SwIfIndex: index}
		}
		n := slices.Index(tunnels, nil)
		if n < 0 {
			n, tunnels = len(tunnels), append(tunnels, nil)
		}
		index := interface_types.InterfaceIndex(c.AddInterface(vpptest.NewInterface{
			Name: fmt.Sprintf("geneve_tunnel%d", n), DevType: "GENEVE", Up: true, NotEthernet: true,
		}))
		tunnels[n] = &geneve.GeneveTunnelDetails{
			SwIfIndex: index, SrcAddress: q.LocalAddress, DstAddress: q.RemoteAddress,
			McastSwIfIndex: q.McastSwIfIndex, DecapNextIndex: q.DecapNextIndex, Vni: q.Vni,
		}
		return &geneve.GeneveAddDelTunnel2Reply{SwIfIndex: index}
	})
	vpptest.HandleDump(v, func(*vpptest.Call, *geneve.GeneveTunnelDump) []*geneve.GeneveTunnelDetails {
		return slices.DeleteFunc(slices.Clone(tunnels), func(t *geneve.GeneveTunnelDetails) bool { return t == nil })
	})
	v.Dump(func() (out []string) {
		for _, t := range tunnels {
			if t != nil {
				out = append(out, fmt.Sprintf("geneve %+v", *t))
			}
		}
		return out
	})
})
