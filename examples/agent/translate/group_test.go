// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

const (
	groupID    = "b6c0d1aa-38b1-4ac2-a1a1-3b6a6d0c00aa"
	otherGroup = "b6c0d1bb-38b1-4ac2-a1a1-3b6a6d0c00bb"
)

// rule is a rule as the driver writes it, with some members changed; nil leaves
// one out.
func rule(with map[string]any) map[string]any {
	r := map[string]any{
		"is_ipv6": 0, "remote_ip_addr": "0.0.0.0", "ip_prefix_len": 0, "remote_group_id": null,
		"protocol": 6, "port_min": 22, "port_max": 22,
	}
	maps.Copy(r, with)
	for k, x := range with {
		if x == nil {
			delete(r, k)
		}
	}
	return r
}

func group(ingress, egress []m) []byte {
	if ingress == nil {
		ingress = []m{}
	}
	if egress == nil {
		egress = []m{}
	}
	out, err := json.Marshal(map[string]any{"ingress_rules": ingress, "egress_rules": egress})
	if err != nil {
		panic(err)
	}
	return out
}

type m = map[string]any

func TestGroups(t *testing.T) {
	remote := m{"remote_ip_addr": null, "remote_group_id": otherGroup, "protocol": 0, "port_min": 0, "port_max": 0}
	g, err := translate.Group(groupID, group(
		[]m{
			rule(nil),
			rule(m{"port_min": 0, "port_max": 65535, "remote_ip_addr": "10.3.2.1", "ip_prefix_len": 8}),
			rule(m{"protocol": 17, "port_min": 5000, "port_max": 5010, "is_ipv6": 1, "remote_ip_addr": "2001:db8::", "ip_prefix_len": 64}),
			rule(remote), rule(m{
				"is_ipv6": 1, "remote_ip_addr": nil, "ip_prefix_len": nil, "remote_group_id": otherGroup,
				"protocol": 58, "port_min": -1, "port_max": -1,
			}),
			rule(m{"protocol": 1, "port_min": 3, "port_max": -1}),
			rule(m{"protocol": 1, "port_min": 8, "port_max": 0}),
			rule(m{"protocol": 1, "port_min": 128, "port_max": -1, "is_ipv6": 1, "remote_ip_addr": "::"}),
			rule(m{"protocol": 136, "port_min": 0, "port_max": 65535}),
			rule(m{"protocol": 47, "port_min": 0, "port_max": 0}),
		},
		[]m{
			rule(m{"protocol": 0, "port_min": 0, "port_max": 0}),
			rule(m{"protocol": 0, "port_min": 0, "port_max": 0, "is_ipv6": 1, "remote_ip_addr": "::"}),
		},
	))
	require.NoError(t, err)
	require.Equal(t, []string{otherGroup}, g.Remotes())
	objs, err := translate.GroupObjects(g, acl.Members{otherGroup: {
		netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("10.0.0.4"),
	}})
	require.NoError(t, err)
	var b strings.Builder
	for _, o := range objs {
		require.NoError(t, o.Validate())
		fmt.Fprintln(&b, o)
	}
	golden(t, "group", b.String())
}

func TestAGroupWithoutRulesPermitsNothing(t *testing.T) {
	g, err := translate.Group(groupID, []byte(`{"ingress_rules":[],"egress_rules":[]}`))
	require.NoError(t, err)
	to, from, err := g.Sets(nil)
	require.NoError(t, err)
	require.Empty(t, to.Rules)
	require.Empty(t, from.Rules)
}

func TestBadGroups(t *testing.T) {
	one := func(with m) []byte { return group([]m{rule(nil), rule(with)}, nil) }
	for name, c := range map[string]struct {
		key   string
		value []byte
		err   string
	}{
		"no JSON":            {groupID, []byte("hello"), "not a JSON object"},
		"empty":              {groupID, nil, "not a JSON object"},
		"no UUID":            {"default", group(nil, nil), "the key's name is not a UUID"},
		"signed":             {groupID, []byte(`{"jwt":"a.b.c","certificate":"PEM"}`), "ingress_rules is missing"},
		"half":               {groupID, []byte(`{"ingress_rules":[]}`), "egress_rules is missing"},
		"null rules":         {groupID, []byte(`{"ingress_rules":null,"egress_rules":[]}`), "ingress_rules is missing"},
		"rules are text":     {groupID, []byte(`{"ingress_rules":"all","egress_rules":[]}`), "ingress_rules: \"all\" is no"},
		"rule is null":       {groupID, []byte(`{"ingress_rules":[],"egress_rules":[null]}`), "egress_rules 0: not a JSON object"},
		"twice":              {groupID, []byte(`{"ingress_rules":[],"egress_rules":[],"ingress_rules":[]}`), "ingress_rules is given twice"},
		"no family":          {groupID, one(m{"is_ipv6": nil}), "ingress_rules 1: is_ipv6 is missing"},
		"odd family":         {groupID, one(m{"is_ipv6": 6}), "is_ipv6: 6, want 0 or 1"},
		"no protocol":        {groupID, one(m{"protocol": null}), "protocol is missing"},
		"protocol by name":   {groupID, one(m{"protocol": "tcp"}), "protocol: \"tcp\" is no int64"},
		"protocol 256":       {groupID, one(m{"protocol": 256}), "protocol: 256, want 0 to 255"},
		"no ports":           {groupID, one(m{"port_max": nil}), "port_max is missing"},
		"ports reversed":     {groupID, one(m{"port_min": 90, "port_max": 80}), "90 to 80 is no range of protocol tcp"},
		"ports -1":           {groupID, one(m{"port_min": -1, "port_max": -1}), "-1 to -1 is no range of protocol tcp"},
		"code of no type":    {groupID, one(m{"protocol": 1, "port_min": -1, "port_max": 4}), "code 4 of no type"},
		"GRE -5":             {groupID, one(m{"protocol": 47, "port_min": -5, "port_max": 0}), "no ports -5 to 0 of protocol 47"},
		"port 65536":         {groupID, one(m{"port_max": 65536}), "22 to 65536 is no range of protocol tcp"},
		"ICMP type 256":      {groupID, one(m{"protocol": 1, "port_min": 256, "port_max": -1}), "256 to 256 is no range of protocol icmp"},
		"ICMP code 256":      {groupID, one(m{"protocol": 1, "port_min": 3, "port_max": 256}), "256 to 256 is no range of protocol icmp"},
		"ports of UDP-Lite":  {groupID, one(m{"protocol": 136, "port_min": 80, "port_max": 80}), "VPP sees no ports 80 to 80 of protocol 136"},
		"no remote":          {groupID, one(m{"remote_ip_addr": null}), "neither remote_ip_addr nor remote_group_id is given"},
		"two remotes":        {groupID, one(m{"remote_group_id": otherGroup}), "remote_ip_addr and remote_group_id are both given"},
		"remote by name":     {groupID, one(m{"remote_ip_addr": null, "remote_group_id": "../x"}), "remote_group_id: \"../x\" is not a UUID"},
		"address is a name":  {groupID, one(m{"remote_ip_addr": "host"}), "remote_ip_addr: \"host\" is no address of ip4"},
		"other family":       {groupID, one(m{"remote_ip_addr": "::"}), "remote_ip_addr: \"::\" is no address of ip4"},
		"prefix too long":    {groupID, one(m{"ip_prefix_len": 33}), "ip_prefix_len: 0.0.0.0 has no 33 bits"},
		"no prefix length":   {groupID, one(m{"ip_prefix_len": null}), "ip_prefix_len is missing"},
		"ICMPv6 over IPv4":   {groupID, one(m{"protocol": 58, "port_min": -1, "port_max": -1}), "ingress_rules 1: icmpv6 is of IPv6"},
		"extension header":   {groupID, one(m{"is_ipv6": 1, "remote_ip_addr": "::", "protocol": 43, "port_min": 0, "port_max": 0}), "extension header"},
		"too large at all":   {groupID, make([]byte, 5<<20), "longer than the 4194304 bytes that are read"},
		"not UTF-8":          {groupID, []byte("{\"ingress_rules\":\"\xff\"}"), "not UTF-8"},
		"newline after name": {groupID + "\n", group(nil, nil), "the key's name is not a UUID"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := translate.Group(c.key, c.value)
			require.ErrorContains(t, err, c.err)
			require.Less(t, len(err.Error()), 300, "errors do not repeat junk at length")
		})
	}
}

func TestMembers(t *testing.T) {
	addrs, err := translate.Member([]byte(`["10.1.4.9","2001:db8::9","::ffff:10.0.0.1"]`))
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{
		netip.MustParseAddr("10.1.4.9"), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("10.0.0.1"),
	}, addrs)
	addrs, err = translate.Member([]byte(`[]`))
	require.NoError(t, err)
	require.Empty(t, addrs)
	for _, junk := range []string{"", "null", "{}", `"10.0.0.1"`, `["10.0.0.1"] x`, "[\"\xff\"]", strings.Repeat("[", 70000)} {
		addrs, err := translate.Member([]byte(junk))
		require.Error(t, err, "%.40q", junk)
		require.Empty(t, addrs)
		require.Less(t, len(err.Error()), 200)
	}
	for _, bad := range []string{`null`, `"10.0.0.1/8"`, `"fe80::1%a"`, `1`, `""`, `[]`} {
		addrs, err := translate.Member([]byte(`["10.1.4.9",` + bad + `,"2001:db8::9"]`))
		require.Equal(t, []netip.Addr{netip.MustParseAddr("10.1.4.9"), netip.MustParseAddr("2001:db8::9")}, addrs)
		require.ErrorContains(t, err, "address 1: ")
	}
}

// FuzzGroup: whatever lies in etcd, nothing panics, and what is read makes valid
// sets that permit nothing that no rule of the group is about.
func FuzzGroup(f *testing.F) {
	f.Add(groupID, group([]m{rule(nil), rule(m{"protocol": 1, "port_min": -1, "port_max": -1})}, []m{rule(m{"remote_ip_addr": nil, "remote_group_id": otherGroup})}), []byte(`["10.0.0.1","::1"]`))
	f.Add(groupID, []byte(`{"ingress_rules":[],"egress_rules":[{}]}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, name string, value, member []byte) {
		addrs, _ := translate.Member(member)
		g, err := translate.Group(name, value)
		if err != nil && g.Ingress == nil && g.Egress == nil {
			return
		}
		members := acl.Members{}
		for _, r := range g.Remotes() {
			members[r] = addrs
		}
		objs, err := translate.GroupObjects(g, members)
		require.NoError(t, err)
		require.Len(t, objs, 2)
		for i, rules := range [][]acl.GroupRule{g.Ingress, g.Egress} {
			require.NoError(t, objs[i].Validate())
			set, _ := objs[i].(acl.Set)
			if len(rules) == 0 {
				require.Empty(t, set.Rules)
			}
			for _, r := range set.Rules {
				require.NotEqual(t, acl.Deny, r.Action)
			}
		}
	})
}
