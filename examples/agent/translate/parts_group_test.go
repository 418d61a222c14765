// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

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
