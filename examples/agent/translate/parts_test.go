// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// part is a bad part of a value: what a member becomes with it, and without it. Beside it
// stands what is good, if the member is a list.
type part struct {
	member    string
	bad, good any
	says      string
}

// in is the part as an element of a list, beside one that is good.
func in(member string, bad any, says string, good ...any) part {
	return part{member, slices.Concat(good[:len(good)/2], []any{bad}, good[len(good)/2:]), append([]any{}, good...), says}
}

// portParts are the bad parts that a port is served without.
func portParts() map[string]part {
	ip := func(ip any) m { return m{"subnet_id": "a", "ip_address": ip} }
	group := func(bad any, says string) part { return in("security_groups", bad, says, groupID, otherGroup) }
	fixed := func(bad any, says string) part {
		return in("fixed_ips", bad, says, ip("10.1.4.9"), ip("2001:db8::9"))
	}
	pair := func(bad any, says string) part {
		return in("allowed_address_pairs", bad, says, m{"ip_address": "10.9.0.0/24"}, m{"ip_address": "2001:db8::77", "mac_address": "ANY"})
	}
	return map[string]part{
		"odd group":            group("x/../y", `security_groups 1: "x/../y" is not a UUID`),
		"group null":           group(nil, "security_groups 1: null is not a UUID"),
		"group is a list":      group([]int{1}, "security_groups 1: [1] is not a UUID"),
		"groups by name":       {"security_groups", "default", []any{}, `security_groups: "default" is no`},
		"too many groups":      {"security_groups", uuids(127), uuids(126), "127 security groups, want at most 126, so the last 1 are left out"},
		"address text":         fixed(ip("10.0.0"), `fixed_ips 1: ip_address: "10.0.0" is no IP address`),
		"address with a zone":  fixed(ip("fe80::1%eth0"), `fixed_ips 1: ip_address: "fe80::1%eth0" is no IP address`),
		"multicast address":    fixed(ip("224.0.0.1"), "fixed_ips 1: ip_address: 224.0.0.1 is nobody's own"),
		"no address":           fixed(m{"subnet_id": "a"}, "fixed_ips 1: ip_address is missing"),
		"address null":         fixed(nil, "fixed_ips 1: not a JSON object"),
		"address is a number":  fixed(ip(7), "fixed_ips 1: ip_address: 7 is no string"),
		"addresses are text":   {"fixed_ips", "10.0.0.1", []any{}, `fixed_ips: "10.0.0.1" is no`},
		"pair without address": pair(m{"mac_address": "fa:16:3e:00:10:01"}, "allowed_address_pairs 1: ip_address is missing"),
		"pair of junk":         pair(m{"ip_address": "10.0.0.0/33"}, `allowed_address_pairs 1: ip_address: "10.0.0.0/33" is neither address nor prefix`),
		"pair at multicast":    pair(m{"ip_address": "10.0.0.1", "mac_address": "01:00:5e:00:00:01"}, `allowed_address_pairs 1: mac_address: "01:00:5e:00:00:01" is no unicast MAC`),
		"pair of any, written": pair(m{"ip_address": "10.0.0.1", "mac_address": "any"}, `mac_address: "any" is no unicast MAC`),
		"pair is text":         pair("10.0.0.1", "allowed_address_pairs 1: not a JSON object"),
		"pairs are an object":  {"allowed_address_pairs", m{"ip_address": "10.0.0.1"}, []any{}, "allowed_address_pairs: "},
		"security is text":     {"port_security_enabled", "false", true, `port_security_enabled: "false" is no bool`},
		"security is 0":        {"port_security_enabled", 0, true, "port_security_enabled: 0 is no bool"},
	}
}

// A port with a bad part is served as without it, and the part is named: no more passes,
// and no less.
func TestPortsAreServedInPart(t *testing.T) {
	for name, c := range portParts() {
		t.Run(name, func(t *testing.T) {
			portIsServedInPart(t, c, m{})
		})
	}
	t.Run("given twice", func(t *testing.T) {
		p, err := site.Port(id, append([]byte(`{"port_security_enabled":false,`), secured(m{})[1:]...))
		require.NoError(t, err)
		require.True(t, p.Filtered)
		require.ErrorContains(t, p.Lacks, "port_security_enabled is given twice")
	})
	t.Run("too many pairs", func(t *testing.T) {
		var pairs []any
		for i := range 1200 {
			pairs = append(pairs, m{"ip_address": fmt.Sprintf("10.%d.%d.0/31", i/250, i%250)})
		}
		p, err := site.Port(id, secured(m{"allowed_address_pairs": pairs}))
		require.NoError(t, err)
		require.ErrorContains(t, p.Lacks, "want at most 1000")
		for _, o := range p.Objects() {
			require.NoError(t, o.Validate())
		}
	})
}

func portIsServedInPart(t require.TestingT, c part, others m) {
	with := func(x any) m { v := m{"port_security_enabled": true}; maps.Copy(v, others); v[c.member] = x; return v }
	p, err := site.Port(id, value(with(c.bad)))
	require.NoError(t, err)
	require.ErrorContains(t, p.Lacks, c.says)
	require.Less(t, len(p.Lacks.Error()), 300, "errors do not repeat junk at length")
	want, err := site.Port(id, value(with(c.good)))
	require.NoError(t, err)
	require.NoError(t, want.Lacks)
	require.Equal(t, want.Objects(), p.Objects())
}

// The same with others that are good, and of any parts of all members together.
func TestPortsAreServedWithoutAnyPart(t *testing.T) {
	parts := portParts()
	rapid.Check(t, func(t *rapid.T) {
		chosen := rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(parts))), 1, 4, rapid.ID).Draw(t, "parts")
		bad, good := m{"port_security_enabled": true}, m{"port_security_enabled": true}
		var says []string
		for _, name := range chosen {
			c := parts[name]
			if _, taken := bad[c.member]; taken && c.member != "port_security_enabled" || len(says) > 3 {
				continue
			}
			bad[c.member], good[c.member], says = c.bad, c.good, append(says, c.says)
		}
		p, err := site.Port(id, value(bad))
		require.NoError(t, err)
		want, err := site.Port(id, value(good))
		require.NoError(t, err)
		require.Equal(t, want.Objects(), p.Objects())
		require.ErrorContains(t, p.Lacks, says[len(says)-1])
	})
}

// A pair of any MAC is what Neutron means by it.
func TestPairOfAnyMAC(t *testing.T) {
	p, err := site.Port(id, secured(m{"allowed_address_pairs": []any{m{"ip_address": "10.9.0.7", "mac_address": "ANY"}}}))
	require.NoError(t, err)
	require.NoError(t, p.Lacks)
	passes := func(f acl.Frame) bool {
		for _, o := range p.Objects() {
			if s, ok := o.(acl.MACIPSet); ok {
				v, err := acl.ExplainMACIP(f, s)
				require.NoError(t, err)
				return v.Passes()
			}
		}
		return true
	}
	other := vppnet.MAC{2, 0, 0, 0, 0, 9}
	require.True(t, passes(acl.Frame{MAC: other, Src: addr("10.9.0.7")}))
	require.True(t, passes(acl.Frame{MAC: other, Src: addr("10.9.0.7"), ARP: true}))
	require.False(t, passes(acl.Frame{MAC: other, Src: addr("10.1.4.9")}))
}

// badRules are rules that permit nothing.
func badRules() map[string]any {
	return map[string]any{
		"null": nil, "text": "all", "list": []int{}, "empty": m{},
		"no family": rule(m{"is_ipv6": nil}), "odd family": rule(m{"is_ipv6": 6}), "bool": rule(m{"is_ipv6": false}),
		"no protocol": rule(m{"protocol": null}), "protocol by name": rule(m{"protocol": "tcp"}), "protocol 256": rule(m{"protocol": 256}),
		"no ports": rule(m{"port_max": nil}), "ports reversed": rule(m{"port_min": 90, "port_max": 80}),
		"code of no type":  rule(m{"protocol": 1, "port_min": -1, "port_max": 4}),
		"type 256":         rule(m{"protocol": 1, "port_min": 256, "port_max": -1}),
		"ports of SCTP":    rule(m{"protocol": 132, "port_min": 2905, "port_max": 2905}),
		"ports of UDPLite": rule(m{"protocol": 136, "port_min": 5000, "port_max": 5010}),
		"ports of DCCP":    rule(m{"protocol": 33, "port_min": 5000, "port_max": 5000}),
		"extension header": rule(m{"is_ipv6": 1, "remote_ip_addr": "::", "protocol": 44, "port_min": 0, "port_max": 0}),
		"no remote":        rule(m{"remote_ip_addr": null}),
		"two remotes":      rule(m{"remote_group_id": otherGroup}),
		"remote by name":   rule(m{"remote_ip_addr": null, "remote_group_id": "web"}),
		"other family":     rule(m{"remote_ip_addr": "::"}),
		"no length":        rule(m{"ip_prefix_len": null}), "length 33": rule(m{"ip_prefix_len": 33}),
	}
}

// A group with bad rules is the group without them, wherever they stand, and each is named
// by its place.
func TestGroupsAreServedInPart(t *testing.T) {
	bad := badRules()
	good := []any{
		rule(nil), rule(m{"protocol": 17, "port_min": 0, "port_max": 65535}), rule(m{"protocol": 1, "port_min": 8, "port_max": -1}),
		rule(m{"is_ipv6": 1, "remote_ip_addr": "2001:db8::", "ip_prefix_len": 32}),
		rule(m{"remote_ip_addr": null, "remote_group_id": otherGroup}),
		rule(m{"protocol": 132, "port_min": 0, "port_max": 0}), rule(m{"protocol": 136, "port_min": 0, "port_max": 65535}),
	}
	write := func(in, out []any) []byte {
		v, err := json.Marshal(m{"ingress_rules": append([]any{}, in...), "egress_rules": append([]any{}, out...)})
		require.NoError(t, err)
		return v
	}
	sets := func(t require.TestingT, value []byte) ([]any, error) {
		g, err := translate.Group(groupID, value)
		objs, wrong := translate.GroupObjects(g, acl.Members{otherGroup: {addr("10.0.0.9")}})
		require.NoError(t, wrong)
		return []any{objs[0], objs[1]}, err
	}
	for name, r := range bad {
		_, err := sets(t, write([]any{r}, nil))
		require.ErrorContains(t, err, "ingress_rules 0: ", name)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.SampledFrom(good)).Draw(t, "ingress")
		out := rapid.SliceOf(rapid.SampledFrom(good)).Draw(t, "egress")
		want, err := sets(t, write(in, out))
		require.NoError(t, err)
		at := rapid.IntRange(0, len(in)).Draw(t, "at")
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(bad))).Draw(t, "bad")
		got, err := sets(t, write(slices.Insert(slices.Clone(in), at, bad[name]), out))
		require.Equal(t, want, got)
		require.ErrorContains(t, err, fmt.Sprintf("ingress_rules %d: ", at))
		got, err = sets(t, write(in, slices.Repeat([]any{bad[name]}, 20)))
		require.Equal(t, want[0], got[0])
		require.Empty(t, got[1].(acl.Set).Rules)
		require.ErrorContains(t, err, "and 12 more")
	})
	// A list that is none, or not there, permits nothing in its direction.
	for _, value := range []string{`{"ingress_rules":[%s]}`, `{"ingress_rules":[%s],"egress_rules":null}`, `{"ingress_rules":[%s],"egress_rules":{}}`} {
		one, err := json.Marshal(rule(nil))
		require.NoError(t, err)
		got, err := sets(t, fmt.Appendf(nil, value, one))
		require.ErrorContains(t, err, "egress_rules")
		require.Len(t, got[0].(acl.Set).Rules, 2, "the rule, and what makes it revocable")
		require.Empty(t, got[1].(acl.Set).Rules)
	}
}

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
	for name, c := range map[string]part{
		"other family": {"is_ipv6", true, nil, "is_ipv6: true, but gateway_ip is 192.168.1.1"},
		"family text":  {"is_ipv6", "no", nil, `is_ipv6: "no" is no bool`},
		"MTU":          {"mtu", 67, nil, "mtu: 67, want 68 to 65535"},
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
