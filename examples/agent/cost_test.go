// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An agent at rest costs some memory for each port, and a goroutine for none.
//
// etcd and VPP are in this process too. So what counts is what a second agent
// adds, which finds them filled already.
func TestCostAtRest(t *testing.T) {
	const perPort, goroutines = 20 << 10, 50
	for _, n := range []int{20, 2000} {
		r, v := newRig(t), memory(t)
		site := r.siteOf("h1", nic)
		for i := range n {
			r.put("h1", uuid(i), port(1+i%200))
		}
		converged := func() *running {
			a := r.agent(site, v.Socket())
			require.Eventually(t, a.announcer.settled.Load, time.Minute, 10*time.Millisecond)
			require.NoError(t, a.store.Wait(t.Context()))
			require.Eventually(t, func() bool { return len(r.boundNow("h1")) == n }, time.Minute, 50*time.Millisecond)
			return a
		}
		converged().stop()
		heap, running := measure()
		a := converged()
		more, now := measure()
		t.Logf("%d ports: %d bytes, %d goroutines", n, more-heap, now-running)
		require.LessOrEqual(t, now-running, goroutines)
		if n == 2000 {
			t.Logf("%d bytes each", (more-heap)/n)
			require.Less(t, (more-heap)/n, perPort)
		}
		a.stop()
	}
}

// measure waits until this process rests.
func measure() (heap, goroutines int) {
	time.Sleep(time.Second)
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc), runtime.NumGoroutine()
}
