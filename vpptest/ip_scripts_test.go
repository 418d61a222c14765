// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/vpptest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var tables = &ip.IPTableDump{}

func vrf(id uint32, is6 bool, name string) api.Message {
	return &ip.IPTableAddDelV2{IsAdd: true, CreateMfib: true, Table: ip.IPTable{TableID: id, IsIP6: is6, Name: name}}
}

func unVRF(id uint32, is6 bool) api.Message {
	return &ip.IPTableAddDelV2{CreateMfib: true, Table: ip.IPTable{TableID: id, IsIP6: is6}}
}

func inVRF(i index, is6 bool, id uint32) api.Message {
	return &interfaces_api.SwInterfaceSetTable{SwIfIndex: i, IsIPv6: is6, VrfID: id}
}

func vrfOf(i index, is6 bool) api.Message {
	return &interfaces_api.SwInterfaceGetTable{SwIfIndex: i, IsIPv6: is6}
}

func address(i index, prefix string) *interfaces_api.SwInterfaceAddDelAddress {
	return &interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: i, IsAdd: true, Prefix: must(ip_types.ParseAddressWithPrefix(prefix))}
}

func unaddress(i index, prefix string) *interfaces_api.SwInterfaceAddDelAddress {
	return &interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: i, Prefix: must(ip_types.ParseAddressWithPrefix(prefix))}
}

func addresses(i index, is6 bool) api.Message {
	return &ip.IPAddressDump{SwIfIndex: i, IsIPv6: is6}
}

func linkLocal(i index) api.Message { return &ip.SwInterfaceIP6GetLinkLocalAddress{SwIfIndex: i} }

func borrow(i, from index) api.Message {
	return &interfaces_api.SwInterfaceSetUnnumbered{UnnumberedSwIfIndex: i, SwIfIndex: from, IsAdd: true}
}

func unborrow(i, from index) api.Message {
	return &interfaces_api.SwInterfaceSetUnnumbered{UnnumberedSwIfIndex: i, SwIfIndex: from}
}

func borrowers(i index) api.Message { return &ip.IPUnnumberedDump{SwIfIndex: i} }

func routes(id uint32, is6 bool, src uint8) api.Message {
	return &ip.IPRouteV2Dump{Src: src, Table: ip.IPTable{TableID: id, IsIP6: is6}}
}

const (
	srcAll       = 0
	srcInterface = 4
	srcAPI       = 8
)

func route(id uint32, prefix string, paths ...fib_types.FibPath) *ip.IPRouteAddDelV2 {
	return &ip.IPRouteAddDelV2{IsAdd: true, Route: ip.IPRouteV2{TableID: id, Prefix: must(ip_types.ParsePrefix(prefix)), Paths: paths}}
}

func unroute(id uint32, prefix string) *ip.IPRouteAddDelV2 {
	return &ip.IPRouteAddDelV2{Route: ip.IPRouteV2{TableID: id, Prefix: must(ip_types.ParsePrefix(prefix))}}
}

// add and sub are the paths of a route that is there.
func addPaths(r *ip.IPRouteAddDelV2) api.Message { r.IsAdd, r.IsMultipath = true, true; return r }
func subPaths(r *ip.IPRouteAddDelV2) api.Message { r.IsAdd, r.IsMultipath = false, true; return r }

// via is a path: "10.0.0.2" or "2001:db8::2" or "" or "v6" (none of that family).
func via(i uint32, hop string) fib_types.FibPath {
	p := fib_types.FibPath{SwIfIndex: i, Weight: 1}
	switch {
	case hop == "v6":
		p.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
	case strings.Contains(hop, ":"):
		p.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
		p.Nh.Address = ip_types.AddressUnionIP6(must(ip_types.ParseIP6Address(hop)))
	case hop != "":
		p.Nh.Address = ip_types.AddressUnionIP4(must(ip_types.ParseIP4Address(hop)))
	}
	return p
}

func weighs(p fib_types.FibPath, weight, preference uint8) fib_types.FibPath {
	p.Weight, p.Preference = weight, preference
	return p
}

func inTable(p fib_types.FibPath, id uint32) fib_types.FibPath { p.TableID = id; return p }

func typed(p fib_types.FibPath, t fib_types.FibPathType) fib_types.FibPath { p.Type = t; return p }

func lookup(id uint32, prefix string, exact uint8) api.Message {
	return &ip.IPRouteLookupV2{TableID: id, Exact: exact, Prefix: must(ip_types.ParsePrefix(prefix))}
}

// statistics are numbers of counters.
var statistics = []string{"ip_route_add_del_v2_reply.stats_index", "ip_route_lookup_v2_reply.route.stats_index"}

const (
	toHost = fib_types.FIB_API_PATH_TYPE_LOCAL
	toDrop = fib_types.FIB_API_PATH_TYPE_DROP
)

var ipScripts = []vpptest.Script{
	{Name: "ip-table", About: "tables, the interfaces in them, and who keeps them", Steps: []vpptest.Step{
		note("a fresh VPP", tables),
		do(vrf(7, false, "a")),
		do(vrf(7, true, "a")),
		do(vrf(8, false, "")),
		do(tables),
		note("again, by another name: nothing changes", vrf(7, false, "b")),
		note("0 is always there", vrf(0, false, "mine")),
		do(vrf(9, true, long)),
		do(tables),
		note("missing", unVRF(77, false)),
		note("VPP's own", unVRF(0, true)),
		do(unVRF(9, true)),
		note("by VPP's choice", &ip.IPTableAllocate{Table: ip.IPTable{TableID: none, Name: "c"}}),
		do(&ip.IPTableAllocate{Table: ip.IPTable{TableID: none, IsIP6: true, Name: "d"}}),
		note("one that is there", &ip.IPTableAllocate{Table: ip.IPTable{TableID: 7, Name: "e"}}),
		do(&ip.IPTableAllocate{Table: ip.IPTable{TableID: 11, Name: "f"}}),
		do(tables),
		do(loopback()),
		do(vrfOf(1, false)),
		do(inVRF(1, false, 7)),
		note("same again", inVRF(1, false, 7)),
		do(vrfOf(1, false)),
		note("the other family stays", vrfOf(1, true)),
		note("no such table", inVRF(1, true, 8)),
		note("no such interface", inVRF(77, false, 7)),
		do(vrfOf(77, false)),
		note("local0", inVRF(0, false, 7)),
		do(inVRF(0, false, 0)),
		note("an interface keeps its table", unVRF(7, false)),
		do(tables),
		note("and more can come", inVRF(0, false, 7)),
		do(inVRF(0, false, 0)),
		note("the name is still the first one", vrf(7, false, "again")),
		do(tables),
		do(unVRF(7, false)),
		note("until it leaves", inVRF(1, false, 0)),
		do(tables),
		do(inVRF(1, false, 7)),
		do(vrf(7, false, "h")),
		do(inVRF(1, false, 7)),
		do(unVRF(7, false)),
		note("or goes itself", unloop(1)),
		do(tables),
		do(loopback()),
		note("the next one on the index begins anew", vrfOf(1, false)),
	}},
	{Name: "ip-address", About: "addresses: what overlaps, what a delete looks at, what a table change refuses", Steps: []vpptest.Step{
		do(loopback()),
		do(loopback()),
		do(address(1, "10.0.0.1/24")),
		do(addresses(1, false)),
		do(addresses(1, true)),
		note("~0 is not all", addresses(none, false)),
		note("unknown", addresses(77, false)),
		note("same again", address(1, "10.0.0.1/24")),
		note("another length", address(1, "10.0.0.1/25")),
		note("one more of the subnet", address(1, "10.0.0.2/24")),
		note("of the subnet with another length", address(1, "10.0.0.3/32")),
		note("a subnet around it", address(1, "10.0.1.1/16")),
		note("on another interface", address(2, "10.0.0.9/24")),
		note("in another subnet", address(2, "10.0.1.1/24")),
		do(address(77, "10.9.0.1/24")),
		note("local0", address(0, "10.9.0.1/24")),
		note("of length 0", address(1, "10.9.0.1/0")),
		note("what looks odd is taken", address(2, "0.0.0.0/24")),
		do(address(2, "224.0.0.1/24")),
		do(address(2, "255.255.255.255/32")),
		note("the subnet's own", address(2, "10.0.2.0/24")),
		note("and its broadcast", address(2, "10.0.3.255/24")),
		note("a pair", address(2, "10.0.4.0/31")),
		note("in order of coming", addresses(2, false)),
		note("what is not there", unaddress(2, "10.0.0.1/24")),
		do(unaddress(77, "10.0.0.1/24")),
		do(unaddress(2, "0.0.0.0/24")),
		do(unaddress(2, "224.0.0.1/24")),
		do(unaddress(2, "255.255.255.255/32")),
		do(unaddress(2, "10.0.3.255/24")),
		do(unaddress(2, "10.0.3.255/24")),
		do(addresses(2, false)),
		note("a table cannot change under addresses", vrf(7, false, "")),
		do(vrf(7, true, "")),
		do(inVRF(1, false, 7)),
		note("nor stay", inVRF(1, false, 0)),
		note("a missing table is missed first", inVRF(1, false, 78)),
		note("the other family can", inVRF(1, true, 7)),
		do(&interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: 1, DelAll: true}),
		do(addresses(1, false)),
		do(&interfaces_api.SwInterfaceAddDelAddress{SwIfIndex: 1, DelAll: true}),
		do(inVRF(1, false, 7)),
		note("another table, another world", address(1, "10.0.1.1/24")),
		do(addresses(1, false)),
		note("IPv6", address(1, "2001:db8::1/64")),
		do(address(1, "2001:db8::1/64")),
		do(address(1, "2001:db8::1/65")),
		do(address(1, "2001:db8::2/64")),
		do(address(1, "2001:db8::3/128")),
		do(address(2, "2001:db8::1/64")),
		do(address(2, "2001:db8::9/48")),
		do(address(2, "2001:db8:1::9/49")),
		do(unaddress(1, "2001:db8::9/64")),
		do(addresses(1, true)),
		do(addresses(2, true)),
		note("not exactly its length", unaddress(1, "2001:db8::2/64")),
		do(address(1, "2001:db8:2::1/0")),
		note("with the interface go its addresses", unloop(2)),
		do(loopback()),
		do(addresses(2, false)),
		do(addresses(2, true)),
		do(address(2, "10.0.0.9/24")),
		do(unaddress(2, "10.0.0.9/24")),
		note("a sub-interface that does not match exactly has none", sub(1, 5, oneTag, 5, 0)),
		do(address(3, "10.5.0.1/24")),
		do(sub(1, 6, oneTag|exact, 6, 0)),
		do(address(4, "10.6.0.1/24")),
		do(addresses(4, false)),
	}},
	{Name: "ip-unnumbered", About: "who borrows whose addresses: the field names are a trap", Steps: []vpptest.Step{
		do(loopback()),
		do(loopback()),
		do(loopback()),
		do(borrowers(none)),
		note("from one without an address", borrow(2, 1)),
		do(borrowers(none)),
		do(unborrow(2, 1)),
		do(address(1, "10.0.0.1/24")),
		do(borrow(2, 1)),
		note("same again", borrow(2, 1)),
		do(borrowers(none)),
		do(borrowers(2)),
		do(borrowers(1)),
		do(borrowers(77)),
		note("what is borrowed is not listed", addresses(2, false)),
		note("unknown borrower", borrow(77, 1)),
		note("unknown lender", borrow(2, 77)),
		note("from itself", borrow(1, 1)),
		do(borrowers(none)),
		note("from another than before", address(3, "10.1.0.1/24")),
		do(borrow(2, 3)),
		do(borrowers(none)),
		do(borrow(2, 1)),
		note("an address of its own", address(2, "10.2.0.1/24")),
		do(addresses(2, false)),
		do(unaddress(2, "10.2.0.1/24")),
		do(borrowers(none)),
		note("a table cannot change under it", vrf(7, false, "")),
		do(inVRF(2, false, 7)),
		note("given back, to the wrong one", unborrow(2, 3)),
		do(borrowers(none)),
		note("nothing to give back", unborrow(2, 1)),
		do(unborrow(77, 1)),
		do(unborrow(2, 77)),
		note("of another table", inVRF(2, false, 7)),
		do(borrow(2, 1)),
		do(inVRF(2, false, 0)),
		do(borrow(2, 1)),
		note("the lender goes", unloop(1)),
		do(borrowers(none)),
		do(loopback()),
		do(borrowers(none)),
		note("repaid to the next one", unborrow(2, 1)),
		do(borrowers(none)),
		note("the borrower goes", borrow(2, 3)),
		do(unloop(2)),
		do(borrowers(none)),
		do(loopback()),
		do(borrowers(none)),
	}},
	{Name: "ip-route", About: "routes of the API", Volatile: statistics, Steps: []vpptest.Step{
		do(loopback()),
		do(loopback()),
		do(vrf(7, false, "")),
		do(vrf(7, true, "")),
		do(vrf(8, false, "")),
		do(address(1, "10.0.0.1/24")),
		do(admin(1, up)),
		do(admin(2, up)),
		do(routes(0, false, srcAPI)),
		do(route(0, "20.0.0.0/24", via(1, "10.0.0.2"))),
		do(routes(0, false, srcAPI)),
		note("same again", route(0, "20.0.0.0/24", via(1, "10.0.0.2"))),
		note("replaced", route(0, "20.0.0.0/24", via(1, "10.0.0.3"), via(2, "10.0.0.4"))),
		do(routes(0, false, srcAPI)),
		note("a path more", addPaths(route(0, "20.0.0.0/24", via(2, "10.0.0.5")))),
		note("that is there", addPaths(route(0, "20.0.0.0/24", via(2, "10.0.0.5")))),
		note("a path less", subPaths(route(0, "20.0.0.0/24", via(1, "10.0.0.3")))),
		note("that is not there", subPaths(route(0, "20.0.0.0/24", via(1, "10.0.0.3")))),
		do(routes(0, false, srcAPI)),
		note("the last ones", subPaths(route(0, "20.0.0.0/24", via(2, "10.0.0.5"), via(2, "10.0.0.4")))),
		do(routes(0, false, srcAPI)),
		note("missing", unroute(0, "20.0.0.0/24")),
		note("without paths", route(0, "20.0.0.0/24")),
		do(subPaths(unroute(0, "20.0.0.0/24"))),
		do(routes(0, false, srcAPI)),
		note("no such table", route(77, "20.0.0.0/24", via(1, "10.0.0.2"))),
		do(unroute(77, "20.0.0.0/24")),
		note("no such interface", route(0, "20.0.0.0/24", via(77, "10.0.0.2"))),
		do(&ip.IPRouteAddDelV2{Route: ip.IPRouteV2{Prefix: must(ip_types.ParsePrefix("20.0.0.0/24")), Paths: []fib_types.FibPath{via(77, "10.0.0.2")}}}),
		note("no such table for the next hop", route(0, "20.0.0.0/24", inTable(via(none, "10.0.0.2"), 77))),
		do(routes(77, false, srcAPI)),
		note("weights and preferences", route(7, "20.1.0.0/16", weighs(via(1, "10.0.0.2"), 3, 0), weighs(via(2, "10.0.0.3"), 0, 0), weighs(via(2, "10.0.0.2"), 1, 5))),
		note("equal paths", route(7, "20.2.0.0/16", via(1, "10.0.0.2"), via(1, "10.0.0.2"))),
		note("paths that differ in weight", route(7, "20.3.0.0/16", weighs(via(1, "10.0.0.2"), 2, 0), weighs(via(1, "10.0.0.2"), 4, 0))),
		note("out of an interface", route(7, "20.4.0.0/16", via(2, ""))),
		note("recursive", route(7, "20.5.0.0/16", via(none, "10.0.0.7"))),
		note("in its own table", route(7, "20.6.0.0/16", inTable(via(none, "10.0.0.7"), 7))),
		note("looked up elsewhere", route(7, "20.7.0.0/16", inTable(via(none, ""), 8))),
		do(route(7, "20.8.0.0/16", inTable(via(none, ""), 0))),
		note("looked up in its own table", route(7, "20.9.0.0/16", inTable(via(none, ""), 7))),
		note("dropped", route(7, "20.10.0.0/16", typed(via(none, ""), toDrop))),
		note("to VPP itself", route(7, "20.11.0.1/32", typed(via(none, ""), toHost))),
		do(route(7, "20.11.0.2/32", typed(via(2, ""), toHost))),
		note("host bits", route(7, "20.14.2.3/16", via(2, "10.0.0.2"))),
		do(route(7, "20.14.9.9/16", via(1, "10.0.0.2"))),
		note("IPv4 by IPv6", route(7, "20.15.0.0/16", via(2, "2001:db8::2"))),
		note("the default route", route(7, "0.0.0.0/0", via(2, "10.0.0.2"))),
		note("with a weight and a table that mean nothing", route(7, "20.16.0.0/16", inTable(weighs(via(2, "10.0.0.2"), 7, 0), 8))),
		note("drop and next hop", route(7, "20.17.0.0/16", typed(via(none, ""), toDrop), via(2, "10.0.0.2"))),
		note("of two families", route(7, "20.18.0.0/16", via(2, "10.0.0.2"), via(2, "2001:db8::2"), via(1, ""), inTable(via(none, "10.9.9.9"), 8))),
		note("a host on an interface's link gets its own next hop", route(7, "20.20.0.1/32", via(2, ""))),
		note("a next hop that is the route's own address", route(7, "20.21.0.1/32", via(none, "20.21.0.1"))),
		do(route(7, "20.22.0.0/16", inTable(via(none, "20.22.0.0"), 8))),
		do(route(7, "20.23.0.1/32", via(2, "20.23.0.1"))),
		note("on a host's own", route(7, "20.19.0.0/16", inTable(typed(via(none, ""), toHost), 8))),
		do(routes(7, false, srcAPI)),
		do(routes(7, true, srcAPI)),
		do(lookup(7, "20.7.0.0/16", 1)),
		note("not exactly", lookup(7, "20.7.1.1/32", 0)),
		do(lookup(7, "20.7.1.1/32", 1)),
		do(lookup(77, "20.7.0.0/16", 1)),
		do(unroute(7, "20.14.0.0/16")),
		do(unroute(7, "0.0.0.0/0")),
		do(lookup(7, "0.0.0.0/0", 1)),
		note("IPv6", route(7, "2001:db8:1::/48", via(1, "fe80::2"))),
		do(route(7, "2001:db8:2::/48", via(2, "2001:db8::2"), via(1, "2001:db8::3"))),
		do(route(7, "2001:db8:3::/48", via(2, "v6"))),
		do(route(7, "2001:db8:4::/48", inTable(via(none, "2001:db8::7"), 7))),
		note("a table without IPv6", route(7, "2001:db8:5::/48", inTable(via(none, "v6"), 8))),
		do(route(7, "2001:db8:5::/48", via(none, "v6"))),
		do(route(7, "2001:db8:6::/48", typed(via(none, "v6"), toDrop))),
		do(route(7, "2001:db8:7::1/128", typed(via(none, "v6"), toHost))),
		do(route(7, "2001:db8:c::1/128", via(2, "v6"))),
		note("IPv6 by IPv4", route(7, "2001:db8:a::/48", via(1, "10.0.0.2"))),
		note("drop of the other family", route(7, "2001:db8:b::/48", typed(via(none, ""), toDrop))),
		do(route(7, "::/0", via(1, "fe80::2"))),
		do(routes(7, true, srcAPI)),
		note("an interface goes, its routes stay", unloop(2)),
		do(lookup(7, "20.4.0.0/16", 1)),
		do(lookup(7, "20.1.0.0/16", 1)),
		do(loopback()),
		do(lookup(7, "20.4.0.0/16", 1)),
		do(unroute(7, "20.4.0.0/16")),
		note("a table with routes goes out of sight", unVRF(7, false)),
		do(routes(7, false, srcAPI)),
		do(tables),
		note("and the next one has them", vrf(9, false, "")),
		do(routes(9, false, srcAPI)),
	}},
	{Name: "ip-route-source", About: "what is in a table besides the API's, and what hides what", Volatile: statistics, Steps: []vpptest.Step{
		do(routes(0, false, srcAll)),
		do(routes(0, true, srcAll)),
		do(loopback()),
		do(vrf(7, false, "")),
		do(vrf(7, true, "")),
		do(routes(7, false, srcAll)),
		do(routes(7, true, srcAll)),
		do(inVRF(1, false, 7)),
		do(inVRF(1, true, 7)),
		note("an address of an interface that is down", address(1, "10.0.0.1/24")),
		do(address(1, "2001:db8::1/64")),
		do(routes(7, false, srcInterface)),
		do(route(7, "10.0.0.0/24", typed(via(none, ""), toDrop))),
		do(route(7, "10.0.0.1/32", typed(via(none, ""), toDrop))),
		do(routes(7, false, srcAPI)),
		do(admin(1, up)),
		note("connected is better", routes(7, false, srcAPI)),
		do(routes(7, false, srcInterface)),
		do(routes(7, true, srcInterface)),
		do(routes(7, false, srcAll)),
		do(routes(7, true, srcAll)),
		note("added while it is hidden", route(7, "10.0.0.255/32", typed(via(none, ""), toDrop))),
		do(route(7, "224.0.0.0/4", typed(via(none, ""), toHost))),
		do(routes(7, false, srcAPI)),
		do(lookup(7, "10.0.0.0/24", 1)),
		note("taken away while it is hidden", unroute(7, "10.0.0.1/32")),
		do(admin(1, 0)),
		do(routes(7, false, srcAPI)),
		do(unroute(7, "10.0.0.0/24")),
		do(unroute(7, "10.0.0.255/32")),
		do(unroute(7, "224.0.0.0/4")),
		do(routes(7, false, srcAPI)),
		note("the default route hides VPP's own", route(7, "0.0.0.0/0", via(1, "10.0.0.9"))),
		do(routes(7, false, srcAll)),
		do(unroute(7, "0.0.0.0/0")),
		do(admin(1, up)),
		note("two addresses of a subnet", address(1, "10.0.0.2/24")),
		do(address(1, "10.0.1.0/31")),
		do(address(1, "10.0.2.1/32")),
		do(address(1, "10.0.3.1/30")),
		do(address(1, "2001:db8:1::1/128")),
		do(address(1, "2001:db8:2::1/127")),
		do(routes(7, false, srcInterface)),
		do(routes(7, true, srcInterface)),
		do(unaddress(1, "10.0.0.1/24")),
		do(routes(7, false, srcInterface)),
		note("a delete of another length leaves a prefix behind", unaddress(1, "10.0.3.1/24")),
		do(routes(7, false, srcInterface)),
		do(addresses(1, false)),
	}},
	{Name: "ip-table-route", About: "which routes keep a table, and what the next table finds", Volatile: statistics, Steps: []vpptest.Step{
		do(loopback()),
		do(vrf(7, false, "")),
		do(vrf(8, false, "")),
		note("a next hop in a table does not keep it", route(8, "20.0.0.0/24", inTable(via(none, "10.0.0.7"), 7))),
		do(unVRF(7, false)),
		do(tables),
		do(lookup(8, "20.0.0.0/24", 1)),
		do(unroute(8, "20.0.0.0/24")),
		do(tables),
		do(vrf(7, false, "")),
		note("a lookup does", route(8, "20.0.0.0/24", inTable(via(none, ""), 7))),
		do(unVRF(7, false)),
		do(tables),
		do(route(8, "20.0.0.0/24", typed(via(none, ""), toDrop))),
		do(tables),
		note("routes do not keep their own", vrf(7, true, "")),
		do(route(8, "20.1.0.0/24", via(1, "10.0.0.2"))),
		do(route(7, "2001:db8::/64", via(1, "fe80::2"))),
		do(unVRF(8, false)),
		do(unVRF(7, true)),
		do(tables),
		do(routes(8, false, srcAPI)),
		do(vrf(9, false, "")),
		do(vrf(9, true, "")),
		note("and are in the next table", routes(9, false, srcAPI)),
		do(routes(9, true, srcAPI)),
	}},
}
