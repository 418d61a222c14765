// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/tracedump"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// These are of a VPP 25.10.
const (
	flooded = `Packet 1

00:00:00:451900: af-packet-input
  af_packet: hw_if_index 2 rx-queue 0 next-index 4
    block 0:
00:00:00:452093: ethernet-input
  ARP: 3e:03:bd:3d:ef:91 -> ff:ff:ff:ff:ff:ff
00:00:00:452099: l2-input
  l2-input: sw_if_index 2 dst ff:ff:ff:ff:ff:ff src 3e:03:bd:3d:ef:91 [l2-learn l2-flood ]
00:00:00:452116: l2-output
  l2-output: sw_if_index 1 dst ff:ff:ff:ff:ff:ff src 3e:03:bd:3d:ef:91
`
	lost = `Packet 2

00:00:00:461928: af-packet-input
  af_packet: hw_if_index 2 rx-queue 0 next-index 4
00:00:00:462075: ethernet-input
  IP4: 3e:03:bd:3d:ef:91 -> a2:4e:ba:7b:ae:8a
00:00:00:462083: error-drop
  rx:host-to-a
00:00:00:462093: drop
  ethernet-input: l3 mac mismatch
`
)

// tracing is a VPP that has seen these packets, with an af_packet device number 2 and a
// loopback, and what it was told.
func tracing(t *testing.T, packets ...string) (c *vppnet.Conn, told *[]string) {
	vpp := vpptest.New(t)
	told = &[]string{}
	vpptest.Handle(vpp, func(_ *vpptest.Call, q *vlib.GetNodeIndex) *vlib.GetNodeIndexReply {
		if q.NodeName == "af-packet-input" {
			return &vlib.GetNodeIndexReply{NodeIndex: 77}
		}
		return &vlib.GetNodeIndexReply{Retval: int32(api.NO_SUCH_NODE), NodeIndex: ^uint32(0)}
	})
	vpptest.Handle(vpp, func(_ *vpptest.Call, q *vlib.CliInband) *vlib.CliInbandReply {
		return &vlib.CliInbandReply{Reply: "              Name                Idx   Link  Hardware\nhost-to-a                          2     up   host-to-a\nlocal0                             0    down  local0\n"}
	})
	vpptest.Handle(vpp, func(c *vpptest.Call, q *tracedump.TraceCapturePackets) *tracedump.TraceCapturePacketsReply {
		if q.NodeIndex != 77 {
			c.Die("traced a node that is none")
		}
		*told = append(*told, fmt.Sprintf("on %d %v", q.MaxPackets, q.PreCaptureClear))
		return &tracedump.TraceCapturePacketsReply{}
	})
	vpptest.Handle(vpp, func(*vpptest.Call, *tracedump.TraceClearCapture) *tracedump.TraceClearCaptureReply {
		*told = append(*told, "off")
		return &tracedump.TraceClearCaptureReply{}
	})
	vpptest.HandleDump(vpp, func(*vpptest.Call, *tracedump.TraceV2Dump) (out []*tracedump.TraceV2Details) {
		for _, p := range packets {
			out = append(out, &tracedump.TraceV2Details{TraceData: p})
		}
		return out
	})
	c = dialVPP(t, vpp.Socket())
	_, err := desiredstate.New(vppnet.HostInterfaces(c), vppnet.SubInterfaces(c)).Ensure(t.Context(),
		vppnet.HostInterface{Name: "a", Device: "to-a"}, vppnet.SubInterface{Name: "sub", Parent: "a", Outer: 5})
	require.NoError(t, err)
	return c, told
}

func TestCapture(t *testing.T) {
	c, told := tracing(t, flooded, lost, strings.ReplaceAll(lost, "hw_if_index 2", "hw_if_index 3"), "nonsense")
	all, err := vppnet.Capture(t.Context(), c, vppnet.CaptureOptions{Interfaces: []string{"a"}, Packets: 2})
	require.NoError(t, err)
	require.Equal(t, []string{"on 10000 true", "off"}, *told)
	require.Len(t, all, 2)
	require.Equal(t, `in by a
00:00:00:461928 af-packet-input: af_packet: hw_if_index 2 rx-queue 0 next-index 4
00:00:00:462075 ethernet-input: IP4: 3e:03:bd:3d:ef:91 -> a2:4e:ba:7b:ae:8a
00:00:00:462083 error-drop: rx:host-to-a
00:00:00:462093 drop: ethernet-input: l3 mac mismatch
dropped by ethernet-input: l3 mac mismatch
`, all[1].String())
	require.Empty(t, all[0].Dropped)

	all, err = vppnet.Capture(t.Context(), c, vppnet.CaptureOptions{Interfaces: []string{"sub", "a"}, Time: time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, "sub", all[0].Interface, "number 2 is the sub-interface's")
	require.Equal(t, "a", all[1].Interface)

	for _, bad := range []vppnet.CaptureOptions{
		{},
		{Interfaces: []string{"a"}, Packets: -1},
		{Interfaces: []string{"a"}, Packets: 10_001},
		{Interfaces: []string{"a"}, Time: -1},
		{Interfaces: []string{"nobody"}},
		{Interfaces: []string{"vpp:local0"}},
	} {
		*told = nil
		_, err := vppnet.Capture(t.Context(), c, bad)
		require.Error(t, err, "%+v", bad)
		require.Empty(t, *told)
	}
}

func FuzzCapturedText(f *testing.F) {
	f.Add(flooded)
	f.Add(lost)
	f.Fuzz(func(t *testing.T, text string) {
		p := vppnet.ParsePacket(text)
		if p.DroppedAt == "" {
			require.Empty(t, p.Dropped)
		}
		require.LessOrEqual(t, strings.Count(p.String(), "\n"), strings.Count(text, "\n")+3)
	})
}
