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
	"github.com/vppkit/vppkit/examples/agent/wants"
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
	box := func(ca *signed.CA) *wants.Inbox {
		store = desiredstate.NewStore()
		b := wants.New(site, store, slog.New(slog.DiscardHandler))
		b.Put(site.Ports()+uuid(9), []byte(secured(100, "10.0.0.9", gid)), true)
		b.CA = ca
		b.Settled(true)
		return b
	}
	permits := func() int {
		o, wanted := store.Want(acl.SetKey(acl.FromSet(gid)))
		require.True(t, wanted)
		return len(o.(acl.Set).Rules)
	}

	b := box(ca)
	for _, w := range []written{port, group} {
		b.Put(w.Key, w.Value, true)
		b.Settled(false)
	}
	p, known, wrong := b.Look(name)
	require.True(t, known)
	require.NoError(t, wrong)
	require.NoError(t, p.Lacks)
	require.Positive(t, permits())
	was := p.Objects()
	plain, err := ca.Open(port.Key, port.Value)
	require.NoError(t, err)
	plainGroup, err := ca.Open(group.Key, group.Value)
	require.NoError(t, err)

	b.Put(port.Key, plain, true) // not signed, by whomever
	b.Put(group.Key, plainGroup, true)
	b.Settled(false)
	p, _, wrong = b.Look(name)
	require.NoError(t, wrong)
	require.ErrorContains(t, p.Lacks, "it is not signed")
	require.Equal(t, was, p.Objects())
	require.Zero(t, permits())
	require.Contains(t, strings.Join(b.Trouble(translate.Port{Groups: []string{gid}}), ""), "it is not signed, and --jwt-ca asks for that: that permits nothing")

	b = box(nil)
	b.Put(port.Key, plain, true)
	b.Put(group.Key, plainGroup, true)
	b.Settled(false)
	require.Positive(t, permits())
	b.Put(port.Key, port.Value, true) // the driver came to sign
	b.Settled(false)
	p, known, wrong = b.Look(name)
	require.True(t, known)
	require.NoError(t, wrong)
	require.ErrorContains(t, p.Lacks, "see --jwt-ca")
	require.Equal(t, was, p.Objects(), "it is up as it was")
	b.Put(port.Key, plain, true)
	b.Settled(false)
	p, _, _ = b.Look(name)
	require.NoError(t, p.Lacks)

	b = box(nil) // which never knew it otherwise
	b.Put(port.Key, port.Value, true)
	b.Settled(false)
	_, known, wrong = b.Look(name)
	require.False(t, known)
	require.ErrorIs(t, wrong, signed.ErrUnproven)
}

// Routers stay what they were, too.
func TestSignedRouters(t *testing.T) {
	site := theHosts()[2]
	b := wants.New(site, desiredstate.NewStore(), slog.New(slog.DiscardHandler))
	b.Settled(true)
	for _, w := range recorded(t, "driver.jsonl")[:146] {
		b.Put(w.Key, w.Value, !w.gone())
	}
	b.Settled(false)
	before := maps.Clone(b.Routing().Wants)
	require.NotEmpty(t, before)
	names := b.Routes()
	require.Len(t, names, 2)
	for _, name := range names {
		b.Put(site.Routers()+name, []byte(`{"jwt":"a.b.c","certificate":"PEM"}`), true)
	}
	b.Settled(false)
	require.Equal(t, before, b.Routing().Wants)
	for _, name := range names {
		require.ErrorIs(t, b.Routing().Parts[name].Lacks, signed.ErrUnproven)
		require.NoError(t, b.Routing().Parts[name].Wrong)
	}
}
