// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// virtualAddress is one that VPP has given an interface while a virtual router on it
// is master (vrrp.Router.Accept), and takes back. It looks like any other.
type virtualAddress struct {
	iface uint32
	addr  netip.Addr
}

// askForVirtual is what to ask a VPP for them, if it can have any.
func askForVirtual(c *vppnet.Conn) []api.Message {
	q := &vrrp.VrrpVrDump{SwIfIndex: interface_types.InterfaceIndex(place.None)}
	if !c.Has(q.GetMessageName() + "_" + q.GetCrcString()) {
		return nil
	}
	c.Uses(q)
	return []api.Message{q}
}

// virtualAddresses takes them from answers, and returns all others.
func virtualAddresses(all []api.Message) (map[virtualAddress]bool, []api.Message) {
	found := map[virtualAddress]bool{}
	var others []api.Message
	for _, m := range all {
		d, ok := m.(*vrrp.VrrpVrDetails)
		if !ok {
			others = append(others, m)
			continue
		}
		lent := d.Config.Flags&vrrp.VRRP_API_VR_ACCEPT != 0 && d.Config.Priority != 255 && d.Runtime.State == vrrp.VRRP_API_VR_STATE_MASTER
		for _, a := range d.Addrs {
			if lent {
				found[virtualAddress{uint32(d.Config.SwIfIndex), inet.Read(a)}] = true
			}
		}
	}
	return found, others
}
