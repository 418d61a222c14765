// SPDX-License-Identifier: Apache-2.0

package vpptest

import "go.fd.io/govpp/binapi/arping"

// loadArping has ARP told, to nobody.
func loadArping(v *VPP) {
	Handle(v, func(c *Call, q *arping.Arping) *arping.ArpingReply {
		r := new(arping.ArpingReply)
		if !c.HasInterface(uint32(q.SwIfIndex)) && uint32(q.SwIfIndex) != none {
			r.Retval = invalidInterface
		}
		return r
	})
}
