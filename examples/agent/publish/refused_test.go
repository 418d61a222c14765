// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/publish"
)

// What etcd will not take for its size keeps nothing else from being written, and costs a
// few tries, not one after the other.
func TestWhatIsTooLargeSilencesNothing(t *testing.T) {
	r := start(t)
	var lost atomic.Int64
	b, _ := r.run(func(b *publish.Board) { b.Lost = func(error) { lost.Add(1) } })
	want := map[string]string{"alive": "1"}
	b.Set("errors/huge", strings.Repeat("x", 2<<20))
	b.Set("errors/"+strings.Repeat("y", 2<<20), "x")
	for i := range 30 { // 1.9 MB
		name := fmt.Sprintf("errors/%d/", i) + strings.Repeat("k", 32<<10)
		want[name] = strings.Repeat("v", 32<<10)
		b.Set(name, want[name])
	}
	b.Set("ports/a", "x")
	want["ports/a"] = "x"
	r.becomes(want)
	b.Set("errors/huge", "small")
	want["errors/huge"] = "small"
	r.becomes(want)
	time.Sleep(time.Second)
	require.LessOrEqual(t, lost.Load(), int64(4))
}

// An etcd whose disk is full keeps Alive, and takes what is withdrawn; who begins then goes on
// with Alive. What is said meanwhile stands there when there is room again.
func TestNoSpace(t *testing.T) {
	r := start(t)
	ttl := func(b *publish.Board) { b.TTL = 2 * time.Second }
	b, stop := r.run(ttl)
	b.Set("ports/a", "x")
	b.Set("ports/b", "x")
	r.becomes(map[string]string{"alive": "1", "ports/a": "x", "ports/b": "x"})
	alarm := func(what pb.AlarmRequest_AlarmAction) {
		members, err := r.client.MemberList(t.Context())
		require.NoError(t, err)
		_, err = pb.NewMaintenanceClient(r.client.ActiveConnection()).Alarm(t.Context(),
			&pb.AlarmRequest{Action: what, MemberID: members.Members[0].ID, Alarm: pb.AlarmType_NOSPACE})
		require.NoError(t, err)
	}
	alarm(pb.AlarmRequest_ACTIVATE)
	_, err := r.client.Put(t.Context(), prefix+"ports/c", "x")
	require.Error(t, err, "the alarm is on")
	var lost atomic.Int64
	at, err := r.client.Get(t.Context(), prefix+"alive")
	require.NoError(t, err)
	for round := range 2 { // the second by a process that begins then
		if round == 1 {
			stop()
			b, _ = r.run(func(b *publish.Board) { b.TTL = 2 * time.Second; b.Lost = func(error) { lost.Add(1) } })
			b.Set("ports/b", "x")
		}
		b.Set("ports/new", "x")
		b.Clear("ports/a")
		r.becomes(map[string]string{"alive": "1", "ports/b": "x"})
		time.Sleep(3 * time.Second)
		b.Set("ports/new", "y")
	}
	now, err := r.client.Get(t.Context(), prefix+"alive")
	require.NoError(t, err)
	require.Len(t, now.Kvs, 1)
	require.Equal(t, at.Kvs[0].CreateRevision, now.Kvs[0].CreateRevision)
	require.LessOrEqual(t, lost.Load(), int64(8), "it is tried after a time that grows")
	alarm(pb.AlarmRequest_DEACTIVATE)
	r.becomes(map[string]string{"alive": "1", "ports/b": "x", "ports/new": "y"})
}

// Last stands there only when all else does.
func TestLast(t *testing.T) {
	r := start(t)
	b, _ := r.run(func(b *publish.Board) { b.Trees, b.Last = append(b.Trees, "done"), "done" })
	heard := r.client.Watch(t.Context(), prefix, clientv3.WithPrefix())
	for i := range 300 {
		b.Set(fmt.Sprintf("ports/%d", i), "x")
	}
	b.Set("done", "1")
	require.NoError(t, b.Written(t.Context()))
	n := 0
	for w := range heard {
		for _, e := range w.Events {
			switch string(e.Kv.Key) {
			case prefix + "done":
				require.Equal(t, 300, n)
				return
			case prefix + "alive":
			default:
				n++
			}
		}
	}
}

// What is said when the process ends is not so: nothing of it is written.
func TestTheEndIsNotWritten(t *testing.T) {
	r := start(t)
	var over atomic.Bool
	b, _ := r.run(func(b *publish.Board) { b.Over = over.Load })
	b.Set("ports/a", "x")
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
	over.Store(true)
	b.Clear("ports/a")
	time.Sleep(500 * time.Millisecond)
	r.becomes(map[string]string{"alive": "1", "ports/a": "x"})
}
