// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// BenchmarkEnsure64 is a session rate: 64 goroutines ensure and then remove one
// loopback after the other, and get each one's handle. An op is one of both.
func BenchmarkEnsure64(b *testing.B) {
	b.Run("in memory", func(b *testing.B) { sessions(b, vpptest.New(b).Socket()) })
	b.Run("real", func(b *testing.B) { sessions(b, vpptest.Real(b).Socket()) })
}

func sessions(b *testing.B, socket string) {
	const callers = 64
	c, err := vppnet.Dial(b.Context(), socket, "me")
	require.NoError(b, err)
	b.Cleanup(func() { _ = c.Close() })
	k := vppnet.Loopbacks(c)
	each := func(f func(l vppnet.Loopback)) {
		var all sync.WaitGroup
		var next atomic.Int64
		for range callers {
			all.Go(func() {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					f(vppnet.Loopback{Name: fmt.Sprint("lo", i)})
				}
			})
		}
		all.Wait()
	}
	b.ReportAllocs()
	b.ResetTimer()
	each(func(l vppnet.Loopback) {
		r, err := k.Ensure(b.Context(), l)
		if err != nil || len(r) != 1 {
			b.Error(r, err)
		}
	})
	each(func(l vppnet.Loopback) {
		if _, err := k.Remove(b.Context(), l); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}
