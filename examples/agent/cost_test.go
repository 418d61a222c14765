// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
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
	const perPort, goroutines = 20 << 10, 75
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

// A look at all of VPP costs a number of messages, none for a port, and two for one
// behind filters: nothing else shows whether these have an effect, and in all places.
func TestCostOfAReading(t *testing.T) {
	read := func(open, filtered int) (messages int) {
		r, v := newRig(t), memory(t)
		site := r.siteOf("h1", nic)
		r.group(1, ssh("192.0.2.0"))
		var all []string
		for i := range open + filtered {
			all = append(all, uuid(i))
			if i < open {
				r.put("h1", uuid(i), port(100))
			} else {
				r.put("h1", uuid(i), secured(100, fmt.Sprintf("10.0.0.%d", i), gid(1)))
			}
		}
		a := r.agent(site, v.Socket())
		if len(all) > 0 {
			r.bound("h1", all...)
		}
		r.converged(a)
		a.stop()
		v.ResetLog()
		r.found(site, v.Socket())
		require.Zero(t, v.Writes())
		return len(v.Sent())
	}
	few := read(0, 0)
	require.Less(t, few, 60, "a dump and its end for each kind, or two")
	some := read(1, 0) // a network, whose uplink is an interface that could have addresses
	require.LessOrEqual(t, some, few+4)
	require.Equal(t, some, read(100, 0))
	require.Equal(t, some+2+2*10, read(0, 10)) // a ping ends those of all
	require.Equal(t, some+2+2*100, read(20, 100))
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
