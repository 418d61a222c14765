// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

func routerID(n int) string { return fmt.Sprintf("%08x-0a7e-4ac2-a1a1-3b6a6d0c0003", n) }
func portID(n int) string   { return fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0001", n) }
func floatID(n int) string  { return fmt.Sprintf("floatingip/%08x-f10a-4ac2-a1a1-3b6a6d0c0004", n) }

// with is a JSON object with some members changed; nil leaves one out.
func with(base, changed map[string]any) []byte {
	v := maps.Clone(base)
	maps.Copy(v, changed)
	maps.DeleteFunc(v, func(_ string, x any) bool { return x == nil })
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

type members = map[string]any

// leg, gateway and float are values as the driver writes them.
func leg(changed members) []byte {
	ip := any("192.168.1.1")
	if other, ok := changed["gateway_ip"]; ok {
		ip = other
	}
	return with(members{
		"port_id": portID(1), "loopback_mac": "fa:16:3e:00:20:01", "gateway_ip": ip, "subnet_id": "s1",
		"fixed_ips": []any{members{"subnet_id": "s1", "ip_address": ip}}, "network_id": "n1", "is_ipv6": false,
		"prefixlen": 24, "mtu": 1450, "segmentation_id": 101, "net_type": "vlan", "physnet": "physnet1", "vrf_id": 1,
	}, changed)
}

func gateway(changed members) []byte {
	return with(members{
		"id": routerID(1), "name": "r1", "status": "ACTIVE", "admin_state_up": true, "tenant_id": "t",
		"external_gateway_info": members{"network_id": "x", "enable_snat": true, "external_fixed_ips": []any{members{"subnet_id": "s", "ip_address": "203.0.113.101"}}},
		"gw_port_id":            portID(9), "routes": []any{}, "vrf_id": 1, "external_physnet": "physnet2", "external_segmentation_id": null,
		"external_net_type": "flat", "mtu": 1500, "loopback_mac": "fa:16:3e:00:20:09",
		"gateways": []any{[]any{"203.0.113.101", 24, false}}, "external_gateway_ip": "203.0.113.1",
	}, changed)
}

func float(changed members) []byte {
	return with(members{
		"external_physnet": "physnet2", "external_net_type": "flat", "external_segmentation_id": null,
		"internal_physnet": "physnet1", "internal_net_type": "vlan", "internal_segmentation_id": 101,
		"fixed_ip_address": "192.168.1.11", "floating_ip_address": "203.0.113.102",
	}, changed)
}

// keys are what lies below Site.Routers.
type keys map[string][]byte

// routing reads all of them, as an inbox does, for the first time.
func (k keys) routing(t testing.TB, s translate.Site) translate.Routing {
	t.Helper()
	return k.after(t, s, nil)
}

// after is routing when some have been served before.
func (k keys) after(t testing.TB, s translate.Site, before translate.Holds) translate.Routing {
	t.Helper()
	ports, floats := k.read(t, s)
	return s.Routing(ports, floats, true, before)
}

// outcome is what others are told of a routing, not how it came about.
func outcome(r translate.Routing) translate.Routing {
	return translate.Routing{Wants: r.Wants, Parts: r.Parts, Voices: r.Voices, Doors: r.Doors, Holds: r.Holds}
}

// held is who is served by what VPP has.
func (k keys) held(t testing.TB, s translate.Site, found map[desiredstate.Key]desiredstate.Object) translate.Holds {
	t.Helper()
	ports, floats := k.read(t, s)
	return s.Held(found, ports, floats)
}

func (k keys) read(t testing.TB, s translate.Site) (map[string]translate.RouterPort, map[string]translate.FloatingIP) {
	t.Helper()
	ports, floats := map[string]translate.RouterPort{}, map[string]translate.FloatingIP{}
	for name, value := range k {
		var err error
		if translate.IsFloatingIP(name) {
			floats[name], err = s.FloatingIP(name, value)
		} else {
			ports[name], err = s.RouterPort(name, value)
		}
		require.NoError(t, err, name)
	}
	return ports, floats
}

// objects are all that is wanted; that two sources want it in two ways is an error.
func objects(t testing.TB, r translate.Routing) map[desiredstate.Key]desiredstate.Object {
	t.Helper()
	s := desiredstate.NewStore()
	all := map[desiredstate.Key]desiredstate.Object{}
	for source, objs := range r.Wants {
		require.NoError(t, s.Assign(source, objs...))
		for _, o := range objs {
			require.NoError(t, o.Validate(), "%s", o.Key())
			all[o.Key()] = o
		}
	}
	for name, p := range r.Parts {
		for _, k := range p.Needs {
			require.Contains(t, all, k, name)
		}
	}
	return all
}

// classic is a router with two networks, a gateway and a floating IP.
func classic() keys {
	return keys{
		routerID(1) + "/" + portID(1): leg(nil),
		routerID(1) + "/" + portID(2): leg(members{"gateway_ip": "192.168.2.1", "segmentation_id": 102, "loopback_mac": "fa:16:3e:00:20:02"}),
		routerID(1) + "/" + portID(3): leg(members{"gateway_ip": "2001:db8:1::1", "prefixlen": 64, "is_ipv6": true}),
		routerID(1) + "/" + portID(9): gateway(members{"routes": []any{
			members{"destination": "10.5.0.0/16", "nexthop": "192.168.1.7"},
			members{"destination": "10.5.0.0/16", "nexthop": "192.168.2.7"},
			members{"destination": "198.18.0.0/15", "nexthop": "203.0.113.77"},
		}, "gateways": []any{[]any{"203.0.113.101", 24, false}, []any{"2001:db8:f::101", 64, true}}, "external_gateway_ips": []string{"fe80::1"}}),
		floatID(1): float(nil),
	}
}
