// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"

	"github.com/vppkit/vppkit/vpptest"
)

// classTable is one that VPP numbers, of which the mask is made of words of 16 bytes.
func classTable(change func(*classify.ClassifyAddDelTable), mask ...byte) api.Message {
	q := &classify.ClassifyAddDelTable{IsAdd: true, TableIndex: none, Nbuckets: 2, MemorySize: 1 << 20, NextTableIndex: none, MissNextIndex: none, Mask: words(mask)}
	if change != nil {
		change(q)
	}
	q.MatchNVectors, q.MaskLen = uint32(len(q.Mask)/16), uint32(len(q.Mask))
	return q
}

func words(b []byte) []byte { return append(b, make([]byte, (16-len(b)%16)%16)...) }

func noClassTable(i uint32, chain bool) api.Message {
	return &classify.ClassifyAddDelTable{TableIndex: i, DelChain: chain}
}

func class(t uint32, add bool, match ...byte) *classify.ClassifyAddDelSession {
	match = words(match)
	return &classify.ClassifyAddDelSession{IsAdd: add, TableIndex: t, HitNextIndex: none, OpaqueIndex: none, MatchLen: uint32(len(match)), Match: match}
}

// classTables asks for all tables, and for some.
func classTables(of ...uint32) (out []vpptest.Step) {
	out = append(out, do(&classify.ClassifyTableIds{}))
	for _, t := range of {
		out = append(out, do(&classify.ClassifyTableInfo{TableID: t}), do(&classify.ClassifySessionDump{TableID: t}))
	}
	return out
}

func filterIn(i index, ip4, ip6 uint32, add bool) api.Message {
	return &classify.InputACLSetInterface{SwIfIndex: i, IP4TableIndex: ip4, IP6TableIndex: ip6, L2TableIndex: none, IsAdd: add}
}

func filterL2(i index, table uint32, add bool) api.Message {
	return &classify.InputACLSetInterface{SwIfIndex: i, IP4TableIndex: none, IP6TableIndex: none, L2TableIndex: table, IsAdd: add}
}

func filterOut(i index, ip4, ip6 uint32, add bool) api.Message {
	return &classify.OutputACLSetInterface{SwIfIndex: i, IP4TableIndex: ip4, IP6TableIndex: ip6, L2TableIndex: none, IsAdd: add}
}

func choosePolicers(i index, ip4, ip6 uint32, add bool) api.Message {
	return &classify.PolicerClassifySetInterface{SwIfIndex: i, IP4TableIndex: ip4, IP6TableIndex: ip6, L2TableIndex: none, IsAdd: add}
}

func countFlows(i index, ip4, ip6 uint32, add bool) api.Message {
	return &classify.FlowClassifySetInterface{SwIfIndex: i, IP4TableIndex: ip4, IP6TableIndex: ip6, IsAdd: add}
}

// classFeatures asks for all that tables are attached to, and what is on.
func classFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		do(&classify.ClassifyTableByInterface{SwIfIndex: i}),
		do(&classify.PolicerClassifyDump{Type: 0}), do(&classify.PolicerClassifyDump{Type: 1}), do(&classify.FlowClassifyDump{Type: 0}), do(&classify.FlowClassifyDump{Type: 1}),
		isOn("ip4-unicast", "ip4-inacl", i), isOn("ip6-unicast", "ip6-inacl", i), isOn("ip4-output", "ip4-outacl", i), isOn("ip6-output", "ip6-outacl", i),
		isOn("ip4-unicast", "ip4-policer-classify", i), isOn("ip6-unicast", "ip6-policer-classify", i), isOn("ip4-unicast", "ip4-flow-classify", i), isOn("ip6-unicast", "ip6-flow-classify", i),
		isOn("ip4-output", "interface-output", i), isOn("ip6-output", "interface-output", i),
	}
}

// many are sessions that a table has to grow for: some by hash, and some that have one hash.
func many() (out []vpptest.Step) {
	for i := range byte(40) {
		out = append(out, do(class(0, true, i, i*7, 3, i)))
		out = append(out, do(class(0, true, 9, i, 0, 0, 0, 0, 0, 0, 0, i)))
		if i%8 == 7 {
			out = append(out, do(&classify.ClassifySessionDump{TableID: 0}))
		}
	}
	for i := range byte(40) {
		out = append(out, do(class(0, false, i, i*7, 3, i)), do(class(0, i%2 == 0, 9, i, 0, 0, 0, 0, 0, 0, 0, i)))
	}
	return append(out, classTables(0)...)
}

var classifyScripts = []vpptest.Script{
	{Name: "classify", About: "tables and sessions of the classifier, what is refused, and indexes that come again", Steps: steps(
		classTables(0), note("no memory", classTable(func(q *classify.ClassifyAddDelTable) { q.MemorySize = 0 }, 255)), do(classTable(func(q *classify.ClassifyAddDelTable) { q.Nbuckets = 0 }, 255)),
		do(classTable(nil)), do(classTable(nil, make([]byte, 96)...)), note("a mask of another length", &classify.ClassifyAddDelTable{IsAdd: true, TableIndex: none, Nbuckets: 2, MemorySize: 1 << 20, MatchNVectors: 2, MaskLen: 16, Mask: make([]byte, 16)}),
		do(classTable(nil, 255, 255)), do(classTable(func(q *classify.ClassifyAddDelTable) {
			q.Nbuckets, q.SkipNVectors, q.NextTableIndex, q.MissNextIndex, q.CurrentDataFlag, q.CurrentDataOffset = 5, 1, 0, 7, 1, -14
		}, make([]byte, 80)...)), note("no such table to go on with", classTable(func(q *classify.ClassifyAddDelTable) { q.NextTableIndex = 99 }, 0xf0)), classTables(0, 1, 2, 3),
		note("of one that is there, only the next", classTable(func(q *classify.ClassifyAddDelTable) {
			q.TableIndex, q.NextTableIndex, q.MissNextIndex, q.Nbuckets = 1, 2, 0, 64
		}, 1)), classTables(1),
		note("as one that is not there: another", classTable(func(q *classify.ClassifyAddDelTable) { q.TableIndex = 77 }, 1)), classTables(),
		note("with bits that the mask has not", class(2, true, 0xab)), note("once more, otherwise", &classify.ClassifyAddDelSession{IsAdd: true, TableIndex: 2, HitNextIndex: 0, OpaqueIndex: 5, Advance: -3, MatchLen: 16, Match: words([]byte{0xac})}),
		note("of which 16 bits are kept", &classify.ClassifyAddDelSession{IsAdd: true, TableIndex: 2, HitNextIndex: 0x12345, Action: 3, Metadata: 9, MatchLen: 16, Match: words([]byte{0x10})}),
		do(class(2, true)), classTables(2), note("too long", class(2, true, make([]byte, 32)...)), note("in front is what is not looked at", class(1, true, make([]byte, 96)...)), do(class(1, true, make([]byte, 80)...)),
		note("an action that there is not", &classify.ClassifyAddDelSession{IsAdd: true, TableIndex: 2, Action: 77, MatchLen: 16, Match: words([]byte{0x20})}),
		do(class(99, true, 1)), do(class(2, false, 0x30)), do(class(2, false, 0xac)), do(class(2, false, 0xac)), classTables(1, 2),
		note("which is what is free, too", classTable(nil, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)), do(class(4, true, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)),
		do(class(4, true, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)), classTables(4), do(class(4, false, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)), do(class(4, false, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)), classTables(4),
		do(noClassTable(99, false)), do(noClassTable(2, false)), do(noClassTable(2, false)), classTables(1, 2), note("its index comes again", classTable(nil, 9)), classTables(2),
		note("a chain", noClassTable(1, true)), classTables(), do(classTable(nil, 1)), do(classTable(nil, 2)), do(classTable(nil, 3)), classTables(0, 1, 2),
	)},
	{Name: "classify-many", About: "the order of sessions, as a table grows", Steps: steps(do(classTable(nil, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)), many())},
	{Name: "classify-attached", About: "which tables filter, choose policers and count flows, and what an interface leaves behind", Steps: steps(
		do(loopback()), do(loopback()), do(classTable(nil, 255)), do(classTable(nil, 255)), classFeatures(1), do(filterIn(77, 0, none, true)), do(filterIn(1, 9, none, true)), do(filterIn(1, none, none, true)),
		do(&classify.ClassifyTableByInterface{SwIfIndex: 77}),
		do(filterIn(1, 0, none, true)), classFeatures(1), note("another one, without effect", filterIn(1, 1, none, true)), classFeatures(1), do(filterIn(1, 1, none, false)), do(filterIn(1, none, 1, true)), classFeatures(1), note("the first is there: the second does not come", filterIn(1, 0, 1, true)), note("both", filterIn(1, 0, 1, false)), classFeatures(1), do(filterIn(1, 0, none, false)),
		note("the first goes, and the second is refused", filterIn(2, 0, none, true)), do(filterIn(2, 0, 1, false)), classFeatures(2),
		do(filterOut(1, 0, 1, true)), classFeatures(1), classFeatures(2), do(filterOut(1, 1, none, false)), do(filterOut(1, 0, 1, false)), classFeatures(1), do(filterOut(1, 0, none, false)),
		do(choosePolicers(1, 0, none, true)), do(choosePolicers(1, 1, none, true)), do(choosePolicers(1, none, 1, true)), do(choosePolicers(2, none, 0, true)), classFeatures(1), classFeatures(2), do(choosePolicers(2, 9, 0, true)), do(choosePolicers(2, none, 1, false)), do(choosePolicers(2, none, 0, false)), classFeatures(2),
		do(countFlows(1, 0, 1, true)), do(countFlows(2, none, 0, true)), classFeatures(1), do(countFlows(1, 1, none, false)), do(countFlows(1, 0, 1, false)), do(countFlows(77, 0, 1, false)), classFeatures(1), do(countFlows(1, 0, none, true)),
		do(&classify.PolicerClassifyDump{SwIfIndex: none}), do(&classify.PolicerClassifyDump{SwIfIndex: 77}), do(&classify.FlowClassifyDump{SwIfIndex: none}),
		do(filterIn(1, 0, 1, true)), do(filterOut(1, 0, 1, true)), note("a table goes that is looked into", noClassTable(1, false)), classFeatures(1), do(filterIn(1, none, 1, false)),
		note("its interface goes", unloop(1)), do(loopback()), classFeatures(1), note("to no effect", filterIn(1, 0, none, true)), classFeatures(1), note("off", filterIn(1, 0, none, false)), do(filterIn(1, 0, none, true)), do(filterOut(1, 0, none, false)), do(choosePolicers(1, 0, none, false)), do(countFlows(1, 0, none, false)), classFeatures(1),
		do(filterOut(1, none, 1, false)), do(classTable(nil, 7)), note("by whatever has its index", filterOut(1, none, 1, false)), do(filterOut(1, none, 1, true)), classFeatures(1),
	)},
}
