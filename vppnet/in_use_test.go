// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What somebody else is on stays, and the error says so.
func TestWhatOthersUseStays(t *testing.T) {
	kindrig.Both(t, func(*vpptest.Proxy) string { return "" }, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		dir := t.TempDir()
		kinds := func(owner string) *desiredstate.Engine {
			c := kindrig.Dial(t, vpp.Socket(), owner)
			return desiredstate.New(vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.MemifSockets(c, dir), vppnet.Memifs(c))
		}
		net, socket := vppnet.BridgeDomain{Name: "net"}, vppnet.MemifSocket{Path: dir + "/memif.sock"}
		e, them := kinds("me"), kinds("stranger")
		report, err := e.Ensure(t.Context(), net, socket)
		require.NoError(t, err)
		made, _ := report.Of(socket.Key())
		for _, x := range []struct {
			ours, theirs desiredstate.Object
			code         api.VPPApiError
		}{
			{net, vppnet.BridgePort{Interface: "lo", Bridge: "me/net"}, api.BD_IN_USE},
			{socket, vppnet.Memif{Name: "m", Socket: fmt.Sprint("vpp:", made.ID), ID: 7}, api.UNEXPECTED_INTF_STATE},
		} {
			_, err = them.Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, x.theirs)
			require.NoError(t, err)
			_, err = e.Remove(t.Context(), x.ours.Key())
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			require.ErrorIs(t, err, x.code)
			_, err = them.Remove(t.Context(), x.theirs.Key())
			require.NoError(t, err)
			_, err = e.Remove(t.Context(), x.ours.Key())
			require.NoError(t, err)
		}
	})
}
