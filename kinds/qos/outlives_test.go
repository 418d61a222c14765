// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP takes a record of what is bridged off an interface that leaves L2, and lists it still. One that stays has
// its effect again when the same pass is done.
func TestARecordOutlivesItsPort(t *testing.T) {
	vpp := vpptest.New(t)
	c := kindrig.Dial(t, vpp.Socket(), "me")
	e := kindrig.Engine(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.CrossConnects(c), qos.Records(c))
	stays := []desiredstate.Object{
		vppnet.Loopback{Name: "a"},
		vppnet.Loopback{Name: "b"},
		vppnet.BridgeDomain{Name: "net", ID: 5},
		qos.Record{Interface: "a", Source: qos.IP},
		qos.Record{Interface: "a", Source: qos.VLAN},
	}
	sync := func(more ...desiredstate.Object) string {
		_, err := e.Sync(t.Context(), append(stays[:len(stays):len(stays)], more...)...)
		require.NoError(t, err)
		return vpp.String()
	}
	port, cross := vppnet.BridgePort{Bridge: "net", Interface: "a"}, vppnet.CrossConnect{From: "a", To: "b"}
	bridged := sync(port)
	crossed := sync(cross)
	require.Equal(t, bridged, sync(port), "came back from a cross-connect")
	require.Equal(t, crossed, sync(cross), "came back from a bridge domain")
	sync()
	require.Equal(t, bridged, sync(port), "came back from L3")
}
