// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	v3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// mirrorArgs makes this test binary a mirror: a process that can be killed.
const mirrorArgs = "MIRROR_TEST_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(mirrorArgs); ok {
		urls := strings.Fields(args)
		keys, err := etcd.DialV2(urls[0], etcd.Access{})
		if err == nil {
			var c *v3.Client
			if c, err = etcd.Dial(urls[1], etcd.Access{}); err == nil {
				err = (&Mirror{V2: keys, V3: c, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Resync: time.Second}).Run(context.Background())
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// process is a program that can be killed, and started again with its data.
type process struct {
	t    *testing.T
	make func() *exec.Cmd
	cmd  *exec.Cmd
}

func (p *process) Start() {
	p.t.Helper()
	p.cmd = p.make()
	require.NoError(p.t, p.cmd.Start())
}

func (p *process) Kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// rig is two etcds, and a mirror in between.
type rig struct {
	*testing.T
	old, new *etcdtest.Process
	between  *process
	v2       v2.KeysAPI
	v3       *v3.Client
	urls     [2]string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t}
	r.old, r.new = etcdtest.Start(t, "--enable-v2"), etcdtest.Start(t)
	r.urls = [2]string{r.old.URL(), r.new.URL()}
	var err error
	r.dialV2()
	r.v3, err = etcd.Dial(r.urls[1], etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.v3.Close() })
	r.between = &process{t: t, make: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), mirrorArgs+"="+r.urls[0]+" "+r.urls[1])
		if testing.Verbose() {
			cmd.Stderr = os.Stderr
		}
		return cmd
	}}
	t.Cleanup(r.between.Kill)
	r.ready()
	return r
}

func (r *rig) dialV2() {
	r.Helper()
	keys, err := etcd.DialV2(r.urls[0], etcd.Access{})
	require.NoError(r, err)
	r.v2 = keys
}

// ready waits until both etcds answer.
func (r *rig) ready() {
	r.Helper()
	require.Eventually(r, func() bool {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_, err2 := r.v2.Get(ctx, "/", nil)
		_, err3 := r.v3.Get(ctx, "x")
		return err2 == nil && err3 == nil
	}, 30*time.Second, 20*time.Millisecond)
}

// inProcess runs a mirror until stop.
func (r *rig) inProcess(adopt bool, resync time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	log := io.Discard
	if testing.Verbose() {
		log = os.Stderr
	}
	m := &Mirror{V2: r.v2, V3: r.v3, Log: slog.New(slog.NewTextHandler(log, nil)), Adopt: adopt, Resync: resync}
	go func() { done <- m.Run(ctx) }()
	stop = func() {
		if cancel != nil {
			cancel()
			require.ErrorIs(r, <-done, context.Canceled)
			cancel = nil
		}
	}
	r.Cleanup(stop)
	return stop
}

// live puts state/h1/alive with a lease of so many seconds, which is kept until the test ends.
func (r *rig) live(seconds int64) {
	r.Helper()
	l, err := r.v3.Grant(r.Context(), seconds)
	require.NoError(r, err)
	kept, err := r.v3.KeepAlive(r.Context(), l.ID)
	require.NoError(r, err)
	go func() {
		for range kept {
		}
	}()
	r.put("state/h1/alive", "1", v3.WithLease(l.ID))
}

func (r *rig) set(key, value string) {
	r.Helper()
	_, err := r.v2.Set(r.Context(), Root+"/"+key, value, nil)
	require.NoError(r, err)
}

func (r *rig) put(key, value string, opts ...v3.OpOption) {
	r.Helper()
	_, err := r.v3.Put(r.Context(), Root+"/"+key, value, opts...)
	require.NoError(r, err)
}

// is3 waits until the v3 has these keys in trees that come down, and no others.
func (r *rig) is3(want map[string]string) {
	r.Helper()
	var have map[string]string
	require.Eventually(r, func() bool { have = r.keys3(goesDown); return equal(want, have) }, 20*time.Second, 10*time.Millisecond, "%v", &have)
}

// is2 waits until the v2 has these keys in trees that go up, and no others.
func (r *rig) is2(want map[string]string) {
	r.Helper()
	var have map[string]string
	require.Eventually(r, func() bool { have = r.keys2(upward); return equal(want, have) }, 20*time.Second, 10*time.Millisecond, "%v", &have)
}

func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (r *rig) keys3(in []span) map[string]string {
	have, _, err := (&Mirror{V3: r.v3}).stand(r.Context(), 0, in...)
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for k, s := range have {
		out[strings.TrimPrefix(k, Root+"/")] = s.value
	}
	return out
}

func (r *rig) keys2(of func(string) bool) map[string]string {
	files, _, err := (&Mirror{V2: r.v2}).tree(r.Context())
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for k, n := range files {
		if of(k) {
			out[strings.TrimPrefix(k, Root+"/")] = n.Value
		}
	}
	return out
}

// history3 words what the v3 was told in trees, in order; what is deleted at once is
// sorted, as it is one event of the v2.
func (r *rig) history3(in func(string) bool) (out []string) {
	now, err := r.v3.Get(r.Context(), "x")
	require.NoError(r, err)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	for w := range r.v3.Watch(ctx, Root, v3.WithPrefix(), v3.WithRev(1), v3.WithProgressNotify()) {
		require.NoError(r, w.Err())
		for _, e := range w.Events {
			switch key := string(e.Kv.Key); {
			case !in(key):
			case e.Type == v3.EventTypeDelete:
				out = append(out, "- "+key)
			default:
				out = append(out, "+ "+key+" "+string(e.Kv.Value))
			}
		}
		if w.Header.Revision >= now.Header.Revision {
			break
		}
		require.NoError(r, r.v3.RequestProgress(ctx))
	}
	return out
}

// history2 words what the v2 was told in trees, in order, as the v3 words it.
func (r *rig) history2(in func(string) bool) (out []string) {
	end, err := r.v2.Set(r.Context(), Root+"/election/end", "", nil) // of neither way
	require.NoError(r, err)
	w := r.v2.Watcher(Root, &v2.WatcherOptions{AfterIndex: 1, Recursive: true})
	there := map[string]bool{}
	for at := uint64(0); at < end.Node.ModifiedIndex; {
		e, err := w.Next(r.Context())
		require.NoError(r, err)
		at = e.Node.ModifiedIndex
		switch e.Action {
		case "delete", "compareAndDelete", "expire":
			gone := span{e.Node.Key, below(e.Node.Key + "/").to}
			for _, k := range sorted(there) {
				if k == e.Node.Key || strings.HasPrefix(k, e.Node.Key+"/") && gone.has(k) {
					delete(there, k)
					if in(k) {
						out = append(out, "- "+k)
					}
				}
			}
		default:
			if e.Node.Dir && there[e.Node.Key] { // in place of a file
				if delete(there, e.Node.Key); in(e.Node.Key) {
					out = append(out, "- "+e.Node.Key)
				}
			}
			if !e.Node.Dir {
				there[e.Node.Key] = true
				if in(e.Node.Key) {
					out = append(out, "+ "+e.Node.Key+" "+e.Node.Value)
				}
			}
		}
	}
	return out
}

func pick(from ...string) string { return from[rand.IntN(len(from))] }
