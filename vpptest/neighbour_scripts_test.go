// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arp"
	"go.fd.io/govpp/binapi/arping"
	"go.fd.io/govpp/binapi/dhcp"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip6_nd"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/vpptest"
)

const (
	dynamic = ip_neighbor.IP_API_NEIGHBOR_FLAG_NONE
	fixed   = ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC
	noFIB   = ip_neighbor.IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY
)

func host4(i index, addr string, m ethernet_types.MacAddress, flags ip_neighbor.IPNeighborFlags) *ip_neighbor.IPNeighborAddDel {
	return &ip_neighbor.IPNeighborAddDel{IsAdd: true, Neighbor: ip_neighbor.IPNeighbor{
		SwIfIndex: i, IPAddress: must(ip_types.ParseAddress(addr)), MacAddress: m, Flags: flags,
	}}
}

func unhost(i index, addr string, m ethernet_types.MacAddress) api.Message {
	return &ip_neighbor.IPNeighborAddDel{Neighbor: ip_neighbor.IPNeighbor{
		SwIfIndex: i, IPAddress: must(ip_types.ParseAddress(addr)), MacAddress: m,
	}}
}

func known(i index, af ip_types.AddressFamily) api.Message {
	return &ip_neighbor.IPNeighborDump{SwIfIndex: i, Af: af}
}

const (
	v4 = ip_types.ADDRESS_IP4
	v6 = ip_types.ADDRESS_IP6
)

func ra(i index) *ip6_nd.SwInterfaceIP6ndRaConfig {
	return &ip6_nd.SwInterfaceIP6ndRaConfig{SwIfIndex: i}
}

func advertised(i index) api.Message { return &ip6_nd.SwInterfaceIP6ndRaDump{SwIfIndex: i} }

func raPrefix(i index, prefix string) *ip6_nd.SwInterfaceIP6ndRaPrefix {
	return &ip6_nd.SwInterfaceIP6ndRaPrefix{SwIfIndex: i, Prefix: must(ip_types.ParsePrefix(prefix))}
}

func raWith(r *ip6_nd.SwInterfaceIP6ndRaConfig, f func(*ip6_nd.SwInterfaceIP6ndRaConfig)) api.Message {
	f(r)
	return r
}

func raPrefixWith(r *ip6_nd.SwInterfaceIP6ndRaPrefix, f func(*ip6_nd.SwInterfaceIP6ndRaPrefix)) api.Message {
	f(r)
	return r
}

func proxied(table uint32, low, high string) *arp.ProxyArpAddDel {
	return &arp.ProxyArpAddDel{IsAdd: true, Proxy: arp.ProxyArp{
		TableID: table, Low: must(ip_types.ParseIP4Address(low)), Hi: must(ip_types.ParseIP4Address(high)),
	}}
}

func unproxied(table uint32, low, high string) api.Message {
	p := proxied(table, low, high)
	p.IsAdd = false
	return p
}

func proxies(i index, on bool) api.Message {
	return &arp.ProxyArpIntfcEnableDisable{SwIfIndex: i, Enable: on}
}

var (
	ranges  = &arp.ProxyArpDump{}
	proxing = &arp.ProxyArpIntfcDump{}
)

func relay(rx, tx uint32, server, src string) *dhcp.DHCPProxyConfig {
	return &dhcp.DHCPProxyConfig{
		IsAdd: true, RxVrfID: rx, ServerVrfID: tx,
		DHCPServer: must(ip_types.ParseAddress(server)), DHCPSrcAddress: must(ip_types.ParseAddress(src)),
	}
}

func unrelay(rx, tx uint32, server, src string) api.Message {
	r := relay(rx, tx, server, src)
	r.IsAdd = false
	return r
}

func relays(is6 bool) api.Message { return &dhcp.DHCPProxyDump{IsIP6: is6} }

func garp(i index, address string) api.Message {
	return &arping.Arping{SwIfIndex: i, Address: must(ip_types.ParseAddress(address)), IsGarp: true, Repeat: 1}
}

// cached and caches say how neighbours of a family are kept.
func cached(af ip_types.AddressFamily) api.Message { return &ip_neighbor.IPNeighborConfigGet{Af: af} }

func caches(af ip_types.AddressFamily, most, age uint32, recycle bool) api.Message {
	return &ip_neighbor.IPNeighborConfig{Af: af, MaxNumber: most, MaxAge: age, Recycle: recycle}
}

var neighbourScripts = []vpptest.Script{
	{Name: "neighbour-cache", About: "how many neighbours, for how long", Steps: []vpptest.Step{
		do(cached(v4)), do(cached(v6)),
		do(caches(v4, 50000, 30, false)), do(cached(v4)), do(cached(v6)),
		note("same again", caches(v4, 50000, 30, false)),
		do(caches(v6, 7, 1<<32-1, true)), do(cached(v6)),
		note("none at all", caches(v6, 0, 0, false)), do(cached(v6)),
		note("no family", caches(7, 1, 1, true)), do(cached(7)), do(cached(v4)),
	}},
	{Name: "neighbour-cache-full", About: "no more neighbours than there may be", Volatile: []string{"ip_neighbor_add_del_reply.stats_index"}, Steps: []vpptest.Step{
		do(loopback()), do(caches(v4, 2, 0, false)),
		do(host4(1, "10.0.0.2", mac(1), fixed)), do(host4(1, "10.0.0.3", mac(1), fixed)), note("full", host4(1, "10.0.0.4", mac(1), fixed)),
		note("one of them", host4(1, "10.0.0.3", mac(2), fixed)), note("not of IPv6", host4(1, "2001:db8::2", mac(1), fixed)), do(known(none, v4)),
		note("no static one makes way", caches(v4, 2, 0, true)), do(host4(1, "10.0.0.4", mac(1), fixed)), do(host4(1, "10.0.0.4", mac(1), dynamic)),
		note("0 is any number", caches(v4, 0, 0, false)), do(host4(1, "10.0.0.4", mac(1), fixed)), do(known(none, v4)),
		note("fewer than there are", caches(v4, 1, 0, false)), do(known(none, v4)), do(unhost(1, "10.0.0.2", mac(1))), do(host4(1, "10.0.0.5", mac(1), fixed)),
	}},
	{Name: "neighbour-local0", About: "neighbours on sub-interfaces of local0 that have no one number", Volatile: []string{"ip_neighbor_add_del_reply.stats_index"}, Steps: []vpptest.Step{
		do(sub(0, 1, 0, 0, 0)), do(host4(1, "10.0.0.2", mac(1), fixed)), do(host4(1, "2001:db8::2", mac(1), fixed)), do(host4(1, "::", mac(1), fixed)),
		do(sub(0, 2, exact|oneTag|anyOut, 0, 0)), do(host4(2, "10.0.0.2", mac(1), fixed)), do(host4(2, "2001:db8::2", mac(1), dynamic)),
		do(known(none, v4)), do(known(none, v6)), do(unhost(1, "10.0.0.2", mac(1))), do(unhost(1, "2001:db8::2", mac(1))), do(known(none, v4)), do(known(none, v6)),
	}},
	{Name: "arping", About: "gratuitous ARP", Steps: []vpptest.Step{
		do(loopback()), do(garp(1, "10.0.0.1")), do(admin(1, 1)),
		do(garp(1, "10.0.0.1")), do(garp(1, "2001:db8::1")), note("of no interface", garp(9, "10.0.0.1")),
	}},
	{
		Name: "ip-neighbour", About: "neighbours, and what becomes of them when their interface goes",
		Volatile: append([]string{"ip_neighbor_add_del_reply.stats_index"}, statistics...), Steps: []vpptest.Step{
			do(loopback()),
			do(loopback()),
			do(known(none, v4)),
			do(host4(1, "10.0.0.2", mac(2), fixed)),
			note("same again", host4(1, "10.0.0.2", mac(2), fixed)),
			do(host4(1, "10.0.0.3", mac(3), dynamic)),
			do(host4(1, "10.0.0.4", mac(4), fixed|noFIB)),
			do(host4(2, "10.0.0.2", mac(9), fixed)),
			do(host4(1, "2001:db8::2", mac(2), fixed)),
			do(host4(1, "fe80::2", mac(2), fixed)),
			do(known(none, v4)),
			do(known(1, v4)),
			do(known(1, v6)),
			note("unknown", known(77, v4)),
			note("another MAC", host4(1, "10.0.0.2", mac(5), fixed)),
			note("learnt over static, another MAC", host4(1, "10.0.0.2", mac(6), dynamic)),
			note("the same MAC", host4(1, "10.0.0.2", mac(5), dynamic)),
			note("static over learnt", host4(1, "10.0.0.3", mac(3), fixed)),
			note("now without a route", host4(1, "10.0.0.2", mac(5), fixed|noFIB)),
			note("now with one", host4(1, "10.0.0.4", mac(4), fixed)),
			note("without a route and another MAC", host4(1, "10.0.0.2", mac(7), fixed|noFIB)),
			do(known(none, v4)),
			note("its routes", routes(0, false, 15)),
			note("unknown interface", host4(77, "10.0.0.2", mac(2), fixed)),
			do(unhost(77, "10.0.0.2", mac(2))),
			note("missing", unhost(1, "10.0.0.9", mac(2))),
			note("any MAC", unhost(1, "10.0.0.2", mac(99))),
			do(unhost(1, "10.0.0.3", mac(3))),
			do(known(1, v4)),
			note("what looks odd is taken", host4(2, "224.0.0.1", ethernet_types.MacAddress{}, fixed)),
			do(unhost(2, "224.0.0.1", mac(1))),
			note("address and table come and go", vrf(7, false, "")),
			do(inVRF(2, false, 7)),
			do(address(2, "10.0.0.1/24")),
			do(admin(2, up)),
			do(host4(2, "10.0.0.7", mac(7), dynamic)),
			do(known(2, v4)),
			do(routes(7, false, 15)),
			do(unaddress(2, "10.0.0.1/24")),
			do(inVRF(2, false, 0)),
			do(known(2, v4)),
			do(routes(0, false, 15)),
			note("down forgets what was learnt", admin(2, 0)),
			do(known(2, v4)),
			note("a static one stays when its interface goes", unloop(2)),
			do(known(none, v4)),
			do(routes(0, false, 15)),
			do(unhost(2, "10.0.0.2", mac(9))),
			note("and is the next one's", loopback()),
			do(known(2, v4)),
			do(unhost(2, "10.0.0.2", mac(9))),
			do(known(2, v4)),
		},
	},
	{Name: "ip6-ra", About: "router advertisements", Steps: []vpptest.Step{
		do(loopback()),
		do(advertised(none)),
		note("IPv6 is off", ra(1)),
		do(raPrefix(1, "2001:db8::/64")),
		do(linkLocal(1)),
		do(setMAC(1, mac(1))),
		do(address(1, "2001:db8::1/64")),
		do(linkLocal(1)),
		note("as VPP makes it", advertised(1)),
		do(advertised(77)),
		do(ra(77)),
		do(raPrefix(77, "2001:db8::/64")),
		note("anything turns it on", ra(1)),
		do(advertised(none)),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) {
			r.Managed, r.Other, r.LlOption, r.SendUnicast = 1, 1, 1, 1
			r.DefaultRouter, r.Lifetime, r.MaxInterval, r.MinInterval, r.InitialCount, r.InitialInterval = 1, 1000, 100, 50, 2, 5
		})),
		do(advertised(1)),
		note("what is not said stays", raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.MaxInterval = 60 })),
		do(advertised(1)),
		note("lifetime below the interval", raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.DefaultRouter, r.Lifetime = 1, 60 })),
		note("0 is no router", raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.DefaultRouter = 1 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.DefaultRouter, r.Lifetime = 1, 9500 })),
		do(advertised(1)),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.MaxInterval, r.MinInterval = 100, 90 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.MaxInterval, r.MinInterval = 100, 2 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.MaxInterval = 3 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.MaxInterval = 10000 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.MaxInterval = 1800 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.InitialCount = 4 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.InitialInterval = 17 })),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.Suppress = 1 })),
		do(advertised(1)),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.Cease = 1 })),
		do(advertised(1)),
		note("all back", raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) {
			r.IsNo, r.Managed, r.Other, r.LlOption, r.SendUnicast, r.Cease = true, 1, 1, 1, 1, 1
			r.DefaultRouter, r.MaxInterval, r.MinInterval, r.InitialCount, r.InitialInterval = 1, 1, 1, 1, 1
		})),
		do(advertised(1)),
		do(raWith(ra(1), func(r *ip6_nd.SwInterfaceIP6ndRaConfig) { r.Suppress = 1 })),
		do(advertised(1)),
		note("prefixes", raPrefixWith(raPrefix(1, "2001:db8::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.UseDefault = true })),
		do(advertised(1)),
		note("nothing said is all zero", raPrefix(1, "2001:db8:1::/64")),
		do(raPrefixWith(raPrefix(1, "2001:db8:2::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.ValLifetime, r.PrefLifetime = 300, 200 })),
		do(raPrefixWith(raPrefix(1, "2001:db8:3::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) {
			r.ValLifetime, r.PrefLifetime, r.NoAutoconfig, r.OffLink = 300, 200, true, true
		})),
		do(raPrefixWith(raPrefix(1, "2001:db8:4::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) {
			r.ValLifetime, r.PrefLifetime, r.NoAdvertise, r.NoOnlink = 300, 200, true, true
		})),
		note("longer preferred than valid", raPrefixWith(raPrefix(1, "2001:db8:5::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.ValLifetime, r.PrefLifetime = 100, 200 })),
		note("for ever", raPrefixWith(raPrefix(1, "2001:db8:6::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.ValLifetime, r.PrefLifetime = none, none })),
		note("with host bits", raPrefixWith(raPrefix(1, "2001:db8:7::7/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.ValLifetime, r.PrefLifetime = 300, 200 })),
		do(advertised(1)),
		note("changed", raPrefixWith(raPrefix(1, "2001:db8:3::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.ValLifetime, r.PrefLifetime = 600, 500 })),
		note("changed to defaults", raPrefixWith(raPrefix(1, "2001:db8:2::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.UseDefault = true })),
		note("another length", raPrefix(1, "2001:db8:3::/65")),
		do(raPrefixWith(raPrefix(1, "2001:db8:3::/65"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.IsNo = true })),
		note("missing", raPrefixWith(raPrefix(1, "2001:db8:9::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.IsNo = true })),
		do(raPrefixWith(raPrefix(1, "2001:db8:1::/64"), func(r *ip6_nd.SwInterfaceIP6ndRaPrefix) { r.IsNo = true })),
		do(advertised(1)),
		note("all goes with the last address", ra(1)),
		do(unaddress(1, "2001:db8::1/64")),
		do(advertised(none)),
		do(linkLocal(1)),
		do(address(1, "2001:db8::1/64")),
		do(advertised(1)),
		note("switched on, without an address", &ip.SwInterfaceIP6EnableDisable{SwIfIndex: 1, Enable: true}),
		do(unaddress(1, "2001:db8::1/64")),
		do(linkLocal(1)),
		do(advertised(1)),
		do(&ip.SwInterfaceIP6EnableDisable{SwIfIndex: 1}),
		do(linkLocal(1)),
		note("switched off while it has an address", address(1, "2001:db8::1/64")),
		do(&ip.SwInterfaceIP6EnableDisable{SwIfIndex: 1}),
		do(linkLocal(1)),
		do(addresses(1, true)),
	}},
	{Name: "proxy-arp", About: "ranges per table, and interfaces that answer for them", Steps: []vpptest.Step{
		do(ranges),
		do(proxing),
		do(loopback()),
		do(vrf(7, false, "")),
		do(proxied(0, "10.0.0.10", "10.0.0.20")),
		note("same again", proxied(0, "10.0.0.10", "10.0.0.20")),
		do(proxied(7, "10.0.0.10", "10.0.0.20")),
		note("that overlaps", proxied(0, "10.0.0.15", "10.0.0.30")),
		note("from high to low", proxied(0, "10.0.0.9", "10.0.0.1")),
		do(proxied(77, "10.0.0.10", "10.0.0.20")),
		do(ranges),
		note("missing", unproxied(0, "10.0.0.10", "10.0.0.21")),
		do(unproxied(77, "10.0.0.10", "10.0.0.20")),
		do(unproxied(0, "10.0.0.10", "10.0.0.20")),
		do(ranges),
		note("a range stays when its table goes", unVRF(7, false)),
		do(ranges),
		do(unproxied(7, "10.0.0.10", "10.0.0.20")),
		do(vrf(8, false, "")),
		do(ranges),
		do(unproxied(8, "10.0.0.10", "10.0.0.20")),
		do(proxies(1, true)),
		note("same again", proxies(1, true)),
		do(proxing),
		do(proxies(77, true)),
		do(proxies(1, false)),
		note("of none", proxies(1, false)),
		do(proxing),
		do(proxies(1, true)),
		note("the flag stays with the index", unloop(1)),
		do(proxing),
		do(proxies(1, false)),
		do(loopback()),
		do(proxing),
		do(proxies(1, false)),
		do(proxing),
	}},
	{Name: "dhcp-proxy", About: "relayed DHCP", Volatile: []string{"dhcp_proxy_details.vss_type"}, Steps: []vpptest.Step{
		do(relays(false)),
		do(vrf(7, false, "")),
		do(vrf(7, true, "")),
		do(relay(7, 0, "10.0.0.9", "10.0.0.1")),
		note("same again", relay(7, 0, "10.0.0.9", "10.0.0.1")),
		note("another source", relay(7, 0, "10.0.0.9", "10.0.0.2")),
		do(relay(7, 0, "10.0.0.8", "10.0.0.3")),
		do(relay(7, 7, "10.0.0.9", "10.0.0.1")),
		do(relay(0, 7, "10.0.0.9", "10.0.0.4")),
		do(relays(false)),
		do(relays(true)),
		note("no server", relay(7, 0, "0.0.0.0", "10.0.0.1")),
		note("no source", relay(7, 0, "10.0.0.9", "0.0.0.0")),
		note("two families", relay(7, 0, "10.0.0.9", "2001:db8::1")),
		note("missing", unrelay(7, 0, "10.0.0.7", "10.0.0.1")),
		do(unrelay(9, 0, "10.0.0.9", "10.0.0.1")),
		do(tables),
		note("any source", unrelay(7, 0, "10.0.0.9", "10.0.0.99")),
		do(relays(false)),
		note("a relay keeps its tables", unVRF(7, false)),
		do(tables),
		do(unrelay(7, 0, "10.0.0.8", "10.0.0.3")),
		do(unrelay(7, 7, "10.0.0.9", "10.0.0.3")),
		do(relays(false)),
		do(tables),
		do(unrelay(0, 7, "10.0.0.9", "10.0.0.4")),
		do(tables),
		note("it makes tables", relay(5, 6, "10.0.0.9", "10.0.0.1")),
		do(tables),
		do(unrelay(5, 6, "10.0.0.9", "10.0.0.1")),
		do(tables),
		do(relay(7, 7, "2001:db8::9", "2001:db8::1")),
		do(relay(7, 0, "2001:db8::9", "2001:db8::2")),
		do(relays(true)),
		do(unrelay(7, 7, "2001:db8::9", "2001:db8::1")),
		do(unrelay(7, 0, "2001:db8::9", "2001:db8::1")),
		do(relays(true)),
	}},
}
