// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// An etcd that lost what it had, an old copy of the file, and a second one: nothing is written
// before somebody says so.
func TestElsewhere(t *testing.T) {
	accept := func(j *controller.Journal, from, to int) {
		for n := from; n <= to; n++ {
			seq, err := j.Accept(soon(t), strconv.Itoa(n), changes(n)...)
			require.NoError(t, err)
			_, err = j.Written(soon(t), seq)
			require.NoError(t, err)
		}
	}
	begin := func() (*rig, string, *controller.Journal, func() error) {
		r, path := newRig(t), filepath.Join(t.TempDir(), "journal")
		j := r.open(path, r.client, controller.Options{})
		return r, path, j, r.running(j)
	}
	refuses := func(r *rig, path, why string) {
		before, _ := r.events()
		j := r.open(path, r.client, controller.Options{})
		_, err := j.Accept(soon(t), "more", port(1, 99))
		require.NoError(t, err) // it is kept
		err = j.Run(soon(t))
		require.ErrorIs(t, err, controller.ErrElsewhere)
		require.ErrorContains(t, err, why)
		require.NoError(t, j.Close())
		after, _ := r.events()
		require.Equal(t, before, after)
	}
	adopts := func(r *rig, path string) {
		before, _ := r.events()
		j := r.open(path, r.client, controller.Options{Adopt: true})
		stop := r.running(j)
		_, err := j.Written(soon(t), j.Status().Accepted)
		require.NoError(t, err)
		require.ErrorIs(t, stop(), context.Canceled)
		after, _ := r.events()
		require.Equal(t, append(before, port(1, 99)), after)
		j = r.open(path, r.client, controller.Options{}) // once is enough
		stop = r.running(j)
		_, err = j.Written(soon(t), j.Status().Accepted)
		require.NoError(t, err)
		require.ErrorIs(t, stop(), context.Canceled)
	}
	t.Run("etcd lost", func(t *testing.T) {
		_, path, j, stop := begin()
		accept(j, 1, 3)
		_ = stop()
		other := newRig(t)
		refuses(other, path, "entries 1 to 3 are in etcd no more")
		adopts(other, path)
	})
	t.Run("old copy", func(t *testing.T) {
		r, path, j, stop := begin()
		accept(j, 1, 3)
		_ = stop()
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		j = r.open(path, r.client, controller.Options{})
		stop = r.running(j)
		accept(j, 4, 6)
		_ = stop()
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.WriteFile(copied, old, 0o600))
		refuses(r, copied, "etcd has entry 6, and the file's last is 4")
		adopts(r, copied)
	})
	t.Run("two", func(t *testing.T) {
		r, path, j, stop := begin()
		accept(j, 1, 3)
		_ = stop()
		one, err := os.ReadFile(path)
		require.NoError(t, err)
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.WriteFile(copied, one, 0o600))
		j = r.open(path, r.client, controller.Options{})
		stop = r.running(j)
		accept(j, 4, 4)
		_ = stop()
		refuses(r, copied, "etcd has another entry 4")
		adopts(r, copied)
	})
}

// An etcd that loses what it had is noticed though nothing is to be written.
func TestElsewhereMeanwhile(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{Probe: 10 * time.Millisecond})
	ended := make(chan error, 1)
	go func() { ended <- j.Run(soon(t)) }()
	say := func(n int) *clientv3.GetResponse {
		seq, err := j.Accept(soon(t), "", changes(n)...)
		require.NoError(t, err)
		_, err = j.Written(soon(t), seq)
		require.NoError(t, err)
		place, err := r.client.Get(soon(t), controller.Journals, clientv3.WithPrefix())
		require.NoError(t, err)
		return place
	}
	earlier := say(1).Kvs[0]
	say(2)
	say(3)
	_, err := r.client.Put(soon(t), string(earlier.Key), string(earlier.Value)) // as if it were rolled back
	require.NoError(t, err)
	err = <-ended
	require.ErrorIs(t, err, controller.ErrElsewhere)
	require.ErrorContains(t, err, "entries 2 to 3 are in etcd no more")
	require.ErrorIs(t, j.Status().Lost, controller.ErrElsewhere)
	require.NoError(t, j.Close())
}

// Who waits for a host hears when it is there, and meanwhile what it waits for.
func TestApplied(t *testing.T) {
	r := newRig(t)
	set := func(key, value string) int64 {
		p, err := r.client.Put(soon(t), translate.Root+"state/compute-1/"+key, value)
		require.NoError(t, err)
		return p.Header.Revision
	}
	short := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		return f(ctx)
	}
	applied := func(ctx context.Context) error { return controller.Applied(ctx, r.client, "compute-1", 100) }
	require.ErrorContains(t, short(applied), "does not say how far it is")
	set("converged", `{"revision":99}`)
	require.ErrorContains(t, short(applied), "at revision 99, not yet at 100")
	done := make(chan error)
	go func() { done <- applied(soon(t)) }()
	set("converged", `{"revision":101}`)
	require.NoError(t, <-done)

	first := set("ports/"+uuid(1), "{}")
	require.NoError(t, controller.Bound(soon(t), r.client, "compute-1", uuid(1), first))
	bound := func(ctx context.Context) error {
		return controller.Bound(ctx, r.client, "compute-1", uuid(1), first+1)
	}
	require.ErrorContains(t, short(bound), "has not said that")
	go func() { done <- bound(soon(t)) }()
	time.Sleep(20 * time.Millisecond)
	set("ports/"+uuid(1), "{}")
	require.NoError(t, <-done)
	go func() { done <- controller.Bound(soon(t), r.client, "compute-1", uuid(2), first) }()
	time.Sleep(20 * time.Millisecond)
	set("errors/"+uuid(2), `{"error":"no MAC"}`)
	err := <-done
	require.ErrorIs(t, err, controller.ErrWrong)
	require.ErrorContains(t, err, "no MAC")
}
