// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/vpptest"
)

// newVPP is a VPP in memory that knows of IPv6 on links, which are all without at first.
func newVPP(t testing.TB, opts ...vpptest.Option) *vpptest.VPP {
	return vpptest.New(t, append(opts, vpptest.WithPlugin("ipv6-link", func(v *vpptest.VPP) {
		on := map[uint32]bool{}
		v.OnDelete(func(index uint32) { delete(on, index) })
		vpptest.Handle(v, func(_ *vpptest.Call, q *ip.SwInterfaceIP6GetLinkLocalAddress) *ip.SwInterfaceIP6GetLinkLocalAddressReply {
			if !on[uint32(q.SwIfIndex)] {
				return &ip.SwInterfaceIP6GetLinkLocalAddressReply{Retval: int32(api.IP6_NOT_ENABLED)}
			}
			return &ip.SwInterfaceIP6GetLinkLocalAddressReply{IP: ip_types.IP6Address{0xfe, 0x80, 15: byte(q.SwIfIndex)}}
		})
		vpptest.Handle(v, func(_ *vpptest.Call, q *ip.SwInterfaceIP6EnableDisable) *ip.SwInterfaceIP6EnableDisableReply {
			r := &ip.SwInterfaceIP6EnableDisableReply{}
			switch was := on[uint32(q.SwIfIndex)]; {
			case q.Enable && was:
				r.Retval = int32(api.VALUE_EXIST)
			case !q.Enable && !was:
				r.Retval = int32(api.IP6_NOT_ENABLED)
			}
			on[uint32(q.SwIfIndex)] = q.Enable
			return r
		})
	}))...)
}
