// SPDX-License-Identifier: Apache-2.0

package ownkind_test

import (
	"flag"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/geneve"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/vpptest"
)

var record = flag.Bool("record", false, "make testdata anew from an installed VPP")

const recording = "testdata/geneve.json"

// script is what the plugin must answer as VPP does.
var script = vpptest.Script{
	Name:  "geneve",
	About: "a tunnel comes up by itself; only one has the same other end and VNI; a freed index is given again",
	Steps: []vpptest.Step{
		{Request: message(true)},
		{Note: "admin up at once", Request: &interfaces.SwInterfaceDump{SwIfIndex: 1}},
		{Note: "there is one", Request: message(true)},
		{Note: "the source does not count", Request: from("192.0.2.9", true)},
		{Request: other(true)},
		{Request: &geneve.GeneveTunnelDump{SwIfIndex: none}},
		{Note: "by another source", Request: from("192.0.2.9", false)},
		{Note: "gone", Request: message(false)},
		{Note: "in its place", Request: message(true)},
		{Request: &geneve.GeneveTunnelDump{SwIfIndex: none}},
		{Request: other(false)},
		{Request: message(false)},
		{Request: &geneve.GeneveTunnelDump{SwIfIndex: none}},
	},
}

func other(add bool) *geneve.GeneveAddDelTunnel2 {
	m := message(add)
	m.Vni++
	return m
}

func from(src string, add bool) *geneve.GeneveAddDelTunnel2 {
	m := message(add)
	m.LocalAddress = ip_types.NewAddress(netip.MustParseAddr(src).AsSlice())
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
