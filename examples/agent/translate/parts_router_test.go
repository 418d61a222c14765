// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// routerParts are the bad parts that a router's interface is served without.
func routerParts() map[string]part {
	route := func(to, by any, says string) part {
		return in("routes", m{"destination": to, "nexthop": by}, says,
			m{"destination": "10.20.0.0/16", "nexthop": "192.168.1.9"}, m{"destination": "10.21.0.0/16", "nexthop": "203.0.113.9"})
	}
	own := func(bad any, says string) part { return in("gateways", bad, says, []any{"203.0.113.101", 24, false}) }
	return map[string]part{
		"route to all":        route("0.0.0.0/0", "203.0.113.9", "routes 1: the way to everywhere is the gateway"),
		"route junk":          route("10.0.0.0/99", "203.0.113.9", `routes 1: destination: "10.0.0.0/99" is neither`),
		"route by junk":       route("10.0.0.0/8", "x", `routes 1: nexthop: "x" is no IP address`),
		"route of families":   route("10.0.0.0/8", "2001:db8::1", "routes 1: nexthop: 2001:db8::1 is not of the family of 10.0.0.0/8"),
		"route by loopback":   route("10.0.0.0/8", "127.0.0.1", "routes 1: nexthop: 127.0.0.1 is nobody's own"),
		"route by broadcast":  route("10.0.0.0/8", "255.255.255.255", "routes 1: nexthop: 255.255.255.255 is nobody's own"),
		"route without hop":   route("10.0.0.0/8", null, "routes 1: nexthop is missing"),
		"route to groups":     route("224.0.0.0/4", "203.0.113.9", "routes 1: nexthop: prefix 224.0.0.0/4 is VPP's own"),
		"route is text":       in("routes", "x", "routes 1: not a JSON object", m{"destination": "10.20.0.0/16", "nexthop": "192.168.1.9"}, m{"destination": "10.21.0.0/16", "nexthop": "192.168.1.9"}),
		"routes are text":     {"routes", "none", []any{}, `routes: "none" is no`},
		"gateway of one":      own([]any{"203.0.113.7"}, `gateways 0: ["203.0.113.7"] is no list of address`),
		"gateway junk":        own([]any{1, 2, 3}, "gateways 0: [1,2,3] is no list of address"),
		"gateway length":      own([]any{"203.0.113.7", 40, false}, "gateways 0: a subnet of 203.0.113.7 has no prefix of 40 bits"),
		"gateway null":        own(nil, "gateways 0: null is no list of address"),
		"next hop text":       {"external_gateway_ip", "gw", nil, `external_gateway_ip: "gw" is no IP address`},
		"next hop number":     {"external_gateway_ip", 7, nil, "external_gateway_ip: 7 is no string"},
		"next hop of its own": {"external_gateway_ip", "203.0.113.101", nil, "external_gateway_ip: 203.0.113.101 is the router's own"},
		"next hop of IPv6":    {"external_gateway_ip", "2001:db8::1", nil, "external_gateway_ip: 2001:db8::1, but the router has no such address"},
		"next hop everybody":  {"external_gateway_ip", "255.255.255.255", nil, "external_gateway_ip: 255.255.255.255 is nobody's own"},
		"next hop reserved":   {"external_gateway_ip", "240.0.0.1", nil, "external_gateway_ip: 240.0.0.1 is nobody's own"},
		"snat text":           {"external_gateway_info", m{"network_id": "n", "enable_snat": "yes"}, m{"network_id": "n", "enable_snat": true}, `enable_snat: "yes" is no bool`},
		"MTU":                 {"mtu", 67, nil, "mtu: 67, want 68 to 65535"},
		"MTU text":            {"mtu", "jumbo", nil, `mtu: "jumbo" is no int64`},
	}
}

// A gateway with bad parts stays what it is without them: no bad route, address or number
// dismantles a way out.
func TestGatewaysAreServedInPart(t *testing.T) {
	key := routerID(1) + "/" + portID(9)
	require.Contains(t, classic(), key)
	parts := routerParts()
	routing := func(t testing.TB, v members) (translate.Routing, translate.Part) {
		all := classic()
		all[key] = gateway(v)
		r := all.routing(t, site)
		return r, r.Parts[key]
	}
	for name, c := range parts {
		t.Run(name, func(t *testing.T) {
			r, got := routing(t, members{c.member: c.bad})
			require.NoError(t, got.Wrong)
			require.ErrorContains(t, got.Lacks, c.says)
			without, _ := routing(t, members{c.member: c.good})
			require.Equal(t, objects(t, without), objects(t, r))
		})
	}
	names := slices.Sorted(maps.Keys(parts))
	rapid.Check(t, func(rt *rapid.T) {
		bad, good := members{}, members{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 5, rapid.ID).Draw(rt, "parts") {
			c := parts[name]
			bad[c.member], good[c.member] = c.bad, c.good
		}
		r, got := routing(t, bad)
		require.NoError(rt, got.Wrong)
		require.Error(rt, got.Lacks)
		without, _ := routing(t, good)
		require.Equal(rt, objects(t, without), objects(t, r))
	})
}

// By whom a gateway leads out stays when the value names junk, and goes when it names nobody.
func TestJunkIsNoWayOut(t *testing.T) {
	key := routerID(1) + "/" + portID(9)
	read := func(next any) translate.RouterPort {
		p, err := site.RouterPort(key, gateway(members{"external_gateway_ip": next}))
		require.NoError(t, err)
		return p
	}
	before := read("203.0.113.1")
	require.NotEmpty(t, before.Next)
	for _, junk := range []any{"gw", 7, "203.0.113.101", "203.0.113.255", "255.255.255.255", "2001:db8::1", []string{"203.0.113.2"}} {
		p := read(junk)
		require.Error(t, p.Lacks)
		require.Empty(t, p.Next, junk)
		require.Equal(t, before.Next, p.After(before).Next, junk)
	}
	for _, nobody := range []any{nil, null} {
		require.Empty(t, read(nobody).After(before).Next)
	}
}

// An extra route to what is something else already is left out: a network outside.
func TestRoutesGiveWay(t *testing.T) {
	key := routerID(1) + "/" + portID(9)
	for _, to := range []string{"203.0.113.0/24"} {
		all := classic()
		all[key] = gateway(members{"routes": []any{m{"destination": to, "nexthop": "203.0.113.9"}}})
		r := all.routing(t, site)
		require.NoError(t, r.Parts[key].Wrong)
		require.ErrorContains(t, r.Parts[key].Lacks, to)
		require.NoError(t, r.Parts[floatID(1)].Lacks)
		base := classic()
		base[key] = gateway(nil)
		before := objects(t, base.routing(t, site))
		for k, o := range objects(t, r) {
			if before[k] != nil {
				require.Equal(t, before[k], o)
			}
		}
		for k := range before {
			require.Contains(t, objects(t, r), k)
		}
	}
}

func TestLegsAreServedInPart(t *testing.T) {
	key := routerID(1) + "/" + portID(1)
	ip := func(a string) members { return members{"subnet_id": "s", "ip_address": a} }
	fixed := func(more members, says string) part {
		return part{"fixed_ips", []any{ip("192.168.1.1"), more}, []any{ip("192.168.1.1")}, says}
	}
	for name, c := range map[string]part{
		"other family": {"is_ipv6", true, nil, "is_ipv6: true, but gateway_ip is 192.168.1.1"},
		"family text":  {"is_ipv6", "no", nil, `is_ipv6: "no" is no bool`},
		"MTU":          {"mtu", 67, nil, "mtu: 67, want 68 to 65535"},
		"link-local":   fixed(ip("fe80::1"), "fixed_ips 1: address fe80::1/128: VPP makes link-local"),
		"address junk": fixed(ip("192.168.1.999"), `fixed_ips 1: ip_address: "192.168.1.999" is no IP address`),
		"addresses":    {"fixed_ips", "192.168.1.1", nil, `fixed_ips: "192.168.1.1" is no`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := site.RouterPort(key, leg(members{c.member: c.bad}))
			require.NoError(t, err)
			require.ErrorContains(t, p.Lacks, c.says)
			want, err := site.RouterPort(key, leg(members{c.member: c.good}))
			require.NoError(t, err)
			p.Lacks = nil
			require.Equal(t, want, p)
		})
	}
	p, err := site.RouterPort(key, leg(members{"mtu": 1279, "gateway_ip": "2001:db8::1", "prefixlen": 64, "is_ipv6": true}))
	require.NoError(t, err)
	require.ErrorContains(t, p.Lacks, "mtu: 1279, want 1280 to 65535")
	require.Zero(t, p.MTU)
}

// Of two routers that say the same address, the second has its others.
func TestGatewaysShareNoAddress(t *testing.T) {
	key := routerID(2) + "/" + portID(9)
	all := classic()
	all[key] = gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.101", 24, false}, []any{"203.0.113.151", 24, false}}})
	r := all.routing(t, site)
	require.NoError(t, r.Parts[key].Wrong)
	require.ErrorContains(t, r.Parts[key].Lacks, "router "+routerID(1)+" has 203.0.113.101 already")
	alone := classic()
	alone[key] = gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}})
	require.Equal(t, objects(t, alone.routing(t, site)), objects(t, r))
}
