// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
)

// An etcd that lost its data does not cost the data plane, until somebody says
// that it shall.
func TestEtcdLosesItsData(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	want := map[string]int{}
	for i := range 20 {
		want[uuid(i)] = 100
		r.put("h1", uuid(i), port(100))
	}
	a := r.agent(site, v.Socket())
	r.bound("h1", names(want)...)
	require.NoError(t, a.store.Wait(t.Context()))
	a.stop()
	before := v.String()

	empty := newRig(t)
	path, page := paged(t)
	held := make(chan error, 100)
	b := empty.agent(site, v.Socket(), page, func(a *agent) {
		a.watcher = func(e desiredstate.Event) {
			if e.Type == desiredstate.HeldBack {
				held <- e.Err
			}
		}
	})
	require.ErrorIs(t, <-held, desiredstate.ErrMassDelete)
	empty.put("h1", uuid(0), port(100)) // what is wanted is done meanwhile
	empty.bound("h1", uuid(0))
	require.Equal(t, before, v.String())
	require.Zero(t, b.writes.Load())

	empty.amissIs(path, "held", "are not removed before", true)
	require.Equal(t, 2, command(t.Context(), []string{"confirm", "--socket", path}, io.Discard, io.Discard), "confirm what?")
	require.NotZero(t, command(t.Context(), []string{"confirm", "none", "--socket", path}, io.Discard, io.Discard))
	said := new(strings.Builder)
	require.Equal(t, exitWrong, command(t.Context(), []string{"status", "--socket", path}, said, os.Stderr))
	_, token, _ := strings.Cut(said.String(), "agent confirm ")
	token, _, _ = strings.Cut(token, "\n")
	require.Contains(t, said.String(), "  - interface/")
	require.Equal(t, before, v.String())
	require.Zero(t, command(t.Context(), []string{"confirm", token, "--socket", path}, io.Discard, os.Stderr))
	require.Eventually(t, func() bool {
		ours, _ := empty.found(site, v.Socket())
		return len(ours) == 8 // a network, its uplink, a port
	}, 10*time.Second, 10*time.Millisecond)
	empty.whole(site, v.Socket(), map[string]int{uuid(0): 100})
}

// Nor is an empty list an order on a host with one port, whatever else the host wants
// by itself; that a key is there and wants nothing is one.
func TestASmallHostAndAnEmptyList(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	r.converged(a)
	before := v.String()
	ports := follow.Range(site.Ports())
	a.inbox.Listed(ports, nil)
	a.inbox.Settled(true)
	require.Eventually(t, func() bool { _, ok := a.store.Held(); return ok }, 10*time.Second, time.Millisecond)
	require.Equal(t, before, v.String())
	require.NotNil(t, a.status().Held)

	key := site.Ports() + uuid(0)
	a.inbox.Listed(ports, map[string][]byte{key: []byte(port(100))})
	a.inbox.Settled(true)
	r.converged(a)
	require.Nil(t, a.status().Held)
	require.Equal(t, before, v.String())
	a.inbox.Listed(ports, map[string][]byte{key: []byte("junk")})
	a.inbox.Settled(true)
	r.converged(a)
	ours, _ := r.found(site, v.Socket())
	require.Len(t, ours, 1, "but for the uplink's link")
}

func TestEtcdIsAway(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	require.NoError(t, a.store.Wait(t.Context()))
	writes, before := a.writes.Load(), v.String()
	r.etcd.Stop()
	time.Sleep(time.Second)
	require.Equal(t, before, v.String())
	require.Equal(t, writes, a.writes.Load())

	// VPP may even restart meanwhile: what was wanted is known.
	require.NoError(t, v.Restart())
	require.Eventually(t, func() bool { _, ok := a.store.Converged(); return ok && a.writes.Load() > writes }, 20*time.Second, 10*time.Millisecond)
	r.whole(site, v.Socket(), map[string]int{uuid(0): 100})
	require.NoError(t, r.etcd.Start())
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
}
