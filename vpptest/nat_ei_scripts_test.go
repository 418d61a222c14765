// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	nat "go.fd.io/govpp/binapi/nat44_ei"

	"github.com/vppkit/vppkit/vpptest"
)

const (
	eiInside  = nat.NAT44_EI_IF_INSIDE
	eiOutside = nat.NAT44_EI_IF_OUTSIDE
	eiAddress = nat.NAT44_EI_ADDR_ONLY_MAPPING
)

var (
	eiOff        = &nat.Nat44EiPluginEnableDisable{}
	eiConfig     = &nat.Nat44EiShowRunningConfig{}
	eiRoles      = &nat.Nat44EiInterfaceDump{}
	eiOutputs    = &nat.Nat44EiOutputInterfaceGet{}
	eiPool       = &nat.Nat44EiAddressDump{}
	eiMappings   = &nat.Nat44EiStaticMappingDump{}
	eiIdentities = &nat.Nat44EiIdentityMappingDump{}
	eiMSS        = &nat.Nat44EiGetMssClamping{}
)

func eiRole(add bool, i index, f nat.Nat44EiConfigFlags) api.Message {
	return &nat.Nat44EiInterfaceAddDelFeature{IsAdd: add, SwIfIndex: i, Flags: f}
}

func eiOutput(add bool, i index) api.Message {
	return &nat.Nat44EiAddDelOutputInterface{IsAdd: add, SwIfIndex: i}
}

func eiRange(add bool, first, last string, vrf uint32) api.Message {
	return &nat.Nat44EiAddDelAddressRange{IsAdd: add, FirstIPAddress: ip4(first), LastIPAddress: ip4(last), VrfID: vrf}
}

func eiMap(add bool, local, external string, vrf uint32, text string) api.Message {
	return &nat.Nat44EiAddDelStaticMapping{
		IsAdd: add, Flags: eiAddress, LocalIPAddress: ip4(local), ExternalIPAddress: ip4(external),
		ExternalSwIfIndex: none, VrfID: vrf, Tag: text,
	}
}

func eiMapPort(add bool, local string, lport uint16, external string, eport uint16, proto uint8) api.Message {
	return &nat.Nat44EiAddDelStaticMapping{
		IsAdd: add, LocalIPAddress: ip4(local), LocalPort: lport, ExternalIPAddress: ip4(external), ExternalPort: eport,
		Protocol: proto, ExternalSwIfIndex: none, Tag: "port",
	}
}

func eiSame(add bool, address string, port uint16, proto uint8, f nat.Nat44EiConfigFlags, vrf uint32) api.Message {
	return &nat.Nat44EiAddDelIdentityMapping{IsAdd: add, Flags: f, IPAddress: ip4(address), Port: port, Protocol: proto, SwIfIndex: none, VrfID: vrf, Tag: "same"}
}

var eiGone = &nat.Nat44EiDelSession{Address: ip4("10.0.0.1"), Port: 1, Protocol: 17, Flags: eiInside}

var eiScripts = []vpptest.Script{
	{Name: "nat44-ei", About: "the plugin and its settings, roles of interfaces, pools", Volatile: []string{"nat44_ei_output_interface_get_reply.cursor"}, Steps: []vpptest.Step{
		note("off, so nothing is", eiConfig),
		do(eiRoles), do(eiOutputs), do(eiPool), do(eiMappings), do(eiIdentities), do(eiMSS),
		do(loopback()), do(loopback()),
		do(eiRole(true, 1, eiInside)), do(eiOutput(true, 1)), do(eiRange(true, "1.1.1.1", "1.1.1.2", none)),
		do(eiRange(false, "1.1.1.1", "1.1.1.2", none)), do(eiRole(false, 1, eiInside)), do(eiOutput(false, 1)),
		do(eiMap(true, "10.0.0.1", "1.1.1.1", 0, "a")), do(eiMap(false, "10.0.0.1", "1.1.1.1", 0, "a")),
		do(eiSame(true, "1.1.1.1", 0, 0, eiAddress, 0)), do(eiSame(false, "1.1.1.1", 0, 0, eiAddress, 0)),
		do(eiGone),
		do(&nat.Nat44EiSetTimeouts{UDP: 10, TCPEstablished: 20, TCPTransitory: 30, ICMP: 40}),
		do(&nat.Nat44EiForwardingEnableDisable{Enable: true}),
		do(&nat.Nat44EiSetMssClamping{MssValue: 1400, Enable: true}),
		do(eiConfig), do(eiMSS), do(eiOff),
		do(&nat.Nat44EiPluginEnableDisable{Enable: true}),
		do(eiConfig), do(eiMSS),
		do(&nat.Nat44EiPluginEnableDisable{Enable: true}), do(&nat.Nat44EiPluginEnableDisable{Enable: true, Sessions: 1000}),
		do(&nat.Nat44EiSetTimeouts{UDP: 10, TCPEstablished: 20, TCPTransitory: 30, ICMP: 40}),
		do(&nat.Nat44EiForwardingEnableDisable{Enable: true}),
		do(&nat.Nat44EiSetMssClamping{MssValue: 1400, Enable: true}),
		do(eiConfig), do(eiMSS),
		do(&nat.Nat44EiSetMssClamping{MssValue: 1300}), do(eiMSS),

		note("roles", eiRole(true, 9, eiInside)), do(eiRole(false, 9, eiInside)), do(eiOutput(true, 9)), do(eiOutput(false, 9)),
		do(eiRole(false, 1, eiInside)), do(eiOutput(false, 1)),
		do(eiRole(true, 1, eiInside)), do(eiRole(true, 1, eiInside)), do(eiRoles),
		do(eiOutput(true, 1)),
		do(eiRole(true, 1, eiOutside)), do(eiRole(true, 1, eiOutside)), do(eiRoles),
		do(eiRole(false, 1, eiInside)), do(eiRoles),
		do(eiRole(false, 1, eiOutside)), do(eiRoles),
		note("no flag is outside, both are inside", eiRole(true, 1, 0)), do(eiRole(true, 2, eiInside|eiOutside)), do(eiRoles),
		do(eiRole(false, 1, 0)), do(eiRole(false, 2, eiInside)),
		note("output", eiOutput(true, 2)), do(eiOutput(true, 2)), do(eiOutputs), do(eiRole(true, 2, eiInside)),
		do(eiOutput(true, 1)), do(eiOutputs),
		do(&nat.Nat44EiOutputInterfaceGet{Cursor: 7}),
		do(eiOutput(false, 2)), do(eiOutputs), do(eiOutput(false, 1)), do(eiOutputs),
		note("an interface that goes takes its roles along", eiRole(true, 1, eiInside)), do(eiOutput(true, 2)), do(unloop(1)), do(unloop(2)),
		do(eiRoles), do(eiOutputs),

		note("pools", eiRange(true, "1.1.1.1", "1.1.1.3", none)), do(eiPool),
		do(eiRange(true, "1.1.1.3", "1.1.1.3", none)),
		note("applied up to the clash", eiRange(true, "1.1.1.0", "1.1.1.5", 0)), do(eiPool),
		note("backwards is nothing", eiRange(true, "2.2.2.2", "2.2.2.1", none)), do(eiPool),
		note("the last takes the place of what goes", eiRange(false, "1.1.1.1", "1.1.1.1", 77)), do(eiPool),
		do(eiRange(false, "1.1.1.1", "1.1.1.1", none)),
		do(eiRange(false, "1.1.1.0", "1.1.1.5", none)), do(eiPool),

		note("turned off, and all is gone", eiOff), do(eiOff), do(eiConfig), do(eiPool), do(eiMSS),
		do(&nat.Nat44EiPluginEnableDisable{Enable: true, Sessions: 5000, Users: 50, UserSessions: 100}), do(eiConfig), do(eiPool), do(eiRoles), do(eiOff), do(eiConfig),
	}},
	{Name: "nat44-ei-mappings", About: "static and identity mappings", Steps: []vpptest.Step{
		do(&nat.Nat44EiPluginEnableDisable{Enable: true}),
		do(eiMap(true, "10.0.0.1", "1.1.1.1", 0, "a")), do(eiMappings),
		note("an external address has one mapping", eiMap(true, "10.0.0.2", "1.1.1.1", 0, "b")),
		note("and a local one", eiMap(true, "10.0.0.1", "1.1.1.2", 0, "b")),
		note("of what is not there", eiMap(false, "10.0.0.1", "1.1.1.2", 0, "b")),
		do(eiMap(true, "10.0.0.3", "1.1.1.3", none, long)), do(eiMappings),
		note("ports need an address of the pool", eiMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 6)), do(eiMappings),
		do(eiRange(true, "1.1.1.4", "1.1.1.5", none)),
		do(eiMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 6)), do(eiMappings),
		do(eiMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 6)),
		do(eiMapPort(true, "10.0.0.4", 81, "1.1.1.4", 8080, 6)),
		note("another port, another protocol", eiMapPort(true, "10.0.0.4", 81, "1.1.1.4", 8081, 6)),
		do(eiMapPort(true, "10.0.0.4", 80, "1.1.1.4", 8080, 17)),
		do(eiMapPort(true, "10.0.0.4", 80, "1.1.1.5", 8080, 6)),
		note("a protocol of no ports, and a port that is none", eiMapPort(true, "10.0.0.7", 5, "1.1.1.5", 6, 47)),
		do(eiMapPort(true, "10.0.0.7", 5, "1.1.1.5", 0, 6)),
		do(eiMappings),
		note("the pool goes first", eiRange(false, "1.1.1.5", "1.1.1.5", none)), do(eiMappings),
		do(eiMapPort(false, "10.0.0.7", 5, "1.1.1.5", 6, 47)),
		do(eiMap(false, "10.0.0.1", "1.1.1.1", 0, "")), do(eiMapPort(false, "10.0.0.4", 81, "1.1.1.4", 8081, 6)),
		do(eiMapPort(false, "10.0.0.4", 81, "1.1.1.4", 8081, 6)),
		do(eiMappings),
		note("the last freed is the first used", eiMap(true, "10.0.0.9", "1.1.1.9", 0, "i")), do(eiMappings),

		note("identity", eiSame(true, "1.1.1.20", 0, 0, eiAddress, 0)), do(eiSame(true, "1.1.1.20", 0, 0, eiAddress, 0)),
		do(eiSame(true, "1.1.1.4", 443, 6, 0, none)), do(eiSame(true, "1.1.1.4", 443, 17, 0, 0)), do(eiSame(true, "1.1.1.21", 443, 17, 0, 0)),
		do(eiIdentities), do(eiMappings),
		do(eiSame(false, "1.1.1.20", 0, 0, eiAddress, 0)), do(eiSame(false, "1.1.1.20", 0, 0, eiAddress, 0)),
		do(eiSame(false, "1.1.1.4", 443, 6, 0, 0)), do(eiIdentities),

		note("sessions that are not there", eiGone),
		do(&nat.Nat44EiUserDump{}), do(&nat.Nat44EiUserSessionV2Dump{IPAddress: ip4("10.0.0.9")}),
		do(eiOff), do(eiMappings), do(eiIdentities),
		do(&nat.Nat44EiPluginEnableDisable{Enable: true}), do(eiMappings), do(eiIdentities), do(eiPool), do(eiOff),
	}},
}
