// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/bond"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/lacp"

	"github.com/vppkit/vppkit/vpptest"
)

// Requests about bonds.

var (
	bonds = &bond.SwBondInterfaceDump{SwIfIndex: none}
	lacps = &lacp.SwInterfaceLacpDump{}
)

func newBond(mode bond.BondMode, id uint32) *bond.BondCreate2 {
	return &bond.BondCreate2{Mode: mode, ID: id, UseCustomMac: true, MacAddress: mac(0xb0)}
}
func unbond(i index) api.Message { return &bond.BondDelete{SwIfIndex: i} }
func member(b, i index) *bond.BondAddMember {
	return &bond.BondAddMember{SwIfIndex: i, BondSwIfIndex: b}
}
func unmember(i index) api.Message  { return &bond.BondDetachMember{SwIfIndex: i} }
func membersOf(b index) api.Message { return &bond.SwMemberInterfaceDump{SwIfIndex: b} }
func weight(i index, w uint32) api.Message {
	return &bond.SwInterfaceSetBondWeight{SwIfIndex: i, Weight: w}
}

func bonded(i index) api.Message {
	return &feature.FeatureIsEnabled{ArcName: "device-input", FeatureName: "bond-input", SwIfIndex: i}
}

var bondScripts = []vpptest.Script{
	{Name: "bond", About: "bonds: what is taken and refused, numbers, what a delete leaves", Steps: []vpptest.Step{
		do(bonds), do(newBond(0, none)), do(newBond(6, none)), do(&bond.BondCreate2{Mode: 3, Lb: 3, ID: none}), do(&bond.BondCreate2{Mode: 1, Lb: 5, ID: none}),
		note("one of each mode", newBond(1, none)), do(newBond(2, none)), do(newBond(3, none)), do(newBond(4, none)), do(newBond(5, none)), do(bonds), do(interfaces),
		note("load balance is kept where it is looked at", &bond.BondCreate2{Mode: 3, Lb: 1, ID: none}), do(&bond.BondCreate2{Mode: 1, Lb: 1, ID: none}),
		do(&bond.BondCreate2{Mode: 5, Lb: 2, ID: none, NumaOnly: true}), do(&bond.BondCreate2{Mode: 2, ID: none, NumaOnly: true, EnableGso: true}), do(bonds),
		note("a number that was asked for", newBond(1, 9)), do(newBond(1, 9)), do(newBond(1, 100)), do(newBond(1, none-1)), do(bonds),
		note("VPP's own choice meets it: 13 is the next", newBond(1, 13)), do(newBond(1, none)), do(bonds), do(dump(16)), do(dump(13)),
		note("one", &bond.SwBondInterfaceDump{SwIfIndex: 2}), do(&bond.SwBondInterfaceDump{SwIfIndex: 0}), do(&bond.SwBondInterfaceDump{SwIfIndex: 77}),
		note("up, with link from the start", want(1, 7)), do(admin(1, up)), do(dump(1)), do(admin(1, 0)), do(dump(1)), do(admin(1, up)), do(mtu(1, 1400)), do(hwMTU(1, 1400)), do(tag(1, "b")),
		do(setMAC(1, mac(7))), do(dump(1)), do(vlan(1, 100)), do(admin(13, up)),
		note("delete", unbond(0)), do(unbond(77)), do(unbond(1)), do(unbond(1)), do(bonds), do(dump(1)),
		note("the last freed number is the next", unbond(3)), do(unbond(2)), do(newBond(1, none)), do(newBond(1, none)), do(bonds),
		note("its place is free again, under another's number", newBond(1, none)), do(bonds),
		do(loopback()), do(unbond(15)), do(bonds), do(interfaces),
	}},
	{Name: "bond-member", About: "members: MACs, weights, what is refused, what leaves what behind", Steps: []vpptest.Step{
		do(loopback()), do(loopback()), do(loopback()), do(vlan(1, 100)), do(newBond(3, none)), do(newBond(2, none)), do(&bond.BondCreate2{Mode: 1, ID: none}),
		do(membersOf(5)), do(membersOf(1)), do(membersOf(0)), do(bonded(1)),
		note("refused", member(5, 77)), do(member(77, 1)), do(member(1, 2)), do(member(5, 6)), do(member(5, 5)), do(unmember(1)), do(unmember(77)), do(weight(1, 1)), do(weight(77, 1)),
		note("joins", member(5, 1)), do(bonds), do(membersOf(5)), do(dump(1)), do(bonded(1)), do(bonded(2)), do(bonded(3)), do(bonded(5)),
		do(member(5, 1)), do(member(6, 1)), do(weight(1, 1)),
		note("is active when it is up", admin(1, up)), do(bonds), do(membersOf(5)), do(admin(1, 0)), do(bonds), do(membersOf(5)),
		do(admin(2, up)), do(&bond.BondAddMember{SwIfIndex: 2, BondSwIfIndex: 5, IsPassive: true, IsLongTimeout: true}), do(bonds), do(membersOf(5)),
		note("a MAC of its own while it is one", setMAC(2, mac(9))), do(dump(2)), do(unmember(2)), do(dump(2)), do(dump(5)), do(bonds),
		note("weights are of active-backup", member(6, 2)), do(weight(2, 5)), do(weight(2, none)), do(membersOf(6)), do(weight(2, 0)), do(membersOf(6)),
		do(member(6, 3)), do(weight(3, 7)), do(membersOf(6)), do(bonds), do(admin(3, up)), do(weight(3, 1)), do(weight(2, 3)), do(membersOf(6)), do(bonds),
		note("without a MAC of its own, a bond takes the first member's", unmember(3)), do(unmember(2)), do(dump(7)), do(setMAC(3, mac(3))), do(member(7, 3)), do(dump(7)), do(dump(3)),
		do(member(7, 2)), do(dump(2)), do(unmember(3)), do(dump(3)), do(dump(7)), do(membersOf(7)), do(unmember(2)), do(dump(7)), do(dump(2)),
		do(setMAC(7, mac(0x77))), do(member(7, 2)), do(dump(7)), do(dump(2)), do(member(7, 3)), do(dump(3)),
		note("other things on it stay", join(2, 1)), do(bd(1)), do(join(2, 1)), do(member(7, 2)), do(domains), do(unmember(2)), do(domains),
		do(unmember(3)), do(member(7, 2)), do(domains), do(dump(2)),
		note("a sub-interface", member(6, 4)), do(membersOf(6)), do(dump(1)), do(dump(4)), do(bonded(4)), do(bonds), do(admin(4, up)), do(admin(1, up)), do(admin(4, up)), do(bonds), do(unmember(4)), do(dump(1)), do(membersOf(6)), do(bonds),
		note("the bond goes", unbond(7)), do(dump(2)), do(bonded(2)), do(membersOf(7)),
		note("the member goes", unloop(1)), do(bonds), do(membersOf(5)), do(loopback()), do(dump(1)), do(bonded(1)), do(member(5, 1)), do(membersOf(5)),
	}},
	{Name: "bond-gso", About: "GSO: who can be a member", Steps: []vpptest.Step{
		do(&bond.BondCreate2{Mode: 1, ID: none, EnableGso: true, UseCustomMac: true, MacAddress: mac(0xb0)}), do(loopback()), do(member(1, 2)),
		do(vhostPort("$DIR/plain")), do(member(1, 3)),
		do(func() api.Message { p := vhostPort("$DIR/gso"); p.EnableGso = true; return p }()), do(member(1, 4)), do(membersOf(1)), do(dump(4)),
		do(unmember(4)), do(bonds), do(interfaces),
	}},
	{Name: "bond-lacp", About: "what LACP says of members that nobody answers", Steps: []vpptest.Step{
		do(lacps), do(loopback()), do(loopback()), do(loopback()), do(newBond(5, none)), do(newBond(3, none)), do(member(5, 3)), do(lacps),
		do(member(4, 1)), do(lacps), do(bonds), do(membersOf(4)),
		do(&bond.BondAddMember{SwIfIndex: 2, BondSwIfIndex: 4, IsPassive: true, IsLongTimeout: true}), do(lacps), do(membersOf(4)),
		do(weight(1, 1)),
		note("goes down", admin(1, up)), do(admin(1, 0)), do(lacps), do(bonds),
		note("ports are numbered in the bond, the lowest free first", unmember(1)), do(lacps), do(member(4, 1)), do(lacps),
		do(unmember(3)), do(member(4, 3)), do(lacps), do(unmember(2)), do(member(4, 2)), do(lacps),
		do(unbond(4)), do(lacps), do(interfaces),
	}},
}
