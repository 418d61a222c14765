// SPDX-License-Identifier: Apache-2.0

package ownkind_test

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/vpptest"
)

var record = flag.Bool("record", false, "make testdata anew from an installed VPP")

const recording = "testdata/vxlan.json"

// script is what the plugin must answer as VPP does.
var script = vpptest.Script{
	Name:  "vxlan",
	About: "a tunnel comes up by itself; only one has the same ends and VNI; a freed index and instance are given again",
	Steps: []vpptest.Step{
		{Request: message(true)},
		{Note: "admin up at once", Request: &interfaces.SwInterfaceDump{SwIfIndex: 1}},
		{Note: "there is one", Request: message(true)},
		{Note: "to itself", Request: func() *vxlan.VxlanAddDelTunnelV3 { m := message(true); m.DstAddress = m.SrcAddress; return m }()},
		{Request: other(true)},
		{Request: &vxlan.VxlanTunnelV2Dump{SwIfIndex: none}},
		{Request: message(false)},
		{Note: "gone", Request: message(false)},
		{Note: "in its place", Request: message(true)},
		{Request: &vxlan.VxlanTunnelV2Dump{SwIfIndex: none}},
		{Request: other(false)},
		{Request: message(false)},
		{Request: &vxlan.VxlanTunnelV2Dump{SwIfIndex: none}},
	},
}

func other(add bool) *vxlan.VxlanAddDelTunnelV3 {
	m := message(add)
	m.Vni++
	return m
}

// What the plugin does is recorded, not imagined.
func TestReplay(t *testing.T) {
	if *record {
		vpp := vpptest.Real(t)
		r, err := vpptest.Record(vpp.Socket(), vpp.Dir(), script)
		require.NoError(t, err)
		require.NoError(t, r.Save(recording))
	}
	r, err := vpptest.Load(recording)
	require.NoError(t, err)
	require.NoError(t, r.Matches(script))
	require.NoError(t, r.Replay(vpptest.New(t, plugin).Socket(), "/"))
}
