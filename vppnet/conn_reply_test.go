// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/vppnet"
)

func TestInvokeDecodesTheReply(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) {
		var m interfaces.SwInterfaceSetFlags
		require.NoError(t, m.Unmarshal(q.body))
		require.Equal(t, interface_types.InterfaceIndex(7), m.SwIfIndex)
		require.EqualValues(t, clientIndex, q.client)
		p.reply(q, &interfaces.SwInterfaceSetFlagsReply{})
	}
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	require.NoError(t, setFlags(t.Context(), c))
	require.Equal(t, []string{"sw_interface_set_flags"}, w.requests())
}

func TestReplyOfAnotherMessageIsAnError(t *testing.T) {
	w := newWire(t)
	w.answer["show_version"] = nil
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) { p.reply(q, &interfaces.SwInterfaceSetMtuReply{}) }
	w.answer["show_version"] = func(p *peer, q question) { p.reply(q, &vpe.ShowVersionReply{}) }
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	err := setFlags(t.Context(), c)
	require.ErrorIs(t, err, vppnet.ErrUnexpectedReply)
	require.ErrorContains(t, err, "sw_interface_set_mtu_reply")
	require.NoError(t, ping(t.Context(), c), "it concerns that call only")
}

// VPP answers a few requests with the reply of another one.
func TestKnownSlipsOfVPPAreAccepted(t *testing.T) {
	w := newWire(t)
	w.answer["policer_input_v2"] = func(p *peer, q question) { p.reply(q, &policer.PolicerInputReply{}) }
	w.answer["policer_output_v2"] = func(p *peer, q question) { p.reply(q, &policer.PolicerOutputReply{Retval: -6}) }
	w.answer["acl_stats_intf_counters_enable"] = func(p *peer, q question) { p.reply(q, &acl.ACLDelReply{}) }
	w.answer["policer_reset"] = func(p *peer, q question) { p.reply(q, &policer.PolicerInputReply{}) }
	c := w.dial()
	c.Uses(&policer.PolicerInputV2{}, &policer.PolicerOutputV2{}, &policer.PolicerReset{}, &acl.ACLStatsIntfCountersEnable{})
	police := policer.NewServiceClient(c)

	_, err := police.PolicerInputV2(t.Context(), &policer.PolicerInputV2{})
	require.NoError(t, err)
	_, err = police.PolicerOutputV2(t.Context(), &policer.PolicerOutputV2{})
	require.ErrorIs(t, err, api.NO_SUCH_ENTRY)
	_, err = acl.NewServiceClient(c).ACLStatsIntfCountersEnable(t.Context(), &acl.ACLStatsIntfCountersEnable{})
	require.NoError(t, err)
	_, err = police.PolicerReset(t.Context(), &policer.PolicerReset{})
	require.ErrorIs(t, err, vppnet.ErrUnexpectedReply, "nobody else may answer so")
}

func TestRetvalComesWithTheReply(t *testing.T) {
	w := newWire(t)
	w.answer["create_loopback_instance"] = func(p *peer, q question) {
		p.reply(q, &interfaces.CreateLoopbackInstanceReply{Retval: int32(api.IF_ALREADY_EXISTS), SwIfIndex: 42})
	}
	w.answer["acl_add_replace"] = func(p *peer, q question) { // retval is its second field
		p.reply(q, &acl.ACLAddReplaceReply{ACLIndex: 3, Retval: 1})
	}
	c := w.dial()
	c.Uses(&interfaces.CreateLoopbackInstance{}, &acl.ACLAddReplace{})

	_, err := interfaces.NewServiceClient(c).CreateLoopbackInstance(t.Context(), &interfaces.CreateLoopbackInstance{})
	require.ErrorIs(t, err, api.IF_ALREADY_EXISTS)
	var e *vppnet.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "create_loopback_instance", e.Message)
	require.EqualValues(t, -79, e.Retval)
	require.False(t, e.Unknown)
	require.EqualValues(t, 42, e.Reply.(*interfaces.CreateLoopbackInstanceReply).SwIfIndex)

	_, err = acl.NewServiceClient(c).ACLAddReplace(t.Context(), &acl.ACLAddReplace{})
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, 1, e.Retval, "VPP has bugs that fail with a positive value")
}

// VPP leaves the other fields of a failing reply unset: a count may be anything.
func TestFailingReplyWithGarbageInItsLists(t *testing.T) {
	w := newWire(t)
	w.answer["get_api_json"] = func(p *peer, q question) { p.reply(q, &memclnt.GetAPIJSONReply{Retval: -1}) }
	w.answer["api_versions"] = func(p *peer, q question) {
		msg := make([]byte, 14)
		id := w.ids["api_versions_reply_5f0d99d6"]
		copy(msg, []byte{byte(id >> 8), byte(id), byte(q.context >> 24), byte(q.context >> 16), byte(q.context >> 8), byte(q.context)})
		copy(msg[6:], []byte{0xff, 0xff, 0xff, 0xff, 0xde, 0xad, 0xbe, 0xef})
		p.raw(frame(msg))
	}
	c := w.dial()
	c.Uses(&memclnt.APIVersions{}, &memclnt.GetAPIJSON{})
	var e *vppnet.Error
	_, err := memclnt.NewServiceClient(c).APIVersions(t.Context(), &memclnt.APIVersions{})
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, -1, e.Retval)
	_, err = memclnt.NewServiceClient(c).GetAPIJSON(t.Context(), &memclnt.GetAPIJSON{})
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, -1, e.Retval)
}

func TestShortReplyIsAnError(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) {
		id := w.ids["sw_interface_set_flags_reply_e8d4e804"]
		p.raw(frame([]byte{byte(id >> 8), byte(id), byte(q.context >> 24), byte(q.context >> 16), byte(q.context >> 8), byte(q.context)}))
	}
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	require.ErrorIs(t, setFlags(t.Context(), c), vppnet.ErrUnexpectedReply)
	require.NoError(t, ping(t.Context(), c))
}

func TestStreamOutOfStepEndsTheConn(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"too long":  {8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 15: 0},
		"too short": {8: 0, 11: 1, 15: 0, 16: 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.answer["sw_interface_set_flags"] = func(p *peer, q question) { p.raw(garbage) }
			c := w.dial()
			c.Uses(&interfaces.SwInterfaceSetFlags{})
			require.ErrorIs(t, setFlags(t.Context(), c), vppnet.ErrDisconnected)
		})
	}
}
