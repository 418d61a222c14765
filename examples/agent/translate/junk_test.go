// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// family is a sort of value: one that is good, the members that mean something, and how it is read: what
// comes of it, what is said to be wrong, and whether nothing comes of it.
type family struct {
	good    m
	members []string
	around  func(object string) string // what the object is in; nil: it is the value
	read    func(value []byte) (got any, said error, refused bool)
}

func families() map[string]family {
	decoded := func(object []byte) (out m) {
		if err := json.Unmarshal(object, &out); err != nil {
			panic(err)
		}
		return out
	}
	port := func(value []byte) (any, error, bool) {
		p, err := site.Port(id, value)
		if err != nil {
			return nil, err, true
		}
		said := p.Lacks
		p.Lacks = nil
		return p, said, false
	}
	routerPort := func(value []byte) (any, error, bool) {
		p, err := site.RouterPort(routerID(1)+"/"+portID(9), value)
		if err != nil {
			return nil, err, true
		}
		said := p.Lacks
		p.Lacks = nil
		served, err := json.Marshal(p) // not whether it is known that nobody leads out
		return string(served), cmpOr(said, err), false
	}
	sets := func(value []byte) (any, error, bool) {
		g, said := translate.Group(groupID, value)
		return g, said, false
	}
	in := func(before, after string) func(string) string {
		return func(object string) string { return before + object + after }
	}
	gate := decoded(gateway(nil))
	gate["routes"], gate["external_gateway_ips"] = []any{m{"destination": "10.5.0.0/16", "nexthop": "192.168.1.7"}}, []string{"fe80::1"}
	gate["gateways"] = []any{[]any{"203.0.113.101", 24, false}, []any{"2001:db8:f::101", 64, true}}
	inGateway := func(member string) func(string) string {
		return func(object string) string {
			raw := map[string]json.RawMessage{}
			for k, x := range gate {
				raw[k], _ = json.Marshal(x)
			}
			delete(raw, member)
			rest, _ := json.Marshal(raw)
			return strings.TrimSuffix(string(rest), "}") + `,"` + member + `":` + object + "}"
		}
	}
	tap := func(value []byte) (any, error, bool) {
		t, err := site.TapService(id, value)
		t.Value = nil
		return t, err, err != nil
	}
	flow := func(value []byte) (any, error, bool) {
		t, err := site.TapFlow(id, value)
		t.Value = nil
		return t, err, err != nil
	}
	service := `"dest_type":"ERSPAN_INT","taas_id":3900`
	flowing := `"dest_type":"ERSPAN_INT","taas_id":3900,"tf_host":"compute-1","ts_host":"compute-1","ts_port_mac":"fa:16:3e:00:10:01"`
	tapped, source := m{"port_id": id, "erspan_dst_ip": "192.0.2.9"}, m{"tap_service_id": groupID, "source_port": id, "direction": "IN", "erspan_session_id": 7}
	text := func(x any) string { out, _ := json.Marshal(x); return string(out) }
	return map[string]family{
		"port": {decoded(secured(m{"security_groups": []string{groupID}})), []string{
			"mac_address", "physnet", "network_type", "segmentation_id", "binding_type", "security_groups", "allowed_address_pairs", "fixed_ips", "port_security_enabled",
		}, nil, port},
		"pair":     {m{"ip_address": "10.9.0.0/24", "mac_address": "fa:16:3e:00:10:02"}, []string{"ip_address", "mac_address"}, func(o string) string { return string(secured(m{"allowed_address_pairs": []any{json.RawMessage(o)}})) }, port},
		"fixed IP": {m{"ip_address": "10.9.0.1"}, []string{"ip_address"}, func(o string) string { return string(secured(m{"fixed_ips": []any{json.RawMessage(o)}})) }, port},
		"subport": {sub(m{"security_groups": []string{groupID}, "port_security_enabled": true}), []string{
			"port_id", "segmentation_type", "segmentation_id", "physnet", "uplink_seg_type", "uplink_seg_id", "allowed_address_pairs", "port_security_enabled", "security_groups", "mac_address", "fixed_ips",
		}, in(`{"sub_ports":[`, "]}"), func(value []byte) (any, error, bool) {
			t, err := site.Trunk(id, value)
			for i := range t.Subports {
				t.Lacks, t.Subports[i].Lacks = cmpOr(t.Subports[i].Lacks, t.Lacks), nil
			}
			return t.Subports, cmpOr(err, t.Lacks), err != nil || len(t.Subports) == 0
		}},
		"rule": {rule(m{"ip_prefix_len": 24, "remote_ip_addr": "10.0.0.0"}), []string{
			"is_ipv6", "remote_ip_addr", "ip_prefix_len", "remote_group_id", "protocol", "port_min", "port_max",
		}, in(`{"egress_rules":[],"ingress_rules":[`, "]}"), sets},
		"group":         {decoded(group([]m{rule(nil)}, []m{rule(nil)})), []string{"ingress_rules", "egress_rules"}, nil, sets},
		"leg":           {decoded(leg(members{"fixed_ips": nil})), []string{"loopback_mac", "gateway_ip", "prefixlen", "mtu", "segmentation_id", "net_type", "physnet", "vrf_id", "is_ipv6"}, nil, routerPort},
		"leg's address": {m{"ip_address": "192.168.1.1"}, []string{"ip_address"}, in(strings.TrimSuffix(string(leg(members{"fixed_ips": nil})), "}")+`,"fixed_ips":[`, "]}"), routerPort},
		"gateway":       {gate, []string{"external_gateway_info", "vrf_id", "external_physnet", "external_net_type", "external_segmentation_id", "mtu", "loopback_mac", "gateways", "external_gateway_ip", "external_gateway_ips", "routes"}, nil, routerPort},
		"SNAT":          {m{"enable_snat": false, "network_id": "x"}, []string{"enable_snat"}, inGateway("external_gateway_info"), routerPort},
		"route": {m{"destination": "10.7.0.0/16", "nexthop": "192.168.1.9"}, []string{"destination", "nexthop"}, func(o string) string {
			return inGateway("routes")("[" + o + "]")
		}, routerPort},
		"floating IP": {decoded(float(nil)), []string{
			"external_physnet", "external_net_type", "external_segmentation_id", "internal_physnet", "internal_net_type", "internal_segmentation_id", "fixed_ip_address", "floating_ip_address",
		}, nil, func(value []byte) (any, error, bool) {
			f, err := site.FloatingIP(floatID(1), value)
			return f, err, err != nil
		}},
		"service's target": {tapped, []string{"port_id", "erspan_dst_ip"}, in("{"+service+`,"tap_service":`, "}"), tap},
		"service":          {m{"dest_type": "Port", "taas_id": 3900, "tap_service": tapped}, []string{"dest_type", "taas_id", "tap_service"}, nil, tap},
		"flow's source":    {source, []string{"tap_service_id", "source_port", "direction", "erspan_session_id"}, in("{"+flowing+`,"tap_flow":`, "}"), flow},
		"flow":             {decoded([]byte("{" + flowing + `,"tap_flow":` + text(source) + "}")), []string{"dest_type", "taas_id", "tf_host", "ts_host", "ts_port_mac", "tap_flow"}, nil, flow},
		"sighting": {m{"mac": "fa:16:3e:00:10:01", "host": "192.0.2.2"}, []string{"mac", "host"}, nil, func(value []byte) (any, error, bool) {
			g, err := site.Sighting("7/other/10.0.0.1", value)
			return g, err, err != nil
		}},
	}
}

// cmpOr is the first error.
func cmpOr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// junk is what may stand where something else should.
func junk() []string {
	long, _ := json.Marshal(strings.Repeat("x", 20000))
	return []string{
		"null", "true", "false", "0", "-1", "1.5", "1e3", "1e400", "9223372036854775808", "-9223372036854775809", "4294967296",
		`""`, `" "`, `"x"`, `"ANY"`, `"\u0000"`, `"\ud800"`, `"../../etc"`, `"0.0.0.0/0"`, `"::"`, `"169.254.0.1"`, `"255.255.255.255"`, `"1"`, string(long),
		`"127.0.0.1"`, `"240.0.0.1"`, `"0.1.2.3"`, `"::1"`, `"fe80::1"`, `"fe80::1%eth0"`, `"::ffff:10.0.0.5"`, `"::ffff:10.0.0.0/120"`, `"010.0.0.1"`, `"10.0.0.1/024"`,
		`"127.0.0.0/8"`, `"fe80::/10"`, `"00:00:00:00:00:00"`, `"FF:FF:FF:FF:FF:FF"`, `"FA-16-3E-00-10-01"`, `"fa16.3e00.1001"`,
		"[]", "[null]", "[[]]", "[{}]", "[0]", `["x"]`, `[""]`, "{}", `{"a":1}`, `{"ip_address":null}`, strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
	}
}

// object is a value's text, in which a member has another value, or several; none: it is not there.
func (f family) object(member string, values ...string) []byte {
	raw := map[string]json.RawMessage{}
	for k, x := range f.good {
		raw[k], _ = json.Marshal(x)
	}
	delete(raw, member)
	out := []string{}
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		out = append(out, `"`+k+`":`+string(raw[k]))
	}
	for _, x := range values {
		out = append(out, `"`+member+`":`+x)
	}
	text := "{" + strings.Join(out, ",") + "}"
	if f.around != nil {
		text = f.around(text)
	}
	return []byte(text)
}

func kind(raw string) string {
	switch raw[0] {
	case '"':
		return "text"
	case 't', 'f':
		return "bool"
	case '[', '{', 'n':
		return raw[:1]
	}
	return "number"
}

// Of what junk something is made, and nothing said, is listed: each line is meant.
func TestWhatIsTakenForSomething(t *testing.T) {
	var lines []string
	for name, f := range families() {
		for _, member := range f.members {
			own, _ := json.Marshal(f.good[member])
			for _, x := range junk() {
				if _, said, refused := f.read(f.object(member, x)); said == nil && !refused && x != string(own) && kind(x) != "n" {
					lines = append(lines, name+": "+member+": "+x[:min(len(x), 40)]+"\n")
				}
			}
		}
	}
	slices.Sort(lines)
	golden(t, "taken", strings.Join(lines, ""))
}

// Whatever stands in a member: of a value of which something is wrong either nothing is served, or all that is without
// the member, or without the part that it is in, and what is wrong is named, shortly, with the member. What is of another type is never taken
// for something, nor is what is given twice; and what has no meaning has none.
func TestJunkInEachMember(t *testing.T) {
	for name, f := range families() {
		good, said, refused := f.read(f.object("no such member"))
		require.NoError(t, said, name)
		require.False(t, refused, name)
		var less any // without the object, which is a part of something
		if f.around != nil {
			less, _, _ = f.read([]byte(f.around("null")))
		}
		for _, member := range f.members {
			rest, lacks, without := f.read(f.object(member))
			own, _ := json.Marshal(f.good[member])
			for _, x := range junk() {
				what := name + ": " + member + ": " + x[:min(len(x), 40)]
				got, said, refused := f.read(f.object(member, x))
				if said != nil {
					require.Less(t, len(said.Error()), 700, what)
				}
				switch {
				case kind(x) == "n": // as if it were not there, if that means something
					require.Equal(t, without, refused, what)
					require.Equal(t, rest, got, what)
				case kind(x) != kind(string(own)) && string(own) != "null":
					require.ErrorContains(t, said, member, what)
					fallthrough
				case said != nil:
					if !refused {
						require.Contains(t, []any{rest, good, less}, got, "%s: %v", what, said)
					}
				}
			}
			twice, says, gone := f.read(f.object(member, string(own), string(own)))
			require.ErrorContains(t, says, member, "%s twice", name)
			if !gone {
				require.Contains(t, []any{rest, less}, twice, "%s: %s twice (%v)", name, member, lacks)
			}
			for _, other := range []string{strings.ToUpper(member), member + " ", "x" + member} {
				got, said, _ := f.read(bytes.Replace(f.object("unknown", `"junk"`), []byte(`"unknown"`), []byte(`"`+other+`"`), 1))
				require.NoError(t, said, "%s: %s", name, other)
				require.Equal(t, good, got, "%s: %s", name, other)
			}
		}
	}
}
