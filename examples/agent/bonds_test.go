// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An uplink that is a bond is made before ports come, bears their VLANs, and survives them.
func TestBondedUplink(t *testing.T) {
	const other = "GigabitEthernet0/9/0"
	r, v := newRig(t), vpptest.New(t, vpptest.WithInterface(nic), vpptest.WithInterface(other))
	site := r.siteOf("h1", "uplink")
	site.Bonds = map[string]translate.Bond{"uplink": {Members: []string{nic, other}}}
	site.MTU = map[string]uint32{"physnet1": 9000}
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(1), port(101))
	r.bound("h1", uuid(1))
	require.NoError(t, a.store.Wait(t.Context()))
	have, _ := r.found(site, v.Socket())
	require.Equal(t, bond.LACP, have[vppnet.InterfaceKey("uplink")].Spec.(bond.Bond).Mode)
	for _, member := range []string{nic, other} {
		require.Contains(t, have, bond.MemberKey(vppnet.Foreign(member)))
	}
	link := have[vppnet.LinkKey("uplink")].Spec.(vppnet.LinkState)
	require.True(t, link.Up)
	require.EqualValues(t, 9000, link.MTU)
	require.Equal(t, "uplink", have[vppnet.InterfaceKey("physnet1.vlan.101")].Spec.(vppnet.SubInterface).Parent)
	physnets, _ := r.said("h1", "physnets/")
	require.Equal(t, map[string]string{"physnet1": "1"}, physnets)
	r.unplug("h1", uuid(1))
	r.bound("h1")
	require.NoError(t, a.store.Wait(t.Context()))
	s, _ := a.store.Status(bond.MemberKey(vppnet.Foreign(other)))
	require.Equal(t, desiredstate.Applied, s.State)
}
