// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

const host = controller.Host("compute-1")

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
	e, err := etcd.Embed(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(e.Stop)
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

// All families come as the agent reads them, in the order in which they were accepted.
func TestFamilies(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{})
	r.running(j)
	p := translate.Port{UUID: uuid(2), VLAN: 7, MAC: "fa:16:3e:00:00:02", Net: translate.Net{Physnet: "physnet1", Type: "vlan", Segment: 101}}
	net := func(n uint32) translate.Net { return translate.Net{Physnet: "physnet1", Type: "vlan", Segment: n} }
	all := []controller.Change{
		controller.Group(acl.SecurityGroup{Name: uuid(9), Ingress: []acl.GroupRule{{Family: acl.IPv4}}}),
		controller.Member(uuid(9), uuid(1), netip.MustParseAddr("10.0.0.1")),
		port(1, 1),
		host.Trunk(translate.Trunk{Parent: uuid(1), Subports: []translate.Port{p}}),
		host.RouterPort(translate.RouterPort{
			Router: uuid(5), Port: uuid(6), VRF: 3, Net: net(100), MAC: vppnet.MAC{0xfa, 1, 2, 3, 4, 5}, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.254/24")},
		}),
		host.FloatingIP(translate.FloatingIP{ID: uuid(7), External: net(50), Internal: net(100), Floating: netip.MustParseAddr("203.0.113.7"), Fixed: netip.MustParseAddr("10.0.0.1")}),
		host.Serves(true),
		controller.Sighting(translate.Sighting{VNI: 7, Host: "other", Addr: netip.MustParseAddr("10.0.0.9"), MAC: vppnet.MAC{0xfa, 1, 2, 3, 4, 6}, At: netip.MustParseAddr("192.0.2.9")}),
	}
	var last uint64
	for _, c := range all {
		seq, err := j.Accept(soon(t), "", c)
		require.NoError(t, err)
		require.Greater(t, seq, last)
		last = seq
	}
	revision, err := j.Written(soon(t), last)
	require.NoError(t, err)
	for _, c := range all {
		got, err := r.client.Get(soon(t), c.Key)
		require.NoError(t, err)
		require.Len(t, got.Kvs, 1, c.Key)
		require.Equal(t, c.Value, string(got.Kvs[0].Value))
		require.LessOrEqual(t, got.Kvs[0].ModRevision, revision)
	}
	last, err = j.Accept(soon(t), "", all[2].Gone())
	require.NoError(t, err)
	_, err = j.Written(soon(t), last)
	require.NoError(t, err)
	got, err := r.client.Get(soon(t), all[2].Key)
	require.NoError(t, err)
	require.Empty(t, got.Kvs)
}

// What no host would serve is not accepted, and nothing of the entry that it is in.
func TestRefused(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{})
	r.running(j)
	bad := port(1, 1)
	bad.Value = strings.Replace(bad.Value, "vlan", "vlam", 1)
	long := controller.Group(acl.SecurityGroup{Name: uuid(1)})
	long.Value = strings.Replace(long.Value, "{", "{"+strings.Repeat(" ", 1<<20), 1)
	for why, entry := range map[string][]controller.Change{
		"is unknown":   {port(2, 1), bad},
		"twice":        {port(1, 1), port(1, 2)},
		"1 to 100":     {},
		"at most":      {long},
		"hosts read":   {{Key: translate.Root + "state/compute-1/alive"}},
		"not UTF-8":    {{Key: translate.Root + "nodes/h/ports/\xff"}},
		"hosts serve ": {{Key: translate.Root + "nodes/h/lamps/1", Value: "{}"}},
	} {
		_, err := j.Accept(soon(t), "x", entry...)
		require.ErrorIs(t, err, controller.ErrRefused)
		require.ErrorContains(t, err, why)
	}
	require.Zero(t, j.Status().Accepted)
	require.Empty(t, j.Mark())
}

// While etcd is away entries are accepted until there is no room; then who has one waits, and
// is told what for. When etcd is back all comes, and who waited gets on.
func TestBounds(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{MostEntries: 5})
	for n := 1; n <= 5; n++ {
		_, err := j.Accept(soon(t), strconv.Itoa(n), changes(n)...)
		require.NoError(t, err)
	}
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := j.Accept(short, "6", changes(6)...)
	require.ErrorIs(t, err, controller.ErrFull)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "5 entries")
	require.Equal(t, "5", j.Mark())
	waited := make(chan error)
	go func() {
		_, err := j.Accept(soon(t), "6", changes(6)...)
		waited <- err
	}()
	select {
	case err := <-waited:
		require.Fail(t, "there was no room", err)
	case <-time.After(50 * time.Millisecond):
	}
	r.running(j)
	require.NoError(t, <-waited)
	_, err = j.Written(soon(t), 6)
	require.NoError(t, err)
	require.Equal(t, controller.Status{Accepted: 6, Written: 6}, j.Status())
	got, _ := r.events()
	require.Equal(t, told(6), got)
}

// Bytes are bounded too, but one entry always has room.
func TestBytesAreBounded(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{MostBytes: 10})
	_, err := j.Accept(soon(t), "", port(1, 1))
	require.NoError(t, err)
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = j.Accept(short, "", port(1, 2))
	require.ErrorIs(t, err, controller.ErrFull)
	require.NoError(t, j.Close())
}

// A file is one process's at a time.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := controller.Open(path, nil, controller.Options{})
	require.NoError(t, err)
	_, err = controller.Open(path, nil, controller.Options{})
	require.ErrorContains(t, err, "another process has it open")
	require.NoError(t, j.Close())
}

// Accepted by many at once, each entry comes once.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), r.client, controller.Options{MostEntries: 50})
	r.running(j)
	var wg sync.WaitGroup
	order := make([]controller.Change, 401)
	begin := time.Now()
	for by := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range 50 {
				c := port(by, by*1000+n)
				seq, err := j.Accept(soon(t), "", c)
				if err != nil {
					panic(err)
				}
				order[seq] = c
			}
		}()
	}
	wg.Wait()
	_, err := j.Written(soon(t), 400)
	require.NoError(t, err)
	took := time.Since(begin)
	got, transactions := r.events()
	require.Equal(t, order[1:], got)
	t.Logf("400 entries by 8 at once, in %v: %.0f a second, in %d transactions", took, 400/took.Seconds(), transactions)
}

// faulty is an etcd whose n-th call fails: it is not done, or it is and the answer is lost, or it
// is done late, when whoever called has looked and writes again.
type faulty struct {
	clientv3.KV
	calls, at int
	how       string
	late      clientv3.Txn
	maxOps    int // 0: any
}

func (f *faulty) hit() bool {
	f.calls++
	return f.calls == f.at
}

func (f *faulty) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if f.hit() {
		return nil, io.ErrUnexpectedEOF
	}
	return f.KV.Get(ctx, key, opts...)
}

func (f *faulty) Txn(ctx context.Context) clientv3.Txn {
	return &faultyTxn{f.KV.Txn(context.WithoutCancel(ctx)), f, 0}
}

type faultyTxn struct {
	clientv3.Txn
	f   *faulty
	ops int
}

func (t *faultyTxn) If(cs ...clientv3.Cmp) clientv3.Txn { t.Txn = t.Txn.If(cs...); return t }

func (t *faultyTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.Txn, t.ops = t.Txn.Then(ops...), len(ops)
	return t
}

func (t *faultyTxn) Commit() (*clientv3.TxnResponse, error) {
	if t.f.maxOps > 0 && t.ops > t.f.maxOps {
		return nil, rpctypes.ErrTooManyOps
	}
	if t.f.late != nil {
		late := t.f.late
		t.f.late = nil
		if _, err := late.Commit(); err != nil {
			return nil, err
		}
	}
	hit := t.f.hit()
	switch {
	case hit && t.f.how == "late":
		t.f.late = t.Txn
		return nil, io.ErrUnexpectedEOF
	case hit && t.f.how == "not done":
		return nil, io.ErrUnexpectedEOF
	}
	r, err := t.Txn.Commit()
	if hit {
		return nil, io.ErrUnexpectedEOF
	}
	return r, err
}

// Whichever call to etcd fails, however, and whether the writer goes on or dies
// of it and another begins: each entry comes once, in order.
func TestEachCallFails(t *testing.T) {
	for _, dies := range []bool{false, true} {
		for _, how := range []string{"not done", "answer lost", "late"} {
			for at := 1; ; at++ {
				r := newRig(t)
				path := filepath.Join(t.TempDir(), "journal")
				kv := &faulty{KV: r.client, at: at, how: how}
				failed := make(chan struct{})
				var once sync.Once // late ones fail twice
				j := r.open(path, kv, controller.Options{Lost: func(error) { once.Do(func() { close(failed) }) }})
				stop := r.running(j)
				for n := 1; n <= 6; n++ {
					seq, err := j.Accept(soon(t), strconv.Itoa(n), changes(n)...)
					require.NoError(t, err)
					if n%2 == 0 {
						continue // and two come together
					}
					if dies {
						select {
						case <-failed:
						case <-written(t, j, seq):
						}
					} else {
						_, err = j.Written(soon(t), seq)
						require.NoError(t, err)
					}
				}
				if dies {
					_ = stop()
					j = r.open(path, kv, controller.Options{})
					stop = r.running(j)
					require.Equal(t, "6", j.Mark())
				}
				_, err := j.Written(soon(t), 6)
				require.NoError(t, err)
				got, _ := r.events()
				require.Equal(t, told(6), got, "call %d, %s, dies %v", at, how, dies)
				_ = stop()
				if kv.calls < at {
					require.Greater(t, at, 4)
					break
				}
			}
		}
	}
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

// An etcd that takes fewer operations a transaction than others gets the entries one by one.
func TestSmallTransactions(t *testing.T) {
	r := newRig(t)
	j := r.open(filepath.Join(t.TempDir(), "journal"), &faulty{KV: r.client, maxOps: 5}, controller.Options{})
	for n := 1; n <= 20; n++ {
		_, err := j.Accept(soon(t), "", changes(n)...)
		require.NoError(t, err)
	}
	r.running(j)
	_, err := j.Written(soon(t), 20)
	require.NoError(t, err)
	got, _ := r.events()
	require.Equal(t, told(20), got)
}

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
