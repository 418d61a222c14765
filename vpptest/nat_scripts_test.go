// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	nat_ed "go.fd.io/govpp/binapi/nat44_ed"
	nat_ei "go.fd.io/govpp/binapi/nat44_ei"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/vpptest"
)

func ip4(s string) ip_types.IP4Address { return netip.MustParseAddr(s).As4() }

const (
	natInside  = nat_types.NAT_IS_INSIDE
	natOutside = nat_types.NAT_IS_OUTSIDE
	natTwice   = nat_types.NAT_IS_TWICE_NAT
	natSelf    = nat_types.NAT_IS_SELF_TWICE_NAT
	natOneWay  = nat_types.NAT_IS_OUT2IN_ONLY
	natAddress = nat_types.NAT_IS_ADDR_ONLY
)

var (
	natConfig     = &nat_ed.Nat44ShowRunningConfig{}
	natRoles      = &nat_ed.Nat44InterfaceDump{}
	natOutputs    = &nat_ed.Nat44EdOutputInterfaceGet{}
	natPool       = &nat_ed.Nat44AddressDump{}
	natMappings   = &nat_ed.Nat44StaticMappingDump{}
	natIdentities = &nat_ed.Nat44IdentityMappingDump{}
	natMSS        = &nat_ed.NatGetMssClamping{}
	tablesOfAll   = &ip.IPTableDump{}
)

func natOn(sessions, inside, outside uint32) api.Message {
	return &nat_ed.Nat44EdPluginEnableDisable{Enable: true, Sessions: sessions, InsideVrf: inside, OutsideVrf: outside}
}

var natOff = &nat_ed.Nat44EdPluginEnableDisable{}

func natRole(add bool, i index, f nat_types.NatConfigFlags) api.Message {
	return &nat_ed.Nat44InterfaceAddDelFeature{IsAdd: add, SwIfIndex: i, Flags: f}
}

func natOutput(add bool, i index) api.Message {
	return &nat_ed.Nat44EdAddDelOutputInterface{IsAdd: add, SwIfIndex: i}
}

func natRange(add bool, first, last string, vrf uint32, f nat_types.NatConfigFlags) api.Message {
	return &nat_ed.Nat44AddDelAddressRange{IsAdd: add, FirstIPAddress: ip4(first), LastIPAddress: ip4(last), VrfID: vrf, Flags: f}
}

func natMap(add bool, local, external string, vrf uint32, text string) *nat_ed.Nat44AddDelStaticMappingV2 {
	return &nat_ed.Nat44AddDelStaticMappingV2{
		IsAdd: add, Flags: natAddress, LocalIPAddress: ip4(local), ExternalIPAddress: ip4(external),
		ExternalSwIfIndex: none, VrfID: vrf, Tag: text,
	}
}

func natMapPort(add bool, local string, lport uint16, external string, eport uint16, proto uint8, f nat_types.NatConfigFlags) *nat_ed.Nat44AddDelStaticMappingV2 {
	return &nat_ed.Nat44AddDelStaticMappingV2{
		IsAdd: add, Flags: f, LocalIPAddress: ip4(local), LocalPort: lport, ExternalIPAddress: ip4(external), ExternalPort: eport,
		Protocol: proto, ExternalSwIfIndex: none, Tag: "port",
	}
}

func natSame(add bool, address string, port uint16, proto uint8, f nat_types.NatConfigFlags, vrf uint32) api.Message {
	return &nat_ed.Nat44AddDelIdentityMapping{IsAdd: add, Flags: f, IPAddress: ip4(address), Port: port, Protocol: proto, SwIfIndex: none, VrfID: vrf, Tag: "same"}
}

func natGone(inside string, port uint16) api.Message {
	return &nat_ed.Nat44DelSession{Address: ip4(inside), Port: port, Protocol: 17, Flags: natInside, ExtHostAddress: ip4("9.9.9.9"), ExtHostPort: 53}
}

var natExits = &nat_ed.Nat44EdVrfTablesV2Dump{}

func natExit(add bool, table uint32) api.Message {
	return &nat_ed.Nat44EdAddDelVrfTable{IsAdd: add, TableVrfID: table}
}

func natExitTo(add bool, table, to uint32) api.Message {
	return &nat_ed.Nat44EdAddDelVrfRoute{IsAdd: add, TableVrfID: table, VrfID: to}
}

var (
	natBalanced   = &nat_ed.Nat44LbStaticMappingDump{}
	natBorrowed   = &nat_ed.Nat44InterfaceAddrDump{}
	natBorrowedEI = &nat_ei.Nat44EiInterfaceAddrDump{}
)

var natScripts = []vpptest.Script{
	{Name: "nat44-ed", About: "the plugin and its settings, roles of interfaces, pools", Volatile: []string{"nat44_ed_output_interface_get_reply.cursor"}, Steps: []vpptest.Step{
		note("off, so nothing is", natConfig),
		do(natRoles), do(natOutputs), do(natPool), do(natMappings), do(natIdentities), do(natMSS),
		do(loopback()), do(loopback()),
		do(natRole(true, 1, natInside)), do(natOutput(true, 1)), do(natRange(true, "1.1.1.1", "1.1.1.2", none, 0)),
		do(natRange(false, "1.1.1.1", "1.1.1.2", none, 0)), do(natRole(false, 1, natInside)), do(natOutput(false, 1)),
		do(natMap(true, "10.0.0.1", "1.1.1.1", 0, "a")), do(natMap(false, "10.0.0.1", "1.1.1.1", 0, "a")),
		do(natSame(true, "1.1.1.1", 0, 0, natAddress, 0)), do(natSame(false, "1.1.1.1", 0, 0, natAddress, 0)),
		do(natGone("10.0.0.1", 1)),
		note("settings can be made, and are lost when the plugin is turned on", &nat_ed.NatSetTimeouts{UDP: 10, TCPEstablished: 20, TCPTransitory: 30, ICMP: 40}),
		do(&nat_ed.Nat44ForwardingEnableDisable{Enable: true}),
		do(&nat_ed.NatSetMssClamping{MssValue: 1400, Enable: true}),
		do(natConfig), do(natMSS),
		do(natOff),
		note("only endpoint-dependent, with state", &nat_ed.Nat44EdPluginEnableDisable{Enable: true, Flags: nat_ed.NAT44_IS_STATIC_MAPPING_ONLY}),
		do(&nat_ed.Nat44EdPluginEnableDisable{Enable: true, Flags: nat_ed.NAT44_IS_CONNECTION_TRACKING}),
		do(natConfig),
		do(natOn(0, 0, 0)),
		do(natConfig), do(natMSS),
		do(natOn(0, 0, 0)), do(natOn(1000, 0, 0)),
		do(&nat_ed.NatSetTimeouts{UDP: 10, TCPEstablished: 20, TCPTransitory: 30, ICMP: 40}),
		do(&nat_ed.Nat44ForwardingEnableDisable{Enable: true}),
		do(&nat_ed.NatSetMssClamping{MssValue: 1400, Enable: true}),
		do(natConfig), do(natMSS),
		note("zero is taken, too", &nat_ed.NatSetTimeouts{}),
		do(natConfig),
		do(&nat_ed.NatSetMssClamping{MssValue: 1300}), do(natMSS),

		note("roles", natRole(true, 9, natInside)), do(natRole(false, 9, natInside)), do(natOutput(true, 9)), do(natOutput(false, 9)),
		do(natRole(false, 1, natInside)), do(natOutput(false, 1)),
		do(natRole(true, 1, natInside)), do(natRole(true, 1, natInside)), do(natRoles),
		do(natOutput(true, 1)),
		do(natRole(true, 1, natOutside)), do(natRole(true, 1, natOutside)), do(natRoles),
		do(natRole(false, 1, natInside)), do(natRoles),
		do(natRole(false, 1, natOutside)), do(natRoles),
		note("no flag is outside, both are inside", natRole(true, 1, 0)), do(natRole(true, 2, natInside|natOutside)), do(natRoles),
		do(natRole(false, 2, natInside)), do(natRole(true, 2, natInside)), do(natRoles),
		note("the last freed is the first used", natRole(false, 1, 0)), do(natRole(false, 2, natInside)),
		do(natRole(true, 1, natInside)), do(natRole(true, 2, natOutside)), do(natRoles),
		do(natRole(false, 1, natInside)), do(natRole(false, 2, natOutside)),
		note("output", natOutput(true, 2)), do(natOutput(true, 2)), do(natOutputs), do(natRole(true, 2, natInside)),
		do(natOutput(true, 1)), do(natOutputs),
		do(&nat_ed.Nat44EdOutputInterfaceGet{Cursor: 1}), do(&nat_ed.Nat44EdOutputInterfaceGet{Cursor: 7}),
		do(natOutput(false, 2)), do(natOutputs), do(natOutput(false, 1)), do(natOutputs),
		note("an interface that goes takes its roles along", natRole(true, 1, natInside)), do(natOutput(true, 2)), do(unloop(1)), do(unloop(2)),
		do(natRoles), do(natOutputs),

		note("pools", natRange(true, "1.1.1.1", "1.1.1.3", none, 0)), do(natPool),
		do(natRange(true, "1.1.1.3", "1.1.1.3", none, 0)),
		note("applied up to the clash", natRange(true, "1.1.1.0", "1.1.1.5", 0, 0)), do(natPool),
		note("twice-NAT has a pool of its own", natRange(true, "1.1.1.1", "1.1.1.2", 0, natTwice)), do(natPool),
		do(natRange(true, "1.1.1.1", "1.1.1.1", 0, natTwice)),
		note("backwards is nothing", natRange(true, "2.2.2.2", "2.2.2.1", none, 0)), do(natPool),
		do(natRange(false, "2.2.2.2", "2.2.2.1", none, 0)),
		note("the last takes the place of what goes", natRange(false, "1.1.1.1", "1.1.1.1", 77, 0)), do(natPool),
		do(natRange(false, "1.1.1.1", "1.1.1.1", none, 0)),
		note("gone up to the gap", natRange(false, "1.1.1.0", "1.1.1.5", none, 0)), do(natPool),
		do(natRange(false, "1.1.1.2", "1.1.1.9", none, natTwice)), do(natPool),

		note("turned off, and all is gone", natOff), do(natOff), do(natConfig), do(natPool), do(natMSS),
		do(natOn(5000, 0, 0)), do(natConfig), do(natPool), do(natRoles), do(natOff),
	}},
	{Name: "nat44-tables", About: "what NAT does to tables: makes them, and keeps them", Steps: []vpptest.Step{
		do(natOn(0, 11, 12)), do(natConfig), do(tablesOfAll),
		do(natRange(true, "1.1.1.1", "1.1.1.1", 13, 0)), do(natPool), do(tablesOfAll),
		do(natMap(true, "10.0.0.1", "1.1.1.2", 14, "a")), do(natMap(true, "10.0.0.1", "1.1.1.3", none, "b")), do(natMappings), do(tablesOfAll),
		note("one local address in two tables", natMap(true, "10.0.0.1", "1.1.1.4", 15, "c")), do(natMappings),
		do(natRange(false, "1.1.1.1", "1.1.1.1", none, 0)), do(natMap(false, "10.0.0.1", "1.1.1.2", 14, "")), do(tablesOfAll),
		do(natSame(true, "1.1.1.9", 0, 0, natAddress, 16)), do(tablesOfAll), do(natSame(false, "1.1.1.9", 0, 0, natAddress, 16)), do(tablesOfAll),
		note("off, and two tables stay", natOff), do(tablesOfAll), do(&ip.IPTableAddDelV2{Table: ip.IPTable{TableID: 11}}), do(tablesOfAll),
		do(&nat_ei.Nat44EiPluginEnableDisable{Enable: true, InsideVrf: 21, OutsideVrf: 22}), do(&nat_ei.Nat44EiPluginEnableDisable{}), do(tablesOfAll),
	}},
	{Name: "nat44-ed-exits", About: "the tables in which the packets of a table go on", Steps: []vpptest.Step{
		do(natExits), do(natOn(0, 0, 0)),
		note("it is made with its tables, and keeps them", natExit(true, 11)), do(natExits), do(tablesOfAll),
		do(natExit(true, 11)),
		note("of what is not there", natExit(false, 12)), do(natExitTo(true, 12, 13)), do(natExitTo(false, 11, 13)),
		do(natExitTo(true, 11, 14)), do(natExitTo(true, 11, 13)), do(natExitTo(true, 11, 14)), do(natExits), do(tablesOfAll),
		do(natExit(true, 12)), do(natExitTo(true, 12, 0)), do(natExitTo(true, 12, 11)), do(natExits),
		note("it goes with all that is in it", natExit(false, 11)), do(natExits), do(tablesOfAll),
		note("off, and none is left", natOff), do(natExits), do(tablesOfAll),
	}},
	{Name: "nat44-rest", About: "what no kind makes: mappings to several hosts, addresses of interfaces", Steps: steps(
		do(natBalanced), do(natBorrowed), do(natBorrowedEI), do(loopback()),
		do(&nat_ed.Nat44EdPluginEnableDisable{Enable: true}), do(natBalanced), do(natBorrowed), do(natBorrowedEI), do(natOff),
		do(&nat_ei.Nat44EiPluginEnableDisable{Enable: true}), do(natBalanced), do(natBorrowed), do(natBorrowedEI), do(eiOff), do(natBalanced),
	)},
	{Name: "nat44-ed-mappings", About: "static and identity mappings", Steps: []vpptest.Step{
		do(natOn(0, 0, 0)),
		do(natMap(true, "10.0.0.1", "1.1.1.1", 0, "a")), do(natMappings),
		note("an external address has one mapping", natMap(true, "10.0.0.2", "1.1.1.1", 0, "b")),
		note("and a local one", natMap(true, "10.0.0.1", "1.1.1.2", 0, "b")),
		do(natMappings),
		note("of what is not there", natMap(false, "10.0.0.1", "1.1.1.2", 0, "b")),
		do(natMap(true, "10.0.0.3", "1.1.1.3", none, long)), do(natMappings),
		note("ports", natMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 6, 0)), do(natMappings),
		do(natMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 6, 0)),
		do(natMapPort(true, "10.0.0.4", 81, "1.1.1.4", 8080, 6, 0)),
		note("another port, another protocol", natMapPort(true, "10.0.0.4", 81, "1.1.1.4", 8081, 6, 0)),
		do(natMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 17, 0)),
		note("two externals of one local", natMapPort(true, "10.0.0.4", 80, "1.1.1.5", 8080, 6, 0)),
		do(natMapPort(true, "10.0.0.4", 80, "1.1.1.5", 8080, 6, natOneWay)),
		note("twice", natMapPort(true, "10.0.0.6", 1, "1.1.1.6", 1, 6, natTwice)),
		do(natMapPort(true, "10.0.0.6", 2, "1.1.1.6", 2, 6, natSelf)),
		do(natMapPort(true, "10.0.0.6", 3, "1.1.1.6", 3, 6, natSelf|natTwice)),
		do(natMapPort(true, "10.0.0.6", 0, "1.1.1.6", 0, 0, natTwice|natAddress)),
		do(natMapPort(true, "10.0.0.6", 0, "1.1.1.6", 0, 0, natSelf|natAddress)),
		note("a protocol of no ports", natMapPort(true, "10.0.0.7", 5, "1.1.1.7", 6, 47, 0)),
		note("an address without ports, whatever is said of them", &nat_ed.Nat44AddDelStaticMappingV2{
			IsAdd: true, Flags: natAddress | natOneWay, LocalIPAddress: ip4("10.0.0.8"), LocalPort: 8, ExternalIPAddress: ip4("1.1.1.8"), ExternalPort: 9,
			Protocol: 6, ExternalSwIfIndex: none, Tag: "",
		}),
		do(natMappings),
		do(natMap(false, "10.0.0.1", "1.1.1.1", 0, "")), do(natMapPort(false, "10.0.0.4", 81, "1.1.1.4", 8081, 6, 0)),
		do(natMapPort(false, "10.0.0.4", 81, "1.1.1.4", 8081, 6, 0)),
		do(natMappings),
		note("the last freed is the first used", natMap(true, "10.0.0.9", "1.1.1.9", 0, "i")), do(natMappings),

		note("identity", natSame(true, "1.1.1.20", 0, 0, natAddress, 0)), do(natSame(true, "1.1.1.20", 0, 0, natAddress, 0)),
		do(natSame(true, "1.1.1.21", 443, 6, 0, none)), do(natSame(true, "1.1.1.21", 443, 17, 0, 0)),
		note("where a mapping is", natSame(true, "1.1.1.9", 0, 0, natAddress, 0)),
		note("and the other way round", natMap(true, "10.0.0.22", "1.1.1.20", 0, "x")),
		do(natIdentities), do(natMappings),
		do(natSame(false, "1.1.1.20", 0, 0, natAddress, 0)), do(natSame(false, "1.1.1.20", 0, 0, natAddress, 0)),
		do(natSame(false, "1.1.1.21", 443, 6, 0, 0)), do(natIdentities),

		note("sessions that are not there", natGone("10.0.0.9", 1)),
		do(&nat_ed.Nat44UserDump{}), do(&nat_ed.Nat44UserSessionV3Dump{IPAddress: ip4("10.0.0.9")}),
		do(natOff), do(natMappings), do(natIdentities),
		do(natOn(0, 0, 0)), do(natMappings), do(natIdentities), do(natOff),
	}},
}
