// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_gpe"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/vpptest"
)

// Requests about overlays.

var (
	lispStatus = &lisp.ShowLispStatus{}
	lispSets   = &lisp.LispLocatorSetDump{Filter: 1}
	lispEIDs   = &lisp.LispEidTableDump{}
	lispL2     = &lisp.LispEidTableMapDump{IsL2: true}
	lispL3     = &lisp.LispEidTableMapDump{}
	arpBridges = &one.OneL2ArpBdGet{}
	ndpBridges = &one.OneNdpBdGet{}
)

func lispOn(on bool) api.Message { return &lisp.LispEnableDisable{IsEnable: on} }

func macEID(m ethernet_types.MacAddress) lisp_types.Eid {
	return lisp_types.Eid{Type: lisp_types.EID_TYPE_API_MAC, Address: lisp_types.EidAddressUnionMac(m)}
}

func prefixEID(text string) lisp_types.Eid {
	p, err := ip_types.ParsePrefix(text)
	if err != nil {
		panic(err)
	}
	return lisp_types.Eid{Type: lisp_types.EID_TYPE_API_PREFIX, Address: lisp_types.EidAddressUnionPrefix(p)}
}

func vniMap(add bool, vni, table uint32, isL2 bool) api.Message {
	return &lisp.LispEidTableAddDelMap{IsAdd: add, Vni: vni, DpTable: table, IsL2: isL2}
}

func locatorSet(add bool, name string, locators ...lisp_types.LocalLocator) api.Message {
	return &lisp.LispAddDelLocatorSet{IsAdd: add, LocatorSetName: name, Locators: locators}
}

func locators(set uint32) api.Message { return &lisp.LispLocatorDump{IsIndexSet: 1, LsIndex: set} }
func local(add bool, vni uint32, eid lisp_types.Eid, set string) api.Message {
	return &one.OneAddDelLocalEid{IsAdd: add, Vni: vni, Eid: eid, LocatorSetName: set, Key: lisp_types.HmacKey{Key: make([]byte, 64)}}
}

func remote(add bool, vni uint32, eid lisp_types.Eid, action uint8, rlocs ...string) api.Message {
	m := &one.OneAddDelRemoteMapping{IsAdd: add, Vni: vni, Deid: eid, Action: action}
	for i, text := range rlocs {
		a, err := ip_types.ParseAddress(text)
		if err != nil {
			panic(err)
		}
		m.Rlocs = append(m.Rlocs, lisp_types.RemoteLocator{IPAddress: a, Priority: 1, Weight: uint8(i + 1)})
	}
	return m
}

func adjacent(add bool, vni uint32, reid, leid lisp_types.Eid) api.Message {
	m := &one.OneAddDelAdjacency{Vni: vni, Reid: reid, Leid: leid}
	if add {
		m.IsAdd = 1
	}
	return m
}
func adjacencies(vni uint32) api.Message { return &lisp.LispAdjacenciesGet{Vni: vni} }
func eidAt(vni uint32, eid lisp_types.Eid) api.Message {
	return &lisp.LispEidTableDump{EidSet: 1, Vni: vni, Eid: eid}
}

func arpEntry(add bool, bd uint32, m ethernet_types.MacAddress, last byte) api.Message {
	return &one.OneAddDelL2ArpEntry{IsAdd: add, Bd: bd, Entry: one.OneL2ArpEntry{Mac: m, IP4: ip_types.IP4Address{10, 0, 0, last}}}
}

func ndpEntry(add bool, bd uint32, m ethernet_types.MacAddress, last byte) api.Message {
	return &one.OneAddDelNdpEntry{IsAdd: add, Bd: bd, Entry: one.OneNdpEntry{Mac: m, IP6: ip_types.IP6Address{0x20, 1, 0xd, 0xb8, 15: last}}}
}
func arpsOf(bd uint32) api.Message    { return &one.OneL2ArpEntriesGet{Bd: bd} }
func ndpsOf(bd uint32) api.Message    { return &one.OneNdpEntriesGet{Bd: bd} }
func gpeEncap(vxlan bool) api.Message { return &lisp_gpe.GpeSetEncapMode{IsVxlan: vxlan} }

var (
	gpeEncapGet  = &lisp_gpe.GpeGetEncapMode{}
	gpeForwarded = &lisp_gpe.GpeFwdEntryVnisGet{}
)

var lispScripts = []vpptest.Script{
	{Name: "lisp", About: "on and off, modes, locator sets", Steps: []vpptest.Step{
		do(lispStatus), do(gpeEncapGet), do(&one.OneShowPetrMode{}),
		note("while it is off", vniMap(true, 100, 7, true)), do(locatorSet(true, "a")), do(local(true, 100, macEID(mac(1)), "a")),
		do(remote(true, 100, macEID(mac(1)), 0)), do(adjacent(true, 100, macEID(mac(1)), macEID(mac(2)))), do(arpEntry(true, 7, mac(1), 1)), do(ndpEntry(true, 7, mac(1), 1)),
		do(lispSets), do(lispEIDs), do(lispL2), do(lispL3), do(arpBridges), do(ndpBridges), do(adjacencies(100)), do(gpeEncap(true)), do(gpeEncapGet), do(gpeEncap(false)),
		note("on", lispOn(true)), do(lispStatus), do(interfaces), do(&one.OneEnableDisablePetrMode{IsEnable: true}), do(&one.OneShowPetrMode{}), do(&one.OneEnableDisablePetrMode{IsEnable: true}), do(&one.OneEnableDisablePetrMode{}), do(&one.OneEnableDisablePetrMode{}), do(&one.OneShowPetrMode{}),
		note("locator sets", loopback()), do(loopback()), do(locatorSet(true, "me/a")), do(lispSets), do(locatorSet(true, "me/b", lisp_types.LocalLocator{SwIfIndex: 1, Priority: 2, Weight: 3})),
		do(locatorSet(true, "me/c", lisp_types.LocalLocator{SwIfIndex: 77})), do(lispSets), do(locators(0)), do(locators(1)), do(locators(2)), do(locators(9)), do(&lisp.LispLocatorDump{LsName: "me/b"}), do(&lisp.LispLocatorDump{LsName: "none"}),
		note("made again, it has others", locatorSet(true, "me/b", lisp_types.LocalLocator{SwIfIndex: 2, Weight: 255}, lisp_types.LocalLocator{SwIfIndex: 1}, lisp_types.LocalLocator{SwIfIndex: 2})), do(locators(1)), do(locatorSet(true, "me/a", lisp_types.LocalLocator{SwIfIndex: 1, Priority: 7})), do(lispSets), do(locators(0)),
		do(locatorSet(false, "none")), do(locatorSet(false, "me/a")), do(lispSets), do(locatorSet(true, "me/d")), do(lispSets), do(&lisp.LispLocatorSetDump{}),
		note("off, with sets", lispOn(false)), do(lispStatus), do(gpeForwarded), do(lispSets), do(interfaces), do(locatorSet(false, "me/d")), do(lispOn(true)), do(lispSets), do(interfaces),
	}},
	{Name: "lisp-vni", About: "VNIs of bridge domains and tables, and their interfaces, which VPP never deletes", Steps: []vpptest.Step{
		do(lispOn(true)), do(bd(7)), do(vniMap(true, 100, 7, true)), do(domains), do(interfaces), do(lispL2), do(vniMap(true, 100, 8, true)), do(vniMap(true, 101, 7, true)), do(vniMap(true, 100, 7, true)),
		note("without its bridge domain", vniMap(true, 102, 9, true)), do(domains),
		note("tables", vrf(10, false, "")), do(vniMap(true, 100, 10, false)), do(vniMap(true, 0, 10, false)), do(vniMap(true, 103, 0, false)), do(vniMap(true, 103, 11, false)), do(lispL3), do(interfaces), do(tables), do(vrfOf(4, false)), do(vrfOf(4, true)),
		note("as large as they come", vniMap(true, 1<<24-1, 12, true)), do(vniMap(true, 1<<24, 13, true)), do(vniMap(true, 0, 14, true)), do(lispL2), do(interfaces),
		note("unmapped", vniMap(false, 100, 8, true)), do(vniMap(false, 55, 7, true)), do(vniMap(false, 100, 7, true)), do(vniMap(false, 100, 7, true)), do(lispL2), do(domains), do(interfaces),
		note("its interface is the next one's", vniMap(true, 200, 15, true)), do(interfaces), do(vniMap(false, 200, 15, true)),
		note("whatever it was made for", vniMap(true, 201, 16, false)), do(interfaces), do(lispL3), do(tables), do(vniMap(false, 201, 16, false)), do(interfaces), do(tables), do(vrfOf(2, false)),
		note("a table that is no more mapped", vniMap(false, 100, 10, false)), do(tables), do(unVRF(10, false)), do(tables), do(vrfOf(4, false)), do(vrfOf(4, true)), do(vniMap(false, 103, 11, false)), do(tables),
		note("up and down by hand", admin(3, 0)), do(dump(3)), do(admin(3, up)), do(dump(3)), do(tag(3, "me/vni")), do(vniMap(false, 102, 9, true)), do(dump(3)), do(vniMap(true, 105, 9, true)), do(interfaces), do(leave(3)), do(domains), do(vniMap(false, 105, 9, true)), do(domains),
	}},
	{Name: "lisp-eid", About: "local and remote EIDs, adjacencies, ARP and ND entries", Steps: []vpptest.Step{
		do(loopback()), do(lispOn(true)), do(admin(1, up)), do(vrAddress(true, 1, "192.0.2.1/24")), do(vrAddress(true, 1, "2001:db8:9::1/64")), do(bd(7)), do(bd(8)), do(vniMap(true, 100, 7, true)), do(vrf(10, false, "")), do(vniMap(true, 300, 10, false)),
		do(locatorSet(true, "me/a", lisp_types.LocalLocator{SwIfIndex: 1, Priority: 1, Weight: 1})), do(locatorSet(true, "me/empty")),
		note("local", local(true, 55, macEID(mac(1)), "me/a")), do(local(true, 100, macEID(mac(1)), "none")), do(local(true, 100, macEID(mac(1)), "me/a")), do(local(true, 100, macEID(mac(1)), "me/a")), do(local(true, 100, macEID(mac(1)), "me/empty")),
		do(local(true, 100, macEID(mac(2)), "me/empty")), do(local(true, 300, prefixEID("10.0.0.0/24"), "me/a")), do(local(true, 100, prefixEID("10.0.0.0/24"), "me/a")), do(lispEIDs), do(eidAt(100, macEID(mac(1)))), do(eidAt(100, macEID(mac(9)))),
		do(locatorSet(false, "me/a")),
		note("remote", remote(true, 100, macEID(mac(11)), 3, "203.0.113.2")), do(remote(true, 100, macEID(mac(12)), 3, "203.0.113.2", "2001:db8:99::2")), do(remote(true, 100, macEID(mac(13)), 3)), do(remote(true, 100, macEID(mac(14)), 3, "203.0.113.1")),
		do(remote(true, 100, macEID(mac(15)), 3, "192.0.2.1")), do(remote(true, 300, prefixEID("10.1.0.0/16"), 3, "203.0.113.2")), do(remote(true, 300, prefixEID("2001:db8:7::/48"), 3, "2001:db8:99::2")), do(remote(true, 300, prefixEID("10.1.2.3/16"), 3, "203.0.113.3")),
		do(lispEIDs), do(locators(2)), do(locators(3)), do(locators(4)), do(lispSets),
		note("moved", remote(true, 100, macEID(mac(11)), 3, "203.0.113.9")), do(eidAt(100, macEID(mac(11)))), do(locators(2)),
		note("adjacencies", adjacent(true, 100, macEID(mac(11)), macEID(mac(9)))), do(adjacent(true, 100, macEID(mac(99)), macEID(mac(1)))), do(adjacent(true, 100, macEID(mac(11)), macEID(mac(1)))), do(adjacencies(100)),
		do(adjacent(true, 100, macEID(mac(11)), macEID(mac(1)))), do(adjacent(true, 100, macEID(mac(12)), macEID(mac(1)))), do(adjacent(true, 100, macEID(mac(13)), macEID(mac(1)))), do(adjacent(true, 100, macEID(mac(14)), macEID(mac(1)))), do(adjacencies(100)), do(gpeForwarded),
		do(adjacent(false, 100, macEID(mac(12)), macEID(mac(1)))), do(adjacent(false, 100, macEID(mac(12)), macEID(mac(1)))), do(adjacencies(100)), do(gpeEncap(true)),
		note("a local EID goes, and its adjacencies", local(false, 100, macEID(mac(1)), "me/a")), do(adjacencies(100)), do(gpeForwarded), do(lispEIDs),
		note("a remote EID goes, its locators do not", remote(false, 100, macEID(mac(11)), 0)), do(remote(false, 100, macEID(mac(11)), 0)), do(remote(false, 100, macEID(mac(12)), 0)), do(remote(false, 100, macEID(mac(13)), 0)), do(remote(false, 100, macEID(mac(14)), 0)), do(lispEIDs), do(locators(2)),
		do(local(false, 100, macEID(mac(2)), "me/empty")), do(local(false, 300, prefixEID("10.0.0.0/24"), "me/a")), do(remote(false, 300, prefixEID("10.1.0.0/16"), 0)), do(remote(false, 300, prefixEID("2001:db8:7::/48"), 0)), do(lispEIDs), do(locatorSet(false, "me/a")), do(lispSets),
		note("ARP and ND", arpEntry(true, 7, mac(1), 1)), do(arpEntry(true, 7, mac(2), 1)), do(arpEntry(true, 7, mac(1), 2)), do(arpEntry(true, 8, mac(1), 1)), do(arpEntry(true, 99, mac(1), 1)), do(arpsOf(7)), do(arpsOf(8)), do(arpsOf(55)), do(arpBridges),
		do(ndpEntry(true, 7, mac(1), 1)), do(ndpEntry(true, 7, mac(2), 1)), do(ndpEntry(true, 7, mac(1), 2)), do(ndpsOf(7)), do(ndpsOf(8)), do(ndpBridges), do(arpsOf(7)),
		do(arpEntry(false, 7, mac(9), 1)), do(arpEntry(false, 7, mac(1), 1)), do(arpsOf(7)), do(ndpEntry(false, 7, mac(1), 1)), do(ndpEntry(false, 7, mac(1), 1)), do(ndpsOf(7)),
		do(arpEntry(false, 7, mac(1), 2)), do(arpEntry(false, 8, mac(1), 1)), do(arpEntry(false, 99, mac(1), 1)), do(ndpEntry(false, 7, mac(1), 2)), do(arpBridges), do(ndpBridges),
		do(vniMap(false, 100, 7, true)), do(vniMap(false, 300, 10, false)), do(gpeEncap(true)), do(gpeEncapGet), do(lispOn(false)), do(lispStatus), do(lispEIDs), do(interfaces),
	}},
}
