// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/vpptest"
)

// A good port that comes behind thousands of changes of others does not wait for them.
func TestAPortBehindManyChanges(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { behindMany(newRig(t), memory(t), nic) })
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		behindMany(r, v, "loop0")
	})
}

func behindMany(r *rig, v target, uplink string) {
	const others = 3000
	site := r.siteOf("h1", uplink)
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	var took, all time.Duration // of the round that took longest
	for round := range 3 {
		var batches [][]clientv3.Op
		for i := range others {
			if i%100 == 0 {
				batches = append(batches, nil)
			}
			last := &batches[len(batches)-1]
			*last = append(*last, clientv3.OpPut(site.Ports()+uuid(1+i), port(100+(i+round)%50)))
		}
		for _, ops := range batches {
			_, err := r.client.Txn(r.Context()).Then(ops...).Commit()
			require.NoError(r, err)
		}
		began := time.Now()
		one := r.soon("h1", uuid(10000+round))
		require.Eventually(r, func() bool { return len(r.boundNow("h1")) == others+2+round }, 5*time.Minute, 50*time.Millisecond)
		r.converged(a)
		every := time.Since(began)
		r.Logf("behind %d changes of others a port is bound after %v, all of them after %v", others, one.Round(time.Millisecond), every.Round(time.Millisecond))
		if every > all {
			took, all = one, every
		}
	}
	require.Less(r, took, all/2, "who waits for all of them waits for as long as they take")
}

// soon is how long a port takes from its put to being bound.
func (r *rig) soon(host, name string) time.Duration {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	bound := r.client.Watch(ctx, "/networking-vpp/state/"+host+"/ports/"+name)
	began := time.Now()
	r.put(host, name, port(100))
	w, ok := <-bound
	require.True(r, ok && w.Err() == nil, "not bound: %v", w.Err())
	return time.Since(began)
}
