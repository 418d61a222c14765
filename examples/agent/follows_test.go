// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// Only what the ports of the host need is followed.
func TestOnlyWhatIsNeededIsFollowed(t *testing.T) {
	etcd := map[string]string{} // its groups
	for i := range 50 {
		etcd[gid(i)] = ssh("10.0.0.0", gid(i+1))
	}
	box, _, followed := followsBox(t)
	hears := func(port string) {
		box.Put(box.Site.Ports()+uuid(0), []byte(port), port != "")
		for r := range followed {
			if id, ok := strings.CutPrefix(string(r), translate.Groups); ok {
				box.Put(string(r), []byte(etcd[id]), true)
			}
		}
		box.Settled(false)
	}
	group := func(n int) follow.Range { return follow.Range(translate.Groups + gid(n)) }
	members := func(n int) follow.Range { return follow.Range(translate.Members + gid(n) + "/") }
	hears(secured(100, "10.0.0.5", gid(7)))
	require.Equal(t, map[follow.Range]bool{group(7): true, members(8): true}, followed)
	hears(secured(100, "10.0.0.5", gid(9)))
	require.Equal(t, map[follow.Range]bool{group(9): true, members(10): true}, followed)
	etcd[gid(9)] = ssh("10.0.0.0")
	hears(secured(100, "10.0.0.5", gid(9)))
	require.Equal(t, map[follow.Range]bool{group(9): true}, followed)
	hears("")
	require.Empty(t, followed)
}

// followsBox is an inbox without an agent, and what it has somebody follow for it.
func followsBox(t *testing.T) (*wants.Inbox, *desiredstate.Store, map[follow.Range]bool) {
	t.Helper()
	site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": nic}, Dir: "/run/vms", NoRouters: true}
	store, followed := desiredstate.NewStore(), map[follow.Range]bool{}
	box := wants.New(site, store, slog.New(slog.DiscardHandler))
	box.Follow = func(r follow.Range) { followed[r] = true }
	box.Unfollow = func(r follow.Range) { delete(followed, r) }
	box.Settled(true)
	return box, store, followed
}

// A port whose key is wrong is in no group, whatever it names: nothing is read, kept or
// made for it.
func TestWrongPortIsInNoGroup(t *testing.T) {
	box, store, followed := followsBox(t)
	put := func(value string) {
		box.Put(box.Site.Ports()+uuid(1), []byte(value), value != "")
		for g := range followed {
			box.Put(string(g), []byte(ssh("192.0.2.0")), true)
		}
		box.Settled(false)
	}
	for n := range 5 {
		put(secured(100, "10.0.0.1", gid(n)))
		require.Len(t, followed, 1)
		_, wanted := store.Want(acl.SetKey(acl.ToSet(gid(n))))
		require.True(t, wanted)
		put(strings.Replace(secured(100, "10.0.0.1", gid(n), gid(n+1)), "fa:16", "zz", 1))
		_, _, wrong := box.Look(uuid(1))
		require.Error(t, wrong)
		require.Empty(t, followed)
		require.Empty(t, box.InGroup(gid(n)))
		_, wanted = store.Want(acl.SetKey(acl.ToSet(gid(n))))
		require.False(t, wanted)
	}
}
