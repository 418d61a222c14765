// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Of two agents of a host, or of a VPP, the second waits and says so, changes nothing, and goes
// on when the first is gone.
func TestOneAgentAtATime(t *testing.T) {
	for _, c := range []struct{ what, host, says string }{
		{"of one host and VPP", "h1", "another agent serves the VPP"},
		{"of one VPP", "h2", "another agent serves the VPP"},
		{"of one host", "h1", "another agent serves this host"},
	} {
		t.Run(c.what, func(t *testing.T) {
			r, v := newRig(t), memory(t)
			site := r.siteOf("h1", nic)
			r.put("h1", uuid(0), port(100))
			r.put("h2", uuid(0), port(100))
			a := r.agent(site, v.Socket())
			r.bound("h1", uuid(0))
			r.converged(a)
			other := v
			if c.what == "of one host" {
				other = memory(t)
			}
			before := v.String()
			site.Host = c.host
			path, page := paged(t)
			b := r.agent(site, other.Socket(), page)
			require.Eventually(t, func() bool {
				_, err := ask(t.Context(), path, "GET", "/readyz")
				return err != nil && strings.Contains(err.Error(), c.says)
			}, 10*time.Second, 10*time.Millisecond)
			time.Sleep(time.Second)
			require.Contains(t, b.log.String(), c.says)
			require.Equal(t, 1, strings.Count(b.log.String(), "waiting"), "it says so once")
			require.Zero(t, b.writes.Load())
			require.Equal(t, before, v.String())
			a.stop()
			r.bound(c.host, uuid(0))
			r.converged(b)
		})
	}
}

// Who comes back on the VPP that he had waits for nobody, though he was killed.
func TestAKilledAgentIsBackAtOnce(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	args := []string{
		"run", "--etcd", r.url, "--vpp", v.Socket(), "--host", "h1",
		"--physnet", "physnet1=" + nic, "--vhost-user-dir", site.Dir, "--socket", "", "--bound", "vpp",
	}
	for i := range 3 {
		kill := r.process(args...)
		r.put("h1", uuid(i), port(100))
		began := time.Now()
		require.Eventually(t, func() bool { return r.boundNow("h1")[uuid(i)] != "" }, 20*time.Second, 5*time.Millisecond)
		require.Less(t, time.Since(began), 10*time.Second)
		kill()
	}
}

// An agent that can open no file for a while, and looks who has its host meanwhile, does not take itself for another one.
func TestWhoHasNoFilesStays(t *testing.T) {
	r, v := newRig(t), memory(t)
	a := r.agent(r.siteOf("h1", nic), v.Socket())
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	key := "/networking-vpp/state/h1/agent"
	who, err := r.client.Get(t.Context(), key)
	require.NoError(t, err)
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Max: was.Max}))
	_, put := r.client.Put(t.Context(), key, string(who.Kvs[0].Value)) // so it looks
	time.Sleep(2 * time.Second)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was))
	require.NoError(t, put)
	select {
	case err := <-a.ended:
		require.NoError(t, err)
	case <-time.After(2 * time.Second):
	}
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
}

// An agent whose place was taken while it was away from etcd ends, and says why.
func TestWhoWasReplacedEnds(t *testing.T) {
	r, v := newRig(t), memory(t)
	a := r.agent(r.siteOf("h1", nic), v.Socket())
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	leases, err := r.client.Leases(t.Context())
	require.NoError(t, err)
	r.set("/networking-vpp/state/h1/agent", "somebody else's")
	for _, l := range leases.Leases {
		_, _ = r.client.Revoke(t.Context(), l.ID)
	}
	select {
	case err := <-a.ended:
		require.ErrorIs(t, err, errElsewhere)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it goes on")
	}
	require.Empty(t, v.Died())
}
