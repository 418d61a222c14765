// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"bytes"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"
	"go.fd.io/govpp/binapi/qos"

	"github.com/vppkit/vppkit/vpptest"
)

const (
	oneRate, threeColors, dual2698, dual4115, mef = policer_types.SSE2_QOS_POLICER_TYPE_API_1R2C, policer_types.SSE2_QOS_POLICER_TYPE_API_1R3C_RFC_2697,
		policer_types.SSE2_QOS_POLICER_TYPE_API_2R3C_RFC_2698, policer_types.SSE2_QOS_POLICER_TYPE_API_2R3C_RFC_4115, policer_types.SSE2_QOS_POLICER_TYPE_API_2R3C_RFC_MEF5CF1
	packets = policer_types.SSE2_QOS_RATE_API_PPS
)

type police = policer_types.PolicerConfig

func policed(name string, c police) api.Message { return &policer.PolicerAdd{Name: name, Infos: c} }
func repoliced(i uint32, c police) api.Message {
	return &policer.PolicerUpdate{PolicerIndex: i, Infos: c}
}
func unpoliced(i uint32) api.Message { return &policer.PolicerDel{PolicerIndex: i} }
func policerAt(i uint32) api.Message { return &policer.PolicerDumpV2{PolicerIndex: i} }
func policeIn(name string, i index, on bool) api.Message {
	return &policer.PolicerInput{Name: name, SwIfIndex: i, Apply: on}
}

func policeOut(name string, i index, on bool) api.Message {
	return &policer.PolicerOutput{Name: name, SwIfIndex: i, Apply: on}
}

func turn(arc, name string, i index, on bool) api.Message {
	return &feature.FeatureEnableDisable{ArcName: arc, FeatureName: name, SwIfIndex: i, Enable: on}
}

// policerFeatures asks for all of a policer's, and for the ends of their arcs.
func policerFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("device-input", "policer-input", i), isOn("ip4-output", "policer-output", i), isOn("ip6-output", "policer-output", i),
		isOn("device-input", "ethernet-input", i), isOn("ip4-output", "interface-output", i), isOn("ip4-unicast", "policer-input", i),
	}
}

func each(requests ...api.Message) (out []vpptest.Step) {
	for _, m := range requests {
		out = append(out, do(m))
	}
	return out
}

// addOf is the message before policer_add.
func addOf(name string, add bool, c police) api.Message {
	return &policer.PolicerAddDel{
		Name: name, IsAdd: add, Cir: c.Cir, Eir: c.Eir, Cb: c.Cb, Eb: c.Eb, RateType: c.RateType, RoundType: c.RoundType, Type: c.Type,
		ColorAware: c.ColorAware, ConformAction: c.ConformAction, ExceedAction: c.ExceedAction, ViolateAction: c.ViolateAction,
	}
}

var (
	policerList = policerAt(none)
	pass        = policer_types.Sse2QosAction{Type: policer_types.SSE2_QOS_ACTION_API_TRANSMIT}
	mark46      = policer_types.Sse2QosAction{Type: policer_types.SSE2_QOS_ACTION_API_MARK_AND_TRANSMIT, Dscp: 46}
	megabit     = police{Cir: 1000, Cb: 10000, ConformAction: pass}
)

var policerScripts = []vpptest.Script{
	{Name: "policer", About: "policers of all types: which configurations there are, and what is kept of them", Steps: steps(
		do(policerList), do(policerAt(0)), do(policed("a", megabit)), do(policerList), note("the name is taken", policed("a", police{Cir: 1, Cb: 1})), note("no name", policed("", megabit)),
		do(policed("b", police{Type: threeColors, Cir: 500, Cb: 100, Eb: 200, ConformAction: pass, ExceedAction: mark46, ColorAware: true, RoundType: 1})),
		do(policed("c", police{Type: dual2698, Cir: 500, Eir: 1000, Cb: 100, Eb: 200, ConformAction: pass, ExceedAction: mark46, ViolateAction: mark46, RoundType: 2})),
		do(policed("d", police{Type: dual4115, Cir: 500, Eir: 500, Cb: 100, Eb: 200, ConformAction: mark46})),
		note("not one of these", policed("e", police{Type: mef, Cir: 500, Eir: 1000, Cb: 100, Eb: 200})), note("a type that is none", policed("e", police{Type: 9, Cir: 5, Cb: 5})),
		do(policed("p", police{RateType: packets, Cir: 1000, Cb: 100, ConformAction: pass})), note("packets so few, or for so short, that no byte is left", policed("q", police{RateType: packets, Cir: 1, Cb: 1})), do(policed("q", police{RateType: packets, Cir: 0, Cb: 1})),
		do(policed("q", police{RateType: packets, Type: dual2698, Cir: 100, Eir: 200, Cb: 100, Eb: 200})), do(policed("r", police{RateType: 2, Cir: 1, Cb: 1})),
		do(policerList), do(policerAt(2)), do(policerAt(77)), do(&policer.PolicerDump{MatchNameValid: true, MatchName: "b"}), do(&policer.PolicerDump{MatchNameValid: true, MatchName: "zz"}), do(&policer.PolicerDump{}),
		note("what cannot be", policed("x", police{Cir: 1000})), each(
			policed("x", police{Cir: 0, Cb: 1}), policed("x", police{Cir: 1, Cb: 1, Eb: 1}), policed("x", police{Cir: 1, Eir: 1, Cb: 1}),
			policed("x", police{Type: threeColors, Cir: 1}), policed("x", police{Type: threeColors, Eb: 1}), policed("x", police{Type: threeColors, Cir: 1, Eir: 1, Cb: 1}),
			policed("x", police{Type: dual2698, Cir: 2, Eir: 1, Cb: 1, Eb: 1}), policed("x", police{Type: dual2698, Cir: 2, Eir: 2, Eb: 1}), policed("x", police{Type: dual2698, Cir: 2, Eir: 2, Cb: 1}),
			policed("x", police{Type: dual4115, Cir: 2, Eir: 1, Cb: 1, Eb: 1}), policed("x", police{Type: dual4115, Eir: 1, Cb: 1, Eb: 1}),
		),
		note("only the second bucket", policed("s", police{Type: threeColors, Cir: 1, Eb: 1})), note("nothing is set", policed("t", police{})), do(policed("u", police{Type: mef, Eir: 7})), note("more than 32 bits", policed("v", police{Cir: 1 << 31, Cb: 1 << 40})), note("an action that is none", policed("w", police{Cir: 1, Cb: 1, ConformAction: policer_types.Sse2QosAction{Type: 9, Dscp: 77}})),
		do(policerList),
		note("changed in place", repoliced(0, police{Type: dual2698, Cir: 1, Eir: 2, Cb: 3, Eb: 4, ExceedAction: pass})), do(policerAt(0)), do(repoliced(0, police{Cir: 1})), do(policerAt(0)), do(repoliced(77, megabit)),
		do(&policer.PolicerReset{PolicerIndex: 0}), do(&policer.PolicerReset{PolicerIndex: 77}), note("no workers", &policer.PolicerBind{Name: "a", BindEnable: true}), do(&policer.PolicerBind{Name: "a"}), do(&policer.PolicerBind{Name: "zz"}), do(&policer.PolicerBindV2{PolicerIndex: 1, BindEnable: true}), do(&policer.PolicerBindV2{PolicerIndex: 1}), do(&policer.PolicerBindV2{PolicerIndex: 77}),
		do(unpoliced(1)), do(unpoliced(1)), do(unpoliced(3)), do(unpoliced(77)), note("the last one that went comes first", policed("b", megabit)), do(policed("z", megabit)), do(policed("y", megabit)), do(policerList), do(policerAt(3)),
	)},
	{Name: "policer-old", About: "the message that both adds and deletes, by name", Steps: steps(
		do(addOf("a", true, megabit)), do(addOf("a", true, megabit)), do(addOf("b", true, police{Cir: 1})), do(policerList), do(addOf("b", false, police{})), do(addOf("a", false, police{})), do(policerList), do(addOf("c", true, megabit)), do(policerAt(0)),
	)},
	{Name: "policer-on", About: "policers on interfaces: each time is once more", Steps: steps(
		do(loopback()), do(loopback()), do(loopback()), policerFeatures(2), do(policed("a", megabit)), do(policed("b", megabit)),
		do(policeIn("a", 77, true)), do(policeIn("zz", 2, true)), do(policeOut("a", 77, true)), do(policeOut("zz", 2, true)),
		do(policeIn("a", 2, true)), policerFeatures(2), policerFeatures(1), policerFeatures(3), note("another one: the feature is on twice", policeIn("b", 2, true)), note("once off", policeIn("b", 2, false)), policerFeatures(2), note("and twice", policeIn("b", 2, false)), policerFeatures(2), note("once more than it was on", policeIn("b", 2, false)), policerFeatures(2),
		do(policeOut("a", 2, true)), policerFeatures(2), do(&policer.PolicerOutputV2{PolicerIndex: 1, SwIfIndex: 2, Apply: true}), do(&policer.PolicerOutputV2{PolicerIndex: 77, SwIfIndex: 2, Apply: true}), do(&policer.PolicerInputV2{PolicerIndex: 77, SwIfIndex: 2, Apply: true}), do(&policer.PolicerInputV2{PolicerIndex: 1, SwIfIndex: 77}),
		note("by the feature's name", turn("ip4-output", "policer-output", 2, false)), policerFeatures(2), do(turn("ip4-output", "policer-output", 2, false)), policerFeatures(2), do(turn("ip4-output", "policer-output", 2, false)), do(turn("ip6-output", "policer-output", 2, false)), do(turn("ip6-output", "policer-output", 2, false)), policerFeatures(2),
		do(turn("ip4-output", "policer-output", 77, false)), do(turn("ip4-output", "nothing", 2, false)), do(turn("nothing", "policer-output", 2, false)), do(turn("ip4-unicast", "policer-input", 2, false)), do(turn("device-input", "policer-input", 2, true)), policerFeatures(2), do(turn("device-input", "policer-input", 3, false)), policerFeatures(3),
		note("deleted while it is on", policeIn("a", 3, true)), do(unpoliced(0)), policerFeatures(3), do(policeIn("a", 3, false)), do(policed("c", megabit)), do(policeIn("c", 3, false)), policerFeatures(3),
		note("gone with its interface", policeIn("b", 1, true)), do(policeOut("b", 1, true)), policerFeatures(1), do(unloop(1)), do(loopback()), policerFeatures(1), do(policeIn("b", 1, true)), policerFeatures(1), do(policerList),
	)},
}

func recordQoS(i index, s qos.QosSource, on bool) api.Message {
	return &qos.QosRecordEnableDisable{Enable: on, Record: qos.QosRecord{SwIfIndex: i, InputSource: s}}
}

func storeQoS(i index, s qos.QosSource, value uint8, on bool) api.Message {
	return &qos.QosStoreEnableDisable{Enable: on, Store: qos.QosStore{SwIfIndex: i, InputSource: s, Value: value}}
}

func marks(i uint32, s qos.QosSource, id uint32, on bool) api.Message {
	return &qos.QosMarkEnableDisable{Enable: on, Mark: qos.QosMark{SwIfIndex: i, OutputSource: s, MapID: id}}
}

func egressMap(id uint32, fill byte) api.Message {
	m := &qos.QosEgressMapUpdate{Map: qos.QosEgressMap{ID: id}}
	for i := range m.Map.Rows {
		m.Map.Rows[i].Outputs = bytes.Repeat([]byte{fill + byte(i)}, 256)
	}
	return m
}
func unmap(id uint32) api.Message { return &qos.QosEgressMapDelete{ID: id} }

const (
	ofExt, ofVLAN, ofMPLS, ofIPs = qos.QOS_API_SOURCE_EXT, qos.QOS_API_SOURCE_VLAN, qos.QOS_API_SOURCE_MPLS, qos.QOS_API_SOURCE_IP
)

var (
	records  = &qos.QosRecordDump{}
	stores   = &qos.QosStoreDump{}
	markings = &qos.QosMarkDump{}
	qosMaps  = &qos.QosEgressMapDump{}
)

// qosFeatures asks for all of quality.
func qosFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("ip4-unicast", "ip4-qos-record", i), isOn("ip6-unicast", "ip6-qos-record", i), isOn("ip4-multicast", "ip4-qos-record", i), isOn("ip6-multicast", "ip6-qos-record", i),
		isOn("ip4-unicast", "vlan-ip4-qos-record", i), isOn("ip6-multicast", "vlan-ip6-qos-record", i), isOn("mpls-input", "vlan-mpls-qos-record", i), isOn("mpls-input", "mpls-qos-record", i),
		isOn("ip4-unicast", "ip4-qos-store", i), isOn("ip6-multicast", "ip6-qos-store", i),
		isOn("ip4-output", "ip4-qos-mark", i), isOn("ip6-output", "ip6-qos-mark", i), isOn("ip4-output", "vlan-ip4-qos-mark", i), isOn("ip6-output", "vlan-ip6-qos-mark", i), isOn("mpls-output", "vlan-mpls-qos-mark", i), isOn("mpls-output", "mpls-qos-mark", i),
		isOn("ip4-output", "interface-output", i), isOn("mpls-output", "interface-output", i), isOn("mpls-input", "mpls-lookup", i),
		do(features(i)),
	}
}

var qosScripts = []vpptest.Script{
	{Name: "qos-record", About: "recording and storing is counted, and goes with its interface", Steps: steps(
		do(loopback()), do(loopback()), do(records), do(stores), qosFeatures(1), do(recordQoS(2, ofIPs, false)), do(recordQoS(77, ofIPs, true)), do(recordQoS(1, 4, true)),
		do(recordQoS(1, ofIPs, true)), qosFeatures(1), qosFeatures(2), do(recordQoS(1, ofVLAN, true)), do(recordQoS(1, ofMPLS, true)), do(recordQoS(1, ofExt, true)), do(records), qosFeatures(1),
		note("twice", recordQoS(1, ofIPs, true)), do(records), do(recordQoS(1, ofIPs, false)), do(records), qosFeatures(1), do(recordQoS(1, ofIPs, false)), do(records), qosFeatures(1), note("it is off", recordQoS(1, ofIPs, false)), do(recordQoS(2, ofIPs, false)), do(recordQoS(0, ofIPs, true)), do(recordQoS(0, ofIPs, false)),
		do(storeQoS(1, ofIPs, 46, true)), do(stores), qosFeatures(1), note("another value is not taken", storeQoS(1, ofIPs, 47, true)), do(stores), do(storeQoS(1, ofIPs, 0, false)), do(stores), do(storeQoS(1, ofIPs, 0, false)), do(stores), do(storeQoS(1, ofIPs, 0, false)), do(storeQoS(2, ofIPs, 0, false)), do(storeQoS(1, ofVLAN, 1, true)), do(storeQoS(1, ofVLAN, 1, false)), do(storeQoS(77, ofIPs, 1, true)), do(storeQoS(1, 4, 1, true)), do(storeQoS(1, 4, 1, false)),
		do(recordQoS(1, ofIPs, true)), do(recordQoS(1, ofIPs, true)), do(storeQoS(1, ofIPs, 9, true)), note("what is bridged", join(1, 5)), qosFeatures(1), note("and leaves", leave(1)), qosFeatures(1), do(records),
		do(unloop(1)), do(records), do(stores), do(loopback()), qosFeatures(1), do(recordQoS(1, ofIPs, true)), do(records),
	)},
	{Name: "qos-mark", About: "marks by maps that have numbers, and what becomes of them when these go, or the interface", Steps: steps(
		do(loopback()), do(loopback()), do(qosMaps), do(markings), do(marks(1, ofIPs, 5, true)), do(marks(1, ofIPs, 5, false)), do(marks(2, ofIPs, 5, false)), do(marks(1, 4, 5, true)),
		do(egressMap(5, 10)), do(egressMap(0, 20)), do(qosMaps), do(marks(1, ofIPs, 5, true)), do(markings), qosFeatures(1), do(marks(1, ofIPs, 0, true)), do(markings), do(marks(1, ofVLAN, 5, true)), do(marks(1, ofMPLS, 5, true)), do(markings), qosFeatures(1), qosFeatures(2),
		do(egressMap(5, 30)), do(qosMaps), do(marks(1, ofVLAN, 0, false)), do(marks(1, ofVLAN, 0, false)), do(markings), qosFeatures(1),
		note("a map that is used goes, and another one takes its place", unmap(0)), do(unmap(0)), do(markings), qosFeatures(1), do(egressMap(7, 40)), do(markings), do(qosMaps),
		note("the interface goes", unloop(1)), do(markings), do(marks(1, ofMPLS, 0, false)), do(markings), do(loopback()), do(markings), qosFeatures(1), note("again, to no effect", marks(1, ofIPs, 7, true)), qosFeatures(1), do(marks(1, ofIPs, 7, false)), do(marks(1, ofIPs, 7, true)), qosFeatures(1), do(markings), do(unmap(7)), do(unmap(5)), do(qosMaps), do(markings),
	)},
}
