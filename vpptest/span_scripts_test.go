// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/span"

	"github.com/vppkit/vppkit/vpptest"
)

func mirror(from, to index, state span.SpanState, isL2 bool) api.Message {
	return &span.SwInterfaceSpanEnableDisable{SwIfIndexFrom: from, SwIfIndexTo: to, State: state, IsL2: isL2}
}

var (
	mirrors   = &span.SwInterfaceSpanDump{}
	mirrorsL2 = &span.SwInterfaceSpanDump{IsL2: true}
)

const (
	spanOff  = span.SPAN_STATE_API_DISABLED
	spanRx   = span.SPAN_STATE_API_RX
	spanTx   = span.SPAN_STATE_API_TX
	spanBoth = span.SPAN_STATE_API_RX_TX
)

// mirrorFeatures asks for all of span's.
func mirrorFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("device-input", "span-input", i), isOn("port-rx-eth", "span-input", i), isOn("interface-output", "span-output", i), do(features(i)),
	}
}

var spanScripts = []vpptest.Script{
	{Name: "span", About: "mirrors, and what they are on of", Steps: steps(
		do(loopback()), do(loopback()), do(loopback()), do(mirrors), mirrorFeatures(1), mirrorFeatures(2),
		do(mirror(1, 2, spanRx, false)), do(mirrors), do(mirrorsL2), mirrorFeatures(1), do(mirror(1, 2, spanTx, false)), do(mirrors), mirrorFeatures(1), do(mirror(1, 2, spanBoth, false)), note("a second", mirror(1, 3, spanRx, false)), do(mirrors), do(mirror(1, 2, spanOff, false)), do(mirrors), mirrorFeatures(1),
		do(mirror(1, 1, spanRx, false)), do(mirror(none, 1, spanRx, false)), do(mirror(1, none, spanRx, false)), note("to nobody: all of them", mirror(1, none, spanOff, false)), do(mirrors), mirrorFeatures(1), do(mirror(1, 2, 4, false)),
		do(mirror(2, 77, spanRx, false)), do(mirrors), do(mirror(2, 77, spanOff, false)), note("it is off", mirror(2, 3, spanOff, false)), note("local0", mirror(0, 3, spanBoth, false)), do(mirror(3, 0, spanBoth, false)), do(mirrors), do(mirror(0, 3, spanOff, false)), do(mirror(3, 0, spanOff, false)),
	)},
	{Name: "span-l2", About: "mirrors of what is bridged", Steps: steps(
		do(loopback()), do(loopback()), do(loopback()), do(mirror(1, 2, spanBoth, true)), do(mirrors), do(mirrorsL2), mirrorFeatures(1), note("not one of the other sort", mirror(1, 2, spanOff, false)), do(mirrorsL2),
		do(join(1, 5)), mirrorFeatures(1), do(mirror(1, 2, spanOff, true)), mirrorFeatures(1), do(mirror(1, 2, spanBoth, true)), mirrorFeatures(1), note("it leaves", leave(1)), mirrorFeatures(1), do(mirrorsL2), do(join(1, 5)), mirrorFeatures(1),
		note("cross-connected", cross(1, 3)), mirrorFeatures(1), do(mirror(1, 2, spanOff, true)), do(mirror(1, 2, spanRx, true)), mirrorFeatures(1), do(mirrorsL2),
		do(mirror(1, 3, spanBoth, true)), do(mirrorsL2), do(mirror(1, none, spanOff, true)), do(mirrorsL2), mirrorFeatures(1),
	)},
	{Name: "span-gone", About: "mirrors outlive their interfaces, and the next with the index has them, to no effect", Steps: steps(
		do(loopback()), do(loopback()), do(loopback()), do(mirror(1, 2, spanBoth, false)), do(mirror(1, 3, spanRx, true)), do(mirror(2, 1, spanRx, false)), do(join(1, 5)), mirrorFeatures(1),
		do(unloop(1)), do(mirrors), do(mirrorsL2), do(loopback()), do(dump(1)), do(mirrors), do(mirrorsL2), mirrorFeatures(1), note("again, to no effect", mirror(1, 2, spanBoth, false)), mirrorFeatures(1),
		do(mirror(1, 2, spanOff, false)), do(mirror(1, 2, spanBoth, false)), note("off and on", mirrors), mirrorFeatures(1), do(join(1, 5)), mirrorFeatures(1), do(mirror(1, 3, spanOff, true)), do(mirror(1, 3, spanRx, true)), mirrorFeatures(1),
	)},
}
