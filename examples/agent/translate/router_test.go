// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
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
	return with(members{
		"port_id": portID(1), "loopback_mac": "fa:16:3e:00:20:01", "gateway_ip": "192.168.1.1", "subnet_id": "s1",
		"fixed_ips": []any{members{"subnet_id": "s1", "ip_address": "192.168.1.1"}}, "network_id": "n1", "is_ipv6": false,
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

func TestARouter(t *testing.T) {
	r := classic().routing(t, site)
	objects(t, r)
	var b strings.Builder
	for _, source := range slices.Sorted(maps.Keys(r.Wants)) {
		fmt.Fprintf(&b, "%s\n", source)
		for _, o := range r.Wants[source] {
			fmt.Fprintf(&b, "  %s %s\n", o.Key(), set(t, o))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
		fmt.Fprintf(&b, "%s %s %v %v\n", name, r.Parts[name].Network, r.Parts[name].Wrong, r.Parts[name].Lacks)
	}
	golden(t, "router", b.String())
}

// A table's membership comes before its addresses, of both families (networking-vpp
// set the tables of a BVI when it had addresses already, and died of it).
func TestDualStackComesAfterItsTable(t *testing.T) {
	all := objects(t, classic().routing(t, site))
	bvi := "bvi-physnet1.vlan.101"
	m := all[l3.MembershipKey(bvi)].(l3.Membership)
	require.False(t, m.NoIPv4 || m.NoIPv6)
	for _, p := range []string{"192.168.1.1/24", "2001:db8:1::1/64"} {
		require.Contains(t, all[l3.AddressKey(bvi, netip.MustParsePrefix(p))].Deps(), m.Key())
	}
	require.Contains(t, all, l3.AdvertisementKey(bvi))
	require.NotContains(t, all, l3.AdvertisementKey("bvi-physnet1.vlan.102"))
	require.NotContains(t, all, l3.AdvertisementKey("bvi-physnet2.flat"), "no router is advertised to the world")
	for to, by := range map[string]string{"0.0.0.0/0": "203.0.113.1", "::/0": "fe80::1"} {
		route := all[l3.RouteKey("router-"+routerID(1), netip.MustParsePrefix(to))].(l3.Route)
		require.Equal(t, []l3.Path{{Interface: "bvi-physnet2.flat", NextHop: netip.MustParseAddr(by)}}, route.Paths, "each family by its own gateway (1899772, 1844309)")
	}
	four := classic()
	four[routerID(1)+"/"+portID(9)] = gateway(nil)
	require.NotContains(t, objects(t, four.routing(t, site)), l3.RouteKey("router-"+routerID(1), netip.MustParsePrefix("::/0")), "an IPv4 gateway is no way out for IPv6")
}

// The BVI has the MAC that Neutron knows the router's port by (1856800).
func TestTheBVIHasTheRoutersMAC(t *testing.T) {
	all := objects(t, classic().routing(t, site))
	require.Equal(t, "fa:16:3e:00:20:02", all[vppnet.InterfaceKey("bvi-physnet1.vlan.102")].(vppnet.Loopback).MAC.String())
	require.Equal(t, uint32(1450), all[vppnet.LinkKey("bvi-physnet1.vlan.102")].(vppnet.LinkState).MTU)
}

// Several routers are on one external network; each keeps its own address when another
// goes (1810536), and the same fixed address is one host for each (1867022).
func TestRoutersShareAnExternalNetwork(t *testing.T) {
	all := classic()
	maps.Copy(all, keys{
		routerID(2) + "/" + portID(21): leg(members{"segmentation_id": 201, "vrf_id": 2}),
		routerID(2) + "/" + portID(29): gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}}),
		floatID(2):                     float(members{"internal_segmentation_id": 201, "floating_ip_address": "203.0.113.152"}),
	})
	both := objects(t, all.routing(t, site))
	for n, addr := range map[int]string{1: "203.0.113.101", 2: "203.0.113.151"} {
		table := "router-" + routerID(n)
		require.Equal(t, nat.Address{Address: netip.MustParseAddr(addr), Table: table}, both[nat.AddressKey(netip.MustParseAddr(addr))])
		require.Equal(t, []string{"external-physnet2.flat"}, both[nat.ExitKey(table)].(nat.Exit).To)
		fip := both[nat.MappingKey("fip-"+strings.TrimPrefix(floatID(n), "floatingip/"))].(nat.Mapping)
		require.Equal(t, table, fip.Table)
		require.Equal(t, "192.168.1.11", fip.Local.String())
	}
	for name := range all {
		if strings.HasPrefix(name, routerID(2)) || name == floatID(2) {
			delete(all, name)
		}
	}
	for k, o := range objects(t, all.routing(t, site)) {
		require.Equal(t, o, both[k], "%s: what is left is as it was", k)
	}
}

// Two external networks may have the same addresses, each in a table of its own.
func TestExternalNetworksAreApart(t *testing.T) {
	all := classic()
	maps.Copy(all, keys{
		routerID(2) + "/" + portID(21): leg(members{"segmentation_id": 201, "vrf_id": 2}),
		routerID(2) + "/" + portID(29): gateway(members{"vrf_id": 2, "external_net_type": "vlan", "external_segmentation_id": 901, "gateways": []any{[]any{"203.0.113.151", 24, false}}}),
	})
	r := objects(t, all.routing(t, site))
	one, two := r[l3.TableKey("external-physnet2.flat")].(l3.Table), r[l3.TableKey("external-physnet2.vlan.901")].(l3.Table)
	require.NotEqual(t, one.ID, two.ID)
	require.Greater(t, min(one.ID, two.ID), uint32(1<<31-1), "beyond the numbers of routers")
}

// Without NAT in the external network, what comes back finds its way by a route. Where there
// is NAT, each address of who does not translate is exempt besides, but for those with floating IPs;
// what VPP cannot exempt is told.
func TestNoSNAT(t *testing.T) {
	plain := members{"external_gateway_info": members{"network_id": "x", "enable_snat": false}}
	all := keys{routerID(1) + "/" + portID(1): leg(nil), routerID(1) + "/" + portID(9): gateway(plain)}
	r := all.routing(t, site)
	back := l3.RouteKey("external-physnet2.flat", netip.MustParsePrefix("192.168.1.0/24"))
	require.Equal(t, []l3.Path{{Table: "router-" + routerID(1)}}, objects(t, r)[back].(l3.Route).Paths)
	require.NotContains(t, objects(t, r), nat.PluginKey())

	all[floatID(1)] = float(nil)
	r = all.routing(t, site)
	has := objects(t, r)
	require.Equal(t, []l3.Path{{Table: "router-" + routerID(1)}}, has[back].(l3.Route).Paths)
	require.NotContains(t, has, nat.AddressKey(netip.MustParseAddr("203.0.113.101")))
	exempt := func(a string) desiredstate.Key { return nat.IdentityKey("id-" + routerID(1) + "-" + a) }
	require.Contains(t, has, exempt("192.168.1.12"))
	require.NotContains(t, has, exempt("192.168.1.11"), "which has a floating IP")
	for name, p := range r.Parts {
		require.NoError(t, errors.Join(p.Wrong, p.Lacks), name)
	}

	wide := routerID(1) + "/" + portID(2)
	all[wide] = leg(members{"gateway_ip": "10.0.0.1", "prefixlen": 16, "segmentation_id": 102})
	require.ErrorContains(t, all.routing(t, site).Parts[wide].Lacks, "each of the 65536 addresses of 10.0.0.0/16 needs an exemption")
	delete(all, wide)
	maps.Copy(all, keys{
		routerID(2) + "/" + portID(21): leg(members{"segmentation_id": 201, "vrf_id": 2}),
		routerID(2) + "/" + portID(29): gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}}),
	})
	r = all.routing(t, site)
	require.ErrorContains(t, r.Parts[routerID(1)+"/"+portID(1)].Lacks, "192.168.1.0/24 overlaps 192.168.1.0/24 of router "+routerID(2))
	require.NotContains(t, objects(t, r), exempt("192.168.1.12"))
}

// Who leads out is on the link, whatever the subnets; and if a floating IP is of a subnet
// that no router has an address in, everybody is.
func TestOnLink(t *testing.T) {
	table := "external-physnet2.flat"
	link := []l3.Path{{Interface: "bvi-physnet2.flat"}}
	for _, c := range []struct {
		gateways, next string
		bits           int
		onLink         string
	}{
		{"203.0.113.101", "203.0.113.1", 24, ""},
		{"203.0.113.101", "198.51.100.1", 24, "198.51.100.1/32"},
		{"203.0.113.101", "203.0.113.1", 32, "203.0.113.1/32"},
		{"2001:db8:f::101", "2001:db8:e::1", 64, "2001:db8:e::1/128"},
		{"2001:db8:f::101", "2001:db8:f::1", 128, "2001:db8:f::1/128"},
		{"2001:db8:f::101", "fe80::1", 64, ""},
	} {
		all := keys{routerID(1) + "/" + portID(9): gateway(members{"gateways": []any{[]any{c.gateways, c.bits, false}}, "external_gateway_ip": c.next})}
		has := objects(t, all.routing(t, site))
		var on []string
		for _, o := range has {
			if r, ok := o.(l3.Route); ok && r.Table == table && r.Prefix.IsSingleIP() {
				require.Equal(t, link, r.Paths)
				on = append(on, r.Prefix.String())
			}
		}
		require.Equal(t, c.onLink, strings.Join(on, " "), c)
	}
	far := classic()
	out := l3.RouteKey(table, netip.MustParsePrefix("0.0.0.0/0"))
	require.Len(t, objects(t, far.routing(t, site))[out].(l3.Route).Paths, 1)
	far[floatID(1)] = float(members{"floating_ip_address": "198.18.0.102"})
	has := objects(t, far.routing(t, site))
	require.Equal(t, []l3.Path{{Table: "beyond-physnet2.flat"}, {Interface: "bvi-physnet2.flat", Preference: 1}}, has[out].(l3.Route).Paths)
	beyond := l3.RouteKey("beyond-physnet2.flat", netip.MustParsePrefix("0.0.0.0/0"))
	require.Equal(t, []l3.Path{{Interface: "bvi-physnet2.flat", NextHop: netip.MustParseAddr("203.0.113.1")}}, has[beyond].(l3.Route).Paths)
	far[routerID(1)+"/"+portID(9)] = gateway(members{"external_gateway_ip": nil})
	require.Equal(t, link, objects(t, far.routing(t, site))[out].(l3.Route).Paths)
}

// A router that leads out by IPv6 only translates nothing, and floating IPs wait.
func TestIPv6Only(t *testing.T) {
	all := classic()
	all[routerID(1)+"/"+portID(9)] = gateway(members{"gateways": []any{[]any{"2001:db8:f::101", 64, true}}, "external_gateway_ip": "2001:db8:f::1"})
	r := all.routing(t, site)
	require.NotContains(t, objects(t, r), nat.PluginKey())
	require.ErrorContains(t, r.Parts[floatID(1)].Lacks, "waits for an IPv4 address of router "+routerID(1))
}

// What does not go together is said of one of the keys; the others are served.
func TestWhatDoesNotGoTogether(t *testing.T) {
	other := func(n int) string { return routerID(2) + "/" + portID(n) }
	second := members{"vrf_id": 2, "segmentation_id": 201}
	set := func(m members, more members) members { m = maps.Clone(m); maps.Copy(m, more); return m }
	exit2 := members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}}
	for name, c := range map[string]struct {
		key         string
		value       []byte
		wrong, lack string
	}{
		"VRF of another router":     {other(1), leg(set(second, members{"vrf_id": 1})), "vrf_id: 1, but router " + routerID(1) + " has it", ""},
		"two VRFs":                  {routerID(1) + "/" + portID(4), leg(members{"vrf_id": 7, "segmentation_id": 104, "gateway_ip": "192.168.4.1"}), "vrf_id: 7", ""},
		"two gateways":              {routerID(1) + "/" + portID(99), gateway(members{"gateways": []any{[]any{"203.0.113.201", 24, false}}}), "the router has a gateway already", ""},
		"overlap":                   {routerID(1) + "/" + portID(4), leg(members{"segmentation_id": 104, "gateway_ip": "192.168.0.1", "prefixlen": 16}), "gateway_ip: 192.168.0.1/16 overlaps 192.168.", ""},
		"same address twice":        {routerID(1) + "/" + portID(4), leg(nil), "gateway_ip: 192.168.1.1/24 overlaps 192.168.1.1/24 in physnet1.vlan.101", ""},
		"overlap with the world":    {routerID(1) + "/" + portID(4), leg(members{"segmentation_id": 104, "gateway_ip": "203.0.113.7"}), "overlaps 203.0.113.101/24, by which the router leads out", ""},
		"leg in the world":          {other(1), leg(set(second, members{"physnet": "physnet2", "net_type": "flat", "segmentation_id": null})), "physnet2.flat is an external network here", ""},
		"gateway of another":        {other(9), gateway(set(exit2, members{"gateways": []any{[]any{"203.0.113.101", 24, false}}})), "gateways: router " + routerID(1) + " has 203.0.113.101 already", ""},
		"gateway of another length": {other(9), gateway(set(exit2, members{"gateways": []any{[]any{"203.0.113.151", 25, false}}})), "gateways: 203.0.113.151/25 overlaps 203.0.113.101/24", ""},
		"floating IP of a router":   {floatID(2), float(members{"floating_ip_address": "203.0.113.101", "fixed_ip_address": "192.168.1.12"}), "floating_ip_address: 203.0.113.101 is that of router " + routerID(1), ""},
		"floating IP twice":         {floatID(2), float(members{"fixed_ip_address": "192.168.1.12"}), "floating_ip_address: 203.0.113.102 is that of floating IP", ""},
		"two for one host":          {floatID(2), float(members{"floating_ip_address": "203.0.113.103"}), "fixed_ip_address: 192.168.1.11 has floating IP", ""},
		"floating IP in no network": {floatID(2), float(members{"floating_ip_address": "203.0.113.103", "internal_segmentation_id": 999}), "", "waits for a router in physnet1.vlan.999"},
		"floating IP elsewhere":     {floatID(2), float(members{"floating_ip_address": "198.51.100.3", "external_net_type": "vlan", "external_segmentation_id": 999}), "", "waits for a gateway of router " + routerID(1) + " in physnet2.vlan.999"},
	} {
		t.Run(name, func(t *testing.T) {
			before := objects(t, classic().routing(t, site))
			all := classic()
			all[c.key] = c.value
			r := all.routing(t, site)
			for key, p := range r.Parts {
				if key != c.key {
					require.NoError(t, errors.Join(p.Wrong, p.Lacks), key)
				} else if c.wrong != "" {
					require.ErrorContains(t, p.Wrong, c.wrong)
				} else {
					require.ErrorContains(t, p.Lacks, c.lack)
				}
			}
			require.Equal(t, before, objects(t, r), "nothing else is wanted, or no more")
		})
	}
}

// Whoever serves stays, whatever the names of others that ask for the same; it does so by
// what an agent remembers, and by what one that starts anew finds in VPP. When its key
// goes, the other is served.
func TestWhoServesStays(t *testing.T) {
	const early = "00000000-0000-0000-0000-000000000000" // before all others
	set := func(m members, more members) members { m = maps.Clone(m); maps.Copy(m, more); return m }
	two := members{"vrf_id": 2, "segmentation_id": 201}
	for name, c := range map[string]struct {
		key   string
		value []byte
		by    string // whose it is
		says  string
	}{
		"floating IP":           {"floatingip/" + early, float(members{"fixed_ip_address": "192.168.1.12"}), floatID(1), "203.0.113.102 is that of " + floatID(1)},
		"host":                  {"floatingip/" + early, float(members{"floating_ip_address": "203.0.113.103"}), floatID(1), "192.168.1.11 has " + floatID(1)},
		"router's as floating":  {"floatingip/" + early, float(members{"floating_ip_address": "203.0.113.101", "fixed_ip_address": "192.168.1.12"}), routerID(1) + "/" + portID(9), "203.0.113.101 is that of"},
		"floating as router's":  {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.102", 24, false}}}), floatID(1), "203.0.113.102 is that of " + floatID(1)},
		"gateway's address":     {early + "/" + early, gateway(members{"vrf_id": 2}), routerID(1) + "/" + portID(9), "203.0.113.101 is that of"},
		"second gateway":        {routerID(1) + "/" + early, gateway(members{"gateways": []any{[]any{"203.0.113.111", 24, false}}}), routerID(1) + "/" + portID(9), "the router has a gateway already"},
		"number":                {early + "/" + early, leg(set(two, members{"vrf_id": 1})), "", "vrf_id: 1, but router " + routerID(1) + " has it"},
		"other number":          {routerID(1) + "/" + early, leg(members{"vrf_id": 7, "segmentation_id": 104, "gateway_ip": "192.168.4.1"}), "", "vrf_id: 7, but"},
		"overlap":               {routerID(1) + "/" + early, leg(members{"segmentation_id": 104, "gateway_ip": "192.168.1.1", "prefixlen": 16}), "", "overlaps 192.168.1.1/24"},
		"the world as a leg's":  {early + "/" + early, leg(set(two, members{"physnet": "physnet2", "net_type": "flat", "segmentation_id": nil})), routerID(1) + "/" + portID(9), "physnet2.flat is outside"},
		"a leg's as the world":  {early + "/" + early, gateway(members{"vrf_id": 2, "external_physnet": "physnet1", "external_net_type": "vlan", "external_segmentation_id": 102, "gateways": []any{[]any{"198.51.100.7", 24, false}}}), routerID(1) + "/" + portID(2), "physnet1.vlan.102 is inside"},
		"subnet of a length":    {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 25, false}}}), routerID(1) + "/" + portID(9), "203.0.113.151/25 overlaps 203.0.113.101/24"},
		"way to a floating IP":  {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}, "routes": []any{members{"destination": "203.0.113.102/32", "nexthop": "203.0.113.9"}}}), floatID(1), "the way to physnet2.flat 203.0.113.102/32 is that of " + floatID(1)},
		"way of another router": {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}, "routes": []any{members{"destination": "198.18.0.0/15", "nexthop": "203.0.113.9"}}}), routerID(1) + "/" + portID(9), "198.18.0.0/15 is that of " + routerID(1)},
	} {
		t.Run(name, func(t *testing.T) {
			all := classic()
			first := all.after(t, site, nil)
			before := objects(t, first)
			all[c.key] = c.value
			for from, holds := range map[string]translate.Holds{"remembered": first.Holds, "read": all.held(t, site, before)} {
				r := all.after(t, site, holds)
				p := r.Parts[c.key]
				require.ErrorContains(t, errors.Join(p.Wrong, p.Lacks), c.says, from)
				now := objects(t, r)
				for k, o := range before {
					require.Equal(t, o, now[k], "%s: %s", from, k)
				}
				for key, p := range r.Parts {
					if key != c.key {
						require.NoError(t, errors.Join(p.Wrong, p.Lacks), "%s: %s", from, key)
					}
				}
				require.Equal(t, r, all.after(t, site, r.Holds), "who is asked again says the same")
				if c.by == "" {
					continue
				}
				left := maps.Clone(all)
				delete(left, c.by)
				r = left.after(t, site, r.Holds)
				p = r.Parts[c.key]
				if said := errors.Join(p.Wrong, p.Lacks); said != nil {
					require.NotContains(t, said.Error(), c.says, from)
				}
			}
		})
	}
}

// Two routers are in one network: the first has its BVI, the other is beside it, and each
// stays where it is when the other goes, comes, or the agent starts anew.
func TestTwoRoutersInOneNetwork(t *testing.T) {
	early, late := routerID(0), routerID(1)
	key := func(router string) string { return router + "/" + portID(1) }
	all := keys{key(late): leg(nil)}
	first := all.after(t, site, nil)
	before := objects(t, first)
	all[key(early)] = leg(members{"vrf_id": 2, "gateway_ip": "192.168.1.2", "loopback_mac": "fa:16:3e:00:20:44"})
	door := func(r translate.Routing, router string) string {
		for k := range objects(t, r) {
			if a, ok := objects(t, r)[k].(l3.Address); ok && a.Table == "router-"+router {
				return a.Interface
			}
		}
		return ""
	}
	both := all.after(t, site, first.Holds)
	for k, o := range before {
		require.Equal(t, o, objects(t, both)[k])
	}
	require.Equal(t, "bvi-physnet1.vlan.101", door(both, late))
	side := door(both, early)
	require.NotEqual(t, "bvi-physnet1.vlan.101", side)
	require.True(t, translate.IsRouted(side))
	for name, p := range both.Parts {
		require.NoError(t, errors.Join(p.Wrong, p.Lacks), name)
	}
	again := all.after(t, site, all.held(t, site, objects(t, both)))
	require.Equal(t, objects(t, both), objects(t, again))
	delete(all, key(late))
	alone := all.after(t, site, both.Holds)
	require.Equal(t, side, door(alone, early), "its hosts notice nothing")
	read := all.after(t, site, all.held(t, site, objects(t, alone)))
	require.Equal(t, side, door(read, early))
	all[key(late)] = leg(nil)
	back := all.after(t, site, alone.Holds)
	require.Equal(t, "bvi-physnet1.vlan.101", door(back, late))
	require.Equal(t, side, door(back, early))
}

func TestWhatIsRefusedOfRouters(t *testing.T) {
	key := routerID(1) + "/" + portID(1)
	for name, c := range map[string]struct {
		key   string
		value []byte
		err   string
	}{
		"one part":           {routerID(1), leg(nil), "the key's name is not that of a router and a port"},
		"three parts":        {key + "/x", leg(nil), "the key's name is not that of a router and a port"},
		"traversal":          {"../" + portID(1), leg(nil), "the key's name is not that of a router and a port"},
		"not JSON":           {key, []byte("hello"), "not a JSON object"},
		"null":               {key, []byte("null"), "not a JSON object"},
		"twice":              {key, append([]byte(`{"vrf_id":1,`), leg(nil)[1:]...), "vrf_id is given twice"},
		"no VRF":             {key, leg(members{"vrf_id": nil}), "vrf_id is missing"},
		"VRF 0":              {key, leg(members{"vrf_id": 0}), "vrf_id: 0, want 1 to 2147483647"},
		"VRF too large":      {key, leg(members{"vrf_id": 1 << 31}), "vrf_id: 2147483648, want 1 to"},
		"VRF text":           {key, leg(members{"vrf_id": "1"}), "vrf_id: \"1\" is no int64"},
		"no MAC":             {key, leg(members{"loopback_mac": nil}), "loopback_mac is missing"},
		"multicast MAC":      {key, leg(members{"loopback_mac": "01:00:5e:00:00:01"}), "loopback_mac: \"01:00:5e:00:00:01\" is no unicast MAC"},
		"no address":         {key, leg(members{"gateway_ip": nil}), "gateway_ip is missing"},
		"address text":       {key, leg(members{"gateway_ip": "10.0.0"}), "gateway_ip: \"10.0.0\" is no IP address"},
		"the network's own":  {key, leg(members{"gateway_ip": "192.168.1.0"}), "gateway_ip: address 192.168.1.0/24 is its subnet's own"},
		"broadcast":          {key, leg(members{"gateway_ip": "192.168.1.255"}), "gateway_ip: address 192.168.1.255/24 is its subnet's own"},
		"link-local":         {key, leg(members{"gateway_ip": "fe80::1", "prefixlen": 64, "is_ipv6": true}), "gateway_ip: address fe80::1/64: VPP makes link-local addresses itself"},
		"prefix 33":          {key, leg(members{"prefixlen": 33}), "gateway_ip: a subnet of 192.168.1.1 has no prefix of 33 bits"},
		"prefix 0":           {key, leg(members{"prefixlen": 0}), "gateway_ip: a subnet of 192.168.1.1 has no prefix of 0 bits"},
		"gpe":                {key, leg(members{"net_type": "gpe", "physnet": null}), "gpe: this host has no address in an underlay"},
		"foreign physnet":    {key, leg(members{"physnet": "physnet9"}), "physnet: this host has no \"physnet9\""},
		"no gateways":        {key, gateway(members{"gateways": nil}), "gateways is missing"},
		"empty gateways":     {key, gateway(members{"gateways": []any{}}), "gateways: there is none"},
		"gateway of one":     {key, gateway(members{"gateways": []any{[]any{"203.0.113.1"}}}), "gateways 0: [\"203.0.113.1\"] is no list of address"},
		"gateway junk":       {key, gateway(members{"gateways": []any{[]any{1, 2, 3}}}), "gateways 0: [1,2,3] is no list of address"},
		"gateway length":     {key, gateway(members{"gateways": []any{[]any{"203.0.113.1", 40, false}}}), "gateways 0: a subnet of 203.0.113.1 has no prefix of 40 bits"},
		"external GPE":       {key, gateway(members{"external_net_type": "gpe", "external_segmentation_id": 5}), "gpe: this host has no address in an underlay"},
		"floating IP's name": {"floatingip/x", float(nil), "the key's name is not a UUID"},
		"floating IPv6":      {floatID(1), float(members{"floating_ip_address": "2001:db8::1"}), "floating_ip_address: 2001:db8::1 is not IPv4"},
		"no fixed IP":        {floatID(1), float(members{"fixed_ip_address": nil}), "fixed_ip_address is missing"},
		"fixed IP null":      {floatID(1), float(members{"fixed_ip_address": null}), "fixed_ip_address is missing"},
		"itself":             {floatID(1), float(members{"fixed_ip_address": "203.0.113.102"}), "from an address to itself"},
		"one network":        {floatID(1), float(members{"internal_physnet": "physnet2", "internal_net_type": "flat", "internal_segmentation_id": null}), "physnet2.flat is external and internal"},
		"multicast":          {floatID(1), float(members{"floating_ip_address": "224.0.0.5"}), "224.0.0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if translate.IsFloatingIP(c.key) {
				_, err = site.FloatingIP(c.key, c.value)
			} else {
				_, err = site.RouterPort(c.key, c.value)
			}
			require.ErrorContains(t, err, c.err)
			require.Less(t, len(err.Error()), 250, "errors do not repeat junk at length")
		})
	}
}

func TestServes(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "1\n": true, "true": true, "0": false, " 0": false, "false": false} {
		got, err := translate.Serves([]byte(value))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, junk := range []string{"", "2", "yes", "{}", strings.Repeat("1", 1000)} {
		_, err := translate.Serves([]byte(junk))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 80)
	}
}

// The longest names fit VPP's tags.
func TestLongestNamesOfRoutersFit(t *testing.T) {
	long := strings.Repeat("p", 32)
	s := translate.Site{Host: "h", Dir: "/d", Physnets: map[string]string{long: "e"}}
	all := keys{}
	for name, value := range classic() {
		value = []byte(strings.NewReplacer("physnet1", long, "physnet2", long, `"flat"`, `"vlan"`, `"external_segmentation_id":null`, `"external_segmentation_id":4094`).Replace(string(value)))
		all[name] = value
	}
	for k := range objects(t, all.routing(t, s)) {
		if slices.Contains([]string{"interface", "bridge-domain", "table", "nat-mapping"}, k.Space) {
			require.LessOrEqual(t, len(translate.Owner+"/"+k.Name), 63, k.Name)
		}
	}
}

// FuzzRouters: whatever lies in etcd, nothing panics, what is served is valid and
// wanted without conflict beside a router that is well, and that one stays as it is.
func FuzzRouters(f *testing.F) {
	for name, value := range classic() {
		f.Add(name, value)
	}
	f.Add(routerID(2)+"/"+portID(1), leg(members{"vrf_id": 2, "gateway_ip": "2001:db8::1", "prefixlen": 64, "is_ipv6": true, "segmentation_id": 7}))
	f.Add(routerID(2)+"/"+portID(9), gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}, []any{"2001:db8::151", 64, true}}, "external_gateway_ips": []string{"fe80::1"}}))
	f.Add(floatID(2), float(members{"floating_ip_address": "203.0.113.103", "fixed_ip_address": "192.168.2.11", "internal_segmentation_id": 102}))
	f.Add("ha", []byte("1"))
	f.Add(routerID(2)+"/"+portID(1), []byte("\xff"))
	before := objects(f, classic().routing(f, site))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		all := classic()
		if _, taken := all[name]; taken {
			return
		}
		var err error
		if translate.IsFloatingIP(name) {
			_, err = site.FloatingIP(name, value)
		} else {
			_, err = site.RouterPort(name, value)
		}
		if err != nil {
			return
		}
		all[name] = value
		r := all.routing(t, site)
		now := objects(t, r)
		if p := r.Parts[name]; p.Wrong != nil {
			require.Equal(t, before, now)
		}
		for k := range before {
			require.Contains(t, now, k)
		}
	})
}

// What takes part in an election is valid, whatever is left to defaults; what could not
// is refused at the start.
func TestElections(t *testing.T) {
	with := func(change func(*translate.Site)) translate.Site {
		s := site
		s.HA, s.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
		change(&s)
		return s
	}
	good := with(func(*translate.Site) {})
	require.NoError(t, good.Validate())
	store := desiredstate.NewStore()
	require.NoError(t, store.Assign("election", good.ElectionObjects()...))
	o, ok := store.Want(vrrp.RouterKey(translate.ElectionInterface, 1, false))
	require.True(t, ok)
	require.True(t, o.(vrrp.Router).NoPreempt)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("169.254.7.1")}, o.(vrrp.Router).Addresses)
	for want, change := range map[string]func(*translate.Site){
		"an election, but no HA":                         func(s *translate.Site) { s.HA = false },
		"this host has no physical network \"physnet9\"": func(s *translate.Site) { s.Election.Physnet = "physnet9" },
		"4095 is no VLAN":                                func(s *translate.Site) { s.Election.VLAN = 4095 },
		"want an IPv4 address":                           func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("2001:db8::2/64") },
		"the first address of 169.254.7.0/24":            func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("169.254.7.1/24") },
		"the first address of 169.254.7.0/30":            func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("169.254.7.2/30") },
		"want 10ms to 40.95s":                            func(s *translate.Site) { s.Election.Interval = time.Millisecond },
		"address 169.254.7.255/24 is its subnet's own":   func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("169.254.7.255/24") },
	} {
		s := with(change)
		require.ErrorContains(t, s.Validate(), want)
	}
}
