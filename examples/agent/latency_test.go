// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

// How long it takes from when etcd has a filtered port until it says that it is bound, when nothing else
// happens and under 50 changes each second.
func TestPutToBound(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { putToBound(newRig(t), memory(t), nic) })
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		putToBound(r, v, "loop0")
	})
}

func putToBound(r *rig, v target, uplink string) {
	site := r.siteOf("h1", uplink)
	r.agent(site, v.Socket())
	for g := range 3 {
		r.group(g, ssh("192.0.2.0"))
	}
	for i := range 50 {
		r.put("h1", uuid(i), secured(100+i%10, fmt.Sprintf("10.0.0.%d", i+1), gid(i%3)))
	}
	require.Eventually(r, func() bool { return len(r.boundNow("h1")) == 50 }, time.Minute, 10*time.Millisecond)
	value := secured(100, "10.0.1.1", gid(0), gid(1))
	r.delays("h1", value, 20, 5*time.Millisecond) // warm
	var write []time.Duration
	for range 50 {
		began := time.Now()
		r.global("nobody/reads/this", "x")
		write = append(write, time.Since(began))
	}
	say := func(what string, all []time.Duration) {
		slices.Sort(all)
		r.Logf("%s: p50 %v, p99 %v", what, all[len(all)/2].Round(100*time.Microsecond), all[len(all)*99/100].Round(100*time.Microsecond))
	}
	say("etcd takes a key after", write)
	idle := r.delays("h1", value, 200, 5*time.Millisecond)
	say("idle", idle)

	ctx, stop := context.WithCancel(r.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			i := rand.IntN(50)
			_, _ = r.client.Put(ctx, site.Ports()+uuid(i), secured(100+rand.IntN(10), fmt.Sprintf("10.0.0.%d", i+1), gid(rand.IntN(3))))
		}
	}()
	busy := r.delays("h1", value, 200, 5*time.Millisecond)
	stop()
	<-done
	say("under 50 changes a second", busy)
	require.Less(r, idle[len(idle)/2], 100*time.Millisecond)
	require.Less(r, busy[len(busy)/2], 200*time.Millisecond)
}
