// SPDX-License-Identifier: Apache-2.0

package follow_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/follow"
)

const prefix = "/networking-vpp/nodes/h1/ports/"

// mirror is what a follower was told.
type mirror struct {
	mu     sync.Mutex
	values map[string]string
	alls   int
	lost   []error
}

func (m *mirror) now() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

func (m *mirror) lists() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alls
}

func (m *mirror) losses() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.lost)
}

func (m *mirror) lastLoss() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(m.lost[len(m.lost)-1])
}

// following starts a follower of url and returns what it is told.
func following(t *testing.T, url string, with func(*follow.Follower)) *mirror {
	t.Helper()
	return followingInto(t, &mirror{values: map[string]string{}}, url, with)
}

func followingInto(t *testing.T, m *mirror, url string, with func(*follow.Follower)) *mirror {
	t.Helper()
	c, err := etcd.Dial(url, etcd.Access{})
	require.NoError(t, err)
	locked := func(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }
	f := &follow.Follower{
		Client: c, Root: prefix,
		Listed: func(r follow.Range, all map[string][]byte) {
			locked(func() {
				maps.DeleteFunc(m.values, func(name, _ string) bool { return r.Has(full(name)) })
				for k, v := range all {
					m.values[strings.TrimPrefix(k, prefix)] = string(v)
				}
			})
		},
		Put: func(key string, v []byte) {
			locked(func() { m.values[strings.TrimPrefix(key, prefix)] = string(v) })
		},
		Deleted: func(key string) { locked(func() { delete(m.values, strings.TrimPrefix(key, prefix)) }) },
		Settled: func(all bool) {
			locked(func() {
				if all {
					m.alls++
				}
			})
		},
		Lost: func(err error) { locked(func() { m.lost = append(m.lost, err) }) },
	}
	if with != nil {
		with(f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		_ = c.Close()
	})
	return m
}

// full is the key of a name in a mirror: those below the prefix go without it.
func full(name string) string {
	if strings.HasPrefix(name, "/networking-vpp/") {
		return name
	}
	return prefix + name
}

func (m *mirror) becomes(t *testing.T, want map[string]string) {
	t.Helper()
	require.Eventually(t, func() bool { return maps.Equal(m.now(), want) }, 30*time.Second, 5*time.Millisecond,
		"follower does not arrive at the %d keys of etcd", len(want))
}

func embedded(t *testing.T) (*etcd.Embedded, *clientv3.Client) {
	t.Helper()
	e := etcdtest.Embed(t, t.TempDir())
	return e, client(t, e.URL())
}

func client(t *testing.T, url string) *clientv3.Client {
	t.Helper()
	c, err := etcd.Dial(url, etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func put(t *testing.T, c *clientv3.Client, key, value string) {
	t.Helper()
	_, err := c.Put(t.Context(), key, value)
	require.NoError(t, err)
}

func del(t *testing.T, c *clientv3.Client, key string) int64 {
	t.Helper()
	r, err := c.Delete(t.Context(), key)
	require.NoError(t, err)
	return r.Header.Revision
}

func TestListThenWatch(t *testing.T) {
	e, c := embedded(t)
	want := map[string]string{}
	for i := range 1200 { // three pages
		name := fmt.Sprintf("p%04d", i)
		put(t, c, prefix+name, "v")
		want[name] = "v"
	}
	put(t, c, "/networking-vpp/nodes/h10/ports/x", "another host's")
	m := following(t, e.URL(), nil)
	m.becomes(t, want)

	put(t, c, prefix+"p0000", "new")
	put(t, c, prefix+"q", "w")
	del(t, c, prefix+"p0001")
	want["p0000"], want["q"] = "new", "w"
	delete(want, "p0001")
	m.becomes(t, want)
	require.Equal(t, 1, m.lists(), "changes come from the watch")
}

func TestAMegabyteOfJunkPassesThrough(t *testing.T) {
	e, c := embedded(t)
	m := following(t, e.URL(), nil)
	junk := string(bytes.Repeat([]byte{0xff}, 1<<20))
	put(t, c, prefix+"../../etc/passwd", junk)
	put(t, c, prefix+"a", "1")
	m.becomes(t, map[string]string{"../../etc/passwd": junk, "a": "1"})
}

func TestCompactionWhileDisconnected(t *testing.T) {
	e, c := embedded(t)
	wire := etcdtest.NewWire(t, e.URL())
	m := following(t, wire.URL(), func(f *follow.Follower) { f.Probe = 50 * time.Millisecond })
	put(t, c, prefix+"stays", "1")
	put(t, c, prefix+"goes", "1")
	m.becomes(t, map[string]string{"stays": "1", "goes": "1"})

	wire.Cut()
	rev := del(t, c, prefix+"goes")
	put(t, c, prefix+"new", "1")
	_, err := c.Compact(t.Context(), rev+1, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	time.Sleep(200 * time.Millisecond)
	require.Equal(t, map[string]string{"stays": "1", "goes": "1"}, m.now(), "no answer is not an empty answer")

	wire.Mend()
	m.becomes(t, map[string]string{"stays": "1", "new": "1"})
	require.GreaterOrEqual(t, m.lists(), 2)
}

func TestListAgainFindsWhatNoEventTold(t *testing.T) {
	e, c := embedded(t)
	m := following(t, e.URL(), func(f *follow.Follower) {
		f.Resync = 50 * time.Millisecond
		f.Put = func(string, []byte) {} // the event is lost
	})
	require.Eventually(t, func() bool { return m.lists() > 0 }, 10*time.Second, time.Millisecond)
	put(t, c, prefix+"a", "1")
	m.becomes(t, map[string]string{"a": "1"})
	require.Zero(t, m.losses())
}

func TestEtcdRestarts(t *testing.T) {
	e, c := embedded(t)
	m := following(t, e.URL(), nil)
	put(t, c, prefix+"a", "1")
	m.becomes(t, map[string]string{"a": "1"})
	e.Stop()
	require.NoError(t, e.Start())
	put(t, c, prefix+"b", "2")
	m.becomes(t, map[string]string{"a": "1", "b": "2"})
}

// A watch that is resumed on a wiped etcd would wait for revisions to come.
func TestEtcdIsReplacedByAnEmptyOne(t *testing.T) {
	full, c := embedded(t)
	for i := range 20 {
		put(t, c, prefix+"a", fmt.Sprint(i))
	}
	empty, c2 := embedded(t)
	wire := etcdtest.NewWire(t, full.URL())
	m := following(t, wire.URL(), func(f *follow.Follower) { f.Probe = 50 * time.Millisecond })
	m.becomes(t, map[string]string{"a": "19"})
	wire.Reroute(empty.URL())
	put(t, c2, prefix+"b", "1")
	m.becomes(t, map[string]string{"b": "1"})
	put(t, c2, prefix+"c", "1")
	m.becomes(t, map[string]string{"b": "1", "c": "1"})
}

// A process of its own can be killed, as no goroutine can.
func TestRealEtcdIsKilledAndStartedAgain(t *testing.T) {
	e := etcdtest.Start(t)
	c := client(t, e.URL())
	m := following(t, e.URL(), func(f *follow.Follower) { f.Probe = 200 * time.Millisecond })
	put(t, c, prefix+"a", "1")
	m.becomes(t, map[string]string{"a": "1"})

	e.Kill()
	time.Sleep(500 * time.Millisecond)
	require.Equal(t, map[string]string{"a": "1"}, m.now())

	e.Start()
	put(t, c, prefix+"b", "2")
	m.becomes(t, map[string]string{"a": "1", "b": "2"})
}
