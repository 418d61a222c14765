// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/af_packet"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/span"
	"go.fd.io/govpp/binapi/vhost_user"
	"go.fd.io/govpp/binapi/vlib"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/vpptest"
)

// The requests that are made of a real VPP, and of the in-memory one. In a fresh VPP
// local0 has index 0 and the first interface made has 1.

type index = interface_types.InterfaceIndex

const (
	none = 1<<32 - 1
	up   = interface_types.IF_STATUS_API_FLAG_ADMIN_UP
)

var (
	// Dumps of all there is.
	interfaces = &interfaces_api.SwInterfaceDump{SwIfIndex: none}
	domains    = &l2.BridgeDomainDump{BdID: none, SwIfIndex: none}
	fib        = &l2.L2FibTableDump{BdID: none}
	xconnects  = &l2.L2XconnectDump{}
	neighbours = &l2.BdIPMacDump{BdID: none}
	vhosts     = &vhost_user.SwInterfaceVhostUserDump{SwIfIndex: none}
	hosts      = &af_packet.AfPacketDump{}
)

func do(m api.Message) vpptest.Step             { return vpptest.Step{Request: m} }
func note(n string, m api.Message) vpptest.Step { return vpptest.Step{Note: n, Request: m} }
func with(n int, s vpptest.Step) vpptest.Step   { s.Client = n; return s }
func pipelined(s vpptest.Step) vpptest.Step     { s.Pipeline = true; return s }
func mac(last byte) ethernet_types.MacAddress   { return ethernet_types.MacAddress{2, 0, 0, 0, 0, last} }
func loopback() api.Message                     { return &interfaces_api.CreateLoopback{} }
func unloop(i index) api.Message                { return &interfaces_api.DeleteLoopback{SwIfIndex: i} }

func dump(i index) api.Message     { return &interfaces_api.SwInterfaceDump{SwIfIndex: i} }
func features(i index) api.Message { return &l2.L2Flags{SwIfIndex: i, IsSet: true} }
func vlan(i index, id uint32) api.Message {
	return &interfaces_api.CreateVlanSubif{SwIfIndex: i, VlanID: id}
}
func unsub(i index) api.Message { return &interfaces_api.DeleteSubif{SwIfIndex: i} }
func admin(i index, f interface_types.IfStatusFlags) api.Message {
	return &interfaces_api.SwInterfaceSetFlags{SwIfIndex: i, Flags: f}
}

func tag(i index, text string) api.Message {
	return &interfaces_api.SwInterfaceTagAddDel{SwIfIndex: i, IsAdd: true, Tag: text}
}

func rename(i index, name string) api.Message {
	return &interfaces_api.SwInterfaceSetInterfaceName{SwIfIndex: i, Name: name}
}

func setMAC(i index, m ethernet_types.MacAddress) api.Message {
	return &interfaces_api.SwInterfaceSetMacAddress{SwIfIndex: i, MacAddress: m}
}

func mtu(i index, values ...uint32) api.Message {
	return &interfaces_api.SwInterfaceSetMtu{SwIfIndex: i, Mtu: values}
}

func hwMTU(i index, value uint16) api.Message {
	return &interfaces_api.HwInterfaceSetMtu{SwIfIndex: i, Mtu: value}
}

func bd(id uint32) *l2.BridgeDomainAddDelV2 {
	return &l2.BridgeDomainAddDelV2{BdID: id, IsAdd: true, Learn: true, Forward: true, Flood: true, UuFlood: true}
}
func unBD(id uint32) api.Message { return &l2.BridgeDomainAddDelV2{BdID: id} }
func join(i index, id uint32) *l2.SwInterfaceSetL2Bridge {
	return &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: i, BdID: id, Enable: true}
}

func joinAs(i index, id uint32, kind l2.L2PortType, shg uint8) api.Message {
	return &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: i, BdID: id, PortType: kind, Shg: shg, Enable: true}
}
func leave(i index) api.Message { return &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: i} }
func cross(rx, tx index) api.Message {
	return &l2.SwInterfaceSetL2Xconnect{RxSwIfIndex: rx, TxSwIfIndex: tx, Enable: true}
}
func uncross(rx index) api.Message { return &l2.SwInterfaceSetL2Xconnect{RxSwIfIndex: rx} }
func static(m ethernet_types.MacAddress, id uint32, i index) api.Message {
	return &l2.L2fibAddDel{Mac: m, BdID: id, SwIfIndex: i, IsAdd: true, StaticMac: true}
}

func unstatic(m ethernet_types.MacAddress, id uint32, i index) api.Message {
	return &l2.L2fibAddDel{Mac: m, BdID: id, SwIfIndex: i}
}

func vtr(i index, op, push, tag1, tag2 uint32) api.Message {
	return &l2.L2InterfaceVlanTagRewrite{SwIfIndex: i, VtrOp: op, PushDot1q: push, Tag1: tag1, Tag2: tag2}
}

func neighbour(add bool, id uint32, ip string, m ethernet_types.MacAddress) api.Message {
	address, err := ip_types.ParseAddress(ip)
	if err != nil {
		panic(err)
	}
	return &l2.BdIPMacAddDel{IsAdd: add, Entry: l2.BdIPMac{BdID: id, IP: address, Mac: m}}
}

func sub(i index, id uint32, flags interface_types.SubIfFlags, outer, inner uint16) api.Message {
	return &interfaces_api.CreateSubif{SwIfIndex: i, SubID: id, SubIfFlags: flags, OuterVlanID: outer, InnerVlanID: inner}
}

func want(on uint32, pid uint32) api.Message {
	return &interfaces_api.WantInterfaceEvents{EnableDisable: on, PID: pid}
}

func vhostPort(socket string) *vhost_user.CreateVhostUserIfV2 {
	return &vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: socket}
}

func host(name string) *af_packet.AfPacketCreateV3 {
	return &af_packet.AfPacketCreateV3{Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HostIfName: name, UseRandomHwAddr: true}
}

// A string of 64 bytes leaves no room for the NUL that ends it.
const long = "0123456789012345678901234567890123456789012345678901234567890123"

const (
	noTags  = interface_types.SUB_IF_API_FLAG_NO_TAGS
	oneTag  = interface_types.SUB_IF_API_FLAG_ONE_TAG
	twoTags = interface_types.SUB_IF_API_FLAG_TWO_TAGS
	ad      = interface_types.SUB_IF_API_FLAG_DOT1AD
	exact   = interface_types.SUB_IF_API_FLAG_EXACT_MATCH
	others  = interface_types.SUB_IF_API_FLAG_DEFAULT
	anyOut  = interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY
	anyIn   = interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY
)

var scripts = []vpptest.Script{
	{Name: "core", About: "memclnt, vpe and vlib", Steps: []vpptest.Step{
		do(&memclnt.ControlPing{}),
		do(&memclnt.APIVersions{}),
		do(&memclnt.GetFirstMsgID{Name: "no_such_module_01234567"}),
		do(&memclnt.GetFirstMsgID{Name: ""}),
		do(&vpe.ShowVersion{}),
		do(&vpe.ShowVpeSystemTime{}),
		do(&vlib.CliInband{Cmd: "no such command"}),
	}},
	{Name: "interface", About: "what can be set on any interface, and what sw_interface_dump shows of it", Steps: []vpptest.Step{
		note("a fresh VPP", interfaces),
		do(loopback()),
		do(loopback()),
		do(dump(1)),
		note("0 is not local0 but all", dump(0)),
		note("unknown", dump(77)),
		do(&interfaces_api.SwInterfaceDump{SwIfIndex: 1, NameFilterValid: true, NameFilter: "LOOP"}),
		do(&interfaces_api.SwInterfaceDump{NameFilterValid: true, NameFilter: "op1"}),
		do(&interfaces_api.SwInterfaceDump{SwIfIndex: none, NameFilterValid: true, NameFilter: "nothing"}),
		note("an empty filter", &interfaces_api.SwInterfaceDump{SwIfIndex: none, NameFilterValid: true}),

		do(admin(77, up)), do(admin(none, up)),
		do(admin(0, up)), do(dump(0)), do(admin(0, 0)),
		do(admin(1, up)), do(dump(1)), note("again", admin(1, up)),
		note("link up is not ours to set", admin(1, interface_types.IF_STATUS_API_FLAG_LINK_UP)), do(dump(1)),
		do(admin(1, up|interface_types.IF_STATUS_API_FLAG_LINK_UP)), do(dump(1)),

		do(tag(77, "x")), do(tag(1, "me/one")), do(tag(2, "me/one")), do(dump(2)),
		do(tag(1, "me/other")), do(tag(1, "")), do(dump(1)), do(tag(2, long)), do(dump(2)), do(tag(0, "local")),
		do(&interfaces_api.SwInterfaceTagAddDel{SwIfIndex: 0}), do(&interfaces_api.SwInterfaceTagAddDel{SwIfIndex: 0}),
		do(&interfaces_api.SwInterfaceTagAddDel{SwIfIndex: 77}), do(interfaces),

		do(rename(77, "x")), do(rename(1, "")), do(rename(1, "same")), note("names need not be unique", rename(2, "same")), do(interfaces),
		do(rename(1, "loop0")), do(rename(2, "loop1")),

		do(setMAC(77, mac(1))), do(setMAC(0, mac(1))), do(setMAC(1, mac(1))), do(setMAC(1, mac(1))), do(dump(1)),
		note("zero", setMAC(1, ethernet_types.MacAddress{})), note("multicast", setMAC(1, ethernet_types.MacAddress{1, 0, 0x5e, 0, 0, 1})), do(dump(1)),
		do(&interfaces_api.SwInterfaceGetMacAddress{SwIfIndex: 1}), do(&interfaces_api.SwInterfaceGetMacAddress{SwIfIndex: 0}),
		do(&interfaces_api.SwInterfaceGetMacAddress{SwIfIndex: 77}),

		do(mtu(77, 1500, 0, 0, 0)), do(mtu(1, 1500, 1400, 1300, 1200)), do(dump(1)), do(mtu(1, 100000, 1, 2, 3)), do(mtu(1, 0, 0, 0, 0)), do(dump(1)),
		do(mtu(0, 1500, 0, 0, 0)), do(mtu(0, 0, 0, 0, 0)),
		do(hwMTU(77, 1500)), do(hwMTU(0, 1500)), do(hwMTU(1, 1500)), note("the present value", hwMTU(1, 9000)), do(hwMTU(1, 0)),

		do(&interfaces_api.SwInterfaceGetTable{SwIfIndex: 1}), do(&interfaces_api.SwInterfaceGetTable{SwIfIndex: 1, IsIPv6: true}),
		do(&interfaces_api.SwInterfaceGetTable{SwIfIndex: 77}),
		do(&interfaces_api.SwInterfaceSetTable{SwIfIndex: 1}), do(&interfaces_api.SwInterfaceSetTable{SwIfIndex: 1, VrfID: 7}),
		do(&interfaces_api.SwInterfaceSetTable{SwIfIndex: 77}),
	}},
	{Name: "loopback", About: "instances, and indices given again", Steps: []vpptest.Step{
		do(loopback()),
		do(&interfaces_api.CreateLoopback{MacAddress: mac(7)}),
		do(&interfaces_api.CreateLoopbackInstance{IsSpecified: true, UserInstance: 5}),
		note("taken", &interfaces_api.CreateLoopbackInstance{IsSpecified: true, UserInstance: 5}),
		note("too high", &interfaces_api.CreateLoopbackInstance{IsSpecified: true, UserInstance: 16384}),
		do(&interfaces_api.CreateLoopbackInstance{IsSpecified: true, UserInstance: 16383, MacAddress: ethernet_types.MacAddress{1, 0, 0x5e, 0, 0, 1}}),
		note("not specified", &interfaces_api.CreateLoopbackInstance{UserInstance: 9}),
		do(interfaces),
		do(tag(2, "gone with it")),
		do(unloop(2)), do(unloop(3)), do(unloop(3)), do(unloop(0)), do(unloop(77)),
		note("the last freed index comes first", loopback()), do(loopback()), do(loopback()),
		do(interfaces),
		do(vlan(1, 10)), do(vlan(1, 20)), note("a sub-interface: its parent goes", unloop(7)), do(interfaces),
		note("which index is the last freed", loopback()), do(loopback()), do(loopback()), do(interfaces),
		do(&l2.BviCreate{UserInstance: none}),
		note("a BVI", unloop(10)),
	}},
	{Name: "bvi", About: "BVI interfaces", Steps: []vpptest.Step{
		do(&l2.BviCreate{UserInstance: none}),
		do(&l2.BviCreate{UserInstance: 300, Mac: mac(9)}),
		note("taken", &l2.BviCreate{UserInstance: 300}),
		do(&l2.BviCreate{UserInstance: 0}),
		do(&l2.BviCreate{UserInstance: 16384}),
		do(interfaces),
		do(loopback()),
		do(&l2.BviDelete{SwIfIndex: 77}), do(&l2.BviDelete{SwIfIndex: 0}), do(&l2.BviDelete{SwIfIndex: 3}), do(&l2.BviDelete{SwIfIndex: 4}),
		do(admin(1, up)), do(dump(1)),
		do(bd(1)), do(joinAs(1, 1, l2.L2_API_PORT_TYPE_BVI, 0)), do(fib), do(domains), do(features(1)),
		do(setMAC(1, mac(33))), do(fib),
		do(&l2.BviDelete{SwIfIndex: 1}), do(fib), do(domains), do(interfaces),
		do(&l2.BviCreate{UserInstance: none}), do(interfaces),
		do(hwMTU(1, 1500)), do(vlan(1, 5)), note("a sub-interface", &l2.BviDelete{SwIfIndex: 4}), do(&l2.BviDelete{SwIfIndex: 1}), do(interfaces),
	}},
	{Name: "subif", About: "VLAN sub-interfaces", Steps: []vpptest.Step{
		do(loopback()),
		do(vlan(77, 10)), do(vlan(1, 0)), do(vlan(1, 4096)), do(vlan(1, 4095)),
		do(vlan(1, 10)), note("exists", vlan(1, 10)), do(dump(3)),
		note("parent is down", admin(3, up)), do(admin(1, up)), do(admin(3, up)), do(dump(3)), note("parent goes down", admin(1, 0)), do(dump(3)),
		note("a sub-interface as parent stands for its parent", vlan(3, 11)), do(dump(4)),
		do(sub(1, 20, oneTag|exact, 20, 0)),
		do(sub(1, 21, twoTags|exact, 20, 30)),
		do(sub(1, 22, twoTags|anyIn, 20, 0)),
		do(sub(1, 23, twoTags|ad|exact, 20, 30)),
		do(sub(1, 24, noTags, 0, 0)),
		do(sub(1, 25, others, 0, 0)),
		do(sub(1, 26, oneTag|anyOut, 0, 0)),
		do(sub(1, 27, oneTag|ad, 20, 0)),
		do(sub(1, 0, oneTag|exact, 99, 0)),
		note("exists", sub(1, 20, oneTag|exact, 21, 0)),
		note("no shape", sub(1, 30, 0, 30, 0)),
		note("exact any", sub(1, 31, oneTag|exact|anyOut, 0, 0)),
		do(sub(1, 32, twoTags|exact|anyIn, 33, 0)), do(sub(1, 33, twoTags|ad|anyIn, 33, 0)), do(sub(1, 34, others|oneTag, 34, 0)), do(sub(1, 35, oneTag|twoTags, 35, 36)), do(sub(1, 36, noTags|oneTag, 37, 0)), do(sub(1, 37, oneTag|exact, 5000, 0)), do(sub(1, 38, exact, 0, 0)), do(sub(1, 39, noTags|exact, 0, 0)), do(sub(1, 40, noTags|exact, 0, 0)), do(sub(1, 41, ad, 41, 0)), do(sub(1, 42, oneTag|exact|anyIn, 42, 0)),
		do(sub(77, 1, oneTag, 1, 0)),
		do(interfaces),
		do(unsub(1)), do(unsub(77)), do(unsub(3)), do(unsub(3)),
		do(interfaces),
		do(setMAC(4, mac(1))), do(hwMTU(4, 1500)), do(mtu(4, 1400, 0, 0, 0)), do(dump(4)), do(tag(4, "sub")),
		do(&interfaces_api.SwInterfaceGetMacAddress{SwIfIndex: 4}),
		note("a sub-interface renames local0", rename(4, "oops")), do(dump(4)), do(&interfaces_api.SwInterfaceDump{NameFilterValid: true, NameFilter: "oops"}),
		note("all go with the parent", unloop(1)), do(interfaces),
		do(loopback()), do(interfaces),
	}},
	{Name: "subif-clash", About: "a VLAN that is another's already", Steps: []vpptest.Step{
		do(loopback()),
		do(sub(1, 100, oneTag|exact, 10, 0)),
		note("the holder keeps its dump and loses its frames", vlan(1, 10)), do(interfaces),
		note("now it succeeds", vlan(1, 10)), do(interfaces),
		do(sub(1, 101, oneTag|exact, 10, 0)),
		do(sub(1, 102, oneTag|exact, 10, 0)),
		note("not exact, same VLAN", sub(1, 103, oneTag, 10, 0)),
		do(sub(1, 104, oneTag, 10, 0)),
		do(sub(1, 105, others, 0, 0)), do(sub(1, 106, others, 0, 0)),
		do(sub(1, 107, noTags, 0, 0)), do(sub(1, 108, noTags, 0, 0)),
		do(sub(1, 109, twoTags|exact, 10, 20)), do(sub(1, 110, twoTags|exact, 10, 20)), do(sub(1, 111, twoTags|exact, 10, 20)),
		do(interfaces),
		note("of a sub-interface: one of local0, with the sub-interface as sup", sub(2, 5, oneTag|exact, 5, 0)), do(interfaces),
		note("a VLAN of local0", vlan(0, 7)), do(interfaces),
		note("its sup goes", unsub(2)), do(interfaces),
	}},
	{Name: "events", About: "edges of interfaces, and the way with want_interface_events", Steps: []vpptest.Step{
		note("not wanted yet", want(0, 7)),
		do(want(1, 7)), note("again", want(1, 7)),
		do(loopback()), do(admin(1, up)), note("same state", admin(1, up)), do(admin(1, 0)), do(tag(1, "x")), do(rename(1, "y")), do(mtu(1, 1500, 0, 0, 0)), do(setMAC(1, mac(1))),
		do(vlan(1, 10)), do(vlan(1, 11)), do(admin(1, up)), do(admin(2, up)), do(bd(1)), do(join(1, 1)),
		with(1, note("another client", want(1, 8))), do(admin(2, 0)), with(1, do(want(0, 8))), with(1, do(want(0, 8))),
		do(admin(2, up)),
		note("parent and two subs", unloop(1)),
		pipelined(do(loopback())), pipelined(do(admin(1, up))), note("one event", admin(1, 0)),
		pipelined(do(loopback())), do(admin(3, up)),
		pipelined(do(unloop(3))), pipelined(do(loopback())), note("down, deleted, created and up: one event", admin(3, up)),
		do(&l2.BviCreate{UserInstance: none}),
		do(admin(0, up)), do(admin(0, 0)),
		do(want(0, 7)), do(admin(1, up)),
	}},
	{Name: "bridge-domain", About: "bridge domains", Steps: []vpptest.Step{
		do(domains),
		do(bd(5)), note("exists", bd(5)), note("exists, other values", &l2.BridgeDomainAddDelV2{BdID: 5, IsAdd: true, ArpTerm: true, BdTag: "x"}), do(domains),
		do(&l2.BridgeDomainAddDelV2{BdID: 1<<24 - 1, IsAdd: true, BdTag: "me/last", MacAge: 255, ArpTerm: true, ArpUfwd: true}),
		do(&l2.BridgeDomainAddDelV2{BdID: 1 << 24, IsAdd: true}),
		do(&l2.BridgeDomainAddDelV2{BdID: 0, IsAdd: true}), do(unBD(0)), do(unBD(77)), do(unBD(1 << 24)), do(unBD(none)),
		do(&l2.BridgeDomainAddDelV2{BdID: 6, IsAdd: true, BdTag: long}), do(domains),
		do(&l2.BridgeDomainDump{BdID: 5, SwIfIndex: none}), do(&l2.BridgeDomainDump{BdID: 0, SwIfIndex: none}), do(&l2.BridgeDomainDump{BdID: 77, SwIfIndex: none}),
		note("not by interface", &l2.BridgeDomainDump{BdID: none, SwIfIndex: 0}),
		do(&l2.BridgeFlags{BdID: 5, IsSet: true, Flags: l2.BRIDGE_API_FLAG_ARP_TERM}), do(&l2.BridgeFlags{BdID: 5, Flags: l2.BRIDGE_API_FLAG_LEARN | l2.BRIDGE_API_FLAG_FLOOD}),
		do(&l2.BridgeFlags{BdID: 5, IsSet: true, Flags: l2.BRIDGE_API_FLAG_ARP_UFWD}), do(&l2.BridgeDomainDump{BdID: 5, SwIfIndex: none}),
		do(&l2.BridgeFlags{BdID: 5, IsSet: true, Flags: 0}), do(&l2.BridgeFlags{BdID: 5, IsSet: true, Flags: 1 << 10}), do(&l2.BridgeFlags{BdID: 5, IsSet: true, Flags: 63}), do(&l2.BridgeFlags{BdID: 5, Flags: 63}),
		do(loopback()), do(joinAs(1, 5, l2.L2_API_PORT_TYPE_UU_FWD, 0)), note("with a port for what is unknown", &l2.BridgeFlags{BdID: 5, Flags: 63}), do(&l2.BridgeFlags{BdID: 5, IsSet: true, Flags: 63}), do(leave(1)), do(&l2.BridgeFlags{BdID: 5, Flags: 63}), do(unloop(1)),
		do(&l2.BridgeDomainDump{BdID: 5, SwIfIndex: none}),
		do(&l2.BridgeFlags{BdID: 0, IsSet: true, Flags: 1}), do(&l2.BridgeFlags{BdID: 77, IsSet: true, Flags: 1}),
		do(&l2.BridgeDomainSetMacAge{BdID: 5, MacAge: 10}), do(&l2.BridgeDomainSetMacAge{BdID: 77}), do(&l2.BridgeDomainSetMacAge{BdID: 0, MacAge: 1}), do(&l2.BridgeDomainSetMacAge{BdID: 5, MacAge: 0}),
		do(&l2.BridgeDomainSetLearnLimit{BdID: 5, LearnLimit: 10}), do(&l2.BridgeDomainSetLearnLimit{BdID: 77}), do(&l2.BridgeDomainSetLearnLimit{BdID: 0, LearnLimit: 1}),
		do(domains),
		do(unBD(5)), do(unBD(5)), do(domains), note("its place is taken first", bd(9)), do(bd(10)), do(domains),
		do(loopback()), do(join(1, 9)), note("in use", unBD(9)), do(leave(1)), do(unBD(9)), do(domains),
	}},
	{Name: "bridge-domain-any", About: "an id of VPP's choice", Volatile: []string{"bridge_domain_add_del_v2_reply.bd_id", "bridge_domain_details.bd_id"}, Steps: []vpptest.Step{
		do(&l2.BridgeDomainAddDelV2{BdID: none, IsAdd: true, Learn: true}), do(&l2.BridgeDomainAddDelV2{BdID: none, IsAdd: true, BdTag: "me/two"}), do(domains),
	}},
	{Name: "bridge-port", About: "joining, moving, leaving; BVI and UU-forward ports", Steps: []vpptest.Step{
		do(loopback()), do(loopback()), do(loopback()), do(loopback()),
		do(features(1)),
		note("the domain is made", join(1, 5)), do(domains), do(features(1)), note("exists", bd(5)),
		do(join(77, 5)), do(join(1, 1<<24)), do(join(1, none)), do(domains),
		do(join(2, 5)), do(join(3, 5)), do(domains), note("again", join(1, 5)), do(domains), note("other group", joinAs(2, 5, 0, 7)), do(domains),
		note("move", join(1, 6)), do(domains),
		note("to the domain that drops", join(3, 0)), do(domains), do(features(3)), do(leave(3)), do(features(3)),
		do(joinAs(3, 5, l2.L2_API_PORT_TYPE_BVI, 0)), do(domains), do(fib), do(features(3)), note("again", joinAs(3, 5, l2.L2_API_PORT_TYPE_BVI, 0)), do(fib),
		note("a second BVI: out of its domain, and half configured", joinAs(1, 5, l2.L2_API_PORT_TYPE_BVI, 0)), do(domains), do(features(1)), do(fib), do(leave(1)), do(features(1)),
		note("BVI made normal", join(3, 5)), do(domains), do(fib), do(features(3)),
		do(joinAs(3, 6, l2.L2_API_PORT_TYPE_UU_FWD, 0)), do(domains), do(features(3)), note("a second one", joinAs(4, 6, l2.L2_API_PORT_TYPE_UU_FWD, 0)), do(domains), do(features(4)), do(features(3)),
		note("it does not count", unBD(6)), do(domains), do(features(4)), do(leave(4)), do(leave(3)), do(features(4)),
		note("not bridged", leave(4)), do(leave(77)),
		do(joinAs(4, 5, 9, 0)), do(domains), do(leave(4)), do(leave(2)), do(domains), do(unBD(5)),
		note("a L3 interface", join(0, 8)), do(domains), do(features(0)), do(leave(0)),
		do(vlan(1, 10)), do(join(5, 8)), do(domains), do(features(5)), note("deleted while bridged", unsub(5)), do(domains), do(unBD(8)),
	}},
	{Name: "l2-flags", About: "the features of a port: set, and read with an empty bitmap", Steps: []vpptest.Step{
		do(loopback()),
		do(features(77)), do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 0}),
		do(&l2.L2Flags{SwIfIndex: 1, IsSet: true, FeatureBitmap: 1}), do(features(1)), do(join(1, 5)), do(features(1)),
		do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 1}), do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 2}), do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 4}),
		do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 8}), do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 16}), do(&l2.L2Flags{SwIfIndex: 1, FeatureBitmap: 32}), do(features(1)),
		note("back on", join(1, 5)), do(features(1)), do(&l2.L2Flags{SwIfIndex: 1, IsSet: true, FeatureBitmap: 31}), do(features(1)),
		do(vtr(1, 1, 1, 10, 0)), do(features(1)), do(join(1, 6)), do(features(1)), do(leave(1)), do(features(1)), do(dump(1)),
		do(vtr(1, 1, 1, 10, 0)), do(features(1)), do(join(1, 6)), do(features(1)), do(dump(1)),
	}},
	{Name: "tag-rewrite", About: "l2_interface_vlan_tag_rewrite", Steps: []vpptest.Step{
		do(loopback()), do(vlan(1, 10)), do(sub(1, 20, twoTags|exact, 20, 30)),
		do(vtr(77, 1, 0, 0, 0)), do(vtr(0, 1, 0, 0, 0)), do(vtr(0, 0, 0, 0, 0)), do(vtr(2, 9, 0, 0, 0)), do(vtr(2, none, 0, 0, 0)),
		do(vtr(1, 3, 0, 0, 0)), do(vtr(1, 1, 1, 100, 0)), do(dump(1)), do(vtr(1, 2, 0, 100, 200)), do(dump(1)), do(vtr(1, 0, 0, 0, 0)), do(dump(1)),
		do(vtr(2, 3, 1, 7, 8)), do(dump(2)), do(vtr(2, 1, 1, 7, 8)), do(dump(2)), do(vtr(2, 1, 5, 7, 8)), do(dump(2)), do(vtr(2, 5, 1, 7, 8)), do(dump(2)), do(vtr(3, 7, 1, 7, 8)), do(dump(3)), do(vtr(3, 7, 0, 7, 8)), do(dump(3)), do(vtr(2, 4, 0, 0, 0)), do(vtr(2, 5, 1, 50, 0)), do(dump(2)), do(vtr(2, 6, 0, 50, 60)), do(dump(2)), do(vtr(2, 7, 1, 50, 0)), do(vtr(2, 8, 1, 50, 60)),
		do(vtr(3, 4, 0, 0, 0)), do(dump(3)), do(vtr(3, 7, 1, 50, 0)), do(dump(3)), do(vtr(3, 8, 1, 50, 60)), do(dump(3)), do(vtr(3, 3, 0, 0, 0)), do(dump(3)), do(vtr(3, 1, 1, 5000, 0)), do(dump(3)),
		do(vtr(2, 0, 0, 0, 0)), do(dump(2)), do(vtr(2, 3, 0, 0, 0)), do(join(2, 5)), do(dump(2)), do(join(2, 6)), do(dump(2)), do(cross(2, 1)), do(dump(2)), do(features(2)), do(leave(2)), note("lost on the way to L3", dump(2)),
	}},
	{Name: "l2-fib", About: "static MACs, and who inherits them", Steps: []vpptest.Step{
		do(loopback()), do(loopback()), do(bd(5)), do(bd(6)), do(join(1, 5)), do(join(2, 6)),
		do(static(mac(1), 77, 1)), do(static(mac(1), 5, 77)), do(static(mac(1), 5, 0)),
		do(static(mac(1), 5, 1)), do(static(mac(1), 5, 1)), do(fib), note("another port of another domain", static(mac(1), 5, 2)), do(fib),
		do(&l2.L2fibAddDel{Mac: mac(2), BdID: 5, IsAdd: true, FilterMac: true}), do(&l2.L2fibAddDel{Mac: mac(3), BdID: 5, SwIfIndex: 1, IsAdd: true}),
		do(&l2.L2fibAddDel{Mac: mac(4), BdID: 5, SwIfIndex: 1, IsAdd: true, BviMac: true}), do(&l2.L2fibAddDel{Mac: mac(9), BdID: 5, SwIfIndex: 77, IsAdd: true, FilterMac: true}),
		do(fib), do(&l2.L2FibTableDump{BdID: 5}), do(&l2.L2FibTableDump{BdID: 77}), do(&l2.L2FibTableDump{BdID: 0}),
		do(unstatic(mac(8), 5, 1)), do(unstatic(mac(1), 5, 1)), do(unstatic(mac(1), 5, none)), do(unstatic(mac(1), 77, 0)), do(unstatic(mac(1), 5, 2)), do(unstatic(mac(1), 5, 2)),
		do(static(mac(1), 5, 1)), note("0 is any", unstatic(mac(1), 5, 0)), do(unstatic(mac(9), 5, 0)), do(fib),
		do(static(mac(1), 5, 1)), note("not a static one", &l2.L2fibAddDel{Mac: mac(3), BdID: 5, SwIfIndex: 1, IsAdd: true}), note("its port moves", join(1, 6)), do(fib), do(leave(1)), do(fib), do(static(mac(7), 5, 1)),
		note("its domain goes", unBD(5)), do(fib), note("and another inherits", bd(50)), do(fib),
		do(&l2.BviCreate{UserInstance: none}), do(joinAs(3, 50, l2.L2_API_PORT_TYPE_BVI, 0)), do(fib), note("over the entry of a BVI", static(ethernet_types.MacAddress{0xb0, 0xb0}, 50, 1)), do(fib), do(leave(3)), do(fib), do(&l2.BviDelete{SwIfIndex: 3}), do(fib),
		note("its interface goes", unloop(1)), do(fib), do(loopback()), do(fib), do(unstatic(mac(1), 50, 1)), do(fib),
	}},
	{Name: "neighbour", About: "bd_ip_mac: ARP and ND termination", Steps: []vpptest.Step{
		do(bd(5)), do(neighbours),
		do(neighbour(true, 77, "10.0.0.1", mac(1))), do(neighbour(true, 5, "10.0.0.1", mac(1))), do(neighbour(true, 5, "10.0.0.1", mac(1))), do(neighbour(true, 5, "2001:db8::1", mac(1))), do(neighbours),
		do(neighbour(true, 5, "10.0.0.1", mac(2))), do(neighbours), do(&l2.BdIPMacDump{BdID: 5}), do(&l2.BdIPMacDump{BdID: 77}), do(&l2.BdIPMacDump{BdID: 0}),
		do(neighbour(false, 5, "10.0.0.1", mac(1))), do(neighbour(false, 5, "10.0.0.2", mac(1))), do(neighbour(false, 77, "10.0.0.2", mac(1))), do(neighbour(false, 5, "10.0.0.1", mac(2))), do(neighbours),
		do(neighbour(true, 0, "10.0.0.1", mac(1))), do(neighbours),
		note("they go with the domain", unBD(5)), do(neighbours), do(bd(6)), do(neighbours),
	}},
	{Name: "xconnect", About: "L2 cross-connects", Steps: []vpptest.Step{
		do(loopback()), do(loopback()), do(loopback()), do(xconnects), do(&span.SwInterfaceSpanDump{}), do(&span.SwInterfaceSpanDump{IsL2: true}),
		do(cross(77, 1)), do(cross(1, 77)), do(cross(1, 2)), do(features(1)), do(features(2)), do(xconnects), do(cross(2, 1)), do(xconnects), note("another", cross(1, 3)), do(xconnects), note("itself", cross(3, 3)), do(xconnects),
		do(uncross(3)), do(uncross(3)), do(uncross(77)), do(xconnects), do(features(3)),
		do(cross(3, 1)), do(features(3)), do(join(3, 5)), do(features(3)), do(cross(3, 1)), do(features(3)), do(joinAs(3, 5, l2.L2_API_PORT_TYPE_BVI, 0)), do(features(3)), do(cross(3, 1)), do(features(3)), do(fib), do(leave(3)),
		do(join(3, 5)), do(xconnects), do(cross(3, 1)), do(domains), do(xconnects), do(join(3, 5)), do(xconnects),
		note("leaving is the same", leave(1)), do(xconnects),
		do(cross(1, 3)), note("the sender goes: where it sent to is L3", unloop(1)), do(xconnects), do(domains), do(features(3)),
		do(loopback()), do(xconnects), do(cross(1, 3)), note("the receiver goes", unloop(3)), do(xconnects), do(loopback()), do(xconnects),
	}},
	{Name: "leftovers", About: "what a deleted interface leaves to the next one on its index", Steps: []vpptest.Step{
		do(loopback()), do(tag(1, "me/one")), do(vtr(1, 1, 1, 100, 0)), do(mtu(1, 1400, 0, 0, 0)), do(admin(1, up)),
		do(unloop(1)), do(loopback()), note("the tag rewrite", dump(1)), do(features(1)), do(join(1, 5)), do(dump(1)), do(features(1)),
		do(unloop(1)), do(loopback()), note("nothing of a bridged one", dump(1)), do(domains), do(features(1)),
		do(joinAs(1, 5, l2.L2_API_PORT_TYPE_BVI, 0)), do(fib), do(unloop(1)), do(fib), do(domains),
		do(loopback()), do(joinAs(1, 5, l2.L2_API_PORT_TYPE_UU_FWD, 0)), do(unloop(1)), do(domains),
		do(loopback()), do(vlan(1, 10)), do(join(2, 5)), do(unloop(1)), do(domains), do(interfaces),
	}},
	{Name: "vhost-user", About: "vhost-user ports without guests", Steps: []vpptest.Step{
		do(vhosts),
		do(vhostPort("$DIR/vm1.sock")), do(vhosts), do(dump(1)),
		note("taken", vhostPort("$DIR/vm1.sock")), note("taken, as client", &vhost_user.CreateVhostUserIfV2{SockFilename: "$DIR/vm1.sock"}),
		do(vhostPort("")), note("no such directory", vhostPort("$DIR/none/vm.sock")), do(vhosts),
		note("a client waits for its server", &vhost_user.CreateVhostUserIfV2{SockFilename: "$DIR/none/vm.sock"}), do(vhosts),
		do(&vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: "$DIR/vm3.sock", Renumber: true, CustomDevInstance: 42, UseCustomMac: true, MacAddress: mac(3), Tag: "me/three", EnableGso: true, EnablePacked: true, EnableEventIdx: true, DisableMrgRxbuf: true, DisableIndirectDesc: true}),
		note("names need not be unique", &vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: "$DIR/vm4.sock", Renumber: true, CustomDevInstance: 42, Tag: long, UseCustomMac: true, MacAddress: mac(4)}),
		do(interfaces), do(vhosts), do(&vhost_user.SwInterfaceVhostUserDump{SwIfIndex: 3}), do(&vhost_user.SwInterfaceVhostUserDump{SwIfIndex: 0}), do(&vhost_user.SwInterfaceVhostUserDump{SwIfIndex: 77}),
		do(admin(1, up)), note("no guest, no link", dump(1)),
		do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 77, IsServer: true, SockFilename: "$DIR/x.sock"}), do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 0, IsServer: true, SockFilename: "$DIR/x.sock"}),
		do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 3, IsServer: true, SockFilename: "$DIR/vm1.sock"}), do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 3, IsServer: true, SockFilename: ""}),
		do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 3, IsServer: true, SockFilename: "$DIR/vm3.sock"}), do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 3, IsServer: true, SockFilename: "$DIR/none/vm3.sock"}), do(&vhost_user.SwInterfaceVhostUserDump{SwIfIndex: 3}),
		do(&vhost_user.ModifyVhostUserIfV2{SwIfIndex: 3, IsServer: true, SockFilename: "$DIR/other.sock"}), do(&vhost_user.SwInterfaceVhostUserDump{SwIfIndex: 3}), do(dump(3)),
		note("the old name is free", vhostPort("$DIR/vm3.sock")),
		do(hwMTU(1, 1500)), do(setMAC(1, mac(11))), do(dump(1)), do(vlan(1, 10)), do(join(1, 5)), do(domains),
		do(&vhost_user.SwInterfaceVhostUserDump{SwIfIndex: 6}), note("a sub-interface stands for its port", &vhost_user.ModifyVhostUserIfV2{SwIfIndex: 6, IsServer: true, SockFilename: "$DIR/sub.sock"}), do(vhosts),
		do(&vhost_user.DeleteVhostUserIf{SwIfIndex: 77}), do(&vhost_user.DeleteVhostUserIf{SwIfIndex: 0}), note("and here too", &vhost_user.DeleteVhostUserIf{SwIfIndex: 6}), do(&vhost_user.DeleteVhostUserIf{SwIfIndex: 1}), do(&vhost_user.DeleteVhostUserIf{SwIfIndex: 1}), do(domains), do(interfaces), do(vhosts),
		note("number and index are given again", &vhost_user.CreateVhostUserIfV2{IsServer: true, SockFilename: "$DIR/vm9.sock", UseCustomMac: true, MacAddress: mac(9)}), do(interfaces),
		note("wrong kind", unloop(2)),
	}},
	{Name: "host-interface", About: "af_packet on veth devices vt0 and vt1 of Linux", Steps: []vpptest.Step{
		do(hosts),
		do(host("vt0")), do(hosts), do(dump(1)), note("exists", host("vt0")), note("no such device", host("vt9")), do(host("")), note("a name longer than Linux allows", host("0123456789abcdef")),
		do(admin(1, up)), do(dump(1)), do(setMAC(1, mac(1))), do(dump(1)),
		do(hwMTU(1, 1500)), do(dump(1)), note("again", hwMTU(1, 1500)), do(vlan(1, 10)), do(mtu(2, 1400, 1300, 0, 0)), do(hwMTU(1, 2000)), do(interfaces), do(hwMTU(1, 20)), do(dump(1)), do(hwMTU(1, 65000)), do(hwMTU(1, 65500)), do(hwMTU(1, 23)), do(hwMTU(1, 24)), do(dump(1)), do(hwMTU(1, 0)),
		do(&af_packet.AfPacketCreateV3{Mode: af_packet.AF_PACKET_API_MODE_ETHERNET, HostIfName: "vt1", HwAddr: mac(2)}), do(interfaces), do(hosts),
		do(&af_packet.AfPacketDelete{HostIfName: "vt9"}), do(&af_packet.AfPacketDelete{HostIfName: ""}), do(&af_packet.AfPacketDelete{HostIfName: "vt0"}), do(&af_packet.AfPacketDelete{HostIfName: "vt0"}), do(hosts), do(interfaces),
		do(host("vt0")), do(hosts), do(interfaces), note("wrong kind", unloop(1)),
		do(&af_packet.AfPacketDelete{HostIfName: "vt0"}),
		note("L3 mode", &af_packet.AfPacketCreateV3{Mode: af_packet.AF_PACKET_API_MODE_IP, HostIfName: "vt0"}), do(interfaces), do(hwMTU(1, 1500)), do(setMAC(1, mac(1))), do(vtr(1, 1, 0, 0, 0)), do(admin(1, up)), do(dump(1)),
	}},
}
