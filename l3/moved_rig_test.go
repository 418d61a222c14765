// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// placedKinds are those of what is ours by the table that its interface is in, and what they need.
func placedKinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), acl.Sets(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Unnumbereds(c), l3.Neighbours(c), l3.ProxyARPs(c),
		l3.RouterAdvertisements(c), l3.CrossConnects(c), policyRoutes(c), l3.PolicyAttachments(c, policyRoutes(c)), l3.MSSClamps(c),
		vrrp.Routers(c), nat.Plugins(c, nat.EndpointDependent), nat.Interfaces(c, nat.EndpointDependent), nat64.Interfaces(c, nat64.Sizes{}),
	}
}

// placedBase is what all of it may refer to.
func placedBase() []desiredstate.Object {
	base := []desiredstate.Object{
		vppnet.Loopback{Name: "up"},
		nat.Plugin{Sessions: 1000},
		acl.Set{Name: "web", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}, {Action: acl.Permit, Family: acl.IPv6}}},
	}
	for _, is6 := range []bool{false, true} {
		base = append(base, l3.PolicyRoute{Set: "web", IPv6: is6, Paths: []l3.Path{{Interface: "up", NextHop: hop(is6, 1)}}})
	}
	return base
}

// placedOn is one of each kind on an interface, of a family, whose table is this.
func placedOn(iface, table string, is6 bool) map[string][]desiredstate.Object {
	paths := []l3.Path{{Interface: "up", NextHop: hop(is6, 1)}}
	all := map[string][]desiredstate.Object{
		"a neighbour":           {l3.Neighbour{Interface: iface, IP: hop(is6, 9), MAC: kindrig.MAC(9)}},
		"a cross-connect":       {l3.CrossConnect{Interface: iface, IPv6: is6, Paths: paths}},
		"a policy":              {l3.PolicyAttachment{Interface: iface, Set: "web", IPv6: is6}},
		"a virtual router":      {vrrp.Router{Interface: iface, Table: table, ID: 7, Addresses: []netip.Addr{hop(is6, 5)}, Stopped: true}},
		"an interface of NAT64": {nat64.Interface{Interface: iface, Table: table, Inside: is6}},
	}
	if is6 {
		address := l3.Address{Interface: iface, Table: table, Prefix: netip.PrefixFrom(hop(is6, 1), 64)}
		all["an address"] = []desiredstate.Object{address}
		all["an advertisement"] = []desiredstate.Object{address, l3.RouterAdvertisement{Interface: iface, Address: address.Prefix}}
		all["a clamp"] = []desiredstate.Object{l3.MSSClamp{Interface: iface, IPv6: l3.Clamp{MSS: 1360}}}
		return all
	}
	all["an address"] = []desiredstate.Object{l3.Address{Interface: iface, Table: table, Prefix: netip.PrefixFrom(hop(is6, 1), 24)}}
	all["proxy ARP"] = []desiredstate.Object{l3.ProxyARP{Interface: iface}}
	all["an interface of NAT44"] = []desiredstate.Object{nat.Interface{Interface: iface, Table: table, Outside: true}}
	all["a clamp"] = []desiredstate.Object{l3.MSSClamp{Interface: iface, IPv4: l3.Clamp{MSS: 1380, Direction: l3.ClampIn}}}
	return all
}

// inEachFamily runs a test for one of each kind, of both families.
func inEachFamily(t *testing.T, test func(t *testing.T, socket, what string, is6 bool)) {
	for family, is6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		for what := range placedOn("", "", is6) {
			t.Run(what+" of "+family, func(t *testing.T) {
				onBoth(t, func(t *testing.T, socket string) { test(t, socket, what, is6) })
			})
		}
	}
}
