// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/publish"
)

const prefix = "/networking-vpp/state/h1/"

type rig struct {
	*testing.T
	etcd   *etcd.Embedded
	client *clientv3.Client
}

func start(t *testing.T) *rig {
	t.Helper()
	e := etcdtest.Embed(t, t.TempDir())
	c, err := etcd.Dial(e.URL(), etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &rig{t, e, c}
}

func (r *rig) run(with func(*publish.Board)) (*publish.Board, func()) {
	r.Helper()
	b := publish.New(r.client, prefix, "ports/", "errors/")
	b.Alive = "alive"
	if with != nil {
		with(b)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			cancel()
			require.ErrorIs(r, <-done, context.Canceled)
		}
	}
	r.Cleanup(stop)
	return b, stop
}

func (r *rig) keys() map[string]string {
	out := map[string]string{}
	got, err := r.client.Get(r.Context(), prefix, clientv3.WithPrefix())
	if err != nil {
		return nil
	}
	for _, kv := range got.Kvs {
		out[string(kv.Key)[len(prefix):]] = string(kv.Value)
	}
	return out
}

func (r *rig) becomes(want map[string]string) {
	r.Helper()
	require.Eventually(r, func() bool { return maps.Equal(r.keys(), want) }, 20*time.Second, 5*time.Millisecond)
}

func (r *rig) put(name, value string) {
	r.Helper()
	_, err := r.client.Put(r.Context(), prefix+name, value)
	require.NoError(r, err)
}

func TestSetClearAndStop(t *testing.T) {
	r := start(t)
	b, stop := r.run(nil)
	want := map[string]string{"alive": "1"}
	for i := range 250 { // three transactions
		name := fmt.Sprintf("ports/%d", i)
		b.Set(name, "x")
		want[name] = "x"
	}
	r.becomes(want)
	b.Set("ports/0", "y")
	b.Clear("ports/1")
	b.Clear("ports/never")
	want["ports/0"] = "y"
	delete(want, "ports/1")
	r.becomes(want)
	stop()
	r.becomes(want)
}

// Alive outlives who says so by its time, and not by more. Who begins meanwhile goes on
// with it: it never went away, though the lease of the one before ends.
func TestAliveOverARestart(t *testing.T) {
	r := start(t)
	ttl := func(b *publish.Board) { b.TTL = 2 * time.Second }
	_, stop := r.run(ttl)
	r.becomes(map[string]string{"alive": "1"})
	stop()
	at, err := r.client.Get(t.Context(), prefix+"alive")
	require.NoError(t, err)
	require.Len(t, at.Kvs, 1)
	_, stop = r.run(ttl)
	time.Sleep(4 * time.Second)
	now, err := r.client.Get(t.Context(), prefix+"alive")
	require.NoError(t, err)
	require.Len(t, now.Kvs, 1)
	require.Equal(t, at.Kvs[0].CreateRevision, now.Kvs[0].CreateRevision, "it went away meanwhile")
	stop()
	r.becomes(map[string]string{})
}

// Whoever deletes Alive.
func TestAliveComesBack(t *testing.T) {
	r := start(t)
	r.run(nil)
	for range 3 {
		r.becomes(map[string]string{"alive": "1"})
		_, err := r.client.Delete(t.Context(), prefix+"alive")
		require.NoError(t, err)
	}
	r.becomes(map[string]string{"alive": "1"})
}

func TestSettleClearsWhatAnEarlierProcessLeft(t *testing.T) {
	r := start(t)
	r.put("ports/stale", "x")
	r.put("ports/true", "x")
	r.put("errors/stale", "x")
	r.put("routers/ha", "another's")
	b, _ := r.run(nil)
	b.Set("ports/true", "x")
	b.Set("ports/new", "x")
	r.becomes(map[string]string{
		"alive": "1", "ports/stale": "x", "ports/true": "x", "ports/new": "x",
		"errors/stale": "x", "routers/ha": "another's",
	})
	before, err := r.client.Get(t.Context(), prefix+"ports/true")
	require.NoError(t, err)
	require.EqualValues(t, 1, before.Kvs[0].Version, "what stands is not written again")

	b.Settle()
	b.Clear("ports/new")
	r.becomes(map[string]string{"alive": "1", "ports/true": "x", "routers/ha": "another's"})
}

func TestLeaseLost(t *testing.T) {
	r := start(t)
	b, _ := r.run(func(b *publish.Board) { b.TTL = time.Second })
	b.Set("ports/a", "x")
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
	leases, err := r.client.Leases(t.Context())
	require.NoError(t, err)
	require.Len(t, leases.Leases, 1)
	_, err = r.client.Revoke(t.Context(), leases.Leases[0].ID)
	require.NoError(t, err)
	at := leases.Leases[0].ID
	require.Eventually(t, func() bool {
		leases, err := r.client.Leases(t.Context())
		return err == nil && len(leases.Leases) == 1 && leases.Leases[0].ID != at
	}, 10*time.Second, 10*time.Millisecond)
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
}

func TestOthersChangesAreUndone(t *testing.T) {
	r := start(t)
	b, _ := r.run(func(b *publish.Board) { b.Resync = 50 * time.Millisecond })
	b.Set("ports/a", "x")
	b.Settle()
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
	r.put("ports/a", "y")
	r.put("ports/b", "y")
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
}

func TestEtcdAwayMeanwhile(t *testing.T) {
	r := start(t)
	b, _ := r.run(func(b *publish.Board) { b.TTL = 2 * time.Second })
	b.Set("ports/a", "x")
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
	r.etcd.Stop()
	b.Clear("ports/a")
	b.Set("ports/b", "x")
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, r.etcd.Start())
	r.becomes(map[string]string{"alive": "1", "ports/b": "x"})
}

// Who put a key waits for a write of another that is newer, whatever that says already; who
// put none causes none.
func TestSetSinceIsAnsweredOnce(t *testing.T) {
	r := start(t)
	b, stop := r.run(nil)
	written := func(name string) int64 {
		got, err := r.client.Get(context.Background(), prefix+name)
		require.NoError(t, err)
		if len(got.Kvs) == 0 {
			return 0
		}
		require.Equal(t, "up", string(got.Kvs[0].Value))
		return got.Kvs[0].ModRevision
	}
	put := func() int64 {
		done, err := r.client.Put(context.Background(), "/networking-vpp/nodes/h1/ports/a", "as before")
		require.NoError(t, err)
		return done.Header.Revision
	}
	var last int64
	for range 20 {
		last = put()
		b.SetSince("ports/a", "up", last)
		require.Eventually(t, func() bool { return written("ports/a") > last }, 10*time.Second, time.Millisecond)
	}
	before := written("ports/a")
	b.SetSince("ports/a", "up", last)
	b.Set("ports/a", "up")
	b.Set("ports/b", "up")
	require.Eventually(t, func() bool { return written("ports/b") > 0 }, 10*time.Second, time.Millisecond)
	require.Equal(t, before, written("ports/a"), "it was answered")

	// A put that nobody was there for is answered by the next process, and no other is.
	stop()
	missed := put()
	b, _ = r.run(nil)
	b.SetSince("ports/a", "up", missed)
	b.SetSince("ports/b", "up", 1)
	require.Eventually(t, func() bool { return written("ports/a") > missed }, 10*time.Second, time.Millisecond)
	require.Less(t, written("ports/b"), missed)
}
