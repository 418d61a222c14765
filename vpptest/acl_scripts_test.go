// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/vpptest"
)

var (
	acls       = &acl.ACLDump{ACLIndex: none}
	aclLists   = &acl.ACLInterfaceListDump{SwIfIndex: none}
	macips     = &acl.MacipACLDump{ACLIndex: none}
	macipLists = &acl.MacipACLInterfaceListDump{SwIfIndex: none}
	etypes     = &acl.ACLInterfaceEtypeWhitelistDump{SwIfIndex: none}
)

func aclNet(s string) ip_types.Prefix {
	p, err := ip_types.ParsePrefix(s)
	if err != nil {
		panic(err)
	}
	return p
}

// aclHost is a prefix as it is written, with bits beyond its length.
func aclHost(s string, length uint8) ip_types.Prefix {
	address, err := ip_types.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return ip_types.Prefix{Address: address, Len: length}
}

// aclRule is one for TCP whose ports are all.
func aclRule(action acl_types.ACLAction, src, dst ip_types.Prefix) acl_types.ACLRule {
	return acl_types.ACLRule{
		IsPermit: action, SrcPrefix: src, DstPrefix: dst, Proto: ip_types.IP_API_PROTO_TCP,
		SrcportOrIcmptypeLast: 65535, DstportOrIcmpcodeLast: 65535,
	}
}

func aclPorts(r acl_types.ACLRule, ports ...uint16) acl_types.ACLRule {
	r.SrcportOrIcmptypeFirst, r.SrcportOrIcmptypeLast, r.DstportOrIcmpcodeFirst, r.DstportOrIcmpcodeLast = ports[0], ports[1], ports[2], ports[3]
	return r
}

func aclProto(r acl_types.ACLRule, p ip_types.IPProto) acl_types.ACLRule {
	r.Proto = p
	return r
}

func aclFlags(r acl_types.ACLRule, mask, value uint8) acl_types.ACLRule {
	r.TCPFlagsMask, r.TCPFlagsValue = mask, value
	return r
}

func putACL(i uint32, tag string, rules ...acl_types.ACLRule) api.Message {
	return &acl.ACLAddReplace{ACLIndex: i, Tag: tag, R: rules}
}
func delACL(i uint32) api.Message  { return &acl.ACLDel{ACLIndex: i} }
func readACL(i uint32) api.Message { return &acl.ACLDump{ACLIndex: i} }
func bind(i index, in uint8, acls ...uint32) api.Message {
	return &acl.ACLInterfaceSetACLList{SwIfIndex: i, NInput: in, Acls: acls}
}
func bound(i index) api.Message { return &acl.ACLInterfaceListDump{SwIfIndex: i} }
func addOne(add, input bool, i index, acls uint32) api.Message {
	return &acl.ACLInterfaceAddDel{IsAdd: add, IsInput: input, SwIfIndex: i, ACLIndex: acls}
}

func macipRule(action acl_types.ACLAction, src ip_types.Prefix, m, mask ethernet_types.MacAddress) acl_types.MacipACLRule {
	return acl_types.MacipACLRule{IsPermit: action, SrcPrefix: src, SrcMac: m, SrcMacMask: mask}
}

func putMACIP(i uint32, tag string, rules ...acl_types.MacipACLRule) api.Message {
	return &acl.MacipACLAddReplace{ACLIndex: i, Tag: tag, R: rules}
}
func delMACIP(i uint32) api.Message  { return &acl.MacipACLDel{ACLIndex: i} }
func readMACIP(i uint32) api.Message { return &acl.MacipACLDump{ACLIndex: i} }
func bindMACIP(i index, add bool, set uint32) api.Message {
	return &acl.MacipACLInterfaceAddDel{IsAdd: add, SwIfIndex: i, ACLIndex: set}
}
func macipOf(i index) api.Message { return &acl.MacipACLInterfaceListDump{SwIfIndex: i} }
func allow(i index, in uint8, types ...uint16) api.Message {
	return &acl.ACLInterfaceSetEtypeWhitelist{SwIfIndex: i, NInput: in, Whitelist: types}
}
func allowed(i index) api.Message { return &acl.ACLInterfaceEtypeWhitelistDump{SwIfIndex: i} }

func command(text string) api.Message { return &vlib.CliInband{Cmd: text} }

var (
	any4, any6 = aclNet("0.0.0.0/0"), aclNet("::/0")
	ten        = aclNet("10.0.0.0/8")
	full       = ethernet_types.MacAddress{255, 255, 255, 255, 255, 255}
	nobody     = ethernet_types.MacAddress{}
)

var aclScripts = []vpptest.Script{
	{Name: "acl", About: "sets of rules", Steps: []vpptest.Step{
		do(acls), do(readACL(0)), do(delACL(0)), do(putACL(0, "nothing to replace")),
		do(putACL(none, "me/one", aclRule(1, ten, any4), aclRule(2, any6, aclNet("2001:db8::/32")), aclRule(0, any4, any4))),
		note("the same tag", putACL(none, "me/one")),
		do(putACL(none, "")), do(acls), do(readACL(0)), do(readACL(77)),
		note("another tag, other rules", putACL(0, "me/other", aclPorts(aclRule(2, any4, aclNet("192.0.2.1/32")), 1, 2, 3, 4))), do(readACL(0)),
		note("no rules", putACL(0, "me/none")), do(readACL(0)),
		note("63 bytes of tag", putACL(1, long[:63])), do(putACL(1, long)), do(putACL(none, long)), do(readACL(1)),

		note("host bits", putACL(none, "bad", aclRule(1, aclHost("10.0.0.1", 8), any4))),
		do(putACL(none, "bad", aclRule(1, any4, aclHost("10.0.0.1", 8)))),
		do(putACL(none, "bad", aclRule(1, aclHost("2001:db8::1", 64), any6))),
		note("two families", putACL(none, "bad", aclRule(1, any4, any6))), do(putACL(none, "bad", aclRule(1, any6, any4))),
		note("ranges the wrong way round", putACL(none, "bad", aclPorts(aclRule(1, any4, any4), 2, 1, 0, 0))), do(putACL(none, "bad", aclPorts(aclRule(1, any4, any4), 0, 0, 2, 1))),
		do(putACL(none, "bad", aclProto(aclPorts(aclRule(1, any4, any4), 2, 1, 0, 0), 0))),
		note("the first error counts, and nothing is done", putACL(0, "bad", aclRule(1, any4, any4), aclPorts(aclRule(1, any4, any4), 2, 1, 0, 0), aclRule(1, aclHost("10.0.0.1", 8), any4))), do(readACL(0)),

		note("stored as sent, however odd", putACL(0, "odd",
			aclRule(3, any4, any4), aclRule(255, any4, any4),
			aclProto(aclPorts(aclRule(1, any4, any4), 80, 80, 0, 0), 0),
			aclProto(aclPorts(aclRule(1, any4, any4), 0, 300, 0, 999), ip_types.IP_API_PROTO_ICMP),
			aclProto(aclRule(1, any6, any6), ip_types.IP_API_PROTO_ICMP),
			aclProto(aclFlags(aclRule(1, any4, any4), 2, 18), ip_types.IP_API_PROTO_UDP),
			aclFlags(aclRule(1, any4, any4), 2, 18),
			aclProto(aclRule(2, any6, aclNet("2001:db8::/32")), 44),
			aclRule(2, aclNet("10.0.0.1/32"), aclNet("10.0.0.2/31")),
		)), do(readACL(0)),
		do(delACL(0)), do(delACL(0)), do(delACL(77)), do(delACL(none)), do(acls),
		do(delACL(2)), note("the last freed index comes first", putACL(none, "a")), do(putACL(none, "b")), do(putACL(none, "c")), do(acls),
	}},
	{Name: "acl-counters", About: "counting what rules fit", Steps: []vpptest.Step{
		note("another message's reply", &acl.ACLStatsIntfCountersEnable{Enable: true}), do(&acl.ACLStatsIntfCountersEnable{}),
	}},
	{Name: "acl-list", About: "the sets of an interface", Steps: []vpptest.Step{
		do(aclLists), do(loopback()), do(aclLists), do(bound(1)), do(bound(77)),
		do(putACL(none, "a", aclRule(1, any4, any4))), do(putACL(none, "b")), do(putACL(none, "c")),
		do(bind(77, 1, 0)), do(bind(none, 0)),
		do(bind(1, 1, 0, 1)), do(bound(1)), do(features(1)), note("the other way round", bind(1, 1, 1, 0)), do(bound(1)),
		note("one set in both directions", bind(1, 1, 0, 0)), do(bound(1)),
		note("unknown, so nothing is done", bind(1, 1, 2, 77)), do(bind(1, 2, 2, 77)), do(bound(1)),
		note("twice", bind(1, 2, 2, 2)), do(bound(1)), note("twice on input, when output is done", bind(1, 2, 0, 0, 2)), do(bound(1)),
		note("twice on output", bind(1, 1, 0, 1, 1)), do(bound(1)),
		note("more inputs than there are", bind(1, 9, 0, 1)), do(bound(1)),
		do(bind(1, 3, 2, 0, 1)), do(bound(1)), note("order", bind(1, 3, 1, 2, 0)), do(bound(1)),
		note("in use", delACL(0)), do(bind(1, 0, 0)), do(bound(1)), note("in use", delACL(0)), do(delACL(1)),
		note("replaced in use", putACL(0, "a", aclRule(0, any4, any4))), do(putACL(0, "a")), do(bound(1)), do(readACL(0)),
		do(bind(1, 0)), do(bound(1)), do(bind(1, 0)), note("now it goes", delACL(0)), do(acls),
		do(bind(1, 1, 0)), do(putACL(none, "again")), do(bind(0, 1, 0)), do(bound(0)), do(aclLists),

		do(addOne(true, true, 1, 2)), do(addOne(true, true, 1, 2)), do(addOne(true, false, 1, 2)), do(addOne(true, false, 1, 2)), do(addOne(true, true, 1, 0)), do(bound(1)),
		do(addOne(true, true, 1, 77)), do(addOne(true, true, 77, 0)), do(addOne(false, true, 1, 77)), do(addOne(false, true, 1, 2)), do(addOne(false, true, 1, 2)), do(addOne(false, false, 77, 2)), do(bound(1)),
		note("the interface goes", unloop(1)), do(aclLists), do(bound(1)), do(delACL(2)), do(loopback()), do(bound(1)), do(features(1)),
		note("a sub-interface", vlan(1, 10)), do(bind(2, 1, 0)), do(unsub(2)), do(vlan(1, 10)), do(bound(2)), do(aclLists),
	}},
	{Name: "acl-bridged", About: "what a trip out of a bridge domain does to the sets of an interface, and what mends it", Steps: []vpptest.Step{
		do(loopback()), do(putACL(none, "a", aclRule(1, any4, any4))), do(putACL(none, "b")), do(putMACIP(none, "m", macipRule(1, any4, nobody, nobody))),
		do(features(1)), do(bind(1, 1, 0)), do(features(1)), do(bindMACIP(1, true, 0)), do(features(1)),
		do(join(1, 5)), do(features(1)), note("another domain", join(1, 6)), do(features(1)), note("a cross-connect", cross(1, 1)), do(features(1)), do(join(1, 5)), do(features(1)),
		note("L3", leave(1)), do(features(1)), do(bound(1)), do(macipOf(1)), note("bound, to no effect", join(1, 5)), do(features(1)),
		note("the same does not help", bind(1, 1, 0)), do(features(1)), do(bind(1, 1, 1)), do(features(1)), do(bind(1, 2, 0, 1)), do(features(1)),
		note("the list of ethertypes does", allow(1, 0)), do(features(1)), note("binding again does", bindMACIP(1, true, 0)), do(features(1)),
		do(leave(1)), note("in L3 already", allow(1, 0)), do(features(1)), do(bindMACIP(1, true, 0)), do(features(1)), do(join(1, 5)), do(features(1)),
		do(leave(1)), do(join(1, 5)), do(bind(1, 0)), do(bind(1, 1, 0)), note("so does none, then the list", features(1)),
		do(leave(1)), do(join(1, 5)), do(putMACIP(0, "m", macipRule(1, any4, mac(1), full))), note("a replaced MACIP set", features(1)),
		do(leave(1)), do(join(1, 5)), do(allow(1, 1, 0x806)), do(features(1)),
		note("output does not show", bind(1, 0, 0)), do(features(1)),
		do(bindMACIP(1, false, 0)), do(features(1)), do(bind(1, 0)), do(features(1)),
		note("unbound, bound", bindMACIP(1, true, 0)), do(features(1)), do(putMACIP(0, "m")), note("no rules", features(1)), do(putMACIP(0, "m", macipRule(1, any4, mac(1), full))), do(features(1)),
		do(bind(1, 1, 0)), do(features(1)), do(unloop(1)), do(loopback()), do(features(1)),
	}},
	{Name: "acl-sessions", About: "whether sessions are judged again, for which there is no message, and what sets and lists do then", Steps: []vpptest.Step{
		do(command("set acl-plugin reclassify-sessions 1")), do(loopback()), do(join(1, 5)),
		do(putACL(none, "a", aclRule(2, any4, any4))), do(putACL(none, "b")), do(bind(1, 1, 0, 1)), do(bound(1)), do(features(1)),
		note("replaced in use", putACL(0, "a")), note("the same again", bind(1, 1, 0, 1)), do(bound(1)), do(bind(1, 0)), do(features(1)),
		do(command("set acl-plugin reclassify-sessions 0")), do(command("set acl-plugin reclassify-sessions 0")), do(command(" set acl-plugin reclassify-sessions 1 ")),
		note("no more than a setting", acls), do(aclLists),
	}},
	{Name: "macip", About: "sets of source addresses", Steps: []vpptest.Step{
		do(macips), do(readMACIP(0)), do(delMACIP(0)), do(putMACIP(0, "nothing to replace")),
		do(putMACIP(none, "me/one", macipRule(1, aclNet("10.0.0.1/32"), mac(1), full), macipRule(1, aclNet("2001:db8::1/128"), mac(1), full), macipRule(0, any4, nobody, nobody))),
		do(putMACIP(none, "me/one")), do(macips), do(readMACIP(0)), do(readMACIP(1)), do(readMACIP(77)),
		note("another tag, other rules", putMACIP(1, "me/other", macipRule(1, ten, mac(2), ethernet_types.MacAddress{255, 255, 255}))), do(readMACIP(1)),
		do(putMACIP(1, long[:63])), do(putMACIP(1, long)), do(putMACIP(none, long)), do(readMACIP(1)),
		note("stored as sent, however odd", putMACIP(1, "odd", macipRule(2, aclHost("10.0.0.1", 8), mac(1), nobody), macipRule(1, aclHost("2001:db8::1", 64), mac(1), full), macipRule(1, any4, full, full))), do(readMACIP(1)),

		do(loopback()), do(loopback()), do(macipLists), do(macipOf(1)), do(macipOf(77)),
		do(bindMACIP(1, false, 0)), do(bindMACIP(77, true, 0)), do(bindMACIP(77, false, 0)), do(bindMACIP(1, true, 77)),
		do(bindMACIP(1, true, 0)), do(macipLists), do(macipOf(1)), do(macipOf(2)), do(macipOf(0)), note("again", bindMACIP(1, true, 0)), note("another", bindMACIP(1, true, 1)), do(macipLists),
		note("unknown: the old one stays", bindMACIP(1, true, 77)), do(macipLists),
		note("replaced in use", putMACIP(1, "me/two", macipRule(1, ten, nobody, nobody))), do(macipLists),
		note("whatever the index", bindMACIP(1, false, 77)), do(macipLists), do(macipOf(1)), do(bindMACIP(1, false, 1)),
		do(bindMACIP(1, true, 1)), do(bindMACIP(2, true, 1)), note("in use all the same", delMACIP(1)), do(macipLists), do(delMACIP(1)), do(delMACIP(none)), do(macips),
		do(bindMACIP(2, true, 0)), note("the interface goes", unloop(2)), do(macipLists), do(macipOf(2)), do(loopback()), do(macipOf(2)),
		note("index 0", bindMACIP(0, true, 0)), do(macipLists), do(bindMACIP(0, false, 0)),
		do(delMACIP(0)), do(putMACIP(none, "a")), do(putMACIP(none, "b")), do(macips),
	}},
	{Name: "macip-tables", About: "the tables of the classifier that sets of source addresses are, and what they do where others are", Steps: steps(
		do(loopback()), do(loopback()), do(putMACIP(none, "one", macipRule(1, any4, mac(1), full))), classTables(0, 1, 2, 3, 4, 5),
		do(classTable(nil, 255)), do(bindMACIP(1, true, 0)), classFeatures(1), do(features(1)),
		note("replaced in use", putMACIP(0, "one", macipRule(1, aclHost("10.1.2.3", 20), mac(1), full), macipRule(0, any4, nobody, nobody), macipRule(1, aclHost("10.1.9.9", 20), mac(2), full), macipRule(1, aclNet("2001:db8::/35"), mac(1), full), macipRule(1, any6, mac(1), full))),
		classTables(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18), do(putMACIP(none, "two", macipRule(1, any6, mac(1), full))), classFeatures(1), do(features(1)),
		note("another, without effect", filterIn(1, 6, none, true)), do(filterIn(1, none, 6, true)), do(filterIn(1, 6, none, false)), classFeatures(1), note("another set", bindMACIP(1, true, 1)), classFeatures(1),
		do(bindMACIP(1, false, 0)), classFeatures(1), do(features(1)),

		note("where a table is, VPP says that all is well", filterIn(1, 6, none, true)), do(bindMACIP(1, true, 0)), do(macipOf(1)), classFeatures(1), do(features(1)),
		note("and does not when it changes", putMACIP(0, "one", macipRule(1, any4, mac(1), full))), do(readMACIP(0)), classFeatures(1), note("or goes", bindMACIP(1, false, 0)), do(macipOf(1)), classFeatures(1),
		do(filterIn(1, 6, none, false)), do(filterIn(1, none, 6, true)), note("for IPv6", bindMACIP(1, true, 0)), classFeatures(1), do(features(1)), note("again", bindMACIP(1, true, 0)), classFeatures(1), do(bindMACIP(1, false, 0)), classFeatures(1), do(filterIn(1, none, 6, false)),
		do(filterL2(1, 6, true)), note("for what is bridged", bindMACIP(1, true, 0)), classFeatures(1), do(features(1)), note("a set that goes", delMACIP(0)), classFeatures(1), do(features(1)), do(filterL2(1, 0, false)), do(filterL2(1, 6, false)), do(features(1)),
		note("filtering what goes out is no hindrance", filterOut(1, 6, 6, true)), do(bindMACIP(1, true, 1)), classFeatures(1), do(features(1)), do(bindMACIP(1, false, 1)), classFeatures(1), do(filterOut(1, 6, 6, false)), do(bindMACIP(1, true, 1)), do(filterOut(1, 6, 6, true)), classFeatures(1),
		note("of an interface that had the index", filterIn(2, 6, none, true)), do(filterL2(2, 6, true)), do(features(2)), do(unloop(2)), do(loopback()), do(features(2)), classFeatures(2), do(bindMACIP(2, true, 1)), classFeatures(2), do(features(2)),
		do(putMACIP(1, "two")), classFeatures(1), do(features(1)), do(unloop(1)), do(loopback()), classFeatures(1), do(delMACIP(1)), classTables(6),
	)},
	{Name: "etype", About: "the ethertypes that pass an interface with sets", Steps: []vpptest.Step{
		do(etypes), do(loopback()), do(allowed(1)), do(allowed(77)), do(allow(77, 0)),
		do(allow(1, 1, 0x806, 0x88cc)), do(etypes), do(allowed(1)), do(allowed(0)),
		note("twice, and out of order", allow(1, 3, 9, 8, 9)), do(allowed(1)), note("more inputs than there are", allow(1, 9, 1, 2)), do(allowed(1)),
		do(allow(1, 0, 0x806)), do(allowed(1)), do(allow(1, 0)), do(allowed(1)), do(etypes), note("none already", allow(1, 0)),
		do(putACL(none, "a", aclRule(1, any4, any4))), do(bind(1, 1, 0, 0)), do(allow(1, 1, 0x806, 0x806)), do(allowed(1)),
		note("the interface goes", unloop(1)), do(etypes), do(allowed(1)), do(allow(1, 0)), note("the next one has them", loopback()), do(etypes), do(allow(1, 0)), do(etypes),
	}},
}
