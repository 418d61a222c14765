// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/signed"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// A value that is not proven to be the controller's says nothing: what a port was, it
// stays, and a group permits nothing that nobody proves. Each is named. Once there is a
// CA, what it signs for is served.
func TestSignedKeys(t *testing.T) {
	authority, err := os.ReadFile("testdata/jwt-ca.crt")
	require.NoError(t, err)
	ca, err := signed.NewCA(authority, signed.Controllers, func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) })
	require.NoError(t, err)
	keys := recorded(t, "driver-jwt.jsonl")
	site := theHosts()[1]
	port, group := keys[1], keys[2]
	name, gid := strings.TrimPrefix(port.Key, site.Ports()), strings.TrimPrefix(group.Key, translate.Groups)
	var store *desiredstate.Store
	box := func(ca *signed.CA) *inbox {
		store = desiredstate.NewStore()
		b := newInbox(site, store, slog.New(slog.DiscardHandler))
		b.put(site.Ports()+uuid(9), []byte(secured(100, "10.0.0.9", gid)), true)
		b.ca = ca
		b.settled(true)
		return b
	}
	permits := func() int {
		o, wanted := store.Want(acl.SetKey(acl.FromSet(gid)))
		require.True(t, wanted)
		return len(o.(acl.Set).Rules)
	}

	b := box(ca)
	for _, w := range []written{port, group} {
		b.put(w.Key, w.Value, true)
		b.settled(false)
	}
	p, known, wrong := b.look(name)
	require.True(t, known)
	require.NoError(t, wrong)
	require.NoError(t, p.Lacks)
	require.Positive(t, permits())
	was := p.Objects()
	plain, err := ca.Open(port.Key, port.Value)
	require.NoError(t, err)
	plainGroup, err := ca.Open(group.Key, group.Value)
	require.NoError(t, err)

	b.put(port.Key, plain, true) // not signed, by whomever
	b.put(group.Key, plainGroup, true)
	b.settled(false)
	p, _, wrong = b.look(name)
	require.NoError(t, wrong)
	require.ErrorContains(t, p.Lacks, "it is not signed")
	require.Equal(t, was, p.Objects())
	require.Zero(t, permits())
	require.Contains(t, strings.Join(b.trouble(translate.Port{Groups: []string{gid}}), ""), "it is not signed, and --jwt-ca asks for that: that permits nothing")

	b = box(nil)
	b.put(port.Key, plain, true)
	b.put(group.Key, plainGroup, true)
	b.settled(false)
	require.Positive(t, permits())
	b.put(port.Key, port.Value, true) // the driver came to sign
	b.settled(false)
	p, known, wrong = b.look(name)
	require.True(t, known)
	require.NoError(t, wrong)
	require.ErrorContains(t, p.Lacks, "see --jwt-ca")
	require.Equal(t, was, p.Objects(), "it is up as it was")
	b.put(port.Key, plain, true)
	b.settled(false)
	p, _, _ = b.look(name)
	require.NoError(t, p.Lacks)

	b = box(nil) // which never knew it otherwise
	b.put(port.Key, port.Value, true)
	b.settled(false)
	_, known, wrong = b.look(name)
	require.False(t, known)
	require.ErrorIs(t, wrong, signed.ErrUnproven)
}

// Routers stay what they were, too.
func TestSignedRouters(t *testing.T) {
	site := theHosts()[2]
	b := newInbox(site, desiredstate.NewStore(), slog.New(slog.DiscardHandler))
	b.settled(true)
	for _, w := range recorded(t, "driver.jsonl")[:146] {
		b.put(w.Key, w.Value, !w.gone())
	}
	b.settled(false)
	before := maps.Clone(b.routing().Wants)
	require.NotEmpty(t, before)
	names := b.routes()
	require.Len(t, names, 2)
	for _, name := range names {
		b.put(site.Routers()+name, []byte(`{"jwt":"a.b.c","certificate":"PEM"}`), true)
	}
	b.settled(false)
	require.Equal(t, before, b.routing().Wants)
	for _, name := range names {
		require.ErrorIs(t, b.routing().Parts[name].Lacks, signed.ErrUnproven)
		require.NoError(t, b.routing().Parts[name].Wrong)
	}
}
