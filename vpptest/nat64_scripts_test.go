// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/vpptest"
)

func side64(i index, inside, add bool) api.Message {
	q := &nat64.Nat64AddDelInterface{SwIfIndex: i, IsAdd: add}
	if inside {
		q.Flags = nat_types.NAT_IS_INSIDE
	}
	return q
}

func range64(first, last string, table uint32, add bool) api.Message {
	return &nat64.Nat64AddDelPoolAddrRange{StartAddr: netip.MustParseAddr(first).As4(), EndAddr: netip.MustParseAddr(last).As4(), VrfID: table, IsAdd: add}
}

func pool64(addr string, add bool) api.Message { return range64(addr, addr, none, add) }

func prefix64(prefix string, table uint32, add bool) api.Message {
	p := netip.MustParsePrefix(prefix)
	return &nat64.Nat64AddDelPrefix{Prefix: ip_types.IP6Prefix{Address: p.Addr().As16(), Len: uint8(p.Bits())}, VrfID: table, IsAdd: add}
}

// bib64 is of an inside port as the outside one.
func bib64(local, external string, port uint16, proto uint8, table uint32, add bool) api.Message {
	return &nat64.Nat64AddDelStaticBib{
		IAddr: netip.MustParseAddr(local).As16(), OAddr: netip.MustParseAddr(external).As4(), IPort: port, OPort: port, Proto: proto, VrfID: table, IsAdd: add,
	}
}

var (
	on64       = &nat64.Nat64PluginEnableDisable{Enable: true}
	off64      = &nat64.Nat64PluginEnableDisable{}
	sides64    = &nat64.Nat64InterfaceDump{}
	pools64    = &nat64.Nat64PoolAddrDump{}
	prefixes64 = &nat64.Nat64PrefixDump{}
	bibs64     = &nat64.Nat64BibDump{Proto: 255}
	timeouts64 = &nat64.Nat64GetTimeouts{}
	routes64   = &ip.IPRouteV2Dump{Table: ip.IPTable{}}
)

func features64(i index) []vpptest.Step {
	return []vpptest.Step{isOn("ip6-unicast", "nat64-in2out", i), isOn("ip4-unicast", "nat64-out2in", i), isOn("ip4-unicast", "ip4-lookup", i), isOn("ip6-unicast", "ip6-lookup", i)}
}

var nat64Scripts = []vpptest.Script{
	{Name: "nat64", About: "NAT64, on and off, and what it is not asked about", Steps: steps(
		do(timeouts64), do(sides64), do(pools64), do(prefixes64), do(bibs64), note("off already", off64),
		note("off", range64("192.0.2.1", "192.0.2.3", 7, true)), do(prefix64("64:ff9b::/96", 8, true)), do(&nat64.Nat64SetTimeouts{TCPEstablished: 1, TCPTransitory: 2, ICMP: 3}),
		do(timeouts64), do(pools64), do(prefixes64), do(tables), do(on64), note("on already", on64), do(timeouts64), do(pools64), do(prefixes64),
		do(bib64("fd00::1", "192.0.2.1", 80, 6, 9, true)), do(bibs64), do(off64), note("off already", off64), do(timeouts64), do(pools64), do(prefixes64), do(bibs64), note("those of prefixes and mappings stay", tables),
		do(loopback()), note("an interface of it while it is off", side64(1, true, true)), do(sides64), features64(1),
	)},
	{Name: "nat64-interface", About: "on which sides of NAT64 interfaces are, and what one leaves behind", Steps: steps(
		do(loopback()), do(loopback()), do(on64), do(sides64), do(side64(77, true, true)), do(side64(1, true, false)), features64(1),
		do(side64(1, true, true)), do(sides64), features64(1), note("twice", side64(1, true, true)), do(sides64), do(side64(1, true, false)), do(sides64), note("once still", features64(1)[0].Request), do(side64(1, true, false)), do(side64(1, true, true)), do(side64(1, true, false)), features64(1),
		do(side64(1, true, true)), do(side64(1, false, true)), do(sides64), features64(1), do(side64(1, true, false)), do(sides64), features64(1), do(side64(1, false, false)), do(sides64), features64(1),
		note("a side on which it is not", side64(2, true, true)), do(side64(2, false, false)), do(sides64), features64(2), do(side64(2, false, true)), do(sides64), do(side64(2, false, false)),
		note("local0", side64(0, true, true)), do(sides64), do(side64(0, true, false)),
	)},
	{Name: "nat64-gone", About: "what an interface that goes leaves in NAT64", Steps: steps(
		do(loopback()), do(on64), do(pool64("192.0.2.1", true)), do(side64(1, false, true)), do(side64(1, true, true)), do(routes64), note("its interface goes", unloop(1)), do(sides64), do(routes64),
		do(pool64("192.0.2.2", true)), do(pool64("192.0.2.1", false)), do(routes64), do(loopback()), do(sides64), features64(1), do(side64(1, false, false)), do(side64(1, true, false)), do(sides64), features64(1), do(routes64),
		do(side64(1, false, true)), do(routes64), do(sides64), features64(1), do(pool64("192.0.2.2", false)), do(routes64),
	)},
	{Name: "nat64-pool", About: "the addresses of NAT64, and by which routes VPP answers for them", Steps: steps(
		do(on64), do(loopback()), do(loopback()), do(vrf(5, false, "five")), do(inVRF(2, false, 5)), do(pool64("192.0.2.1", true)), note("again", pool64("192.0.2.1", true)), note("up to one that is there", range64("192.0.2.0", "192.0.2.2", 7, true)), do(pools64),
		note("backwards", range64("192.0.2.2", "192.0.2.0", 7, true)), note("one back", range64("192.0.2.2", "192.0.2.1", 7, true)), do(pools64), do(tables),
		do(side64(2, false, true)), do(side64(1, false, true)), do(routes64), do(&ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 5}}), note("a new one", pool64("192.0.2.9", true)), do(routes64), do(&ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 5}}),
		note("the first goes", pool64("192.0.2.1", false)), do(pools64), do(routes64), do(&ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 5}}), do(pool64("192.0.2.77", false)), note("of another table", range64("192.0.2.0", "192.0.2.0", 3, false)), do(pools64), do(tables),
		do(side64(2, false, false)), do(side64(1, false, false)), do(routes64), do(&ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 5}}),
	)},
	{Name: "nat64-prefix", About: "the prefixes of NAT64, by table", Steps: steps(
		do(on64), do(prefix64("64:ff9b::/96", 0, true)), do(prefix64("2001:db8::/48", 8, true)), do(prefixes64), note("another one", prefix64("2001:db8:1::/56", 8, true)), do(prefixes64), note("a length that there is not", prefix64("2001:db8::/33", 8, true)), note("of one that it has", prefix64("2001:db8::/33", 8, false)),
		do(prefix64("2001:db8::1/64", 9, true)), do(prefixes64), note("another one than it has", prefix64("::/96", 0, false)), do(prefixes64), note("none", prefix64("::/96", 0, false)), do(prefix64("::/96", 8, false)), do(prefix64("::/96", 9, false)), do(prefixes64), note("they stay", tables), do(prefix64("::/40", 8, true)), do(prefix64("::/32", 10, true)), do(prefixes64),
	)},
	{Name: "nat64-mapping", About: "which ports are hosts', by table and protocol", Steps: steps(
		do(on64), do(bib64("fd00::1", "192.0.2.1", 80, 6, 0, true)), note("again", bib64("fd00::1", "192.0.2.2", 80, 6, 0, true)), note("another's port", bib64("fd00::2", "192.0.2.1", 80, 6, 0, true)), note("in a table that nobody made", bib64("fd00::1", "192.0.2.2", 80, 6, 9, true)), do(bibs64), do(tables),
		do(bib64("fd00::1", "192.0.2.1", 80, 17, 0, true)), do(bib64("fd00::1", "192.0.2.1", 80, 1, 0, true)), note("ICMPv6", bib64("fd00::1", "192.0.2.1", 80, 58, 0, true)), note("no ports", bib64("fd00::1", "192.0.2.1", 0, 47, 0, true)), do(bibs64),
		do(&nat64.Nat64BibDump{Proto: 6}), do(&nat64.Nat64BibDump{Proto: 17}), do(&nat64.Nat64BibDump{Proto: 1}), do(&nat64.Nat64BibDump{Proto: 58}), do(&nat64.Nat64BibDump{Proto: 50}),
		note("another external address than it has", bib64("fd00::2", "192.0.2.77", 80, 6, 0, false)), do(bibs64), note("none", bib64("fd00::2", "192.0.2.1", 80, 6, 0, false)), note("a refused request keeps a table, too", bib64("fd00::2", "192.0.2.1", 80, 6, 11, false)), do(tables),
		do(bib64("fd00::4", "192.0.2.1", 81, 6, 0, true)), do(bibs64), do(bib64("fd00::1", "192.0.2.1", 80, 6, 9, false)), do(bib64("fd00::1", "192.0.2.1", 80, 6, 0, false)), do(bibs64), do(tables),
	)},
	{Name: "nat64-ports", About: "ports of an address of the pool, and how many mappings there can be", Steps: steps(
		do(&nat64.Nat64PluginEnableDisable{Enable: true, BibBuckets: 1, BibMemorySize: 1 << 20, StBuckets: 1, StMemorySize: 1 << 20}), do(pool64("192.0.2.1", true)),
		do(bib64("fd00::1", "192.0.2.1", 2000, 6, 0, true)), note("taken", bib64("fd00::2", "192.0.2.1", 2000, 6, 0, true)), note("of another protocol", bib64("fd00::2", "192.0.2.1", 2000, 17, 0, true)), note("without ports", bib64("fd00::2", "192.0.2.1", 0, 47, 0, true)), note("without ports, of another one", bib64("fd00::3", "192.0.2.1", 0, 50, 0, true)), do(bibs64),
		do(bib64("fd00::1", "192.0.2.1", 2000, 6, 0, false)), do(bib64("fd00::2", "192.0.2.1", 2000, 6, 0, true)), note("its address goes, and comes", pool64("192.0.2.1", false)), do(bibs64), do(pool64("192.0.2.1", true)), do(bib64("fd00::2", "192.0.2.1", 2000, 6, 0, false)), note("counted wrong", bib64("fd00::2", "192.0.2.1", 2000, 6, 0, true)), do(bibs64),
		do(bib64("fd00::10", "192.0.2.9", 1, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 2, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 3, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 4, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 5, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 6, 6, 0, true)),
		do(bib64("fd00::10", "192.0.2.9", 7, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 8, 6, 0, true)), note("one too many", bib64("fd00::10", "192.0.2.9", 9, 6, 0, true)), note("nor of the pool", bib64("fd00::10", "192.0.2.1", 3000, 6, 0, true)), do(bib64("fd00::10", "192.0.2.9", 8, 6, 0, false)), do(bib64("fd00::10", "192.0.2.1", 3000, 6, 0, true)), do(bibs64),
	)},
}
