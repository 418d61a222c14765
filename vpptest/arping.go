// SPDX-License-Identifier: Apache-2.0

package vpptest

import "go.fd.io/govpp/binapi/arping"

// loadArping has ARP told, to nobody.
func loadArping(v *VPP) {
	Handle(v, func(c *Call, q *arping.Arping) *arping.ArpingReply {
		r := new(arping.ArpingReply)
		i := v.life.interfaces.at(q.SwIfIndex)
		switch {
		case i == nil && q.SwIfIndex != none:
			r.Retval = invalidInterface
		case !q.IsGarp && i == nil:
			c.Die("asked on no interface")
		case q.IsGarp && q.Repeat > 0 && (i == nil || i.hw.class.l3):
			c.Die("spoke on an interface without a MAC")
		}
		return r
	})
}
