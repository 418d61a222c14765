// SPDX-License-Identifier: Apache-2.0

package vpptest_test

import (
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/mss_clamp"

	"github.com/vppkit/vppkit/vpptest"
)

const (
	clampIn   = mss_clamp.MSS_CLAMP_DIR_RX
	clampOut  = mss_clamp.MSS_CLAMP_DIR_TX
	clampBoth = clampIn | clampOut
)

var clamped = &mss_clamp.MssClampGet{SwIfIndex: none}

func clamps(i index, way4 mss_clamp.MssClampDir, mss4 uint16, way6 mss_clamp.MssClampDir, mss6 uint16) api.Message {
	return &mss_clamp.MssClampEnableDisable{SwIfIndex: i, IPv4Direction: way4, IPv4Mss: mss4, IPv6Direction: way6, IPv6Mss: mss6}
}

func clampFeatures(i index) []vpptest.Step {
	return []vpptest.Step{
		isOn("ip4-unicast", "tcp-mss-clamping-ip4-in", i), isOn("ip4-output", "tcp-mss-clamping-ip4-out", i),
		isOn("ip6-unicast", "tcp-mss-clamping-ip6-in", i), isOn("ip6-output", "tcp-mss-clamping-ip6-out", i),
	}
}

var mssClampScripts = []vpptest.Script{
	{Name: "mss-clamp", About: "how large segments TCP may announce", Steps: steps(
		do(clamped), do(loopback()), do(loopback()), do(clamped), clampFeatures(1),
		note("both families, both ways", clamps(1, clampBoth, 1460, clampBoth, 1440)), do(clamped), clampFeatures(1), clampFeatures(2),
		note("same again", clamps(1, clampBoth, 1460, clampBoth, 1440)), note("smaller", clamps(1, clampBoth, 1360, clampBoth, 1340)), do(clamped),
		note("one way", clamps(1, clampIn, 1360, clampOut, 1340)), do(clamped), clampFeatures(1),
		note("one family", clamps(2, 0, 9, clampOut, 0)), do(clamped), do(&mss_clamp.MssClampGet{SwIfIndex: 2}), clampFeatures(2),
		do(&mss_clamp.MssClampGet{SwIfIndex: 0}), do(&mss_clamp.MssClampGet{SwIfIndex: 77}), do(clamps(77, clampIn, 1, 0, 0)),
		note("from a cursor", &mss_clamp.MssClampGet{SwIfIndex: none, Cursor: 2}), do(&mss_clamp.MssClampGet{SwIfIndex: none, Cursor: 9}), do(&mss_clamp.MssClampGet{SwIfIndex: none, Cursor: none}),
		note("off", clamps(1, 0, 0, 0, 0)), do(clamped), clampFeatures(1), note("it is off", clamps(1, 0, 0, 0, 0)),
		do(clamps(2, 0, 0, 0, 0)), do(clamped),
	)},
	{Name: "mss-clamp-gone", About: "it outlives its interface, and the next with the index has it, to no effect", Steps: steps(
		do(loopback()), do(loopback()), do(clamps(1, clampBoth, 1460, clampBoth, 1440)), do(unloop(1)), do(clamped), do(loopback()), do(clamped), clampFeatures(1),
		note("again, to no effect", clamps(1, clampBoth, 1460, clampBoth, 1440)), clampFeatures(1),
		do(clamps(1, 0, 0, 0, 0)), do(clamps(1, clampBoth, 1460, clampBoth, 1440)), clampFeatures(1), do(clamped),
	)},
}
