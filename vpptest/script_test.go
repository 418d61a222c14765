// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/vpe"
	"go.fd.io/govpp/codec"
	"pgregory.net/rapid"
)

// What one VPP calls 1 and another 3 is the same to a script that takes it from answers.
func TestStepsFromAnswers(t *testing.T) {
	script := Script{Name: "from", Volatile: []string{
		"create_loopback_reply.sw_if_index", "sw_interface_details.sw_if_index", "sw_interface_details.sup_sw_if_index",
		"sw_interface_details.interface_name",
	}, Steps: []Step{
		{As: "a", Request: &interfaces_api.CreateLoopback{MacAddress: [6]byte{2, 0, 0, 0, 0, 1}}},
		{As: "b", Request: &interfaces_api.CreateLoopback{MacAddress: [6]byte{2, 0, 0, 0, 0, 2}}},
		{Request: &interfaces_api.SwInterfaceSetFlags{Flags: 1}, From: map[string]string{"sw_if_index": "b.sw_if_index"}},
		{As: "b again", Pipeline: true, Request: &interfaces_api.SwInterfaceDump{}, From: map[string]string{"sw_if_index": "b.0.sw_if_index"}},
		{As: "all", Request: &interfaces_api.SwInterfaceDump{}, From: map[string]string{"sw_if_index": "a.sw_if_index"}},
		{Request: &l2.SwInterfaceSetL2Bridge{BdID: 7, Enable: true}, From: map[string]string{"rx_sw_if_index": "all.1.sw_if_index"}},
	}}
	first, second := New(t), New(t, WithInterface("nic0"), WithInterface("nic1"))
	r, err := Record(first.Socket(), "/", script)
	require.NoError(t, err)
	require.Contains(t, first.String(), `bridge-domain 7`)
	file := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, r.Save(file))
	r, err = Load(file)
	require.NoError(t, err)
	require.NoError(t, r.Matches(script))
	require.NoError(t, r.Replay(second.Socket(), "/"))

	for ref, complaint := range map[string]string{
		"c.sw_if_index": "no step of this name", "b again.retval": "no step of this name", "a.1.retval": "there are 1 answers",
		"a.sw_if_index.x": "nothing that has fields",
	} {
		script.Steps[3].From = map[string]string{"sw_if_index": ref}
		_, err = Record(first.Socket(), "/", script)
		require.ErrorContains(t, err, complaint, ref)
	}
}

// What fields cannot say is sent, recorded and compared all the same.
func TestBytesAreLeftAlone(t *testing.T) {
	tag := "\xff\xfe no text"
	var seen [][]byte
	vpp := New(t)
	Handle(vpp, func(_ *Call, q *interfaces_api.SwInterfaceTagAddDel) *interfaces_api.SwInterfaceTagAddDelReply {
		seen = append(seen, []byte(q.Tag))
		return &interfaces_api.SwInterfaceTagAddDelReply{}
	})
	r, err := Record(vpp.Socket(), "/", Script{Steps: []Step{{Request: &interfaces_api.SwInterfaceTagAddDel{IsAdd: true, Tag: tag}}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, r.Save(file))
	r, err = Load(file)
	require.NoError(t, err)
	require.NoError(t, r.Replay(vpp.Socket(), "/"))
	require.Equal(t, [][]byte{[]byte(tag), []byte(tag)}, seen)
}

// JSON and what it leaves give back the very bytes, whatever they were.
func TestSaidIsLossless(t *testing.T) {
	like := &interfaces_api.SwInterfaceDetails{}
	size := like.Size() + 6
	rapid.Check(t, func(t *rapid.T) {
		wire := make([]byte, size+rapid.IntRange(0, 3).Draw(t, "longer"))
		for range rapid.IntRange(0, 40).Draw(t, "bytes") {
			wire[rapid.IntRange(6, len(wire)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		m := newMessage(like)
		require.NoError(t, codec.DecodeMsg(wire, m))
		s, err := sayWire(m, wire)
		require.NoError(t, err)
		_, again, err := s.wire(map[string]uint16{crcName(like): 0})
		require.NoError(t, err)
		require.Equal(t, wire, again, "%s", s)
	})
}

// Who has nothing in a directory names none.
func TestRecordWithoutDirectory(t *testing.T) {
	s := Script{Name: "plain", Steps: []Step{{Request: &vpe.ShowVersion{}}}}
	r, err := Record(New(t).Socket(), "", s)
	require.NoError(t, err)
	require.NotEmpty(t, r.Steps[0].Answers)
	require.NoError(t, r.Replay(New(t).Socket(), ""))
}

// A request that waits for a next one of its client which does not come would never be sent.
func TestPipelineHasAnEnd(t *testing.T) {
	ask := func(client int, pipeline bool) Step {
		return Step{Client: client, Request: &vpe.ShowVersion{}, Pipeline: pipeline}
	}
	for _, steps := range [][]Step{{ask(0, false), ask(0, true)}, {ask(0, true), ask(1, false)}} {
		_, err := Record(New(t).Socket(), t.TempDir(), Script{Name: "open", Steps: steps})
		require.ErrorContains(t, err, "with Pipeline it waits for a next step of client 0")
	}
	r, err := Record(New(t).Socket(), t.TempDir(), Script{Name: "ended", Steps: []Step{ask(0, true), ask(1, false), ask(0, false)}})
	require.NoError(t, err)
	require.Len(t, r.Steps[2].Answers, 2)
}
