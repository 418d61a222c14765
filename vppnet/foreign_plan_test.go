// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What joins only what is others' is refused by a dry run, as it would be by VPP's turn, and
// without a message; what joins it to something that is still to come is not.
func TestADryRunKnowsWhoseThingsAre(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("eth0"), vpptest.WithInterface("eth1"))
	me, they := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "they")
	_, err := vppnet.BridgeDomains(they).Ensure(t.Context(), vppnet.BridgeDomain{Name: "net"})
	require.NoError(t, err)
	e := desiredstate.New(vppnet.BridgeDomains(me), vppnet.BridgePorts(me), vppnet.FIBEntries(me), vppnet.CrossConnects(me),
		vppnet.Mirrors(me), vppnet.Loopbacks(me))
	mac := vppnet.MAC{0x02, 1, 2, 3, 4, 5}
	refused := []desiredstate.Object{
		vppnet.BridgePort{Bridge: "they/net", Interface: "vpp:eth0"},
		vppnet.FIBEntry{Bridge: "they/net", MAC: mac, Filter: true},
		vppnet.CrossConnect{From: "vpp:eth0", To: "vpp:eth1"},
		vppnet.Mirror{From: "vpp:eth0", To: "vpp:eth1"},
	}
	for _, o := range refused {
		p, err := e.Plan(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, 1, p.Count(desiredstate.Block), "%s", p)
		require.ErrorIs(t, p.Steps[0].Err, desiredstate.ErrForeign)
		require.ErrorContains(t, p.Steps[0].Err, "name one of ours")
		_, bridge := o.(vppnet.FIBEntry) // which nobody can adopt
		require.Equal(t, !bridge, strings.Contains(p.Steps[0].Err.Error(), "Engine.Adopt"))
	}
	p, err := e.Plan(t.Context(), vppnet.Loopback{Name: "lo"}, vppnet.BridgeDomain{Name: "mine"},
		vppnet.BridgePort{Bridge: "they/net", Interface: "lo"},
		vppnet.FIBEntry{Bridge: "mine", MAC: mac, Filter: true},
		vppnet.Mirror{From: "vpp:eth0", To: "lo"})
	require.NoError(t, err)
	require.Zero(t, p.Count(desiredstate.Block), "%s", p)
	require.Equal(t, 5, p.Count(desiredstate.Create))
}
