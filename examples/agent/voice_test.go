// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/dirty"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A loopback that announced a VM may go unheard, when events are lost. Whoever has its number then is heard.
func TestALoopbackThatWentUnheard(t *testing.T) {
	v := &voice{fresh: dirty.New[uint32](), mine: map[uint32]bool{5: true, 6: true}}
	require.True(t, v.hear(vppnet.LinkEvent{Index: 5, LinkUp: true}))
	require.True(t, v.hear(vppnet.LinkEvent{Index: 5, Deleted: true}))
	require.False(t, v.hear(vppnet.LinkEvent{Index: 5, LinkUp: true}))
	require.Contains(t, v.fresh.Take(), uint32(5))

	require.False(t, v.hear(vppnet.LinkEvent{Index: ^uint32(0), Lost: 3}))
	require.False(t, v.hear(vppnet.LinkEvent{Index: 6, LinkUp: true}))
	require.Contains(t, v.fresh.Take(), uint32(6))
}

// Wherever an agent dies while it announces a VM, nothing is left of that once there is one again.
func TestNothingIsLeftOfAnAnnouncement(t *testing.T) {
	for _, dies := range []string{"create_loopback", "sw_interface_tag_add_del", "sw_interface_set_mac_address", "sw_interface_set_l2_bridge", "delete_loopback"} {
		t.Run(dies, func(t *testing.T) {
			r, v := newRig(t), memory(t)
			r.put("h1", uuid(0), port(100))
			a := r.agent(r.siteOf("h1", nic), v.Socket())
			r.bound("h1", uuid(0))
			r.converged(a)
			before := v.String()
			cut := vpptest.CutAfter
			if dies == "delete_loopback" {
				cut = vpptest.CutBefore
			}
			v.Inject(vpptest.Fault{Message: dies, Kind: cut})
			v.LinkUp("VirtualEthernet0/0/0", true)
			require.Eventually(t, func() bool { return strings.Count(a.log.String(), "connected to VPP") == 2 }, longest, tick)
			v.LinkUp("VirtualEthernet0/0/0", false)
			require.Eventually(t, func() bool { return v.String() == before }, longest, tick, "%s", before)
		})
	}
}
