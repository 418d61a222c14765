// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/signed"
)

// What a healthy bind needs comes one key after the other, in any order: the port before
// its groups, members after both. No error is written on
// the way; one that stays is.
func TestAHealthyBindWritesNoError(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.agent(site, v.Socket())
	errors := r.client.Watch(t.Context(), site.State()+"errors/", clientv3.WithPrefix())
	for round := range 5 {
		n := 10 * round
		keys := []func(){
			func() { r.put("h1", uuid(n), secured(100, "10.0.0.5", gid(n), gid(n+1))) },
			func() { r.put("h1", uuid(n+1), secured(200, "10.0.1.5", gid(n+1))) },
			func() { r.group(n, ssh("192.0.2.0", gid(n+1))) },
			func() { r.group(n+1, ssh("192.0.2.0")) },
			func() { r.member(n+1, n, `["10.0.0.5"]`) },
		}
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, put := range keys {
			put()
			time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		}
		r.answeredSince(0, "h1", uuid(n), uuid(n+1))
	}
	time.Sleep(3 * time.Second) // what was wrong a moment is not said later
	select {
	case w := <-errors:
		require.Empty(t, w.Events, "%s", w.Events[0].Kv)
	default:
	}
	r.put("h1", uuid(99), secured(100, "10.0.0.6", gid(99)))
	r.problem(99, "there is no such key")
}

// answeredSince waits until these ports are said to be bound, by a write after a revision.
func (r *rig) answeredSince(at int64, host string, want ...string) {
	r.Helper()
	require.Eventually(r, func() bool {
		got, revs := r.said(host, "ports/")
		return !slices.ContainsFunc(want, func(name string) bool { return got[name] == "" || revs[name] <= at })
	}, 20*time.Second, 5*time.Millisecond, fmt.Sprint(want))
}

// The driver comes to sign what it writes: each port that is up stays up, and each put is
// answered, whether the agent knows whom to believe or does not yet. Nothing is withdrawn.
func TestAPortKeepsItsStateWhenItsKeyIsSigned(t *testing.T) {
	authority, err := os.ReadFile("testdata/jwt-ca.crt")
	require.NoError(t, err)
	ca, err := signed.NewCA(authority, signed.Controllers, func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) })
	require.NoError(t, err)
	for _, believes := range []bool{false, true} {
		t.Run(fmt.Sprint(believes), func(t *testing.T) {
			r, v := newRig(t), memory(t)
			site := theHosts()[1]
			site.Dir = shortDir(t)
			port := recorded(t, "driver-jwt.jsonl")[1]
			name := strings.TrimPrefix(port.Key, site.Ports())
			plain, err := ca.Open(port.Key, port.Value)
			require.NoError(t, err)
			r.global("secgroups/27f02dc0-e6f2-4672-8eb6-4c7e744e08e7", ssh("192.0.2.0")) // which is never signed here
			r.set(port.Key, string(plain))
			a := r.agent(site, v.Socket())
			r.bound(site.Host, name)
			if believes { // a restart with --jwt-ca, once all is signed
				a.stop()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			events := r.client.Watch(ctx, site.State()+"ports/", clientv3.WithPrefix())
			done, err := r.client.Put(t.Context(), port.Key, string(port.Value))
			require.NoError(t, err)
			if believes {
				a = r.agent(site, v.Socket(), func(a *agent) { a.inbox.CA = ca })
			}
			r.answeredSince(done.Header.Revision, site.Host, name)
			require.Eventually(t, a.announcer.settled.Load, 20*time.Second, 10*time.Millisecond)
			time.Sleep(500 * time.Millisecond)
			cancel()
			for w := range events {
				for _, e := range w.Events {
					require.Equal(t, clientv3.EventTypePut, e.Type, "the port's state was withdrawn")
				}
			}
			if !believes {
				require.Eventually(t, func() bool {
					said, _ := r.said(site.Host, "errors/")
					return strings.Contains(said[name], "see --jwt-ca")
				}, 10*time.Second, 10*time.Millisecond)
			}
			require.NotContains(t, a.log.String(), "action=delete")
		})
	}
}
