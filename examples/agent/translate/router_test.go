// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

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
	for _, way := range [][3]string{{"ways-", "0.0.0.0/0", "203.0.113.1"}, {"router-", "::/0", "fe80::1"}} {
		route := all[l3.RouteKey(way[0]+routerID(1), netip.MustParsePrefix(way[1]))].(l3.Route)
		require.Equal(t, []l3.Path{{Interface: "bvi-physnet2.flat", NextHop: netip.MustParseAddr(way[2])}}, route.Paths, "each family by its own gateway (1899772, 1844309)")
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
		table := "nat-" + routerID(n)
		require.Equal(t, nat.Address{Address: netip.MustParseAddr(addr), Table: table}, both[nat.AddressKey(netip.MustParseAddr(addr))])
		require.Equal(t, []string{"external-physnet2.flat", "nat-" + routerID(3-n)}, both[nat.ExitKey(table)].(nat.Exit).To, "and to the other's floating IPs")
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
		if k == nat.ExitKey("nat-"+routerID(1)) {
			o = nat.Exit{Table: "nat-" + routerID(1), To: append(o.(nat.Exit).To, "nat-"+routerID(2))}
		}
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

// Each table has a number to itself, those by which networks reach subnets that nobody names too.
func TestTablesHaveNumbersOfTheirOwn(t *testing.T) {
	all := keys{}
	for n := 1; n <= 3; n++ {
		where := members{"external_net_type": "vlan", "external_segmentation_id": 900 + n}
		set := func(more members) members { maps.Copy(more, where); return more }
		all[routerID(n)+"/"+portID(1)] = leg(members{"segmentation_id": 200 + n, "vrf_id": n})
		all[routerID(n)+"/"+portID(9)] = gateway(set(members{"vrf_id": n, "gateways": []any{[]any{fmt.Sprintf("203.0.113.%d", 100+n), 24, false}}}))
		all[floatID(n)] = float(set(members{"internal_segmentation_id": 200 + n, "floating_ip_address": fmt.Sprintf("198.18.0.%d", n)}))
	}
	whose, beyond := map[uint32]string{}, 0
	for _, o := range objects(t, all.routing(t, site)) {
		if table, ok := o.(l3.Table); ok {
			require.Empty(t, whose[table.ID], table.Name)
			whose[table.ID] = table.Name
			if strings.HasPrefix(table.Name, "beyond-") {
				beyond++
			}
		}
	}
	require.Equal(t, 3, beyond)
}

// What TCP announces fits the door that it goes by, whatever goes by the router's other doors, and whether or not
// the key says how much that is.
func TestAnnouncedSegmentsFit(t *testing.T) {
	for mtu, want := range map[int]l3.MSSClamp{
		0:    {IPv4: l3.Clamp{MSS: 8960}, IPv6: l3.Clamp{MSS: 8940}},
		1450: {IPv4: l3.Clamp{MSS: 1410}, IPv6: l3.Clamp{MSS: 1390}},
		1000: {IPv4: l3.Clamp{MSS: 960}},
	} {
		has := objects(t, keys{
			routerID(1) + "/" + portID(1): leg(members{"mtu": mtu}),
			routerID(1) + "/" + portID(2): leg(members{"mtu": 9600, "segmentation_id": 102, "gateway_ip": "192.168.2.1"}),
		}.routing(t, site))
		want.Interface = "bvi-physnet1.vlan.101"
		require.Equal(t, want, has[want.Key()], mtu)
		require.NotContains(t, has, l3.MSSClamp{Interface: "bvi-physnet1.vlan.102"}.Key())
	}
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
	require.NoError(t, r.Parts[routerID(1)+"/"+portID(1)].Lacks, "whose addresses a router has that is translated")
	require.Contains(t, objects(t, r), exempt("192.168.1.12"))
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
