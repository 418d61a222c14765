// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Gateway is a router's leg in a bridge domain: what the hosts there have as their
// default gateway. It is no object, but tells of some.
type Gateway struct {
	Name   string // of its loopback
	Bridge string // the bridge domain, one of ours or not
	Table  string

	Addresses []netip.Prefix // the gateway's own, with the lengths of the subnets
	MAC       vppnet.MAC     // zero: made of owner and name, see Conn.MAC
	MTU       uint32         // L3 packet, bytes; 0: VPP's default

	// Down keeps the gateway silent, as on the standby one of two nodes: all of it is
	// there but its place in the bridge domain, with its link down. A BVI would cut the
	// hosts here off from who has its MAC meanwhile: though its link is down, VPP hands it
	// what is for that MAC, and drops what comes from it.
	Down bool
}

// Objects lists the gateway's loopback, its place in the bridge domain, its membership
// in the table, its addresses, and its link, which comes up last. A family
// without an address stays in the default table.
func (g Gateway) Objects() []desiredstate.Object {
	out := []desiredstate.Object{vppnet.Loopback{Name: g.Name, MAC: g.MAC}}
	link := vppnet.LinkState{Interface: g.Name, Up: !g.Down, MTU: g.MTU}
	if !g.Down {
		port := vppnet.BridgePort{Bridge: g.Bridge, Interface: g.Name, BVI: true}
		out = append(out, port)
		link.After = append(link.After, port.Key())
	}
	if g.Table != "" {
		lacks := func(is6 bool) bool {
			return !slices.ContainsFunc(g.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() == is6 })
		}
		m := Membership{Interface: g.Name, Table: g.Table, NoIPv4: lacks(false), NoIPv6: lacks(true)}
		if !m.NoIPv4 || !m.NoIPv6 {
			out = append(out, m)
		}
	}
	for _, p := range g.Addresses {
		a := Address{Interface: g.Name, Prefix: p, Table: g.Table, LinkMTU: g.MTU}
		out = append(out, a)
		link.After = append(link.After, a.Key())
	}
	if link.Up || link.MTU != 0 {
		out = append(out, link)
	}
	return out
}
