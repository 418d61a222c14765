// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/urpf"

	"github.com/vppkit/vppkit/vpptest"
)

const reverseOff, reverseLoose, reverseStrict = urpf.URPF_API_MODE_OFF, urpf.URPF_API_MODE_LOOSE, urpf.URPF_API_MODE_STRICT

func reverse(i index, mode urpf.UrpfMode, af ip_types.AddressFamily, input bool) api.Message {
	return &urpf.UrpfUpdateV2{SwIfIndex: i, Mode: mode, Af: af, IsInput: input, TableID: none}
}

var reversePaths = &urpf.UrpfInterfaceDump{SwIfIndex: none}

func reverseFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("ip4-unicast", "ip4-rx-urpf-strict", i), isOn("ip4-unicast", "ip4-rx-urpf-loose", i), isOn("ip6-unicast", "ip6-rx-urpf-strict", i), isOn("ip6-unicast", "ip6-rx-urpf-loose", i),
		isOn("ip4-output", "ip4-tx-urpf-strict", i), isOn("ip4-output", "ip4-tx-urpf-loose", i), isOn("ip6-output", "ip6-tx-urpf-strict", i), isOn("ip6-output", "ip6-tx-urpf-loose", i), isOn("ip4-output", "interface-output", i),
	}
}

var urpfScripts = []vpptest.Script{
	{Name: "urpf", About: "who asks whether sources are behind an interface, and what an interface leaves behind", Steps: steps(
		do(loopback()), do(loopback()), do(reversePaths), reverseFeatures(1), do(reverse(77, reverseLoose, 0, true)), do(reverse(1, 9, 0, true)), do(reverse(1, reverseLoose, 9, true)), do(reverse(1, reverseOff, 0, true)), do(reversePaths),
		do(reverse(1, reverseLoose, 0, true)), do(reversePaths), reverseFeatures(1), reverseFeatures(2), do(reverse(1, reverseStrict, 0, true)), do(reversePaths), reverseFeatures(1), note("again", reverse(1, reverseStrict, 0, true)), reverseFeatures(1),
		do(reverse(1, reverseStrict, 1, true)), do(reverse(1, reverseLoose, 0, false)), do(reverse(2, reverseStrict, 1, false)), do(reversePaths), do(&urpf.UrpfInterfaceDump{SwIfIndex: 1}), do(&urpf.UrpfInterfaceDump{SwIfIndex: 77}), reverseFeatures(1), reverseFeatures(2),
		do(reverse(1, reverseOff, 0, false)), do(reversePaths), reverseFeatures(1),
		note("its interface goes", unloop(1)), do(reversePaths), do(loopback()), do(reversePaths), reverseFeatures(1), note("again, to no effect", reverse(1, reverseStrict, 0, true)), reverseFeatures(1), do(reverse(1, reverseOff, 0, true)), do(reverse(1, reverseStrict, 0, true)), reverseFeatures(1), do(reverse(1, reverseLoose, 1, true)), reverseFeatures(1), do(reversePaths),
		note("before there were tables", &urpf.UrpfUpdate{SwIfIndex: 2, Mode: reverseLoose, IsInput: true, Af: 9}),
	)},
}
