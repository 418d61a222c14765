// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/tapv2"

	"github.com/vppkit/vppkit/vpptest"
)

var taps = &tapv2.SwInterfaceTapV2Dump{SwIfIndex: none}

func tapOf(id uint32, set ...func(*tapv2.TapCreateV3)) api.Message {
	m := &tapv2.TapCreateV3{ID: id, MacAddress: mac(1), NumRxQueues: 1, NumTxQueues: 1, TxRingSz: 256, RxRingSz: 256, Tag: "me/tap"}
	for _, f := range set {
		f(m)
	}
	return m
}

func tapFlags(f tapv2.TapFlags) func(*tapv2.TapCreateV3) {
	return func(m *tapv2.TapCreateV3) { m.TapFlags = f }
}

// The recordings are of a machine without /dev/vhost-net.
var tapScripts = []vpptest.Script{
	{Name: "tap", About: "TAP interfaces, where Linux has no vhost-net", Steps: []vpptest.Step{
		do(taps), note("no vhost-net", tapOf(none)), do(interfaces), do(taps), do(tapOf(7)), do(tapOf(8192)), note("too high", tapOf(8193)), do(tapOf(none, tapFlags(tapv2.TAP_API_FLAG_TUN))), do(tapOf(none, tapFlags(tapv2.TAP_API_FLAG_GSO|tapv2.TAP_API_FLAG_CSUM_OFFLOAD))),
		note("to nothing", tapOf(none, tapFlags(tapv2.TAP_API_FLAG_ATTACH))),
		do(tapOf(none, func(m *tapv2.TapCreateV3) { m.HostIfNameSet, m.HostIfName = true, "vpptap7" })), note("a name that is another's", tapOf(none, func(m *tapv2.TapCreateV3) { m.HostIfNameSet, m.HostIfName = true, "lo" })),
		note("no name that Linux takes", tapOf(none, func(m *tapv2.TapCreateV3) { m.HostIfNameSet, m.HostIfName = true, "with%sign" })), note("it is cut before that", tapOf(none, func(m *tapv2.TapCreateV3) { m.HostIfNameSet, m.HostIfName = true, "fifteenofthem16%:" })),
		do(tapOf(none, func(m *tapv2.TapCreateV3) { m.HostNamespaceSet, m.HostNamespace = true, "vpptest-none" })), note("a namespace without a name", tapOf(none, func(m *tapv2.TapCreateV3) { m.HostNamespaceSet = true })), do(tapOf(none, func(m *tapv2.TapCreateV3) { m.HostBridgeSet, m.HostBridge = true, "vpptest-none" })),
		note("no power of two, which is looked at later", tapOf(none, func(m *tapv2.TapCreateV3) { m.RxRingSz = 100 })), do(tapOf(none, func(m *tapv2.TapCreateV3) { m.Tag = strings.Repeat("t", 70) })),
		do(interfaces), do(loopback()), do(dump(1)), do(&tapv2.TapDeleteV2{SwIfIndex: 1}), do(&tapv2.TapDeleteV2{SwIfIndex: 77}), do(&tapv2.TapDeleteV2{SwIfIndex: 0}), do(&tapv2.SwInterfaceTapV2Dump{SwIfIndex: 1}), do(&tapv2.SwInterfaceTapV2Dump{SwIfIndex: 77}),
	}},
	{Name: "tap-name", About: "names that Linux takes for a device, where it has no vhost-net", Steps: steps(
		tapNamed("a/b"), tapNamed("a b"), tapNamed("a\tb"), tapNamed("a\vb"), tapNamed("a\x1fb"), tapNamed("a\xa0b"), tapNamed("a\x85b"), tapNamed("a\u00a0b"), tapNamed("."), tapNamed(".."), tapNamed("..."), tapNamed("vppt%d"), tapNamed("%d"), tapNamed("vppt%d%d"), tapNamed("vppt%%"), tapNamed("a:b"), tapNamed("\x01"), tapNamed("\xff"),
		note("the 15th", tapNamed("fifteenofthem1 6").Request), note("the 16th", tapNamed("fifteenofthem16 ").Request), tapNamed("fifteenofthem16/"), tapNamed(""),
	)},
}

func tapNamed(name string) vpptest.Step {
	return do(tapOf(none, func(m *tapv2.TapCreateV3) { m.HostIfNameSet, m.HostIfName = true, name }))
}
