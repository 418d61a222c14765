// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
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
