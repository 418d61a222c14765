// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// A floating IP that comes before its router waits, and says for what; the page and the
// key of its error say the same.
func TestAFloatingIPWaitsForItsRouter(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	page, paged := paged(t)
	a := r.agent(site, v.Socket(), paged)
	all := tenants()
	key := func(name string) string { t.Helper(); said, _ := r.said("h1", "errors/routers/"); return said[name] }
	says := func(name, what string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got := key(name)
			return what == "" && got == "" || what != "" && strings.Contains(got, what)
		}, 10*time.Second, time.Millisecond, "%s: %s", name, what)
	}
	r.routing("h1", floatKey(1), all[floatKey(1)])
	says(floatKey(1), "waits for a router in physnet1.vlan.101")
	var out strings.Builder
	require.Equal(t, exitWrong, command(t.Context(), []string{"status", "--socket", page}, &out, &out))
	require.Regexp(t, "floatingip/"+fid(1)+` +physnet1.vlan.900 +blocked +waits for a router in physnet1.vlan.101`, out.String())
	r.routing("h1", legKey(1, 101), all[legKey(1, 101)])
	says(floatKey(1), "waits for a gateway of router "+rid(1)+" in physnet1.vlan.900")
	r.routing("h1", exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	says(floatKey(1), "")
	r.converged(a)
	have, _ := r.found(site, v.Socket())
	require.Contains(t, have, nat.MappingKey("fip-"+fid(1)))

	r.routing("h1", legKey(1, 101), "junk")
	says(legKey(1, 101), "not a JSON object")
	says(floatKey(1), "waits for a router")
	r.converged(a)
	have, _ = r.found(site, v.Socket())
	require.NotContains(t, have, nat.MappingKey("fip-"+fid(1)))
	require.NotContains(t, have, vppnet.InterfaceKey("bvi-physnet1.vlan.101"), "what cannot be read wants nothing")

	client, closeEtcd, err := (&options{etcd: r.url}).openEtcd()
	require.NoError(t, err)
	defer closeEtcd()
	_, said, err := dryRun(t.Context(), client, v.Socket(), site, nil, io.Discard)
	require.NoError(t, err)
	require.Contains(t, strings.Join(said, "\n"), "waits for a router")
	require.Contains(t, strings.Join(said, "\n"), "not a JSON object")
}

// Of two keys that want one thing otherwise, the one that cannot have it says so as long
// as that is so, whether they came one after the other or all at once.
func TestConflictsOfRoutersAreSaid(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	keys := tenants()
	to := func(prefix string) string {
		return exit(1, 900, "203.0.113.101/24", "203.0.113.1", `"routes":[{"destination":"`+prefix+`","nexthop":"203.0.113.9"}]`)
	}
	problem := "routers/" + floatKey(1)
	says := func(conflict bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			said, _ := r.said("h1", "errors/")
			return strings.Contains(said[problem], "203.0.113.102/32") == conflict && (said[problem] != "") == conflict
		}, 10*time.Second, 10*time.Millisecond, "%t", conflict)
	}
	mapped := func(a *running) bool {
		_, wanted := a.store.Want(nat.MappingKey("fip-" + fid(1)))
		return wanted
	}
	a := r.agent(site, v.Socket())
	keys[exitKey(1)] = to("203.0.113.102/32")
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if name != floatKey(1) {
			r.routing("h1", name, keys[name])
		}
	}
	require.Eventually(t, func() bool { return len(a.inbox.Routes()) == len(keys)-1 }, 10*time.Second, time.Millisecond)
	r.routing("h1", floatKey(1), keys[floatKey(1)])
	says(true)
	require.False(t, mapped(a))
	state, _, _ := a.inbox.Route(floatKey(1))
	require.Equal(t, desiredstate.Blocked, state)

	a.stop()
	a = r.agent(site, v.Socket())
	require.Eventually(t, a.announcer.settled.Load, 20*time.Second, time.Millisecond)
	says(true)
	r.routing("h1", exitKey(1), to("198.51.100.0/24"))
	says(false)
	r.routed(a, keys)
	require.True(t, mapped(a))
}

// A floating IP that serves stays with its host when another that asks for it has a lower
// UUID; also when that comes while the agent is away. It goes over when the first one's key
// does.
func TestAFloatingIPStays(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	a.stop()
	thief := floatKey(0)
	keys[thief] = float(900, 101, "203.0.113.102", "192.168.1.12")
	r.routing("h1", thief, keys[thief])
	a = r.agent(site, v.Socket())
	r.routed(a, keys)
	told := func() bool {
		said, _ := r.said("h1", "errors/")
		return strings.Contains(said["routers/"+thief], "203.0.113.102 is that of "+floatKey(1))
	}
	require.Eventually(t, told, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, a.writes.Load())

	r.routing("h1", legKey(1, 101), "") // and back: the key of the floating IP has not gone
	delete(keys, legKey(1, 101))
	r.routed(a, keys)
	keys[legKey(1, 101)] = tenants()[legKey(1, 101)]
	r.routing("h1", legKey(1, 101), keys[legKey(1, 101)])
	r.routed(a, keys)
	require.Eventually(t, told, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		have, _ := r.found(site, v.Socket())
		return have[nat.MappingKey("fip-"+fid(1))].Spec != nil && have[nat.MappingKey("fip-"+fid(0))].Spec == nil
	}, 10*time.Second, 10*time.Millisecond)

	delete(keys, floatKey(1))
	r.routing("h1", floatKey(1), "")
	r.routed(a, keys)
	have, _ := r.found(site, v.Socket())
	require.Equal(t, "192.168.1.12", have[nat.MappingKey("fip-"+fid(0))].Spec.(nat.Mapping).Local.String())
}

// An extra route to a floating IP that serves is left out, and all else of its gateway's
// update is done.
func TestAnExtraRouteTakesNothingAlong(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	keys[exitKey(1)] = exit(1, 900, "203.0.113.109/24", "203.0.113.2", `"routes":[{"destination":"203.0.113.102/32","nexthop":"203.0.113.9"},{"destination":"198.51.100.0/24","nexthop":"203.0.113.9"}]`)
	r.routing("h1", exitKey(1), keys[exitKey(1)])
	require.Eventually(t, func() bool {
		said, _ := r.said("h1", "errors/")
		return len(said) == 1 && strings.Contains(said["routers/"+exitKey(1)], "203.0.113.102/32 is that of "+floatKey(1))
	}, 10*time.Second, 10*time.Millisecond)
	r.routed(a, keys)
	have, _ := r.found(site, v.Socket())
	require.Contains(t, have, nat.MappingKey("fip-"+fid(1)))
	require.Contains(t, have, nat.AddressKey(netip.MustParseAddr("203.0.113.109")))
	require.Contains(t, have, l3.RouteKey("router-"+rid(1), netip.MustParsePrefix("198.51.100.0/24")))
}
