// SPDX-License-Identifier: Apache-2.0

package vpptest

import "go.fd.io/govpp/binapi/arping"

// loadArping has ARP told, to nobody.
func loadArping(v *VPP) {
	Handle(v, func(c *Call, q *arping.Arping) *arping.ArpingReply {
		r := new(arping.ArpingReply)
		i := v.life.interfaces.at(q.SwIfIndex)
		switch {
		case q.SwIfIndex == none:
		case i == nil:
			r.Retval = invalidInterface
		case i.hw.class.l3 && q.Repeat > 0:
			c.Die("spoke on an interface without a MAC")
		}
		return r
	})
}
