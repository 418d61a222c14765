// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"net/netip"
	"time"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// routed are specs of addresses, routes and NAT that say nothing, or too much.
func routed() map[string]refusal {
	return map[string]refusal{
		"a membership of the default table": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Memberships(c)) },
			objects(l3.Membership{Interface: "a"}),
			[]string{"an interface without a Membership is in the default table"},
		},
		"an address that is its subnet's": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Addresses(c)) },
			objects(l3.Address{Interface: "a", Prefix: prefix("10.0.0.0/24")}),
			[]string{"address 10.0.0.0/24 is its subnet's own, or its broadcast"},
		},
		"a router that is advertised for less than between two": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.RouterAdvertisements(c)) },
			objects(l3.RouterAdvertisement{Interface: "a", Address: prefix("fd00::1/64"), Lifetime: time.Minute}),
			[]string{"lifetime 1m0s, want more than 3m20s, up to 9000 s"},
		},
		"neighbours kept as VPP does by itself": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.NeighbourCaches(c)) },
			objects(l3.NeighbourCache{}),
			[]string{"it is as VPP has it by itself: leave it out"},
		},
		"a policy of no way": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				sets := acl.Sets(c)
				return kinds(sets, l3.PolicyRoutes(c, sets))
			},
			objects(acl.Set{Name: "web"}, l3.PolicyRoute{Set: "web"}),
			[]string{"0 paths, want 1 to 255"},
		},
		"a route by a next hop that is its own": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(l3.Routes(c)) },
			objects(l3.Route{Prefix: prefix("10.0.0.1/32"), Paths: []l3.Path{{NextHop: addr("10.0.0.1")}}}),
			[]string{"path 0", "next hop 10.0.0.1 is the route's own address: VPP would drop"},
		},
		"a virtual router without a number": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(vrrp.Routers(c)) },
			objects(vrrp.Router{Interface: "a", Addresses: []netip.Addr{addr("10.0.0.1")}}),
			[]string{"ID is not set"},
		},
		"NAT with more sessions than VPP bears": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat.Plugins(c, nat.EndpointDependent)) },
			objects(nat.Plugin{Sessions: 1 << 31}),
			[]string{"2147483648 sessions or users, want at most"},
		},
		"a side of NAT that is none": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat.Interfaces(c, nat.EndpointDependent)) },
			objects(nat.Interface{Interface: "a"}),
			[]string{"neither inside, nor outside, nor output: that is no role at all"},
		},
		"a mapping of a port of no protocol": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat.Mappings(c, nat.EndpointDependent)) },
			objects(nat.Mapping{Name: "web", Local: addr("10.0.0.1"), External: addr("192.0.2.1"), LocalPort: 80, ExternalPort: 80}),
			[]string{"ports of no protocol: want both, or neither"},
		},
		"twice-NAT of the variant that has none": {
			func(c *vppnet.Conn) []desiredstate.AnyKind {
				return kinds(nat.Plugins(c, nat.EndpointIndependent), nat.Mappings(c, nat.EndpointIndependent))
			},
			objects(nat.Plugin{}, nat.Mapping{Name: "web", Local: addr("10.0.0.1"), External: addr("192.0.2.1"), OneWay: true}),
			[]string{"endpoint-independent NAT has neither twice-NAT nor mappings for one way: use nat.EndpointDependent"},
		},
		"an exemption of a port of no protocol": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat.Identities(c, nat.EndpointDependent)) },
			objects(nat.Identity{Name: "web", Address: addr("10.0.0.1"), Port: 80}),
			[]string{`protocol`, `with port 80: want both, or neither`},
		},
		"a prefix of NAT64 with a length that VPP has not": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat64.Prefixes(c)) },
			objects(nat64.Prefix{Prefix: prefix("2001:db8::/80")}),
			[]string{"prefix 2001:db8::/80: want one of [32 40 48 56 64 96] bits"},
		},
		"a port of NAT64's pool that VPP would count wrong": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat64.Mappings(c, nat64.Sizes{})) },
			objects(nat64.Mapping{Local: addr("fd00::1"), External: addr("192.0.2.1"), Protocol: nat64.TCP, LocalPort: 80, ExternalPort: 80, Pooled: true}),
			[]string{"external port 80 of an address of the pool, want 1025 to 65534", "take an address that is in no pool"},
		},
		"timeouts of NAT64 that VPP has by itself": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat64.AllTimeouts(c)) },
			objects(nat64.Timeouts{}),
			[]string{"these are VPP's own timeouts: leave them out"},
		},
		"an address of NAT66 that two want": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat66.Mappings(c, prefix("2001:db8::/64"))) },
			objects(nat66.Mapping{Local: addr("fd00::1"), External: addr("2001:db8::1")}, nat66.Mapping{Local: addr("fd00::2"), External: addr("2001:db8::1")}),
			[]string{"conflict", "nat66-mapping/ fd00::", "2001:db8::1"},
		},
		"an address of NAT66 of the other family": {
			func(c *vppnet.Conn) []desiredstate.AnyKind { return kinds(nat66.Mappings(c)) },
			objects(nat66.Mapping{Local: addr("10.0.0.1"), External: addr("2001:db8::1")}),
			[]string{"local address 10.0.0.1 is not IPv6"},
		},
	}
}
