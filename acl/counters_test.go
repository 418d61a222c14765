// SPDX-License-Identifier: Apache-2.0

//go:build linux

package acl_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/adapter"
	"go.fd.io/govpp/adapter/statsclient"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/vpptest"
)

// Rules are counted that packets of a real VPP fit; sessions are not.
func TestCount(t *testing.T) {
	l := newLAN(t)
	fromA, toA := policy()
	l.sync(t, l.objects(fromA, toA, bound)...)
	require.NoError(t, acl.CountHits(t.Context(), l.c, true))
	stats := statsclient.NewStatsClient(filepath.Join(l.vpp.Dir(), "stats.sock"))
	require.NoError(t, stats.Connect())
	defer stats.Disconnect()

	web := flowOf(acl.IPv4, l.a, l.b, acl.TCP, 1001, 80)
	for range 5 {
		l.passes(t, web, "permitted")
		l.passes(t, web.back(), "its answer")
	}
	sets, err := acl.Count(t.Context(), l.c, stats)
	require.NoError(t, err)
	require.Len(t, sets, 2)
	require.Equal(t, []string{"from-a", "to-a"}, []string{sets[0].Set.Name, sets[1].Set.Name})
	require.Len(t, sets[0].Hits, len(fromA.Rules))
	require.Equal(t, acl.Hits{Packets: 1, Bytes: uint64(len(web.frame(0)))}, sets[0].Hits[2], "%s", sets[0])
	require.GreaterOrEqual(t, sets[0].Hits[0].Packets, uint64(5), "%s", sets[0])
	require.Zero(t, sets[0].Hits[1])
	t.Log(sets[0])

	// A changed set counts anew.
	fromA.Rules = fromA.Rules[:3]
	l.sync(t, l.objects(fromA, toA, bound)...)
	sets, err = acl.Count(t.Context(), l.c, stats, "from-a", "nobody")
	require.NoError(t, err)
	require.Len(t, sets, 1)
	require.Equal(t, make([]acl.Hits, 3)[1:], sets[0].Hits[1:])
}

// stats is a statistics segment as VPP's writer sees it.
type stats func() ([]adapter.StatEntry, error)

func (s stats) DumpStats(...string) ([]adapter.StatEntry, error) { return s() }

func TestCountThreads(t *testing.T) {
	c := dial(t, vpptest.New(t).Socket(), "me")
	ensure(t, engine(c), acl.Set{Name: "s", Rules: []acl.Rule{{Family: acl.IPv4}, {Action: acl.Permit, Family: acl.IPv6}}})
	busy := 3
	of := stats(func() ([]adapter.StatEntry, error) {
		if busy--; busy > 0 {
			return nil, adapter.ErrStatsDataBusy
		}
		return []adapter.StatEntry{{Data: adapter.CombinedCounterStat{{{1, 10}, {2, 20}, {9, 9}}, {{3, 30}}, nil}}}, nil
	})
	sets, err := acl.Count(t.Context(), c, of, "s")
	require.NoError(t, err)
	require.Equal(t, []acl.Hits{{Packets: 4, Bytes: 40}, {Packets: 2, Bytes: 20}}, sets[0].Hits)
	require.Equal(t, `s
  0:          4 packets           40 bytes  deny ip4 from any to any
  1:          2 packets           20 bytes  permit ip6 from any to any`, sets[0].String())

	sets, err = acl.Count(t.Context(), c, stats(func() ([]adapter.StatEntry, error) { return nil, nil }))
	require.NoError(t, err)
	require.Nil(t, sets[0].Hits)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = acl.Count(ctx, c, stats(func() ([]adapter.StatEntry, error) { return nil, adapter.ErrStatsDataBusy }))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, adapter.ErrStatsDataBusy)
}
