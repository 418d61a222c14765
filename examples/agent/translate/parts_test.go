// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
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
		"loopback address":     fixed(ip("127.0.0.1"), "fixed_ips 1: ip_address: 127.0.0.1 is nobody's own"),
		"broadcast address":    fixed(ip("255.255.255.255"), "fixed_ips 1: ip_address: 255.255.255.255 is nobody's own"),
		"no address":           fixed(m{"subnet_id": "a"}, "fixed_ips 1: ip_address is missing"),
		"address null":         fixed(nil, "fixed_ips 1: not a JSON object"),
		"address is a number":  fixed(ip(7), "fixed_ips 1: ip_address: 7 is no string"),
		"addresses are text":   {"fixed_ips", "10.0.0.1", []any{}, `fixed_ips: "10.0.0.1" is no`},
		"pair without address": pair(m{"mac_address": "fa:16:3e:00:10:01"}, "allowed_address_pairs 1: ip_address is missing"),
		"pair of junk":         pair(m{"ip_address": "10.0.0.0/33"}, `allowed_address_pairs 1: ip_address: "10.0.0.0/33" is neither address nor prefix`),
		"pair at multicast":    pair(m{"ip_address": "10.0.0.1", "mac_address": "01:00:5e:00:00:01"}, `allowed_address_pairs 1: mac_address: "01:00:5e:00:00:01" is no unicast MAC`),
		"pair of any, written": pair(m{"ip_address": "10.0.0.1", "mac_address": "any"}, `mac_address: "any" is no unicast MAC`),
		"pair of an empty MAC": pair(m{"ip_address": "10.0.0.1", "mac_address": ""}, `mac_address: "" is no unicast MAC`),
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
