// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.fd.io/govpp/adapter"
	"go.fd.io/govpp/binapi/acl"

	"github.com/vppkit/vppkit/vppnet"
)

// Hits is what a rule fitted. Packets of sessions that permit+reflect started are
// not among them, but for the first: no rule is asked about the others.
type Hits struct{ Packets, Bytes uint64 }

// Counted is a set as VPP has it, and what each of its rules fitted since the set
// was last changed.
type Counted struct {
	Set  Set
	Hits []Hits // as many as rules; nil if there are no counters
}

// String is as that of Set, with the counts before the rules.
func (c Counted) String() string {
	var b strings.Builder
	b.WriteString(c.Set.Name)
	for i, r := range c.Set.Rules {
		var h Hits
		if i < len(c.Hits) {
			h = c.Hits[i]
		}
		fmt.Fprintf(&b, "\n  %d: %10d packets %12d bytes  %s", i, h.Packets, h.Bytes, r)
	}
	return b.String()
}

// Stats reads VPP's statistics segment. A *statsclient.StatsClient of govpp does,
// once it is connected. It maps VPP's memory and follows pointers in it, which VPP
// may move meanwhile: a process that must not crash leaves it to another.
type Stats interface {
	DumpStats(patterns ...string) ([]adapter.StatEntry, error)
}

// CountHits turns the counting for all sets of the VPP on or off
// (acl_stats_intf_counters_enable). It is off in a fresh VPP.
func CountHits(ctx context.Context, c *vppnet.Conn, on bool) error {
	c.Uses(&acl.ACLStatsIntfCountersEnable{})
	_, err := acl.NewServiceClient(c).ACLStatsIntfCountersEnable(ctx, &acl.ACLStatsIntfCountersEnable{Enable: on})
	return err
}

// Count reads our sets with these names, or all of ours if none is given, with
// what their rules fitted, sorted by name. Names that VPP does not have are left
// out. Of a set that is changed during the call, the counts can be those of the
// rules before or after.
func Count(ctx context.Context, c *vppnet.Conn, stats Stats, names ...string) ([]Counted, error) {
	c.Uses(&acl.ACLDump{})
	found, err := vppnet.Collect(acl.NewServiceClient(c).ACLDump(ctx, &acl.ACLDump{ACLIndex: all}))
	if err != nil {
		return nil, err
	}
	var out []Counted
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	named := nameAll(c, found, func(d *acl.ACLDetails) (string, uint32) { return d.Tag, d.ACLIndex })
	for n, d := range found {
		name := named[n].Name
		if !named[n].Ours || len(names) > 0 && !wanted[name] {
			continue
		}
		set := Set{Name: name, Rules: make([]Rule, len(d.R))}
		for i, r := range d.R {
			set.Rules[i] = decode(r)
		}
		hits, err := matches(ctx, stats, d.ACLIndex, len(d.R))
		if err != nil {
			return nil, fmt.Errorf("counters of set %s: %w", name, err)
		}
		out = append(out, Counted{set, hits})
	}
	slices.SortFunc(out, func(a, b Counted) int { return strings.Compare(a.Set.Name, b.Set.Name) })
	return out, nil
}

// matches adds up what VPP's threads counted for each rule of a set. VPP has at
// least one counter more than rules, and keeps those of rules that are gone.
func matches(ctx context.Context, stats Stats, index uint32, rules int) ([]Hits, error) {
	pattern := fmt.Sprintf("^/acl/%d/matches$", index)
	entries, err := stats.DumpStats(pattern)
	for errors.Is(err, adapter.ErrStatsDataBusy) || errors.Is(err, adapter.ErrStatsAccessFailed) { // VPP is moving things
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
		entries, err = stats.DumpStats(pattern)
	}
	if err != nil {
		return nil, err
	}
	var hits []Hits
	for _, e := range entries {
		threads, ok := e.Data.(adapter.CombinedCounterStat)
		if !ok {
			continue
		}
		hits = make([]Hits, rules)
		for _, counters := range threads {
			for i := range min(rules, len(counters)) {
				hits[i].Packets += counters[i].Packets()
				hits[i].Bytes += counters[i].Bytes()
			}
		}
	}
	return hits, nil
}
