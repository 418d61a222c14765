// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkEnsure64 is a session rate: 64 goroutines ensure and then remove one
// loopback after the other, and get each one's handle. An op is one of both.
// "x-bare" is how many times as long that takes as 64 goroutines that send the
// same messages by generated clients, without a look at anything.
func BenchmarkEnsure64(b *testing.B) {
	b.Run("in memory", func(b *testing.B) {
		sessions(b, vpptest.New(b).Socket(), vpptest.New(b).Socket())
	})
	b.Run("real", func(b *testing.B) {
		sessions(b, vpptest.Real(b).Socket(), vpptest.Real(b).Socket())
	})
}

func sessions(b *testing.B, socket, other string) {
	k := vppnet.Loopbacks(benchConn(b, socket))
	b.ReportAllocs()
	b.ResetTimer()
	by64(b.N, func(i int) {
		r, err := k.Ensure(b.Context(), vppnet.Loopback{Name: fmt.Sprint("lo", i)})
		if err != nil || len(r) != 1 {
			b.Error(r, err)
		}
	})
	by64(b.N, func(i int) {
		if _, err := k.Remove(b.Context(), vppnet.Loopback{Name: fmt.Sprint("lo", i)}); err != nil {
			b.Error(err)
		}
	})
	b.StopTimer()
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
	b.ReportMetric(float64(b.Elapsed())/float64(bare(b, benchConn(b, other))), "x-bare")
}

// bare sends what sessions does.
func bare(b *testing.B, c *vppnet.Conn) time.Duration {
	c.Uses(&interfaces.CreateLoopback{}, &interfaces.SwInterfaceTagAddDel{}, &interfaces.DeleteLoopback{})
	vpp, made := interfaces.NewServiceClient(c), make([]interface_types.InterfaceIndex, b.N)
	begin := time.Now()
	by64(b.N, func(i int) {
		name := fmt.Sprint("lo", i)
		r, err := vpp.CreateLoopback(b.Context(), &interfaces.CreateLoopback{MacAddress: ethernet_types.MacAddress(c.MAC(name))})
		if err != nil {
			b.Error(err)
			return
		}
		made[i] = r.SwIfIndex
		if _, err := vpp.SwInterfaceTagAddDel(b.Context(), &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: r.SwIfIndex, Tag: tag(b, c, name)}); err != nil {
			b.Error(err)
		}
	})
	by64(b.N, func(i int) {
		if _, err := vpp.DeleteLoopback(b.Context(), &interfaces.DeleteLoopback{SwIfIndex: made[i]}); err != nil {
			b.Error(err)
		}
	})
	return time.Since(begin)
}

func benchConn(b *testing.B, socket string) *vppnet.Conn {
	c, err := vppnet.Dial(b.Context(), socket, "me")
	require.NoError(b, err)
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// by64 calls f for each of n numbers, from 64 goroutines.
func by64(n int, f func(i int)) {
	var all sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}
