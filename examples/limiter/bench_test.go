// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"

	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var (
	many = flag.Int("addresses", 12_000, "how many addresses the benchmark limits, a multiple of 100")
	real = flag.Bool("real", false, "benchmark on the installed VPP")
)

// BenchmarkFirstPass is what a limiter does first with a VPP that has nothing, until all has converged, beside a
// hand that sends the same messages in one go, and looks at the answers alone:
//
//	go test ./examples/limiter -bench FirstPass -addresses 120000 -real -benchtime 3x
func BenchmarkFirstPass(b *testing.B) {
	target := func(b *testing.B) (*kindrig.Hand, string, func()) {
		var socket string
		var end func()
		if *real {
			vpp, err := vpptest.StartReal()
			require.NoError(b, err)
			socket, end = vpp.Socket(), func() { _ = vpp.Close() }
		} else {
			vpp := vpptest.New(b)
			socket, end = vpp.Socket(), func() { _ = vpp.Close() }
		}
		h := kindrig.NewHand(b, socket)
		h.Ask(b, &interfaces.CreateLoopback{})
		return h, socket, end
	}
	b.Run("limiter", func(b *testing.B) {
		all := map[string]limit{}
		for i := range 100 {
			all[fmt.Sprint("c", i)] = limit{Kbps: 1000, Burst: 10_000, Addresses: addresses(*many/100*i, *many/100)}
		}
		for b.Loop() {
			b.StopTimer()
			_, socket, end := target(b)
			l := newLimiter(nic, 1<<17)
			ctx := b.Context()
			b.StartTimer()
			go func() { _ = l.run(ctx, socket, vppnet.WithLostAfter(time.Second)) }()
			require.NoError(b, l.set(all))
			require.NoError(b, l.store.Wait(ctx))
			b.StopTimer()
			end()
			b.StartTimer()
		}
	})
	b.Run("hand", func(b *testing.B) {
		mask := make([]byte, 32)
		copy(mask[14:], "\xff\xff\xff\xff")
		const none = ^uint32(0)
		first := []api.Message{&classify.ClassifyAddDelTable{
			IsAdd: true, TableIndex: none, Nbuckets: 1 << 15, MemorySize: 64 << 20, SkipNVectors: 1, MatchNVectors: 2, NextTableIndex: none, MissNextIndex: none, MaskLen: 32, Mask: mask,
		}}
		for i := range uint32(100) {
			first = append(first, &policer.PolicerAdd{Name: fmt.Sprint("c", i), Infos: policer_types.PolicerConfig{Cir: 1000, Cb: 10_000, ConformAction: policer_types.Sse2QosAction{Type: 1}}})
		}
		for i, a := range flat(*many) {
			ip := a.As4()
			q := &classify.ClassifyAddDelSession{IsAdd: true, HitNextIndex: uint32(i / (*many / 100)), OpaqueIndex: none, MatchLen: 48, Match: make([]byte, 48)}
			copy(q.Match[destination:], ip[:])
			first = append(first, q)
		}
		first = append(first, &classify.PolicerClassifySetInterface{SwIfIndex: 1, IsAdd: true, IP6TableIndex: none, L2TableIndex: none})
		for b.Loop() {
			b.StopTimer()
			h, _, end := target(b)
			b.StartTimer()
			h.Ask(b, first...)
			b.StopTimer()
			end()
			b.StartTimer()
		}
	})
}

// flat are the addresses of all limits.
func flat(n int) (out []netip.Addr) {
	for i := range 100 {
		out = append(out, addresses(n/100*i, n/100)...)
	}
	return out
}
