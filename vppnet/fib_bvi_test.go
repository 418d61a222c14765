// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An entry would take the place of the one by which frames find the BVI, whichever comes first.
func TestNoEntryHasTheMACOfTheBVI(t *testing.T) {
	type objects = []desiredstate.Object
	named := dialVPP(t, vpptest.New(t).Socket()).MAC("lo")
	net, p := vppnet.BridgeDomain{Name: "net"}, vppnet.Loopback{Name: "p"}
	lo := func(m vppnet.MAC) vppnet.Loopback { return vppnet.Loopback{Name: "lo", MAC: m} }
	port := vppnet.BridgePort{Bridge: "net", Interface: "p"}
	bvi := vppnet.BridgePort{Bridge: "net", Interface: "lo", BVI: true}
	entry := vppnet.FIBEntry{Bridge: "net", MAC: mac(7), Interface: "p"}
	filter := vppnet.FIBEntry{Bridge: "net", MAC: mac(7), Filter: true}
	sub := vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5}
	bySub := vppnet.BridgePort{Bridge: "net", Interface: "sub", BVI: true}
	for name, tc := range map[string]struct {
		have, want objects
		refused    desiredstate.Object // nil: one of two that come at once
	}{
		"all at once":                      {nil, objects{net, p, lo(mac(7)), port, bvi, entry}, nil},
		"the BVI first":                    {objects{net, p, lo(mac(7)), port, bvi}, objects{net, p, lo(mac(7)), port, bvi, entry}, entry},
		"the BVI first, a filter":          {objects{net, lo(mac(7)), bvi}, objects{net, lo(mac(7)), bvi, filter}, filter},
		"the entry first":                  {objects{net, p, port, entry}, objects{net, p, port, entry, lo(mac(7)), bvi}, bvi},
		"a port that becomes the BVI":      {objects{net, lo(mac(7)), vppnet.BridgePort{Bridge: "net", Interface: "lo"}, filter}, objects{net, lo(mac(7)), bvi, filter}, bvi},
		"a BVI that gets the MAC":          {objects{net, p, lo(mac(8)), port, bvi, entry}, objects{net, p, lo(mac(7)), port, bvi, entry}, lo(mac(7))},
		"a BVI that gets it, and an entry": {objects{net, lo(mac(8)), bvi}, objects{net, lo(mac(7)), bvi, filter}, nil},
		"a sub-interface, the BVI first":   {objects{net, lo(mac(7)), sub, bySub}, objects{net, lo(mac(7)), sub, bySub, filter}, filter},
		"a sub-interface, at once":         {nil, objects{net, lo(mac(7)), sub, bySub, filter}, nil},
		"a MAC that is made of its name":   {nil, objects{net, lo(vppnet.MAC{}), bvi, vppnet.FIBEntry{Bridge: "net", MAC: named, Filter: true}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, socket string) {
				c := dialVPP(t, socket)
				converge(t, c, tc.have...)
				if tc.refused == nil {
					_, _ = layer2(c).Sync(t.Context(), tc.want...)
				}
				for range 2 { // what is refused stays so, and the rest is as it was
					_, err := layer2(c).Sync(t.Context(), tc.want...)
					require.ErrorIs(t, err, desiredstate.ErrConflict)
					if tc.refused != nil {
						require.ErrorContains(t, err, tc.refused.Key().String()+": ")
					}
					require.ErrorContains(t, err, "the BVI")
					p, err := layer2(c).Plan(t.Context(), tc.want...)
					require.NoError(t, err)
					require.Equal(t, len(tc.want)-1, p.Count(desiredstate.Keep), p.String())
				}
				converge(t, c)
			})
		})
	}
}

// What somebody put over the BVI's entry goes, and the BVI is found again.
func TestBVIIsFoundAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, o := dialVPP(t, socket), somebody(t, socket)
		want := []desiredstate.Object{
			vppnet.BridgeDomain{Name: "net", ID: 5}, vppnet.Loopback{Name: "lo", MAC: mac(7)}, vppnet.BridgePort{Bridge: "net", Interface: "lo", BVI: true},
		}
		converge(t, c, want...)
		fib := func() []*l2.L2FibTableDetails {
			all, err := vppnet.Collect(l2.NewServiceClient(c).L2FibTableDump(t.Context(), &l2.L2FibTableDump{BdID: 5}))
			require.NoError(t, err)
			return all
		}
		before := fib()
		require.Len(t, before, 1)
		_, err := l2.NewServiceClient(o).L2fibAddDel(t.Context(), &l2.L2fibAddDel{
			Mac: ethernet_types.MacAddress(mac(7)), BdID: 5, IsAdd: true, StaticMac: true, FilterMac: true,
		})
		require.NoError(t, err)
		require.NotEqual(t, before, fib())
		converge(t, c, want...)
		require.Equal(t, before, fib())
		converge(t, c)
	})
}
