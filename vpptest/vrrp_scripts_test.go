// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"net/netip"

	"go.fd.io/govpp/api"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vrrp"

	"github.com/vppkit/vppkit/vpptest"
)

const (
	vrPreempt = vrrp.VRRP_API_VR_PREEMPT
	vrAccept  = vrrp.VRRP_API_VR_ACCEPT
	vrUnicast = vrrp.VRRP_API_VR_UNICAST
	vrIPv6    = vrrp.VRRP_API_VR_IPV6
)

// patient is an interval at which no timer runs out while a script does.
const patient = 4095

var vrs = &vrrp.VrrpVrDump{SwIfIndex: none}

func vrAddr(s string) ip_types.Address {
	a, err := ip_types.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

func vrAddrs(all []string) (out []ip_types.Address) {
	for _, a := range all {
		out = append(out, vrAddr(a))
	}
	return out
}

func vrAdd(i index, id, priority uint8, f vrrp.VrrpVrFlags, interval uint16, addrs ...string) api.Message {
	return &vrrp.VrrpVrAddDel{IsAdd: 1, SwIfIndex: i, VrID: id, Priority: priority, Interval: interval, Flags: f, Addrs: vrAddrs(addrs)}
}

func vrDel(i index, id uint8, f vrrp.VrrpVrFlags) api.Message {
	return &vrrp.VrrpVrAddDel{SwIfIndex: i, VrID: id, Priority: 1, Interval: 1, Flags: f}
}

func vrStart(i index, id, is6, start uint8) api.Message {
	return &vrrp.VrrpVrStartStop{SwIfIndex: i, VrID: id, IsIPv6: is6, IsStart: start}
}

func vrPeers(i index, id uint8, addrs ...string) api.Message {
	return &vrrp.VrrpVrSetPeers{SwIfIndex: i, VrID: id, Addrs: vrAddrs(addrs)}
}

func vrPeersOf(i index, id uint8) api.Message { return &vrrp.VrrpVrPeerDump{SwIfIndex: i, VrID: id} }

func vrTrack(i index, id, is6, add uint8, ifs ...vrrp.VrrpVrTrackIf) api.Message {
	return &vrrp.VrrpVrTrackIfAddDel{SwIfIndex: i, VrID: id, IsIPv6: is6, IsAdd: add, Ifs: ifs}
}

func vrTracked(i index, id, all uint8) api.Message {
	return &vrrp.VrrpVrTrackIfDump{SwIfIndex: i, VrID: id, DumpAll: all}
}

func vrAddress(add bool, i index, prefix string) api.Message {
	p := netip.MustParsePrefix(prefix)
	return &interfaces_api.SwInterfaceAddDelAddress{
		IsAdd: add, SwIfIndex: i, Prefix: ip_types.AddressWithPrefix{Address: vrAddr(p.Addr().String()), Len: uint8(p.Bits())},
	}
}

var vrrpScripts = []vpptest.Script{
	{Name: "vrrp", About: "virtual routers, and what they are told", Steps: []vpptest.Step{
		do(vrs), do(vrTracked(0, 0, 1)),
		do(loopback()), do(loopback()), do(loopback()),
		do(vrAddress(true, 1, "10.0.0.1/24")), do(admin(1, up)),
		note("nothing can be zero", vrAdd(1, 0, 100, 0, 100, "10.0.0.9")), do(vrAdd(1, 7, 0, 0, 100, "10.0.0.9")), do(vrAdd(1, 7, 100, 0, 0, "10.0.0.9")),
		do(vrAdd(1, 7, 100, 0, 100)), do(vrAdd(9, 7, 100, 0, 100, "10.0.0.9")),
		note("an owner has the address", vrAdd(1, 7, 255, 0, 100, "10.0.0.9")),
		do(vrAdd(1, 7, 100, vrPreempt, patient, "10.0.0.9")), do(vrs),
		do(vrAdd(1, 7, 200, 0, patient, "10.0.0.9")),
		note("an address of another one", vrAdd(1, 8, 100, 0, 100, "10.0.0.8", "10.0.0.9")), do(vrs),
		note("but not of another interface", vrAdd(2, 7, 100, vrAccept, patient, "10.0.0.9")),
		do(vrAdd(1, 9, 255, 0, patient, "10.0.0.1")),
		do(vrAdd(1, 7, 100, vrIPv6|vrPreempt|vrAccept, patient, "fd00::9", "fe80::9")),
		do(vrs), do(&vrrp.VrrpVrDump{SwIfIndex: 2}), do(&vrrp.VrrpVrDump{}), do(&vrrp.VrrpVrDump{SwIfIndex: 77}),

		note("start and stop", vrStart(1, 77, 0, 1)), do(vrStart(9, 7, 0, 1)), do(vrStart(1, 77, 0, 0)),
		do(vrStart(1, 7, 0, 0)), do(vrStart(1, 7, 0, 1)), do(vrStart(1, 7, 0, 1)), do(vrs),
		note("the owner is the master at once", vrStart(1, 9, 0, 1)), do(vrs),
		note("no address, and down", vrStart(2, 7, 0, 1)), do(vrs),
		do(admin(2, up)), do(&vrrp.VrrpVrDump{SwIfIndex: 2}),
		note("an address changes nothing", vrAddress(true, 2, "10.0.2.1/24")), do(&vrrp.VrrpVrDump{SwIfIndex: 2}),
		note("down and up does", admin(2, 0)), do(admin(2, up)), do(&vrrp.VrrpVrDump{SwIfIndex: 2}),
		do(admin(1, 0)), do(vrs), do(admin(1, up)), do(vrs),
		note("no IPv6 on the interface", vrStart(1, 7, 1, 1)), do(vrs), do(vrStart(1, 7, 1, 0)),
		do(vrAddress(true, 1, "fd00::1/64")), do(vrStart(1, 7, 1, 1)), do(vrs),

		note("peers", vrPeers(1, 7, "10.0.0.2")), do(vrPeers(1, 77, "10.0.0.2")),
		do(vrAdd(3, 1, 100, vrUnicast, patient, "10.0.3.9")), do(vrStart(3, 1, 0, 1)), do(vrPeersOf(3, 1)),
		do(vrPeers(3, 1)), do(vrPeers(3, 1, "10.0.3.2", "10.0.3.3")), do(vrPeersOf(3, 1)), do(vrs),
		do(vrPeers(3, 1, "10.0.3.4")), do(vrPeersOf(3, 1)), do(vrPeersOf(3, 2)), do(vrPeersOf(1, 7)),
		do(vrStart(3, 1, 0, 1)), do(vrPeers(3, 1, "10.0.3.2")), do(vrStart(3, 1, 0, 0)), do(vrPeers(3, 1, "10.0.3.2")), do(vrPeersOf(3, 1)),

		note("tracking", vrTrack(1, 77, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 2, Priority: 30})),
		do(vrTrack(1, 7, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 1, Priority: 30})), do(vrTrack(1, 7, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 77, Priority: 30})),
		do(vrTrack(1, 7, 0, 1)), do(vrTrack(1, 7, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 2})), do(vrTracked(1, 7, 0)),
		do(vrTrack(1, 7, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 2, Priority: 30})), do(vrTrack(1, 7, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 3, Priority: 40})),
		do(vrTracked(1, 7, 0)), do(vrTracked(0, 0, 1)), do(vrs),
		note("the priority of what is there stays", vrTrack(1, 7, 0, 1, vrrp.VrrpVrTrackIf{SwIfIndex: 2, Priority: 50})), do(vrTracked(1, 7, 0)),
		do(admin(2, 0)), do(vrs), do(admin(2, up)),
		do(vrTrack(1, 7, 0, 0, vrrp.VrrpVrTrackIf{SwIfIndex: 3, Priority: 1})), do(vrTrack(1, 7, 0, 0, vrrp.VrrpVrTrackIf{SwIfIndex: 3})), do(vrTracked(1, 7, 0)),
		do(vrs),

		note("a lot of addresses", vrAdd(3, 2, 1, 0, 1, "10.0.3.11", "10.0.3.12", "10.0.3.13", "10.0.3.12")), do(&vrrp.VrrpVrDump{SwIfIndex: 3}),
		note("delete", vrDel(1, 77, 0)), do(vrDel(9, 7, 0)),
		do(&vrrp.VrrpVrAddDel{SwIfIndex: 1, VrID: 9}), do(&vrrp.VrrpVrAddDel{SwIfIndex: 1, VrID: 9, Priority: 1}),
		do(vrStart(1, 9, 0, 0)), do(vrDel(1, 9, 0)), do(vrDel(1, 9, 0)), do(vrs),
		do(vrStart(1, 7, 0, 0)), do(vrDel(1, 7, 0)), do(vrTracked(0, 0, 1)),
		note("the last freed is the first used", vrAdd(1, 20, 1, 0, 1, "10.0.0.20")), do(vrs),
		note("outlives its interface", unloop(3)), do(vrs), do(vrDel(3, 1, 0)), do(vrStart(3, 1, 0, 0)),
		do(loopback()), do(vrDel(3, 1, 0)), do(vrDel(3, 2, 0)), do(vrs),
		do(vrStart(2, 7, 0, 0)), do(vrDel(2, 7, 0)), do(vrStart(1, 7, 1, 0)), do(vrDel(1, 7, vrIPv6)), do(vrDel(1, 20, 0)), do(vrs),
	}},
	{Name: "vrrp-accept", About: "the owner's way to be master at once: what that does to the interface, and events", Steps: []vpptest.Step{
		do(loopback()), do(vrAddress(true, 1, "10.0.0.1/24")), do(admin(1, up)),
		do(&vrrp.WantVrrpVrEvents{EnableDisable: true, PID: 7}), do(&vrrp.WantVrrpVrEvents{EnableDisable: true, PID: 7}),
		do(vrAdd(1, 7, 255, vrAccept, patient, "10.0.0.1")), do(vrStart(1, 7, 0, 1)), do(vrs),
		do(&ip.IPAddressDump{SwIfIndex: 1}),
		do(admin(1, 0)), do(admin(1, up)),
		do(vrStart(1, 7, 0, 0)), do(&ip.IPAddressDump{SwIfIndex: 1}),
		do(vrAdd(1, 8, 100, 0, patient, "10.0.0.8")), do(vrStart(1, 8, 0, 1)), do(vrStart(1, 8, 0, 0)), do(vrDel(1, 8, 0)), do(vrDel(1, 7, 0)),
		do(&vrrp.WantVrrpVrEvents{PID: 7}), do(&vrrp.WantVrrpVrEvents{PID: 7}),
	}},
}
