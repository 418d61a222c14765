// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/vpptest"
)

// Whoever waits for what he wrote finds it in VPP and answered, or in an error, whatever it
// was: ports that come, change and go, junk, groups, routers.
func TestWhoWaitsFindsIt(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	vlans := map[string]int{}
	for round := range 30 {
		var at int64
		bad := ""
		for range 1 + rand.IntN(3) {
			name := uuid(rand.IntN(6))
			key, value := site.Ports()+name, ""
			if rand.IntN(3) > 0 {
				vlans[name] = 100 + rand.IntN(5)
				value = port(vlans[name])
				done, err := r.client.Put(t.Context(), key, value)
				require.NoError(t, err)
				at = done.Header.Revision
			} else {
				delete(vlans, name)
				done, err := r.client.Delete(t.Context(), key)
				require.NoError(t, err)
				if done.Deleted > 0 {
					at = done.Header.Revision
				}
			}
		}
		if round%10 == 0 {
			bad = uuid(100 + round)
			done, err := r.client.Put(t.Context(), site.Ports()+bad, "junk")
			require.NoError(t, err)
			at = done.Header.Revision
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		require.NoError(t, controller.Applied(ctx, r.client, "h1", at))
		cancel()
		r.whole(site, v.Socket(), vlans)
		said := r.boundNow("h1")
		require.Len(t, said, len(vlans))
		for name := range vlans {
			require.NotEmpty(t, said[name])
		}
		if bad != "" {
			errs, _ := r.said("h1", "errors/")
			require.NotEmpty(t, errs[bad])
		}
	}
	other, err := r.client.Put(t.Context(), "/networking-vpp/nodes/h2/ports/"+uuid(1), port(100))
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	require.NoError(t, controller.Applied(ctx, r.client, "h1", other.Header.Revision), "of which nothing is written of the host")
	stop()
	left, err := r.client.Get(t.Context(), site.Keys(), clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.EqualValues(t, len(vlans)+3, left.Count, "ports, junk, and nothing else")
	a.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = controller.Applied(ctx, r.client, "h1", 1<<40)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, fmt.Sprintf("not yet at %d", int64(1<<40)))
}

// What is to go is gone, too, when it is said that all is as it was written, however long that takes.
func TestWhoWaitsFindsItGone(t *testing.T) {
	r, v := newRig(t), memory(t)
	proxy := vpptest.NewProxy(t, v.Socket())
	site := r.siteOf("h1", nic)
	r.agent(site, proxy.Socket())
	for n := range 3 {
		r.put("h1", uuid(n), port(100))
	}
	r.bound("h1", uuid(0), uuid(1), uuid(2))
	proxy.Inject(vpptest.Fault{Message: "delete_vhost_user_if", Nth: 3, Kind: vpptest.Delay, Delay: 300 * time.Millisecond})
	done, err := r.client.Delete(t.Context(), site.Ports(), clientv3.WithPrefix())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, controller.Applied(ctx, r.client, "h1", done.Header.Revision))
	r.whole(site, v.Socket(), nil)
}
