// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/memif"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkTunnels64 and BenchmarkMemifs64 are session rates, as BenchmarkEnsure64 is, beside
// 64 goroutines that send the same messages by generated clients ("x-bare").
func BenchmarkTunnels64(b *testing.B) {
	src, dst := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	both(b, func(b *testing.B, c *vppnet.Conn) (func(int), func(int)) {
		k := vppnet.VXLANTunnels(c)
		tunnel := func(i int) vppnet.VXLANTunnel {
			return vppnet.VXLANTunnel{Name: fmt.Sprint("t", i), Src: src, Dst: dst, VNI: uint32(i)}
		}
		return func(i int) { fail(b)(k.Ensure(b.Context(), tunnel(i))) }, func(i int) { fail(b)(k.Remove(b.Context(), tunnel(i))) }
	}, func(b *testing.B, c *vppnet.Conn) (func(int), func(int)) {
		c.Uses(&vxlan.VxlanAddDelTunnelV3{})
		vpp := vxlan.NewServiceClient(c)
		send := func(i int, add bool) interface_types.InterfaceIndex {
			r, err := vpp.VxlanAddDelTunnelV3(b.Context(), &vxlan.VxlanAddDelTunnelV3{
				IsAdd: add, Instance: ^uint32(0), Vni: uint32(i), McastSwIfIndex: ^interface_types.InterfaceIndex(0), DecapNextIndex: 1,
				SrcAddress: ip_types.NewAddress(src.AsSlice()), DstAddress: ip_types.NewAddress(dst.AsSlice()),
			})
			if err != nil {
				b.Error(err)
				return 0
			}
			return r.SwIfIndex
		}
		return func(i int) { named(b, c, send(i, true), fmt.Sprint("t", i), true) }, func(i int) { send(i, false) }
	})
}

func BenchmarkMemifs64(b *testing.B) {
	socket := vppnet.MemifSocket{Path: "/run/memif/bench", ID: 7}
	both(b, func(b *testing.B, c *vppnet.Conn) (func(int), func(int)) {
		_, err := vppnet.MemifSockets(c, "/run/memif").Ensure(b.Context(), socket)
		require.NoError(b, err)
		k := vppnet.Memifs(c)
		wire := func(i int) vppnet.Memif {
			return vppnet.Memif{Name: fmt.Sprint("m", i), Socket: socket.Path, ID: uint32(i), Slave: true}
		}
		return func(i int) { fail(b)(k.Ensure(b.Context(), wire(i))) }, func(i int) { fail(b)(k.Remove(b.Context(), wire(i))) }
	}, func(b *testing.B, c *vppnet.Conn) (func(int), func(int)) {
		c.Uses(&memif.MemifCreateV2{}, &memif.MemifDelete{}, &memif.MemifSocketFilenameAddDelV2{})
		vpp, made := memif.NewServiceClient(c), make([]interface_types.InterfaceIndex, b.N)
		_, err := vpp.MemifSocketFilenameAddDelV2(b.Context(), &memif.MemifSocketFilenameAddDelV2{IsAdd: true, SocketID: socket.ID, SocketFilename: socket.Path})
		require.NoError(b, err)
		return func(i int) {
				r, err := vpp.MemifCreateV2(b.Context(), &memif.MemifCreateV2{Role: memif.MEMIF_ROLE_API_SLAVE, SocketID: socket.ID, ID: uint32(i)})
				if err != nil {
					b.Error(err)
					return
				}
				made[i] = r.SwIfIndex
				named(b, c, r.SwIfIndex, fmt.Sprint("m", i), false)
			}, func(i int) {
				if _, err := vpp.MemifDelete(b.Context(), &memif.MemifDelete{SwIfIndex: made[i]}); err != nil {
					b.Error(err)
				}
			}
	})
}

// both measures a kind on an in-memory VPP, and on another one the bare messages.
func both(b *testing.B, kind, bare func(*testing.B, *vppnet.Conn) (add, remove func(int))) {
	run := func(f func(*testing.B, *vppnet.Conn) (add, remove func(int))) time.Duration {
		add, remove := f(b, benchConn(b, vpptest.New(b).Socket()))
		begin := time.Now()
		by64(b.N, add)
		by64(b.N, remove)
		return time.Since(begin)
	}
	b.ReportAllocs()
	b.ResetTimer()
	took := run(kind)
	b.StopTimer()
	b.ReportMetric(2*float64(b.N)/took.Seconds(), "objects/s")
	b.ReportMetric(float64(took)/float64(run(bare)), "x-bare")
}

// named takes an interface down, if need be, and tags it.
func named(b *testing.B, c *vppnet.Conn, i interface_types.InterfaceIndex, name string, down bool) {
	c.Uses(&interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceTagAddDel{})
	vpp := interfaces.NewServiceClient(c)
	if down {
		if _, err := vpp.SwInterfaceSetFlags(b.Context(), &interfaces.SwInterfaceSetFlags{SwIfIndex: i}); err != nil {
			b.Error(err)
		}
	}
	if _, err := vpp.SwInterfaceTagAddDel(b.Context(), &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: i, Tag: tag(b, c, name)}); err != nil {
		b.Error(err)
	}
}

// fail reports what went wrong.
func fail(b *testing.B) func(any, error) {
	return func(_ any, err error) {
		if err != nil {
			b.Error(err)
		}
	}
}
