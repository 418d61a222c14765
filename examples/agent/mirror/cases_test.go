// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// versions says how often keys of the v3 were written since they are there.
func (r *rig) versions() map[string]int64 {
	r.Helper()
	all, err := r.v3.Get(r.Context(), Root+"/nodes/", v3.WithPrefix())
	require.NoError(r, err)
	out := map[string]int64{}
	for _, kv := range all.Kvs {
		out[string(kv.Key)[len(Root)+1:]] = kv.Version
	}
	return out
}

// What happened while nobody mirrored, and the v2 remembers no more: each key that was
// written since is written once, though it be the same; others are not; what is gone goes.
func TestMoreThanIsRemembered(t *testing.T) {
	r := newRig(t)
	stop := r.inProcess(false, 0)
	want := map[string]string{}
	for i := range 250 {
		k := fmt.Sprintf("nodes/h1/ports/%03d", i)
		want[k] = "{}"
		r.set(k, "{}")
	}
	r.is3(want)
	before := r.versions()
	stop()
	for range 1100 {
		r.set("nodes/h1/ports/000", "{}")
	}
	r.set("nodes/h1/ports/001", "new")
	_, err := r.v2.Delete(t.Context(), Root+"/nodes/h1/ports/002", nil)
	require.NoError(t, err)
	want["nodes/h1/ports/001"] = "new"
	delete(want, "nodes/h1/ports/002")
	r.inProcess(false, 0)
	r.is3(want)
	delete(before, "nodes/h1/ports/002")
	before["nodes/h1/ports/000"]++
	before["nodes/h1/ports/001"]++
	require.Equal(t, before, r.versions())
	r.set("nodes/h1/ports/003", "after") // and it goes on
	want["nodes/h1/ports/003"] = "after"
	r.is3(want)
}

// The same of the v3, where what was compacted cannot be told.
func TestMoreThanIsKept(t *testing.T) {
	r := newRig(t)
	stop := r.inProcess(false, 0)
	r.put("state/h1/ports/0", "{}")
	r.put("state/h1/ports/1", "{}")
	r.put("state/h1/ports/2", "{}")
	r.is2(map[string]string{"state/h1/ports/0": "{}", "state/h1/ports/1": "{}", "state/h1/ports/2": "{}"})
	files, _, err := (&Mirror{V2: r.v2}).tree(t.Context())
	require.NoError(t, err)
	last, err := r.v3.Get(t.Context(), Root+"/state/h1/ports/2")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		at, err := (&Mirror{V3: r.v3}).place(t.Context(), "up")
		return err == nil && at.Revision >= last.Kvs[0].ModRevision
	}, 10*time.Second, 10*time.Millisecond, "what is written and not noted may be written once more")
	stop()
	r.put("state/h1/ports/0", "{}")
	_, err = r.v3.Delete(t.Context(), Root+"/state/h1/ports/1")
	require.NoError(t, err)
	now, err := r.v3.Get(t.Context(), "x")
	require.NoError(t, err)
	_, err = r.v3.Compact(t.Context(), now.Header.Revision)
	require.NoError(t, err)
	r.inProcess(false, 0)
	r.is2(map[string]string{"state/h1/ports/0": "{}", "state/h1/ports/2": "{}"})
	require.Eventually(t, func() bool {
		again, _, err := (&Mirror{V2: r.v2}).tree(t.Context())
		return err == nil && again[Root+"/state/h1/ports/0"].ModifiedIndex > files[Root+"/state/h1/ports/2"].ModifiedIndex &&
			again[Root+"/state/h1/ports/2"].ModifiedIndex == files[Root+"/state/h1/ports/2"].ModifiedIndex
	}, 10*time.Second, 10*time.Millisecond, "the one that was written is written, the other is not")
}

// An etcd v2 that lost its data takes nothing down until somebody says so.
func TestAnotherEtcd(t *testing.T) {
	r := newRig(t)
	stop := r.inProcess(false, 0)
	want := map[string]string{"nodes/h1/ports/a": "{}", "global/secgroups/g": "[]"}
	for k, v := range want {
		r.set(k, v)
	}
	r.is3(want)
	r.put("state/h1/ports/a", "{}")
	r.is2(map[string]string{"state/h1/ports/a": "{}"})
	stop()
	r.old.Kill()
	r.old = etcdtest.Start(t, "--enable-v2")
	r.urls[0] = r.old.URL()
	r.dialV2()
	r.ready()
	stop = r.inProcess(false, 0)
	r.is2(map[string]string{"state/h1/ports/a": "{}"}) // what agents say is said there too
	r.set("nodes/h1/ports/b", "{}")
	time.Sleep(500 * time.Millisecond)
	r.is3(want)
	stop()
	r.inProcess(true, 0)
	r.is3(map[string]string{"nodes/h1/ports/b": "{}"})
}

// A v3 that lost its data has all of it again.
func TestAnotherV3(t *testing.T) {
	r := newRig(t)
	stop := r.inProcess(false, 0)
	want := map[string]string{"nodes/h1/ports/a": "{}", "global/secgroups/g": "[]"}
	for k, v := range want {
		r.set(k, v)
	}
	r.is3(want)
	stop()
	_, err := r.v3.Delete(t.Context(), Root, v3.WithPrefix())
	require.NoError(t, err)
	r.inProcess(false, 0)
	r.is3(want)
}

// What somebody else did to what was mirrored is undone; what other agents say to the v2
// is theirs, and so is what agents say to each other in the v3.
func TestWhoseKeys(t *testing.T) {
	r := newRig(t)
	r.put("global/networks/gpe/1/h1/10.0.0.1", "{}")
	r.set("state/h2/ports/x", "of another agent")
	r.inProcess(false, 300*time.Millisecond)
	r.set("nodes/h1/ports/a", "{}")
	r.put("state/h1/ports/a", "{}")
	r.put("state/h1/physnets/physnet1", "1")
	down := map[string]string{"nodes/h1/ports/a": "{}"}
	up := map[string]string{"state/h1/ports/a": "{}", "state/h1/physnets/physnet1": "1", "state/h2/ports/x": "of another agent"}
	r.is3(down)
	r.is2(up)

	_, err := r.v2.Delete(t.Context(), Root+"/state/h1/physnets/physnet1", nil)
	require.NoError(t, err)
	r.set("state/h1/ports/junk", "{}")
	r.set("state/h1/ports/a", "junk")
	r.is2(up)
	_, err = r.v3.Delete(t.Context(), Root+"/nodes/h1/ports/a")
	require.NoError(t, err)
	r.put("nodes/h1/ports/junk", "")
	r.is3(down)
	got, err := r.v3.Get(t.Context(), Root+"/global/networks/gpe/1/h1/10.0.0.1")
	require.NoError(t, err)
	require.Len(t, got.Kvs, 1)
}

// A key under a lease stands in the v2 as long as the lease is alive, and for its time
// when nobody mirrors it.
func TestLeases(t *testing.T) {
	r := newRig(t)
	stop := r.inProcess(false, 0)
	ttl := func() int64 {
		n, err := r.v2.Get(t.Context(), Root+"/state/h1/alive", nil)
		if err != nil {
			require.True(t, v2.IsKeyNotFound(err), "%v", err)
			return 0
		}
		return n.Node.TTL
	}
	r.put("state/h1/first", "1") // once it is there, the mirror has looked for what is to stand for longer
	r.is2(map[string]string{"state/h1/first": "1"})
	r.put("state/h1/first", "2")
	r.is2(map[string]string{"state/h1/first": "2"})
	r.live(5)
	require.Eventually(t, func() bool { return ttl() > 0 }, 20*time.Second, 10*time.Millisecond)
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		require.Positive(t, ttl(), "it stands for longer than its time")
	}
	_, err := r.v2.Delete(t.Context(), Root+"/state/h1/alive", nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return ttl() > 0 }, 5*time.Second, 10*time.Millisecond)
	stop()
	require.Eventually(t, func() bool { return ttl() == 0 }, 20*time.Second, 10*time.Millisecond)
	r.inProcess(false, 0)
	require.Eventually(t, func() bool { return ttl() > 0 }, 20*time.Second, 10*time.Millisecond)
	long, err := r.v3.Grant(t.Context(), 100) // which would last beyond this test
	require.NoError(t, err)
	r.put("state/h1/alive", "1", v3.WithLease(long.ID))
	require.Eventually(t, func() bool { return ttl() > 50 }, 20*time.Second, 10*time.Millisecond)
	_, err = r.v3.Revoke(t.Context(), long.ID)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return ttl() == 0 }, 20*time.Second, 10*time.Millisecond)
}

// What only one side can have holds nothing else up.
func TestKeysOfOneSide(t *testing.T) {
	r := newRig(t)
	r.inProcess(false, 0)
	for _, k := range []string{"a/b", "a", "..", "//", "_hidden", "%2F", "ü é?#"} {
		r.put("state/h1/errors/"+k, "{}")
	}
	r.is2(map[string]string{"state/h1/errors/a/b": "{}", "state/h1/errors/%2F": "{}", "state/h1/errors/ü é?#": "{}"})
	long := make([]byte, 2<<20)
	for i := range long {
		long[i] = 'x'
	}
	r.set("global/secgroups/g", "{}")
	r.is3(map[string]string{"global/secgroups/g": "{}"})
	r.set("global/secgroups/g", string(long))
	r.set("nodes/h1/ports/a b%2F", "{}")
	r.is3(map[string]string{"global/secgroups/g": "", "nodes/h1/ports/a b%2F": "{}"})
}

// Two mirrors bring down each write once.
func TestTwoMirrors(t *testing.T) {
	r := newRig(t)
	r.inProcess(false, 0)
	r.inProcess(false, 0)
	want := map[string]string{}
	for i := range 100 {
		k := fmt.Sprintf("nodes/h1/ports/%d", i%7)
		want[k] = fmt.Sprint(i)
		r.set(k, want[k])
		r.put(fmt.Sprintf("state/h1/ports/%d", i%7), fmt.Sprint(i))
	}
	r.is3(want)
	require.Eventually(t, func() bool { return equal(r.keys3(goesUp), r.keys2(upward)) }, 10*time.Second, 10*time.Millisecond)
	same(t, "down", r.history2(downward), r.history3(downward))
}
