// SPDX-License-Identifier: Apache-2.0

package vppstat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.fd.io/govpp/adapter"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Stats reads VPP's statistics segment. A *statsclient.StatsClient of govpp does, once it is
// connected. It maps VPP's memory and follows pointers in it, which VPP may move meanwhile: a
// process that must not crash leaves it to another. After a restart of VPP it has to be
// connected again.
type Stats interface {
	DumpStats(patterns ...string) ([]adapter.StatEntry, error)
}

// Names tells the names that objects of one sort have, by VPP's indexes.
type Names func(context.Context) (map[uint32]string, error)

// By gives the names of objects of type S, as a kind of the engine reads them anew each time:
// of ours, and of foreign ones by the names that foreign ones have.
func By[S desiredstate.Object](e *desiredstate.Engine) Names {
	return func(ctx context.Context) (map[uint32]string, error) {
		all, err := desiredstate.List[S](ctx, e)
		names := make(map[uint32]string, len(all))
		for _, a := range all {
			names[a.ID] = a.Spec.Key().Name
		}
		return names, err
	}
}

// Reader reads snapshots. Fields that are nil are not read. Nodes and errors have names in VPP
// and need none. Safe for concurrent use, if Stats is.
type Reader struct {
	Conn  *vppnet.Conn // whose VPP it is; routes are read by it
	Stats Stats

	Interfaces Names // By[vppnet.Interface]; of NAT too
	Sets       Names // By[acl.Set]; VPP counts for rules once acl.CountHits has told it to
	Policers   Names // By[qos.Policer]

	// Tables are read with all their routes, which keeps VPP from forwarding for as long as
	// it takes to list them: By[l3.Table], for tables of which somebody wants to know.
	Tables Names

	// Nodes and errors are thousands. Nodes are counted if startup.conf says
	// "statseg { per-node-counters on }".
	Nodes, Errors bool
}

// Snapshot reads all counters that the Reader has names for. It costs two readings of names,
// one of the segment, and of tables one of the routes. What it cannot read is an error, with
// the rest of the Snapshot beside it.
func (r *Reader) Snapshot(ctx context.Context) (Snapshot, error) {
	if r.Stats == nil || r.Conn == nil {
		return Snapshot{}, fmt.Errorf("%w: vppstat.Reader without Conn or Stats: set both", desiredstate.ErrInvalid)
	}
	s := Snapshot{vpp: r.Conn.VPP(), ids: map[string]uint32{}}
	var errs []error
	fail := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	read := func(names Names) map[uint32]string {
		if names == nil {
			return nil
		}
		found, err := names(ctx)
		fail("names", err)
		return found
	}
	type sort struct {
		space string
		names Names
		fill  func(seg segment, names map[uint32]string)
	}
	var routes []route
	sorts := []sort{
		{"interface", r.Interfaces, s.fillInterfaces},
		{"acl", r.Sets, s.fillSets},
		{"policer", r.Policers, s.fillPolicers},
		{"table", r.Tables, func(seg segment, names map[uint32]string) { s.fillTables(seg, names, routes) }},
	}
	before := make([]map[uint32]string, len(sorts))
	for i, x := range sorts {
		before[i] = read(x.names)
	}
	if r.Tables != nil {
		var err error
		routes, err = readRoutes(ctx, r.Conn, before[3])
		fail("routes", err)
	}
	seg, err := r.read(ctx)
	fail("statistics segment", err)
	s.At = time.Now()
	if err == nil {
		s.make()
		for i, x := range sorts {
			if x.names == nil {
				continue
			}
			after := read(x.names)
			maps.DeleteFunc(before[i], func(id uint32, name string) bool { return after[id] != name })
			for id, name := range before[i] {
				s.ids[x.space+"/"+name] = id
			}
			x.fill(seg, before[i])
		}
		if r.Nodes {
			s.fillNodes(seg)
		}
		if r.Errors {
			s.fillErrors(seg)
		}
	}
	return s, errors.Join(errs...)
}

// read is the part of the segment that there are names for.
func (r *Reader) read(ctx context.Context) (segment, error) {
	var patterns []string
	for pattern, wanted := range map[string]bool{
		"^/if/": r.Interfaces != nil, "^/nat44-e[di]/": r.Interfaces != nil, "^/nat64/": r.Interfaces != nil, "^/acl/": r.Sets != nil,
		"^/net/policer/": r.Policers != nil, "^/net/route/to$": r.Tables != nil, "^/sys/node/": r.Nodes, "^/err/": r.Errors,
	} {
		if wanted {
			patterns = append(patterns, pattern)
		}
	}
	if len(patterns) == 0 {
		return nil, nil
	}
	for {
		entries, err := r.Stats.DumpStats(patterns...)
		if err == nil {
			seg := make(segment, len(entries))
			for _, e := range entries {
				if e.Data != nil {
					seg[string(e.Name)] = e.Data
				}
			}
			return seg, nil
		}
		if !errors.Is(err, adapter.ErrStatsDataBusy) && !errors.Is(err, adapter.ErrStatsAccessFailed) && !errors.Is(err, adapter.ErrStatsDirStale) {
			return nil, err
		}
		select { // VPP is moving things
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}
