// SPDX-License-Identifier: Apache-2.0

package follow_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/follow"
)

const elsewhere = "/networking-vpp/global/"

// links follows what the values of the keys below the prefix name: each a range.
// It checks that nothing is settled before all of these were listed.
func links(t *testing.T, m *mirror) func(*follow.Follower) {
	return func(f *follow.Follower) {
		named := map[string]string{} // by key
		users := map[string]int{}
		listed := map[string]bool{}
		link := func(key, to string) {
			old := named[key]
			if old == to {
				return
			}
			if named[key] = to; to != "" {
				if users[to]++; users[to] == 1 {
					f.Follow(follow.Range(elsewhere + to))
				}
			}
			if old != "" {
				if users[old]--; users[old] == 0 {
					listed[old] = false
					f.Unfollow(follow.Range(elsewhere + old))
					m.mu.Lock()
					maps.DeleteFunc(m.values, func(name, _ string) bool { return follow.Range(elsewhere + old).Has(name) })
					m.mu.Unlock()
				}
			}
		}
		root := func(key string) bool { return strings.HasPrefix(key, prefix) }
		wasListed, wasPut, wasDeleted, wasSettled := f.Listed, f.Put, f.Deleted, f.Settled
		f.Listed = func(r follow.Range, values map[string][]byte) {
			wasListed(r, values)
			listed[strings.TrimPrefix(string(r), elsewhere)] = true
			if !root(string(r)) {
				return
			}
			for key := range named {
				if _, still := values[key]; !still {
					link(key, "")
				}
			}
			for key, v := range values {
				link(key, string(v))
			}
		}
		f.Put = func(key string, v []byte) {
			wasPut(key, v)
			if root(key) {
				link(key, string(v))
			}
		}
		f.Deleted = func(key string) {
			wasDeleted(key)
			if root(key) {
				link(key, "")
			}
		}
		f.Settled = func(all bool) {
			for to, n := range users {
				if n > 0 && !listed[to] {
					t.Errorf("settled without %s", to)
				}
			}
			wasSettled(all)
		}
	}
}

// linked follows url with links.
func linked(t *testing.T, url string, with func(*follow.Follower)) *mirror {
	t.Helper()
	m := new(mirror)
	m.values = map[string]string{}
	return followingInto(t, m, url, func(f *follow.Follower) {
		links(t, m)(f)
		if with != nil {
			with(f)
		}
	})
}

// each runs a test with a watch for each range, and with one for all of a parent as soon as
// there are two.
func each(t *testing.T, f func(t *testing.T)) {
	for _, n := range []int{64, 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			before := follow.MostWatches(n)
			t.Cleanup(func() { follow.MostWatches(before) })
			f(t)
		})
	}
}

func TestRangesComeAndGo(t *testing.T) { each(t, comeAndGo) }

func comeAndGo(t *testing.T) {
	e, c := embedded(t)
	for i := range 1200 { // three pages
		put(t, c, fmt.Sprintf("%sbig/%04d", elsewhere, i), "x")
	}
	put(t, c, elsewhere+"one", "1")
	put(t, c, elsewhere+"one/below", "is not in the range of a key")
	put(t, c, elsewhere+"oneself", "neither")
	put(t, c, elsewhere+"other", "2")
	put(t, c, prefix+"a", "one")
	m := linked(t, e.URL(), nil)
	m.becomes(t, map[string]string{"a": "one", elsewhere + "one": "1"})
	require.Equal(t, 1, m.lists())

	put(t, c, elsewhere+"one", "new")
	put(t, c, elsewhere+"other", "unseen")
	m.becomes(t, map[string]string{"a": "one", elsewhere + "one": "new"})
	put(t, c, prefix+"b", "other")
	m.becomes(t, map[string]string{"a": "one", "b": "other", elsewhere + "one": "new", elsewhere + "other": "unseen"})
	put(t, c, prefix+"a", "other") // and so nobody names one any more
	put(t, c, elsewhere+"one", "unseen")
	m.becomes(t, map[string]string{"a": "other", "b": "other", elsewhere + "other": "unseen"})
	put(t, c, prefix+"a", "one")
	del(t, c, prefix+"b")
	m.becomes(t, map[string]string{"a": "one", elsewhere + "one": "unseen"})

	want := map[string]string{"a": "big/"}
	for i := range 1200 {
		want[fmt.Sprintf("%sbig/%04d", elsewhere, i)] = "x"
	}
	put(t, c, prefix+"a", "big/")
	m.becomes(t, want)
	del(t, c, elsewhere+"big/0007")
	delete(want, elsewhere+"big/0007")
	m.becomes(t, want)
	del(t, c, prefix+"a")
	m.becomes(t, map[string]string{})
	require.Equal(t, 1, m.lists(), "no range that came or went had all listed")
	require.Zero(t, m.losses())
}

// Whatever was compacted, cut, or lost: all ranges are as they are.
func TestRangesOverOutages(t *testing.T) { each(t, overOutages) }

func overOutages(t *testing.T) {
	e, c := embedded(t)
	wire := etcdtest.NewWire(t, e.URL())
	for i := range 40 {
		put(t, c, fmt.Sprintf("%sp%d", prefix, i), fmt.Sprintf("g%d", i))
		put(t, c, fmt.Sprintf("%sg%d", elsewhere, i), "1")
	}
	m := linked(t, wire.URL(), func(f *follow.Follower) { f.Probe = 50 * time.Millisecond })
	state := func() map[string]string {
		want := map[string]string{}
		for name, to := range values(t, c, prefix) {
			want[name] = to
			if v, ok := values(t, c, elsewhere)[to]; ok {
				want[elsewhere+to] = v
			}
		}
		return want
	}
	m.becomes(t, state())

	wire.Cut()
	before := m.now()
	for i := range 20 {
		put(t, c, fmt.Sprintf("%sp%d", prefix, i), fmt.Sprintf("g%d", i+5))
		put(t, c, fmt.Sprintf("%sg%d", elsewhere, i+7), "2")
	}
	del(t, c, prefix+"p30")
	rev := del(t, c, elsewhere+"g31")
	_, err := c.Compact(t.Context(), rev, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	time.Sleep(200 * time.Millisecond)
	require.Equal(t, before, m.now(), "no answer is not an empty answer")
	wire.Mend()
	m.becomes(t, state())
	put(t, c, elsewhere+"g35", "3") // the watches are there again
	m.becomes(t, state())

	empty, c2 := embedded(t)
	put(t, c2, prefix+"a", "g1")
	put(t, c2, elsewhere+"g1", "9")
	wire.Reroute(empty.URL())
	m.becomes(t, map[string]string{"a": "g1", elsewhere + "g1": "9"})
	put(t, c2, elsewhere+"g1", "10")
	m.becomes(t, map[string]string{"a": "g1", elsewhere + "g1": "10"})
}

func TestListOfAllRanges(t *testing.T) {
	e, c := embedded(t)
	m := linked(t, e.URL(), func(f *follow.Follower) {
		f.Resync = 50 * time.Millisecond
		f.Put, f.Deleted = func(string, []byte) {}, func(string) {} // events are lost
	})
	put(t, c, elsewhere+"g1", "1")
	put(t, c, prefix+"a", "g1")
	m.becomes(t, map[string]string{"a": "g1", elsewhere + "g1": "1"})
	put(t, c, elsewhere+"g1", "2")
	m.becomes(t, map[string]string{"a": "g1", elsewhere + "g1": "2"})
	del(t, c, prefix+"a")
	m.becomes(t, map[string]string{})
	require.Zero(t, m.losses())
}

// values are what lies below a prefix.
func values(t *testing.T, c *clientv3.Client, below string) map[string]string {
	t.Helper()
	r, err := c.Get(t.Context(), below, clientv3.WithPrefix())
	require.NoError(t, err)
	out := map[string]string{}
	for _, kv := range r.Kvs {
		out[strings.TrimPrefix(string(kv.Key), below)] = string(kv.Value)
	}
	return out
}
