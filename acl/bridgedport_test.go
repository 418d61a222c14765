// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Whatever is done to a port, in one call or in many, by one engine or by kinds one after
// the other, it is never up in its bridge domain without its filters.
func TestBridgedPortIsNeverUnfiltered(t *testing.T) {
	vpp := vpptest.New(t)
	c := dial(t, vpp.Socket(), "me")
	e := desiredstate.New(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c),
		acl.Sets(c), acl.MACIPSets(c), acl.Bindings(c), acl.MACIPBindings(c), acl.EtherTypeLists(c))
	port := acl.BridgedPort{
		Security: acl.PortSecurity{Interface: "vm", MAC: hostMAC},
		Bridge:   "one",
	}
	objects := func(p acl.BridgedPort) []desiredstate.Object {
		all, err := p.Objects()
		require.NoError(t, err)
		return append(all, vppnet.BridgeDomain{Name: "one"}, vppnet.BridgeDomain{Name: "two"})
	}
	order := func(what string, before, after string) {
		t.Helper()
		sent := vpp.Sent()
		first := slices.Index(sent, before)
		last := len(sent) - 1 - slices.Index(reversed(sent), after)
		require.True(t, first >= 0 && last < len(sent) && first < last, "%s: %s before %s: %v", what, before, after, sent)
	}
	vpp.ResetLog()
	_, err := e.Ensure(t.Context(), append(objects(port), vppnet.Loopback{Name: "vm"})...)
	require.NoError(t, err)
	order("made", "sw_interface_set_l2_bridge", "acl_interface_set_acl_list")
	order("made", "acl_interface_set_acl_list", "sw_interface_set_flags")
	order("made", "macip_acl_interface_add_del", "sw_interface_set_flags")

	vpp.ResetLog() // the interface is another one: down first, filters last but for the link
	_, err = e.Ensure(t.Context(), append(objects(port), vppnet.Loopback{Name: "vm", BVI: true})...)
	require.NoError(t, err)
	sent := vpp.Sent()
	require.Less(t, slices.Index(sent, "sw_interface_set_flags"), slices.Index(sent, "acl_interface_set_acl_list"), "%v", sent)
	require.Equal(t, "sw_interface_set_flags", lastWrite(sent), "%v", sent)

	_, err = acl.Bindings(c).Remove(t.Context(), acl.Binding{Interface: "vm"})
	require.ErrorIs(t, err, desiredstate.ErrInUse, "while it is up")

	off := port
	off.Security.Off = true
	all, err := off.Objects()
	require.NoError(t, err)
	require.Len(t, all, 2)
	_, err = acl.BridgedPort{Security: port.Security}.Objects()
	require.ErrorContains(t, err, "bridge domain")
	_, err = acl.BridgedPort{Security: acl.PortSecurity{Interface: "vm"}, Bridge: "one"}.Objects()
	require.ErrorContains(t, err, "MAC")
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func lastWrite(sent []string) string {
	for _, m := range reversed(sent) {
		if m == "sw_interface_set_flags" || m == "acl_interface_set_acl_list" || m == "sw_interface_set_l2_bridge" {
			return m
		}
	}
	return ""
}
