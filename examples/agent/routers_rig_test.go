// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// rid and fid number routers and floating IPs; lid is the port of a router in a VLAN.
func rid(n int) string { return fmt.Sprintf("%08x-0a7e-4ac2-a1a1-3b6a6d0c0003", n) }
func fid(n int) string { return fmt.Sprintf("%08x-f10a-4ac2-a1a1-3b6a6d0c0004", n) }

func legKey(router, vlan int) string { return rid(router) + "/" + uuid(0x1000+vlan) }
func exitKey(router int) string      { return rid(router) + "/" + uuid(0x100) }
func floatKey(n int) string          { return "floatingip/" + fid(n) }

// leg is the value of a router's interface in a VLAN, as the driver writes it.
func leg(router, vlan int, addr string) string {
	p := netip.MustParsePrefix(addr)
	return fmt.Sprintf(`{"port_id":%q,"loopback_mac":"fa:16:3e:01:%02x:%02x","gateway_ip":%q,"subnet_id":"s","fixed_ips":[],`+
		`"network_id":"n","is_ipv6":%v,"prefixlen":%d,"mtu":1500,"segmentation_id":%d,"net_type":"vlan","physnet":"physnet1","vrf_id":%d}`,
		uuid(0x1000+vlan), vlan>>8, vlan&0xff, p.Addr(), p.Addr().Is6(), p.Bits(), vlan, router)
}

// exit is the value of a router's gateway in a VLAN; more members go to the end.
func exit(router, vlan int, addr, next string, more ...string) string {
	p := netip.MustParsePrefix(addr)
	return fmt.Sprintf(`{"id":%q,"name":"r","admin_state_up":true,"external_gateway_info":{"network_id":"x","enable_snat":true,`+
		`"external_fixed_ips":[]},"gw_port_id":"g","vrf_id":%d,"external_physnet":"physnet1","external_segmentation_id":%d,`+
		`"external_net_type":"vlan","mtu":1500,"loopback_mac":"fa:16:3e:02:00:%02x","gateways":[[%q,%d,%v]],"external_gateway_ip":%q%s}`,
		rid(router), router, vlan, router, p.Addr(), p.Bits(), p.Addr().Is6(), next, strings.Join(append([]string{""}, more...), ","))
}

// float is the value of a floating IP.
func float(external, internal int, floating, fixed string) string {
	return fmt.Sprintf(`{"external_physnet":"physnet1","external_net_type":"vlan","external_segmentation_id":%d,"internal_physnet":"physnet1",`+
		`"internal_net_type":"vlan","internal_segmentation_id":%d,"fixed_ip_address":%q,"floating_ip_address":%q}`, external, internal, fixed, floating)
}

// routing writes a key below routers/; "": none any more.
func (r *rig) routing(host, name, value string) {
	r.Helper()
	r.set("/networking-vpp/nodes/"+host+"/routers/"+name, value)
}

// tenants are two routers with the same networks inside, on one external network, and
// their floating IPs.
func tenants() map[string]string {
	return map[string]string{
		legKey(1, 101): leg(1, 101, "192.168.1.1/24"),
		legKey(1, 102): leg(1, 102, "192.168.2.1/24"),
		legKey(1, 103): leg(1, 103, "2001:db8:1::1/64"),
		exitKey(1):     exit(1, 900, "203.0.113.101/24", "203.0.113.1", `"routes":[{"destination":"10.5.0.0/16","nexthop":"192.168.1.7"},{"destination":"10.5.0.0/16","nexthop":"192.168.2.7"}]`),
		legKey(2, 201): leg(2, 201, "192.168.1.1/24"),
		exitKey(2):     exit(2, 900, "203.0.113.151/24", "203.0.113.1"),
		floatKey(1):    float(900, 101, "203.0.113.102", "192.168.1.11"),
		floatKey(2):    float(900, 201, "203.0.113.152", "192.168.1.11"),
	}
}

// routed waits until the inbox knows just these keys, and VPP holds what they want.
func (r *rig) routed(a *running, keys map[string]string) {
	r.Helper()
	require.Eventually(r, func() bool {
		known := a.inbox.Routes()
		if len(known) != len(keys) {
			return false
		}
		for _, k := range known {
			if _, ok := keys[k]; !ok {
				return false
			}
		}
		return true
	}, 20*time.Second, time.Millisecond)
	r.converged(a)
}
