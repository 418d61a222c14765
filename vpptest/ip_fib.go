// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
)

// Who puts routes into tables, as VPP numbers them; the best one is used and shown.
const (
	srcSpecial   = 1
	srcInterface = 4
	srcAPI       = 8
	srcCLI       = 9
	srcLISP      = 10
	srcDHCP      = 12
	srcND        = 14
	srcAdjacency = 15
	srcExport    = 17
	srcRecursive = 18
	srcDefault   = 20
	srcNATEI     = 27
	srcNAT64     = 30
	srcNATED     = 32
)

type ipRoute struct {
	shown   netip.Prefix // as it came first, host bits and all
	stats   uint32
	sources map[uint8]*routeSource
}

type routeSource struct {
	paths   []fib_types.FibPath // in VPP's order, as it shows them
	users   int                 // of srcRecursive: paths that are looked up by it
	own     bool                // some led to VPP itself when it was first said, or said anew
	builtin bool                // VPP's own, in the name of who can have others
	again   int                 // how often what is special was said again: it must be taken back as often
	left    *fibTable           // the table that the interface was in to whose link they lead, once it is gone
}

// link is the interface to whose link the paths lead.
func (r *routeSource) link() (index uint32, ok bool) {
	last := len(r.paths) - 1
	if last < 0 || typeOf(r.paths[last]) != viaLink {
		return 0, false
	}
	return r.paths[last].SwIfIndex, true
}

// best is the source that is used.
func (e *ipRoute) best() uint8 {
	return slices.MinFunc(sortedKeys(e.sources), func(a, b uint8) int { return rank(a) - rank(b) })
}

// rank is the priority of a source. Their numbers are in its order, but for those of
// plugins, which come right behind adjacencies.
func rank(src uint8) int {
	switch src {
	case srcNATEI:
		return 4*srcAdjacency + 1
	case srcNAT64:
		return 4*srcAdjacency + 2
	case srcNATED:
		return 4*srcAdjacency + 3
	}
	return 4 * int(src)
}

// source is where src keeps its paths to a prefix, made if it is not there.
func (t *fibTable) source(p netip.Prefix, src uint8) *routeSource {
	e := t.entries[p.Masked()]
	if e == nil {
		e = &ipRoute{shown: p, sources: make(map[uint8]*routeSource)}
		t.entries[p.Masked()] = e
	}
	if e.sources[src] == nil {
		e.sources[src] = new(routeSource)
	}
	return e.sources[src]
}

// entry is source for a table that may be gone. VPP looks for what covers a new entry other
// than an IPv4 default route, and believes that there is something.
func (s *ips) entry(t *fibTable, p netip.Prefix, src uint8) *routeSource {
	if !t.alive && t.entries[p.Masked()] == nil && (t.is6 || p.Bits() > 0 && t.cover(p.Masked()) == nil) {
		s.v.internal().Die("put a route into a table that is gone")
	}
	return t.source(p, src)
}

// paths sets what src says of a prefix: no paths, nothing.
func (s *ips) paths(t *fibTable, p netip.Prefix, src uint8, paths []fib_types.FibPath) {
	old := []fib_types.FibPath(nil)
	if e := t.entries[p.Masked()]; e != nil && e.sources[src] != nil {
		if len(paths) == 0 && e.sources[src].again > 0 {
			e.sources[src].again--
			return
		}
		old = e.sources[src].paths
	}
	if len(paths) > 0 {
		slices.SortStableFunc(paths, comparePaths)
		for _, path := range paths {
			s.hold(path)
		}
		said := s.entry(t, p, src)
		if len(old) == 0 {
			said.own = slices.ContainsFunc(paths, toSelf)
		}
		said.paths, said.left = paths, nil
	} else if e := t.entries[p.Masked()]; e != nil {
		best := e.best()
		delete(e.sources, src)
		if len(e.sources) == 0 {
			delete(t.entries, p.Masked())
		} else if src == best {
			s.follow(t, e.sources[e.best()])
		}
	}
	for _, path := range old {
		s.release(path)
	}
}

// special says something of a prefix for which VPP counts how often it was said. What is
// said of it already stays.
func (s *ips) special(t *fibTable, p netip.Prefix, src uint8, paths []fib_types.FibPath) {
	if e := t.entries[p.Masked()]; e != nil && e.sources[src] != nil {
		e.sources[src].again++
		return
	}
	s.paths(t, p, src, paths)
}

func (s *ips) statsOf(e *ipRoute) uint32 {
	if e.stats == 0 {
		s.counters++
		e.stats = s.counters
	}
	return e.stats
}

func (s *ips) describe(t *fibTable, e *ipRoute) ip.IPRouteV2 {
	return ip.IPRouteV2{
		TableID: t.id, StatsIndex: s.statsOf(e), Prefix: wirePrefix(e.shown), Src: e.best(), Paths: allSeen(s.shown(t, e)),
	}
}

func (t *fibTable) sorted() (out []*ipRoute) {
	for _, e := range t.entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *ipRoute) int {
		return cmp.Or(a.shown.Addr().Compare(b.shown.Addr()), cmp.Compare(a.shown.Bits(), b.shown.Bits()))
	})
	return out
}

// builtinEntries are in every table.
var builtinEntries = [2][]struct {
	prefix netip.Prefix
	src    uint8
	paths  []fib_types.FibPath
}{
	{
		{netip.MustParsePrefix("0.0.0.0/0"), srcDefault, dropped(false)},
		{netip.MustParsePrefix("0.0.0.0/32"), srcDefault, dropped(false)},
		{netip.MustParsePrefix("224.0.0.0/4"), srcSpecial, dropped(false)},
		{netip.MustParsePrefix("240.0.0.0/4"), srcSpecial, dropped(false)},
		{netip.MustParsePrefix("255.255.255.255/32"), srcDefault, dropped(false)},
	},
	{
		{netip.MustParsePrefix("::/0"), srcDefault, dropped(true)},
		{netip.MustParsePrefix("fe80::/10"), srcSpecial, []fib_types.FibPath{
			{SwIfIndex: none, Weight: 1, Proto: fib_types.FIB_API_PATH_NH_PROTO_IP6},
		}},
	},
}

// derived tells of a source whose routes follow from what else String says. Those of NAT
// do as long as two things do not need the same one: the endpoint-independent plugin
// takes it away with the first of them, which a dump of the routes shows.
func derived(src uint8) bool {
	switch src {
	case srcSpecial, srcDefault, srcRecursive, srcNATEI, srcNAT64, srcNATED:
		return true
	}
	return false
}

func (t *fibTable) dumpEntries(d *dump) {
	for _, e := range t.sorted() {
		for _, src := range sortedKeys(e.sources) {
			if derived(src) {
				continue
			}
			words := []string{" ", fmt.Sprintf("route %v from %d", e.shown.Masked(), src)}
			for _, p := range e.sources[src].paths {
				words = append(words, fmt.Sprintf("via %d %x table %d %v weight %d/%d", p.SwIfIndex, p.Nh.Address.XXX_UnionData, p.TableID, p.Type, p.Weight, p.Preference))
			}
			d.line(words...)
		}
	}
}
