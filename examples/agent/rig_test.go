// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
)

// agentArgs makes this test binary an agent: a process that can be killed.
const agentArgs = "AGENT_TEST_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(agentArgs); ok {
		os.Exit(command(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	if args, ok := os.LookupEnv(roleArgs); ok {
		if err := playRole(strings.Fields(args)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// target is a VPP, in memory or real.
type target interface {
	Socket() string
	Kill()
	Restart() error
}

// rig is an etcd, and VPPs to serve from it.
type rig struct {
	*testing.T
	url    string
	access etcd.Access // of agents
	client *clientv3.Client
	etcd   *etcd.Embedded // nil: in a process of its own

	mu    sync.Mutex
	wrote map[string]int64 // at what revision a port of a host last changed
}

func newRig(t *testing.T) *rig {
	t.Helper()
	e := etcdtest.Embed(t, t.TempDir())
	r := rigOn(t, e.URL())
	r.etcd = e
	return r
}

func rigOn(t *testing.T, url string) *rig {
	t.Helper()
	c, err := etcd.Dial(url, etcd.Access{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &rig{T: t, url: url, client: c}
}

const nic = "GigabitEthernet0/8/0"

// siteOf is a host whose physnet1 is on uplink.
func (r *rig) siteOf(host, uplink string) translate.Site {
	return translate.Site{Host: host, Physnets: map[string]string{"physnet1": uplink}, Dir: shortDir(r.T)}
}

// running is an agent in this process.
type running struct {
	*agent
	stop   func()
	writes atomic.Int64 // requests that could change VPP
	log    *lockedBuffer
	ended  chan error // of its run, if nobody stopped it
}

// agent runs an agent until stop or the end of the test.
func (r *rig) agent(site translate.Site, vpp string, with ...func(*agent)) *running {
	r.Helper()
	require.NoError(r, site.Validate())
	x := &running{log: new(lockedBuffer), ended: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := etcd.Dial(r.url, r.access)
	require.NoError(r, err)
	x.agent = newAgent(site, vpp, client, time.Minute, log)
	x.inbox.Linger(0)                 // but where that is what is tested
	x.deadly.again = time.Millisecond // and so is this
	x.dial = []vppnet.Option{vppnet.WithTrace(func(t vppnet.Trace) { x.writes.Add(mutates(t.Message)) })}
	x.alone = true // no test has VMs but those that are about them
	for _, f := range with {
		f(x.agent)
	}
	if x.wires.ns == "" {
		x.wires = nil // or the machine's own Linux would be changed
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := x.run(ctx)
		if ctx.Err() == nil {
			x.ended <- err
			err = context.Canceled
		}
		done <- err
	}()
	x.stop = func() {
		if cancel == nil {
			return
		}
		cancel()
		cancel = nil
		require.ErrorIs(r, <-done, context.Canceled)
		require.NoError(r, client.Close())
	}
	r.Cleanup(func() {
		x.stop()
		if r.Failed() {
			r.Logf("log of %s:\n%s", site.Host, tail(x.log.String()))
		}
	})
	return x
}

func tail(s string) string { return s[max(0, len(s)-6000):] }

func mutates(message string) int64 {
	for _, reads := range []string{"_dump", "_get", "show_", "want_", "control_ping", "memclnt_", "api_versions", "l2_flags", "_table_by_interface", "arping", "_is_enabled"} {
		if strings.Contains(message, reads) {
			return 0
		}
	}
	return 1
}

// converged waits until VPP holds what is wanted, and nothing else.
func (r *rig) converged(a *running) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	r.mu.Lock()
	wrote := r.wrote[a.site.Host]
	r.mu.Unlock()
	if wrote > 0 { // or the agent, which is yet to hear of it, has what was wanted before
		require.NoError(r, controller.Applied(ctx, r.client, a.site.Host, wrote))
	}
	if err := a.store.Wait(ctx); err != nil {
		for k, s := range a.store.Statuses() {
			if s.State != desiredstate.Applied || s.Leaving {
				r.Errorf("%s: %+v", k, s)
			}
		}
		require.NoError(r, err)
	}
}

// realEtcd is an etcd in a process of its own, if one is installed.
func realEtcd(t *testing.T, flags ...string) *rig {
	t.Helper()
	return rigOn(t, etcdtest.Start(t, flags...).URL())
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// paged gives an agent a status page, and returns the path of its socket.
func paged(t *testing.T) (string, func(*agent)) {
	t.Helper()
	path := filepath.Join(shortDir(t), "page.sock")
	l, err := listen(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return path, func(a *agent) { a.listener = l }
}
