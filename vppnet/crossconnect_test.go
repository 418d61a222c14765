// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/l2"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

func TestLawsOfCrossConnects(t *testing.T) {
	lawsWith(t, vppnet.CrossConnects, segment(), rapid.Custom(func(t *rapid.T) vppnet.CrossConnect {
		x := vppnet.CrossConnect{From: pick(t, "from", "lo", "sub", theirLoopback), To: "up"}
		if x.From != theirLoopback {
			x.To = pick(t, "to", "up", theirLoopback)
		}
		return x
	}), lawsOptions{dumps: []api.Message{&l2.L2XconnectDump{}}})
}

// An interface has one place in L2: what is bridged is taken out before it is connected, and
// back again.
func TestCrossConnectOrBridge(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		engine := func() *desiredstate.Engine {
			e := desiredstate.New(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.CrossConnects(c))
			e.MaxPrune = 1
			return e
		}
		base := segment()
		link := vppnet.LinkState{Interface: "sub", Up: true, Parent: "up", After: []desiredstate.Key{vppnet.BridgePortKey("sub")}}
		bridged := []desiredstate.Object{vppnet.BridgePort{Bridge: "net", Interface: "sub"}, vppnet.BridgePort{Bridge: "net", Interface: "lo"}}
		wire := []desiredstate.Object{vppnet.CrossConnect{From: "sub", To: "lo"}, vppnet.CrossConnect{From: "lo", To: "sub"}}
		for _, place := range [][]desiredstate.Object{bridged, wire, bridged, {wire[0], bridged[1]}, wire} {
			want := append(append(append([]desiredstate.Object{}, base...), place...), link, vppnet.LinkState{Interface: "up", Up: true})
			_, err := engine().Sync(t.Context(), want...)
			require.NoError(t, err)
			p, err := engine().Plan(t.Context(), want...)
			require.NoError(t, err)
			require.True(t, p.Empty(), p)
		}
		_, err := engine().Sync(t.Context())
		require.NoError(t, err)
	})
}

func TestValidateCrossConnect(t *testing.T) {
	require.NoError(t, vppnet.CrossConnect{From: uplink, To: "a"}.Validate())
	require.ErrorContains(t, vppnet.CrossConnect{From: "a", To: "a"}.Validate(), "connected to itself")
	require.ErrorContains(t, vppnet.CrossConnect{To: "a"}.Validate(), "interface of the frames")
	require.ErrorContains(t, vppnet.CrossConnect{From: "a"}.Validate(), "that they leave by")
}
