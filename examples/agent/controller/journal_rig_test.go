// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

func uuid(n int) string { return fmt.Sprintf("%08x-38b1-4ac2-a1a1-3b6a6d0c0001", n) }

// port is one of a few, whose MAC says which entry it is from.
func port(id, entry int) controller.Change {
	mac := vppnet.MAC{0xfa, 0x16, byte(entry >> 24), byte(entry >> 16), byte(entry >> 8), byte(entry)}
	return host.Port(translate.Port{UUID: uuid(id), MAC: mac.String(), Net: translate.Net{Physnet: "physnet1", Type: "vlan", Segment: 100}})
}

// said is what a writer says n-th: of a few ports some, which overlap, and some that go.
func changes(n int) []controller.Change {
	out := []controller.Change{port(n%7, n)}
	if n%3 == 0 {
		out = append(out, port(7+n%2, n))
	}
	if n%5 == 0 {
		out = append(out, port(9+n%3, 0).Gone())
	}
	if n%4 == 0 {
		out = append(out, port(9+n%2, n))
	}
	seen := map[string]bool{}
	for i := 0; i < len(out); i++ {
		if seen[out[i].Key] {
			out = append(out[:i], out[i+1:]...)
			i--
			continue
		}
		seen[out[i].Key] = true
	}
	return out
}

// rig is an etcd.
type rig struct {
	*testing.T
	etcd   *etcd.Embedded
	client *clientv3.Client
}

func newRig(t *testing.T) *rig {
	t.Helper()
	e := etcdtest.Embed(t, t.TempDir())
	c, err := etcd.Dial(e.URL(), etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &rig{t, e, c}
}

// events are all that happened to the hosts' keys, in order, and how many transactions.
func (r *rig) events() (out []controller.Change, transactions int) {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	now, err := r.client.Get(ctx, "x")
	require.NoError(r, err)
	if now.Header.Revision == 1 {
		return nil, 0
	}
	_, err = r.client.Put(ctx, translate.Root+"nodes/end/ports/x", "end")
	require.NoError(r, err)
	revisions := map[int64]bool{}
	for w := range r.client.Watch(ctx, translate.Root+"nodes/", clientv3.WithPrefix(), clientv3.WithRev(1)) {
		require.NoError(r, w.Err())
		for _, e := range w.Events {
			if string(e.Kv.Value) == "end" && e.Kv.ModRevision > now.Header.Revision {
				return out, len(revisions)
			}
			if strings.Contains(string(e.Kv.Key), "/nodes/end/") {
				continue
			}
			revisions[e.Kv.ModRevision] = true
			out = append(out, controller.Change{Key: string(e.Kv.Key), Value: string(e.Kv.Value)})
		}
	}
	require.Fail(r, "the watch ended")
	return nil, 0
}

// told is what happens if each of n entries comes once and in order.
func told(n int) (out []controller.Change) {
	there := map[string]bool{}
	for i := 1; i <= n; i++ {
		for _, c := range changes(i) {
			if c.Value != "" || there[c.Key] {
				out = append(out, c)
			}
			there[c.Key] = c.Value != ""
		}
	}
	return out
}

func (r *rig) open(path string, kv clientv3.KV, o controller.Options) *controller.Journal {
	r.Helper()
	j, err := controller.Open(path, kv, o)
	require.NoError(r, err)
	return j
}

// running runs a journal until stop is called, or the test ends.
func (r *rig) running(j *controller.Journal) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = errors.Join(<-ended, j.Close())
		})
		return err
	}
	r.Cleanup(func() { _ = stop() })
	return stop
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func written(t *testing.T, j *controller.Journal, seq uint64) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		if _, err := j.Written(soon(t), seq); err == nil {
			close(done)
		}
	}()
	return done
}
