// SPDX-License-Identifier: Apache-2.0

package follow_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/follow"
)

// However many ranges a value names, they are no more watches than a few.
func TestManyRangesAreFewWatches(t *testing.T) {
	e, c := embedded(t)
	const n = 3000
	m := following(t, e.URL(), func(f *follow.Follower) {
		listed, put := f.Listed, f.Put
		f.Listed = func(r follow.Range, all map[string][]byte) {
			listed(r, all)
			if string(r) == prefix {
				for i := range n {
					f.Follow(follow.Range(fmt.Sprintf("%sg%d/", elsewhere, i)))
				}
			}
		}
		f.Put = put
	})
	require.Eventually(t, func() bool { return m.lists() > 0 }, 30*time.Second, time.Millisecond)
	require.Less(t, runtime.NumGoroutine(), 500)
	put(t, c, elsewhere+"g7/x", "1")
	put(t, c, elsewhere+"g2999/x", "2")
	put(t, c, elsewhere+"g3000/x", "nobody's")
	want := map[string]string{elsewhere + "g7/x": "1", elsewhere + "g2999/x": "2"}
	m.becomes(t, want)
	del(t, c, elsewhere+"g7/x")
	delete(want, elsewhere+"g7/x")
	m.becomes(t, want)
	require.Equal(t, 1, m.lists())
}

// What nobody can use is not kept in memory while all is listed.
func TestLongValuesCostNoMemory(t *testing.T) {
	e, c := embedded(t)
	junk := string(bytes.Repeat([]byte{'x'}, 1<<20))
	const n = 100
	for i := range n {
		put(t, c, fmt.Sprintf("%s%03d", prefix, i), junk)
	}
	put(t, c, prefix+"good", "1")
	var most uint64
	var long atomic.Int64
	m := following(t, e.URL(), func(f *follow.Follower) {
		f.Longest = func(string) int { return 1000 }
		listed := f.Listed
		f.Listed = func(r follow.Range, all map[string][]byte) {
			runtime.GC()
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = now.HeapAlloc
			for _, v := range all {
				if len(v) > 1000 {
					long.Add(1)
				}
			}
			listed(r, map[string][]byte{prefix + "good": all[prefix+"good"]})
		}
	})
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m.becomes(t, map[string]string{"good": "1"})
	require.EqualValues(t, n, long.Load(), "they are told all the same")
	require.Less(t, most, before.HeapAlloc+40<<20, "%d MB of values", n)
}

// Reached comes soon after whatever was written, and after that was told; what lies in no
// range counts as told.
func TestReached(t *testing.T) { reached(t, etcd.Access{}) }

// With a user and a password, too.
func TestReachedWithAUser(t *testing.T) {
	reached(t, etcd.Access{User: "root", Password: etcd.NewSecret("s3cret")})
}

func reached(t *testing.T, by etcd.Access) {
	e, c := embedded(t)
	if by.User != "" {
		etcdtest.Guard(t, c, "s3cret")
		c = etcdtest.Dial(t, e.URL(), by)
	}
	var reached atomic.Int64
	m := following(t, e.URL(), func(f *follow.Follower) {
		f.Client = etcdtest.Dial(t, e.URL(), by)
		f.Follow(follow.Range(elsewhere + "quiet"))
		f.Follow(follow.Range(elsewhere + "too/"))
		f.Reached = func(at int64) { reached.Store(at) }
	})
	for i := range 50 {
		done, err := c.Put(t.Context(), prefix+"a", fmt.Sprint(i))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return reached.Load() >= done.Header.Revision }, 5*time.Second, 100*time.Microsecond)
		require.Equal(t, map[string]string{"a": fmt.Sprint(i)}, m.now())
	}
}

// An etcd that is rolled back to a copy of its data is noticed as soon as it is back, also if it
// has come further than it was by then.
func TestEtcdIsRolledBack(t *testing.T) {
	dir := t.TempDir()
	e := etcdtest.Embed(t, dir)
	c := client(t, e.URL())
	put(t, c, prefix+"a", "old")
	e.Stop()
	saved := t.TempDir()
	require.NoError(t, os.CopyFS(saved, os.DirFS(dir)))
	require.NoError(t, e.Start())
	m := following(t, e.URL(), func(f *follow.Follower) { f.Probe = time.Hour })
	for i := range 10 {
		put(t, c, prefix+"a", fmt.Sprint(i))
	}
	put(t, c, prefix+"b", "1")
	m.becomes(t, map[string]string{"a": "9", "b": "1"})
	for _, further := range []int{0, 40} {
		e.Stop()
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "member")))
		require.NoError(t, os.CopyFS(dir, os.DirFS(saved)))
		require.NoError(t, e.Start())
		for i := range further {
			put(t, c, "/elsewhere", fmt.Sprint(i))
		}
		began := time.Now()
		m.becomes(t, map[string]string{"a": "old"})
		require.Less(t, time.Since(began), 3*time.Second)
		put(t, c, prefix+"b", "2")
		m.becomes(t, map[string]string{"a": "old", "b": "2"})
	}
}

// What is too much is not told in part, which would look like deletions; nor is more of it taken from
// events. When it is less, all goes on.
func TestTooMuchIsNotFollowed(t *testing.T) {
	e, c := embedded(t)
	put(t, c, prefix+"a", "1")
	m := following(t, e.URL(), func(f *follow.Follower) { f.MostKeys, f.MostBytes = 10, 10000 })
	m.becomes(t, map[string]string{"a": "1"})
	for i := range 20 {
		put(t, c, fmt.Sprintf("%sb%02d", prefix, i), "1")
	}
	lost := func() bool { return m.losses() > 0 }
	require.Eventually(t, lost, 10*time.Second, time.Millisecond)
	require.LessOrEqual(t, len(m.now()), 10)
	require.Contains(t, m.lastLoss(), "keys below "+prefix+", at most 10")
	for i := range 20 {
		del(t, c, fmt.Sprintf("%sb%02d", prefix, i))
	}
	m.becomes(t, map[string]string{"a": "1"})

	long := string(bytes.Repeat([]byte{'x'}, 3000))
	for i := range 20 { // what is written again and again is no more than it is
		put(t, c, prefix+"a", fmt.Sprint(long, i))
	}
	m.becomes(t, map[string]string{"a": long + "19"})
	for i := range 4 {
		put(t, c, prefix+fmt.Sprint(i), long)
	}
	time.Sleep(time.Second)
	require.Contains(t, m.lastLoss(), "MB below "+prefix)
	del(t, c, prefix+"3")
	del(t, c, prefix+"2")
	m.becomes(t, map[string]string{"a": long + "19", "0": long, "1": long})
}
