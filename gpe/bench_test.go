// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// remotes are MACs at a hundred other VPPs, with an address each.
func remotes(n int) (all []desiredstate.Object) {
	for i := range n {
		m := vppnet.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)}
		all = append(all,
			gpe.RemoteEID{VNI: 100, EID: gpe.MACEID(m), Locators: []gpe.RemoteLocator{{Address: netip.AddrFrom4([4]byte{203, 0, 113, byte(i % 100)})}}},
			gpe.ARPEntry{Bridge: "net", Address: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), MAC: m})
	}
	return all
}

// network is one that the MACs are in, with an engine for both.
func network(t testing.TB, socket string) (*vppnet.Conn, *desiredstate.Engine, []desiredstate.Object) {
	c := kindrig.Dial(t, socket, "me")
	e := desiredstate.New(gpe.Overlays(c), gpe.VNIs(c), gpe.RemoteEIDs(c), gpe.ARPEntries(c), vppnet.BridgeDomains(c))
	base := []desiredstate.Object{gpe.Overlay{}, vppnet.BridgeDomain{Name: "net", ID: 7}, gpe.VNI{ID: 100, Bridge: "net"}}
	_, err := e.Sync(t.Context(), base...)
	require.NoError(t, err)
	return c, e, base
}

// targetOf is the installed VPP, or the in-memory one.
func targetOf(b *testing.B) string {
	if r, err := vpptest.StartReal(); err == nil {
		b.Cleanup(func() { _ = r.Close() })
		return r.Socket()
	}
	return vpptest.New(b).Socket()
}

// BenchmarkCold makes 5,000 remote MACs; the floor is the same messages, sent blindly and
// pipelined.
func BenchmarkCold(b *testing.B) {
	const many = 5000
	all := remotes(many)
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c, _, _ := network(b, targetOf(b))
			vpp := one.NewServiceClient(c)
			b.StartTimer()
			var g errgroup.Group
			g.SetLimit(64)
			for _, o := range all {
				g.Go(func() error { return send(b, vpp, o) })
			}
			require.NoError(b, g.Wait())
		}
	})
	b.Run("engine", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			_, e, base := network(b, targetOf(b))
			b.StartTimer()
			_, err := e.Sync(b.Context(), append(base, all...)...)
			require.NoError(b, err)
		}
	})
}

func send(b *testing.B, vpp one.RPCService, o desiredstate.Object) error {
	switch o := o.(type) {
	case gpe.RemoteEID:
		_, err := vpp.OneAddDelRemoteMapping(b.Context(), &one.OneAddDelRemoteMapping{
			IsAdd: true, Vni: o.VNI, Action: 3,
			Deid:  lisp_types.Eid{Type: lisp_types.EID_TYPE_API_MAC, Address: lisp_types.EidAddressUnionMac(ethernet_types.MacAddress(o.EID.MAC))},
			Rlocs: []lisp_types.RemoteLocator{{IPAddress: ip_types.Address{Un: ip_types.AddressUnionIP4(o.Locators[0].Address.As4())}}},
		})
		return err
	case gpe.ARPEntry:
		_, err := vpp.OneAddDelL2ArpEntry(b.Context(), &one.OneAddDelL2ArpEntry{IsAdd: true, Bd: 7, Entry: one.OneL2ArpEntry{
			Mac: ethernet_types.MacAddress(o.MAC), IP4: o.Address.As4(),
		}})
		return err
	}
	return nil
}

// BenchmarkMove moves one of some MACs from VPP to VPP.
func BenchmarkMove(b *testing.B) {
	for _, many := range []int{50, 5000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			c, e, base := network(b, targetOf(b))
			all := remotes(many)
			_, err := e.Sync(b.Context(), append(base, all...)...)
			require.NoError(b, err)
			moved := all[0].(gpe.RemoteEID)
			n, sent := byte(0), c.Stats().Sent
			for b.Loop() {
				n++
				moved.Locators = []gpe.RemoteLocator{{Address: netip.AddrFrom4([4]byte{203, 0, 114, n})}}
				_, err := e.Ensure(b.Context(), moved)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(c.Stats().Sent-sent)/float64(b.N), "messages/op")
		})
	}
}

// BenchmarkConverged reads all anew, and finds nothing to do.
func BenchmarkConverged(b *testing.B) {
	_, e, base := network(b, targetOf(b))
	all := append(base, remotes(5000)...)
	_, err := e.Sync(b.Context(), all...)
	require.NoError(b, err)
	for b.Loop() {
		e.Forget()
		r, err := e.Sync(b.Context(), all...)
		if err != nil || r.Changed() != 0 {
			b.Fatal(r.Changed(), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(all)), "ns/object")
}
