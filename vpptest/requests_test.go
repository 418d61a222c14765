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
	"go.fd.io/govpp/binapi/vhost_user"

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
