// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
)

// Who puts routes into tables, as VPP numbers them; the best one is used and shown.
const (
	srcSpecial   = 1
	srcInterface = 4
	srcAPI       = 8
	srcAdjacency = 15
	srcDefault   = 20
)

type ipRoute struct {
	shown   netip.Prefix // as it came first, host bits and all
	stats   uint32
	sources map[uint8]*routeSource
}

type routeSource struct {
	paths []fib_types.FibPath // in VPP's order, as it shows them
}

// best is the source that is used. The numbers are in order of priority.
func (e *ipRoute) best() uint8 { return slices.Min(sortedKeys(e.sources)) }

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

// paths sets what src says of a prefix: no paths, nothing.
func (s *ips) paths(t *fibTable, p netip.Prefix, src uint8, paths []fib_types.FibPath) {
	old := []fib_types.FibPath(nil)
	if e := t.entries[p.Masked()]; e != nil && e.sources[src] != nil {
		old = e.sources[src].paths
	}
	if len(paths) > 0 {
		slices.SortStableFunc(paths, comparePaths)
		for _, path := range paths {
			s.hold(path, s.lock)
		}
		t.source(p, src).paths = paths
	} else if e := t.entries[p.Masked()]; e != nil {
		delete(e.sources, src)
		if len(e.sources) == 0 {
			delete(t.entries, p.Masked())
		}
	}
	for _, path := range old {
		s.hold(path, s.unlock)
	}
}

// hold does f to the table that a path looks into, which it keeps.
func (s *ips) hold(p fib_types.FibPath, f func(*fibTable)) {
	if p.Type == fib_types.FIB_API_PATH_TYPE_NORMAL && p.SwIfIndex == none && p.TableID != 0 {
		if t := s.pool[family(p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6)].find(p.TableID); t != nil {
			f(t)
		}
	}
}

// pathKind is VPP's order of paths of different kinds.
func pathKind(p fib_types.FibPath) int {
	hop := p.Nh.Address.XXX_UnionData != [16]byte{}
	switch {
	case p.Type == fib_types.FIB_API_PATH_TYPE_DROP:
		return 3
	case p.Type == fib_types.FIB_API_PATH_TYPE_LOCAL:
		return 8
	case p.SwIfIndex != none && hop:
		return 0
	case p.SwIfIndex != none:
		return 1
	case hop:
		return 2
	}
	return 5 // looked up
}

func comparePaths(a, b fib_types.FibPath) int {
	return cmp.Or(cmp.Compare(a.Preference, b.Preference), samePath(a, b))
}

// samePath is 0 for two paths that VPP takes for one.
func samePath(a, b fib_types.FibPath) int {
	return cmp.Or(
		cmp.Compare(pathKind(a), pathKind(b)), cmp.Compare(a.Proto, b.Proto),
		slices.Compare(a.Nh.Address.XXX_UnionData[:], b.Nh.Address.XXX_UnionData[:]),
		cmp.Compare(a.SwIfIndex, b.SwIfIndex), cmp.Compare(a.TableID, b.TableID),
	)
}

// path is what VPP makes of one.
func (s *ips) path(p fib_types.FibPath) (fib_types.FibPath, int32) {
	out := fib_types.FibPath{
		SwIfIndex: p.SwIfIndex, Weight: max(p.Weight, 1), Preference: p.Preference, Type: p.Type, Proto: p.Proto,
	}
	switch p.Type {
	case fib_types.FIB_API_PATH_TYPE_LOCAL, fib_types.FIB_API_PATH_TYPE_DROP:
		return out, 0
	case fib_types.FIB_API_PATH_TYPE_NORMAL:
	default:
		return out, unimplemented // of some kinds, a real one dies
	}
	is6 := p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6
	if !is6 && p.Proto != fib_types.FIB_API_PATH_NH_PROTO_IP4 {
		return out, unimplemented
	}
	out.Nh.Address = p.Nh.Address
	if p.SwIfIndex == none {
		if out.TableID = p.TableID; s.pool[family(is6)].find(p.TableID) == nil {
			return out, noSuchFIB
		}
	} else if int64(p.SwIfIndex) >= int64(len(s.v.life.interfaces.all)) || s.v.life.interfaces.all[p.SwIfIndex] == nil {
		return out, noMatch
	}
	return out, 0
}

// fixPath is what VPP makes of a path for the sake of the prefix: a way to itself
// drops, a host on an interface's link is its own next hop.
func fixPath(p netip.Prefix, f fib_types.FibPath) fib_types.FibPath {
	own := wireAddr(p.Addr()).Un
	switch kind := pathKind(f); {
	case kind == 2 && f.Nh.Address == own:
		f.Type, f.TableID, f.Nh.Address = fib_types.FIB_API_PATH_TYPE_DROP, 0, ip_types.AddressUnion{}
	case kind == 1 && p.IsSingleIP():
		f.Nh.Address = own
	}
	return f
}

func (s *ips) addDelRoute(_ *Call, q *ip.IPRouteAddDelV2) *ip.IPRouteAddDelV2Reply {
	stats, retval := s.change(q)
	return &ip.IPRouteAddDelV2Reply{Retval: retval, StatsIndex: stats}
}

func (s *ips) change(q *ip.IPRouteAddDelV2) (stats uint32, retval int32) {
	p := prefixOf(q.Route.Prefix)
	t := s.pool[family(p.Addr().Is6())].find(q.Route.TableID)
	if t == nil {
		return none, noSuchFIB
	}
	var paths []fib_types.FibPath
	for _, path := range q.Route.Paths {
		made, retval := s.path(path)
		if retval != 0 {
			return none, retval
		}
		paths = append(paths, fixPath(p, made))
	}
	if len(paths) == 0 && (q.IsAdd || q.IsMultipath) {
		return none, noPaths
	}
	src := q.Route.Src
	if src == 0 {
		src = srcAPI
	}
	if q.IsMultipath {
		var have []fib_types.FibPath
		if e := t.entries[p.Masked()]; e != nil && e.sources[src] != nil {
			have = e.sources[src].paths
		}
		rest := slices.DeleteFunc(slices.Clone(have), func(h fib_types.FibPath) bool {
			return slices.ContainsFunc(paths, func(p fib_types.FibPath) bool { return samePath(h, p) == 0 })
		})
		if q.IsAdd {
			rest = append(rest, paths...)
		}
		paths = rest
	} else if !q.IsAdd {
		paths = nil
	}
	s.paths(t, p, src, paths)
	if !q.IsAdd {
		return none, 0
	}
	return s.statsOf(t.entries[p.Masked()]), 0
}

func (s *ips) statsOf(e *ipRoute) uint32 {
	if e.stats == 0 {
		s.counters++
		e.stats = s.counters
	}
	return e.stats
}

func (s *ips) describe(t *fibTable, e *ipRoute) ip.IPRouteV2 {
	src := e.best()
	return ip.IPRouteV2{
		TableID: t.id, StatsIndex: s.statsOf(e), Prefix: wirePrefix(e.shown), Src: src, Paths: e.sources[src].paths,
	}
}

func (s *ips) routes(_ *Call, q *ip.IPRouteV2Dump) (out []*ip.IPRouteV2Details) {
	t := s.pool[family(q.Table.IsIP6)].find(q.Table.TableID)
	if t == nil {
		return nil
	}
	for _, e := range t.sorted() {
		if q.Src == 0 || q.Src == e.best() {
			out = append(out, &ip.IPRouteV2Details{Route: s.describe(t, e)})
		}
	}
	return out
}

func (s *ips) lookup(_ *Call, q *ip.IPRouteLookupV2) *ip.IPRouteLookupV2Reply {
	p := prefixOf(q.Prefix)
	t := s.pool[family(p.Addr().Is6())].find(q.TableID)
	if t == nil {
		return &ip.IPRouteLookupV2Reply{Retval: noSuchFIB}
	}
	for bits := p.Bits(); bits >= 0; bits-- {
		key := netip.PrefixFrom(p.Addr(), bits).Masked()
		if e := t.entries[key]; e != nil {
			return &ip.IPRouteLookupV2Reply{Route: s.describe(t, e)}
		}
		if q.Exact != 0 {
			break
		}
	}
	return &ip.IPRouteLookupV2Reply{Retval: noSuchEntry}
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

func dropped(is6 bool) []fib_types.FibPath {
	p := fib_types.FibPath{SwIfIndex: none, Weight: 1, Type: fib_types.FIB_API_PATH_TYPE_DROP}
	if is6 {
		p.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
	}
	return []fib_types.FibPath{p}
}

func (t *fibTable) dumpEntries(d *dump) {
	for _, e := range t.sorted() {
		for _, src := range sortedKeys(e.sources) {
			if src == srcSpecial || src == srcDefault {
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
