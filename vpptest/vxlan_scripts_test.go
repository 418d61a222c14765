// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vlib"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/vpptest"
)

var vxlans = &vxlan.VxlanTunnelV2Dump{SwIfIndex: none}

func ipOf(text string) ip_types.Address {
	a, err := ip_types.ParseAddress(text)
	if err != nil {
		panic(err)
	}
	return a
}

// vxlanTo is a tunnel, changed by set.
func vxlanTo(add bool, src, dst string, vni uint32, set ...func(*vxlan.VxlanAddDelTunnelV3)) api.Message {
	m := &vxlan.VxlanAddDelTunnelV3{
		IsAdd: add, Instance: none, SrcAddress: ipOf(src), DstAddress: ipOf(dst), McastSwIfIndex: none, DecapNextIndex: none, Vni: vni,
	}
	for _, f := range set {
		f(m)
	}
	return m
}

func vxlanIn(table uint32) func(*vxlan.VxlanAddDelTunnelV3) {
	return func(m *vxlan.VxlanAddDelTunnelV3) { m.EncapVrfID = table }
}

func vxlanPorts(src, dst uint16) func(*vxlan.VxlanAddDelTunnelV3) {
	return func(m *vxlan.VxlanAddDelTunnelV3) { m.SrcPort, m.DstPort = src, dst }
}

func vxlanBy(i index) func(*vxlan.VxlanAddDelTunnelV3) {
	return func(m *vxlan.VxlanAddDelTunnelV3) { m.McastSwIfIndex = i }
}

func vxlanNumber(n uint32) func(*vxlan.VxlanAddDelTunnelV3) {
	return func(m *vxlan.VxlanAddDelTunnelV3) { m.Instance = n }
}

func vxlanL3(next uint32) func(*vxlan.VxlanAddDelTunnelV3) {
	return func(m *vxlan.VxlanAddDelTunnelV3) { m.IsL3, m.DecapNextIndex = true, next }
}

func nextOf(node, next string) api.Message {
	return &vlib.GetNextIndex{NodeName: node, NextName: next}
}

func addNext(node, next string) api.Message {
	return &vlib.AddNodeNext{NodeName: node, NextName: next}
}

var vxlanScripts = []vpptest.Script{
	{Name: "vxlan", About: "tunnels to one other end", Steps: []vpptest.Step{
		do(vxlans), do(vxlanTo(true, "10.0.0.1", "10.0.0.2", 7)), note("up at once", dump(1)), do(vxlans), do(&vxlan.VxlanTunnelV2Dump{SwIfIndex: 1}), do(&vxlan.VxlanTunnelV2Dump{SwIfIndex: 0}), do(&vxlan.VxlanTunnelV2Dump{SwIfIndex: 77}),
		note("there is one", vxlanTo(true, "10.0.0.1", "10.0.0.2", 7)), note("where it sends to does not count", vxlanTo(true, "10.0.0.1", "10.0.0.2", 7, vxlanPorts(0, 4790))),
		do(vxlanTo(true, "10.0.0.3", "10.0.0.2", 7)), do(vxlanTo(true, "10.0.0.1", "10.0.0.2", 8)), do(vxlanTo(true, "10.0.0.1", "10.0.0.2", 7, vxlanPorts(5000, 5001))),
		note("to itself", vxlanTo(true, "10.0.0.1", "10.0.0.1", 7)), note("two families", vxlanTo(true, "10.0.0.1", "2001:db8::1", 7)), note("no such table", vxlanTo(true, "10.0.0.1", "10.0.0.2", 7, vxlanIn(77))),
		do(vrf(7, false, "")), do(vxlanTo(true, "10.0.0.1", "10.0.0.2", 7, vxlanIn(7))), note("of the other family", vxlanTo(true, "2001:db8::1", "2001:db8::2", 7, vxlanIn(7))),
		note("to nowhere", vxlanTo(true, "10.0.0.1", "0.0.0.0", 0)), note("a number of its own", vxlanTo(true, "10.0.0.1", "10.0.0.9", 1<<24-1, vxlanNumber(1<<31-1))), note("taken", vxlanTo(true, "10.0.0.1", "10.0.0.8", 9, vxlanNumber(1<<31-1))), note("taken by chance", vxlanTo(true, "10.0.0.1", "10.0.0.8", 9, vxlanNumber(0))),
		do(vxlanTo(true, "10.0.0.1", "10.0.0.7", 9, func(m *vxlan.VxlanAddDelTunnelV3) { m.DecapNextIndex = 0 })), note("no such node", vxlanTo(true, "10.0.0.1", "10.0.0.6", 9, func(m *vxlan.VxlanAddDelTunnelV3) { m.DecapNextIndex = 99 })),
		do(vxlans), do(interfaces), do(features(1)),
		do(admin(1, 0)), do(dump(1)), do(admin(1, up)), do(setMAC(1, mac(1))), do(hwMTU(1, 1500)), do(hwMTU(1, 65535)), do(dump(1)), do(tag(1, "me/one")), do(rename(1, "mine")), do(dump(1)), do(join(1, 5)), do(domains), do(features(1)),
		do(vxlanTo(false, "10.0.0.1", "10.0.0.2", 7)), note("gone", vxlanTo(false, "10.0.0.1", "10.0.0.2", 7)), do(vxlanTo(false, "10.0.0.1", "10.0.0.1", 7)), do(vxlanTo(false, "10.0.0.1", "10.0.0.2", 7, vxlanIn(77))), do(domains), do(interfaces),
		do(routes(0, false, srcAll)), do(routes(7, false, srcAll)),
		note("index and number are given again", vxlanTo(true, "10.0.0.5", "10.0.0.2", 7)), do(dump(1)), do(vxlans),
		note("a sub-interface of a tunnel that goes", vlan(1, 10)), do(interfaces), do(vxlanTo(false, "10.0.0.5", "10.0.0.2", 7)), do(interfaces), do(loopback()), do(vlan(1, 10)), do(interfaces),
		do(vxlanTo(false, "10.0.0.1", "10.0.0.2", 7, vxlanPorts(5000, 0))), do(vxlanTo(false, "10.0.0.1", "10.0.0.2", 7, vxlanIn(7))), do(vxlans), do(routes(0, false, srcAll)), do(routes(7, false, srcAll)),
	}},
	{Name: "vxlan-members", About: "the order in which a bridge domain floods to tunnels and others", Steps: []vpptest.Step{
		do(loopback()), do(&l2.BviCreate{UserInstance: none}), do(loopback()), do(vxlanTo(true, "10.0.0.1", "10.0.0.2", 7)), do(vxlanTo(true, "10.0.0.1", "239.0.0.1", 7, vxlanBy(1))), do(vxlanTo(true, "10.0.0.1", "239.0.0.1", 8, vxlanBy(1))), do(vxlanTo(true, "10.0.0.1", "10.0.0.3", 7)),
		do(memifOf(0, 1)), do(join(5, 5)), do(joinAs(2, 5, l2.L2_API_PORT_TYPE_BVI, 0)), do(domains), do(join(4, 5)), do(domains), do(join(3, 5)), do(domains), do(join(6, 5)), do(join(7, 5)), do(join(8, 5)), do(domains),
	}},
	{Name: "vxlan6", About: "an IPv6 tunnel is known by its other end, and not by its own", Steps: []vpptest.Step{
		do(vxlanTo(true, "2001:db8::1", "2001:db8::2", 7)), note("another source", vxlanTo(true, "2001:db8::3", "2001:db8::2", 7)), do(vxlanTo(true, "2001:db8::3", "2001:db8::2", 8)),
		do(vxlanTo(true, "::", "::", 7)), do(vxlanTo(true, "2001:db8::1", "::", 7)), do(vrf(7, true, "")), do(vxlanTo(true, "2001:db8::1", "2001:db8::2", 7, vxlanIn(7), vxlanPorts(1, 2))), do(vxlans), do(interfaces), do(routes(0, true, srcAll)),
		note("by another source", vxlanTo(false, "2001:db8::9", "2001:db8::2", 7)), do(vxlans),
	}},
	{Name: "vxlan-group", About: "tunnels to a multicast group", Steps: []vpptest.Step{
		do(loopback()), do(loopback()), note("by no interface", vxlanTo(true, "10.0.0.1", "239.0.0.1", 7)), do(vxlanTo(true, "10.0.0.1", "239.0.0.1", 7, vxlanBy(77))),
		do(vxlanTo(true, "10.0.0.1", "239.0.0.1", 7, vxlanBy(1))), note("the source does not count", vxlanTo(true, "10.0.0.2", "239.0.0.1", 7, vxlanBy(1))), do(vxlanTo(true, "10.0.0.2", "239.0.0.1", 8, vxlanBy(1))),
		note("another interface, which VPP does not use", vxlanTo(true, "10.0.0.2", "239.0.0.1", 9, vxlanBy(2))), do(vxlanTo(true, "2001:db8::1", "ff05::1", 7, vxlanBy(2))), note("needless", vxlanTo(true, "10.0.0.1", "10.0.0.2", 7, vxlanBy(2))), do(vxlans), do(interfaces),
		do(vxlanTo(false, "10.0.0.7", "239.0.0.1", 7, vxlanBy(1))), note("by no interface", vxlanTo(false, "10.0.0.1", "239.0.0.1", 8)), do(vxlanTo(false, "10.0.0.1", "239.0.0.1", 8, vxlanBy(2))), do(vxlanTo(false, "10.0.0.1", "239.0.0.1", 9, vxlanBy(2))), do(vxlanTo(false, "2001:db8::1", "ff05::1", 7, vxlanBy(2))), do(vxlans),
	}},
	{Name: "vxlan-l3", About: "tunnels of IP packets, and the nodes that those go to", Steps: []vpptest.Step{
		do(nextOf("vxlan4-input", "l2-input")), do(nextOf("vxlan4-input", "error-drop")), do(nextOf("vxlan4-input", "ip4-input")), do(nextOf("none", "ip4-input")), do(nextOf("vxlan4-input", "none")),
		note("frames, which it never gets", vxlanTo(true, "10.0.0.1", "10.0.0.2", 7, vxlanL3(none))), do(vxlans), do(dump(1)),
		do(addNext("vxlan4-input", "ip4-input")), note("again", addNext("vxlan4-input", "ip4-input")), do(nextOf("vxlan4-input", "ip4-input")), do(addNext("vxlan4-input", "ip6-input")), do(addNext("vxlan6-input", "ip6-input")), do(addNext("vxlan6-input", "ip4-input")), do(addNext("none", "ip4-input")), do(addNext("vxlan4-input", "none")), do(addNext("vxlan4-input", "l2-input")),
		do(vxlanTo(true, "10.0.0.1", "10.0.0.3", 7, vxlanL3(2))), do(vxlanTo(true, "2001:db8::1", "2001:db8::3", 7, vxlanL3(2))), do(vxlans), do(interfaces), do(features(2)),
		do(setMAC(2, mac(1))), do(hwMTU(2, 1500)), do(mtu(2, 1400, 0, 0, 0)), do(join(2, 5)), do(domains), do(vlan(2, 10)), do(dump(2)),
		do(vxlanTo(false, "10.0.0.1", "10.0.0.3", 7)), do(vxlanTo(false, "10.0.0.1", "10.0.0.2", 7)), do(interfaces), do(vxlans),
	}},
}
