// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/gre"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"

	"github.com/vppkit/vppkit/vppnet"
)

func TestUndeclaredMessageIsNotSent(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) { p.reply(q, &interfaces.SwInterfaceSetFlagsReply{}) }
	c := w.dial()
	err := setFlags(t.Context(), c)
	require.ErrorIs(t, err, vppnet.ErrNotAllowed)
	require.ErrorContains(t, err, "Uses(&interfaces.SwInterfaceSetFlags{})", "what to do is told")
	s, err := c.NewStream(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, s.SendMsg(&interfaces.SwInterfaceDump{}), vppnet.ErrNotAllowed)
	require.NoError(t, s.Close())
	require.Empty(t, w.requests())

	c.Uses(&interfaces.SwInterfaceSetFlags{})
	require.NoError(t, setFlags(t.Context(), c))
}

func TestUnsupportedMessageIsNotSent(t *testing.T) {
	for name, lack := range map[string]func(*wire){
		"it lacks sw_interface_set_flags (CRC f5aec1b8)":                      func(w *wire) { w.lack(&interfaces.SwInterfaceSetFlags{}, "") },
		"it has sw_interface_set_flags with CRC 12345678, not f5aec1b8":       func(w *wire) { w.lack(&interfaces.SwInterfaceSetFlags{}, "12345678") },
		"it has sw_interface_set_flags_reply with CRC 12345678, not e8d4e804": func(w *wire) { w.lack(&interfaces.SwInterfaceSetFlagsReply{}, "12345678") },
		"it lacks sw_interface_set_flags_reply (CRC e8d4e804)":                func(w *wire) { w.lack(&interfaces.SwInterfaceSetFlagsReply{}, "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			lack(w)
			c := w.dial()
			c.Uses(&interfaces.SwInterfaceSetFlags{})
			err := setFlags(t.Context(), c)
			require.ErrorIs(t, err, vppnet.ErrUnsupported)
			require.ErrorContains(t, err, name)
			require.Empty(t, w.requests())
		})
	}
	w := newWire(t)
	w.lack(&interfaces.SwInterfaceEvent{}, "")
	c := w.dial()
	_, err := c.WatchEvent(t.Context(), &interfaces.SwInterfaceEvent{})
	require.ErrorIs(t, err, vppnet.ErrUnsupported)
	_, err = c.Watch(t.Context())
	require.ErrorIs(t, err, vppnet.ErrUnsupported)
}

func TestWhatIsNoRequestIsNotSent(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceDetails{}, &memclnt.RxThreadExit{})
	s, err := c.NewStream(t.Context())
	require.NoError(t, err)
	require.Error(t, s.SendMsg(&interfaces.SwInterfaceSetFlagsReply{}))
	require.Error(t, s.SendMsg(&memclnt.RxThreadExit{}))
	require.NoError(t, s.Close())
	require.Empty(t, w.requests())
}

func TestUsesFindsTheAnswers(t *testing.T) {
	var none *vppnet.Conn
	for want, msg := range map[string]api.Message{
		"sw_interface_dump":             &interfaces.SwInterfaceDump{},
		"sw_interface_tx_placement_get": &interfaces.SwInterfaceTxPlacementGet{},
		"gre_tunnel_dump_v2":            &gre.GreTunnelDumpV2{},
		"policer_dump_v2":               &policer.PolicerDumpV2{},
		"acl_dump":                      &acl.ACLDump{},
		"acl_add_replace":               &acl.ACLAddReplace{},
	} {
		answers := map[string]string{
			"sw_interface_dump":             "sw_interface_details",
			"sw_interface_tx_placement_get": "sw_interface_tx_placement_details sw_interface_tx_placement_get_reply",
			"gre_tunnel_dump_v2":            "gre_tunnel_details gre_tunnel_details_v2 gre_tunnel_dump_v2_reply",
			"policer_dump_v2":               "policer_details",
			"acl_dump":                      "acl_details",
			"acl_add_replace":               "acl_add_replace_reply",
		}[want]
		var got []string
		for _, key := range none.Uses(msg, msg) {
			if name := key[:len(key)-9]; name != want {
				got = append(got, name)
			}
		}
		require.Equal(t, answers, strings.Join(got, " "))
	}
}

// lateReply is what generated code would register that is loaded after the first use of its tree.
type lateReply struct {
	interfaces.SwInterfaceSetFlagsReply
}

func (*lateReply) GetMessageName() string { return "late_reply" }

type late struct{ interfaces.SwInterfaceSetFlags }

func (*late) GetMessageName() string { return "late" }

func TestUsesFindsAnswersThatCameLater(t *testing.T) {
	var none *vppnet.Conn
	require.Contains(t, none.Uses(&late{}), "late_f5aec1b8")
	api.RegisterMessage(&lateReply{}, "late.LateReply")
	require.Equal(t, []string{"late_f5aec1b8", "late_reply_e8d4e804"}, none.Uses(&late{}))
}

func TestCompatibility(t *testing.T) {
	w := newWire(t)
	w.lack(&interfaces.SwInterfaceDump{}, "00000000")
	c := w.dial()
	require.NoError(t, c.CheckCompatibility(&memclnt.ControlPing{}))
	err := c.CheckCompatibility(&memclnt.ControlPing{}, &interfaces.SwInterfaceDump{})
	var e *api.CompatibilityError
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"control_ping_51077d14"}, e.CompatibleMessages)
	require.Equal(t, []string{"sw_interface_dump_aa610c27"}, e.IncompatibleMessages)

	require.True(t, c.Has("control_ping_51077d14"))
	require.False(t, c.Has("sw_interface_dump_aa610c27"))
	crc, ok := c.CRC("sw_interface_dump")
	require.True(t, ok)
	require.Equal(t, "00000000", crc)
	_, ok = c.CRC("no_such_message")
	require.False(t, ok)
}

// Nil messages are errors of who sends them, as with govpp.
func TestNilMessages(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	ctx := t.Context()
	s, err := c.NewStream(ctx)
	require.NoError(t, err)
	defer s.Close()
	var none *memclnt.ControlPing
	var noReply *memclnt.ControlPingReply
	for what, err := range map[string]error{
		"request":       c.Invoke(ctx, nil, &memclnt.ControlPingReply{}),
		"reply":         c.Invoke(ctx, &memclnt.ControlPing{}, nil),
		"typed request": c.Invoke(ctx, none, &memclnt.ControlPingReply{}),
		"typed reply":   c.Invoke(ctx, &memclnt.ControlPing{}, noReply),
		"sent":          s.SendMsg(nil),
		"typed, sent":   s.SendMsg(none),
		"event":         second(c.WatchEvent(ctx, nil)),
	} {
		require.EqualError(t, err, "a message is nil", what)
	}
}

func second[T any](_ T, err error) error { return err }
