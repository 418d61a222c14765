// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/nat66"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/vpptest"
)

func side66(i index, inside, add bool) api.Message {
	q := &nat66.Nat66AddDelInterface{SwIfIndex: i, IsAdd: add}
	if inside {
		q.Flags = nat_types.NAT_IS_INSIDE
	}
	return q
}

func mapping66(local, external string, table uint32, add bool) api.Message {
	return &nat66.Nat66AddDelStaticMapping{IsAdd: add, LocalIPAddress: netip.MustParseAddr(local).As16(), ExternalIPAddress: netip.MustParseAddr(external).As16(), VrfID: table}
}

var (
	on66       = &nat66.Nat66PluginEnableDisable{Enable: true}
	sides66    = &nat66.Nat66InterfaceDump{}
	mappings66 = &nat66.Nat66StaticMappingDump{}
)

func features66(i index) []vpptest.Step {
	return []vpptest.Step{isOn("ip6-unicast", "nat66-in2out", i), isOn("ip6-unicast", "nat66-out2in", i), isOn("ip6-unicast", "ip6-lookup", i)}
}

var nat66Scripts = []vpptest.Script{
	{Name: "nat66", About: "NAT66, on which interfaces it is, and what one leaves behind", Steps: steps(
		do(loopback()), do(loopback()), note("off", side66(1, true, true)), do(mapping66("fd00::1", "2001:db8::1", 0, true)), do(sides66), do(mappings66),
		do(on66), note("on already", on66), do(sides66), do(mappings66), do(side66(77, true, true)), do(side66(1, true, false)), features66(1),
		do(side66(1, true, true)), do(sides66), features66(1), note("again", side66(1, true, true)), note("and on the other side", side66(1, false, true)), features66(1),
		do(side66(2, false, true)), do(sides66), features66(2), do(side66(2, false, false)), features66(2), do(sides66),
		note("its interface goes", unloop(1)), do(sides66), do(loopback()), do(sides66), features66(1), note("to no effect", side66(1, true, true)), features66(1),
		do(side66(1, true, false)), do(sides66), features66(1), do(side66(1, true, true)), features66(1), do(sides66),
	)},
	{Name: "nat66-mapping", About: "which addresses belong together, by table", Steps: steps(
		do(on66), do(mapping66("fd00::1", "2001:db8::1", 0, true)), do(mappings66), note("again", mapping66("fd00::1", "2001:db8::2", 0, true)),
		note("in a table that nobody made", mapping66("fd00::1", "2001:db8::2", 9, true)), do(mappings66), note("an external address that another has", mapping66("fd00::2", "2001:db8::1", 0, true)), do(mappings66),
		note("another external address than it has", mapping66("fd00::2", "2001:db8::77", 0, false)), do(mappings66), note("none", mapping66("fd00::3", "2001:db8::1", 0, false)), note("no such table", mapping66("fd00::1", "2001:db8::1", 10, false)),
		do(mapping66("fd00::1", "2001:db8::2", 9, false)), do(mappings66), do(mapping66("::", "::", 0, true)), do(mappings66), do(mapping66("fd00::9", "2001:db8::9", 0, true)), do(mappings66),
	)},
}
