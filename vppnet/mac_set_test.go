// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// VPP has the entry of a BVI follow its MAC for loopbacks alone. What is sent to any other one goes on
// finding it.
func TestABVIIsFoundByItsNewMAC(t *testing.T) {
	dir := memifDir(t)
	socket := vppnet.MemifSocket{Path: dir + "/s"}
	net, port := vppnet.BridgeDomain{Name: "net", ID: 5}, vppnet.BridgePort{Bridge: "net", Interface: "x", BVI: true}
	entry := vppnet.FIBEntry{Bridge: "net", MAC: mac(9), Filter: true}
	for name, x := range map[string]func(vppnet.MAC) []desiredstate.Object{
		"loopback": func(m vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{vppnet.Loopback{Name: "x", MAC: m}}
		},
		"memif": func(m vppnet.MAC) []desiredstate.Object {
			return []desiredstate.Object{socket, vppnet.Memif{Name: "x", Socket: socket.Path, MAC: m}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, at string) {
				c := dialVPP(t, at)
				e := desiredstate.New(vppnet.Loopbacks(c), vppnet.MemifSockets(c, dir), vppnet.Memifs(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.FIBEntries(c))
				e.MaxPrune = 1
				have := func(m vppnet.MAC) {
					all, err := vppnet.Collect(l2.NewServiceClient(c).L2FibTableDump(t.Context(), &l2.L2FibTableDump{BdID: 5}))
					require.NoError(t, err)
					for _, d := range all {
						if d.BviMac {
							require.Equal(t, ethernet_types.MacAddress(m), d.Mac)
							m = vppnet.MAC{}
						}
					}
					require.Zero(t, m, "has an entry")
				}
				for _, m := range []vppnet.MAC{mac(7), mac(8), mac(7)} {
					_, err := e.Sync(t.Context(), append(x(m), net, port, entry)...)
					require.NoError(t, err)
					have(m)
				}
				_, err := e.Sync(t.Context(), append(x(mac(9)), net, port, entry)...)
				require.ErrorIs(t, err, desiredstate.ErrConflict)
				require.ErrorContains(t, err, "interface/x: ")
				have(mac(7))
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
			})
		})
	}
}
