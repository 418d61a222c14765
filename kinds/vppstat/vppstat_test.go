// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppstat_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/adapter"
	"go.fd.io/govpp/adapter/statsclient"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/vppstat"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// segment is a statistics segment as VPP's writer sees it.
type segment func() ([]adapter.StatEntry, error)

func (s segment) DumpStats(...string) ([]adapter.StatEntry, error) { return s() }

func entry(name string, data adapter.Stat) adapter.StatEntry {
	return adapter.StatEntry{StatIdentifier: adapter.StatIdentifier{Name: []byte(name)}, Data: data}
}

func kinds(c *vppnet.Conn) *desiredstate.Engine {
	return kindrig.Engine(vppnet.Loopbacks(c), vppnet.LinkStates(c), acl.Sets(c), qos.Policers(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c))
}

func reader(c *vppnet.Conn, e *desiredstate.Engine, s vppstat.Stats) *vppstat.Reader {
	return &vppstat.Reader{
		Conn: c, Stats: s, Interfaces: vppstat.By[vppnet.Interface](e), Sets: vppstat.By[acl.Set](e), Policers: vppstat.By[qos.Policer](e), Tables: vppstat.By[l3.Table](e),
		Nodes: true, Errors: true,
	}
}

// Counters follow names, whatever indexes they have, and threads are added up.
func TestNamesNotIndexes(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
	e := kinds(c)
	ensure := func(want ...desiredstate.Object) {
		t.Helper()
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
	}
	gold, tin := qos.Policer{Name: "gold", Rate: 1, Burst: 1, Conform: qos.Transmit}, qos.Policer{Name: "tin", Rate: 2, Burst: 1, Conform: qos.Transmit}
	ensure(vppnet.Loopback{Name: "a"}, acl.Set{Name: "s", Rules: []acl.Rule{{Family: acl.IPv4}}}, gold)
	rows := adapter.CombinedCounterStat{{{100, 1000}, {1, 10}, {2, 20}}, {{7, 7}, {10, 100}, {20, 200}}}
	stats := segment(func() ([]adapter.StatEntry, error) {
		return []adapter.StatEntry{
			entry("/if/rx", rows), entry("/if/drops", adapter.SimpleCounterStat{{5, 6, 7}, {1}}), entry("/net/policer/conform", adapter.CombinedCounterStat{{{3, 30}, {4, 40}}}),
			entry("/acl/0/matches", adapter.CombinedCounterStat{{{8, 80}, {9, 90}}}), entry("/err/ip4-input/bad/length", adapter.SimpleCounterStat{{2}, {3}}),
			entry("/sys/node/names", adapter.NameStat{adapter.Name("null"), nil, adapter.Name("ip4-input\x00")}), entry("/sys/node/calls", adapter.SimpleCounterStat{{0, 0, 5}, {0, 0, 6}}),
			entry("/nat44-ed/in2out/fastpath/tcp", adapter.SimpleCounterStat{{0, 1}}), entry("/nat44-ed/in2out/slowpath/tcp", adapter.SimpleCounterStat{{0, 2}}), entry("/nat44-ed/total-sessions", adapter.SimpleCounterStat{{4}, {5}}),
			entry("/nat64/out2in/udp", adapter.SimpleCounterStat{{0, 3}, {0, 4}}), entry("/nat64/total-sessions", adapter.SimpleCounterStat{{1}, {1}}),
		}, nil
	})
	r := reader(c, e, stats)
	s, err := r.Snapshot(t.Context())
	require.NoError(t, err)
	require.Equal(t, vppstat.Interface{Rx: vppstat.Count{Packets: 11, Bytes: 110}, Drops: 6, NATOut: vppstat.NAT{TCP: 3}, NAT64In: vppstat.NAT{UDP: 7}}, s.Interfaces["a"])
	require.Equal(t, vppstat.Count{Packets: 107, Bytes: 1007}, s.Interfaces["vpp:local0"].Rx, "foreign, by its name")
	require.Equal(t, map[string]vppstat.Policer{"gold": {Conform: vppstat.Count{Packets: 3, Bytes: 30}}}, s.Policers)
	require.Equal(t, map[string][]vppstat.Count{"s": {{Packets: 8, Bytes: 80}, {Packets: 9, Bytes: 90}}}, s.Sets)
	require.Equal(t, map[string]uint64{"ip4-input/bad/length": 5}, s.Errors)
	require.Equal(t, vppstat.Node{Calls: 11}, s.Nodes["ip4-input"])
	require.Equal(t, uint64(9), s.Sessions)
	require.Equal(t, uint64(2), s.NAT64Sessions)

	rows[0][1], rows[0][2] = adapter.CombinedCounter{5, 50}, adapter.CombinedCounter{2, 20}
	next, err := r.Snapshot(t.Context())
	require.NoError(t, err)
	d := next.Since(s)
	require.Equal(t, vppstat.Count{Packets: 4, Bytes: 40}, d.Interfaces["a"].Rx)
	require.Zero(t, d.Interfaces["a"].Drops)
	require.Zero(t, d.Errors["ip4-input/bad/length"])
	require.Equal(t, uint64(9), d.Sessions, "not a counter")
	require.Equal(t, next.At.Sub(s.At), d.Over)

	// The same name at another index is another object, which counts from its beginning; and
	// what has the index by now has nothing of it.
	ensure(vppnet.Loopback{Name: "b"}, tin)
	ensure(vppnet.Loopback{Name: "b"}, tin, vppnet.Loopback{Name: "c"})
	ensure(vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}, vppnet.Loopback{Name: "c"}, tin, gold, acl.Set{Name: "s"})
	again, err := r.Snapshot(t.Context())
	require.NoError(t, err)
	since := again.Since(next)
	require.Equal(t, again.Interfaces["a"], since.Interfaces["a"])
	require.Equal(t, again.Interfaces["b"], since.Interfaces["b"])
	require.Equal(t, again.Interfaces["c"], since.Interfaces["c"])
	sum := since.Interfaces["a"].Rx.Packets + since.Interfaces["b"].Rx.Packets + since.Interfaces["c"].Rx.Packets
	require.Equal(t, uint64(5+10+2+20), sum, "one of them has an index beyond the rows")

	// Less than before, it was cleared.
	for _, thread := range rows {
		clear(thread)
	}
	rows[0][1], rows[0][2] = adapter.CombinedCounter{1, 1}, adapter.CombinedCounter{1, 1}
	cleared, err := r.Snapshot(t.Context())
	require.NoError(t, err)
	require.Equal(t, cleared.Interfaces, cleared.Since(again).Interfaces)
}

// What got another name, or another index, while it was counted is left out.
func TestRenumberedMeanwhile(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
	e, other := kinds(c), kinds(c)
	_, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"})
	require.NoError(t, err)
	r := reader(c, e, segment(func() ([]adapter.StatEntry, error) {
		_, err := other.Sync(t.Context(), vppnet.Loopback{Name: "b"}, vppnet.Loopback{Name: "c"})
		return []adapter.StatEntry{entry("/if/rx", adapter.CombinedCounterStat{{{1, 1}, {2, 2}, {3, 3}}})}, err
	}))
	s, err := r.Snapshot(t.Context())
	require.NoError(t, err)
	require.NotContains(t, s.Interfaces, "a")
	require.NotContains(t, s.Interfaces, "c")
	require.Contains(t, s.Interfaces, "b")
}

func TestSegmentFails(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
	busy := 3
	r := &vppstat.Reader{Conn: c, Errors: true, Stats: segment(func() ([]adapter.StatEntry, error) {
		if busy--; busy > 0 {
			return nil, adapter.ErrStatsDirStale
		}
		return nil, errors.New("gone")
	})}
	_, err := r.Snapshot(t.Context())
	require.EqualError(t, err, "statistics segment: gone")
	require.Zero(t, busy, "a stale directory is read again")

	r.Stats = segment(func() ([]adapter.StatEntry, error) { return nil, adapter.ErrStatsDataBusy })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = r.Snapshot(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// Without a kind for the names there is an error, and what needs none is there.
	r.Interfaces, r.Stats = vppstat.By[vppnet.Interface](kindrig.Engine(qos.Policers(c))), segment(func() ([]adapter.StatEntry, error) {
		return []adapter.StatEntry{entry("/err/a/b", adapter.SimpleCounterStat{{2}})}, nil
	})
	s, err := r.Snapshot(t.Context())
	require.ErrorIs(t, err, desiredstate.ErrUnknownKind)
	require.Equal(t, uint64(2), s.Errors["a/b"])
}

// A Reader that lacks what it reads by says so.
func TestReaderWithoutMeans(t *testing.T) {
	c := kindrig.Dial(t, vpptest.New(t).Socket(), "me")
	for _, r := range []vppstat.Reader{{}, {Conn: c, Errors: true}, {Stats: segment(nil), Tables: vppstat.By[l3.Table](nil)}} {
		_, err := r.Snapshot(t.Context())
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "without Conn or Stats")
	}
}

// A real VPP's segment: what VPP itself sends by an interface is counted under its name, also
// once it has another index.
func TestReal(t *testing.T) {
	vpp := vpptest.Real(t, vpptest.WithStartup("statseg { per-node-counters on }"))
	c := kindrig.Dial(t, vpp.Socket(), "me")
	e := kinds(c)
	stats := statsclient.NewStatsClient(filepath.Join(vpp.Dir(), "stats.sock"))
	require.NoError(t, stats.Connect())
	t.Cleanup(func() { _ = stats.Disconnect() })
	r := reader(c, e, stats)

	wan := []desiredstate.Object{
		l3.Table{Name: "red", ID: 7},
		vppnet.Loopback{Name: "wan"},
		l3.Membership{Interface: "wan", Table: "red"},
		vppnet.LinkState{Interface: "wan", Up: true},
		l3.Address{Interface: "wan", Prefix: netip.MustParsePrefix("10.0.0.1/24"), Table: "red"},
		qos.Policer{Name: "gold", Rate: 1000, Burst: 10000, Conform: qos.Transmit},
		acl.Set{Name: "s", Rules: []acl.Rule{{Family: acl.IPv4}}},
	}
	require.NoError(t, acl.CountHits(t.Context(), c, true))
	_, err := e.Sync(t.Context(), append(wan, vppnet.Loopback{Name: "first"})...)
	require.NoError(t, err)
	ping := func() vppstat.Snapshot {
		t.Helper()
		before, err := r.Snapshot(t.Context())
		require.NoError(t, err)
		_, _ = vpp.CLI("ping ipv4 10.0.0.9 table-id 7 repeat 3 interval 0.05")
		after, err := r.Snapshot(t.Context())
		require.NoError(t, err)
		return after.Since(before)
	}
	d := ping()
	require.NotZero(t, d.Interfaces["wan"].Tx.Packets, d.Interfaces)
	require.Zero(t, d.Interfaces["first"].Tx.Packets)
	require.Contains(t, d.Policers, "gold")
	require.Contains(t, d.Tables["red"], netip.MustParsePrefix("10.0.0.1/32"))
	require.Contains(t, d.Tables["red"], netip.MustParsePrefix("::/0"))
	require.NotEmpty(t, d.Nodes)
	require.NotEmpty(t, d.Errors)
	require.Contains(t, d.Sets, "s")

	_, err = e.Sync(t.Context(), vppnet.Loopback{Name: "first"}, wan[5])
	require.NoError(t, err)
	_, err = e.Sync(t.Context(), vppnet.Loopback{Name: "other"}, wan[5]) // has what index is free
	require.NoError(t, err)
	_, err = e.Sync(t.Context(), append(wan, vppnet.Loopback{Name: "other"})...)
	require.NoError(t, err)
	d = ping()
	require.NotZero(t, d.Interfaces["wan"].Tx.Packets)
	require.Zero(t, d.Interfaces["other"].Tx.Packets)
	require.NotContains(t, d.Interfaces, "first")
}
