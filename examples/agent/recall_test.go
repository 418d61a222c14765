// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// The keys of groups are deleted, or become junk, while no agent is there. The one that comes
// keeps the filters that VPP has, says so, and no port goes down; until something better is known.
func TestFiltersStandOverARestart(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	vlans, groups := map[string]int{}, map[string][]string{}
	for i := range 10 {
		vlans[uuid(i)], groups[uuid(i)] = 100, []string{gid(i % 4)}
		r.put("h1", uuid(i), secured(100, "10.0.0.5", gid(i%4)))
	}
	for g := range 4 {
		r.group(g, ssh("192.0.2.0"))
	}
	a := r.agent(site, v.Socket())
	r.bound("h1", names(vlans)...)
	r.converged(a)
	a.stop()
	before := v.String()
	r.group(0, "")
	r.group(1, "")
	r.group(2, "junk")
	a = r.agent(site, v.Socket())
	r.problem(0, "no such key in etcd; the rules that VPP has stand")
	r.problem(2, "not a JSON object; the rules that VPP has stand")
	r.converged(a)
	require.Zero(t, a.writes.Load())
	require.Equal(t, before, v.String())
	r.bound("h1", names(vlans)...)
	r.whole(site, v.Socket(), vlans, groups)

	for g := range 3 {
		r.group(g, ssh("198.51.100.0"))
	}
	for i := range 3 {
		r.problem(i, "")
	}
	r.converged(a)
	want, _ := translate.Group(gid(0), []byte(ssh("198.51.100.0")))
	sets, err := translate.GroupObjects(want, nil)
	require.NoError(t, err)
	have, _ := r.found(site, v.Socket())
	for _, s := range sets {
		require.ElementsMatch(t, s.(acl.Set).Rules, have[s.Key()].Spec.(acl.Set).Rules)
	}
}

// Most ports are deleted while no agent is there: they go without a person's word, as their
// state is there still and so nothing was lost. If none is left, nothing goes.
func TestPortsDeletedWhileNobodyWasThere(t *testing.T) {
	for _, left := range []int{2, 0} {
		r, v := newRig(t), memory(t)
		site := r.siteOf("h1", nic)
		vlans := map[string]int{}
		for i := range 12 {
			vlans[uuid(i)] = 100 + i%3
			r.put("h1", uuid(i), port(vlans[uuid(i)]))
		}
		a := r.agent(site, v.Socket())
		r.bound("h1", names(vlans)...)
		r.converged(a)
		a.stop()
		before := v.String()
		for i := left; i < 12; i++ {
			delete(vlans, uuid(i))
			r.unplug("h1", uuid(i))
		}
		a = r.agent(site, v.Socket())
		if left == 0 {
			require.Eventually(t, func() bool { _, held := a.store.Held(); return held }, 10*time.Second, 10*time.Millisecond)
			require.Equal(t, before, v.String())
			continue
		}
		r.bound("h1", names(vlans)...)
		require.Eventually(t, func() bool {
			ours, _ := r.found(site, v.Socket())
			return len(ours) < 20
		}, 10*time.Second, 20*time.Millisecond)
		r.converged(a)
		r.whole(site, v.Socket(), vlans)
	}
}
