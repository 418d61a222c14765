// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
)

func (s *ips) addDelRoute(c *Call, q *ip.IPRouteAddDelV2) *ip.IPRouteAddDelV2Reply {
	stats, retval := s.change(c, q)
	return &ip.IPRouteAddDelV2Reply{Retval: retval, StatsIndex: stats}
}

func (s *ips) change(c *Call, q *ip.IPRouteAddDelV2) (stats uint32, retval int32) {
	p := prefixOf(q.Route.Prefix)
	t := s.pool[family(p.Addr().Is6())].find(q.Route.TableID)
	if t == nil {
		return none, noSuchFIB
	}
	var paths []fib_types.FibPath
	for _, path := range q.Route.Paths {
		made, retval := s.path(c, path)
		if retval != 0 {
			return none, retval
		}
		paths = append(paths, made)
	}
	said := slices.SortedStableFunc(slices.Values(q.Route.Paths), compareSaid)
	if !p.IsValid() {
		return none, invalidPrefixLength
	}
	if len(paths) == 0 && (q.IsAdd || q.IsMultipath) {
		return none, noPaths
	}
	src := q.Route.Src
	if src == 0 {
		src = srcAPI
	}
	var have []fib_types.FibPath
	own := false
	if e := t.entries[p.Masked()]; e != nil && e.sources[src] != nil {
		have, own = e.sources[src].paths, e.sources[src].own
		if e.sources[src].builtin {
			return none, c.NotImitated("a change of the default route of an overlay's table, in LISP's name")
		}
	}
	if q.IsMultipath && (q.IsAdd || len(have) > 0) && !slices.Contains(addsPaths, src) {
		return none, c.NotImitated("one path more or less of a source of which VPP knows no such thing")
	}
	if q.IsAdd && slices.ContainsFunc(said, unreachable) && (slices.ContainsFunc(have, toSelf) || slices.ContainsFunc(said, toSelf)) {
		return none, c.NotImitated("an unreachable or prohibited path beside one to VPP itself, which VPP takes for another one to itself")
	}
	paths = fixPaths(p, q.Route.Paths, paths, q.IsAdd, own && !q.IsAdd)
	if q.IsAdd && s.astray(t, src, said) {
		return none, c.NotImitated("a path to nowhere over an interface that is not there, or in another table, of another source than the API")
	}
	for _, path := range said {
		if q.IsAdd && path.Type == fib_types.FIB_API_PATH_TYPE_NORMAL {
			s.meetBy(path)
		}
	}
	if q.IsAdd && s.imports(t, src, said) {
		if p.Addr().IsLinkLocalUnicast() {
			return none, c.NotImitated("an unreachable or prohibited path of link-local addresses, in another table than that of local0: VPP dies of it, or not")
		}
		c.Die("had an unreachable or prohibited path in another table than that of local0")
		return none, 0
	}
	if q.IsMultipath {
		rest := slices.Clone(have)
		for _, p := range paths {
			if at := slices.IndexFunc(rest, func(h fib_types.FibPath) bool { return samePath(h, p) == 0 }); at >= 0 {
				rest = slices.Delete(rest, at, at+1)
			}
		}
		if q.IsAdd {
			rest = append(rest, paths...)
		}
		if (q.IsAdd || len(rest) < len(have)) && s.overDead(rest) {
			c.Die("changed a route that has a path over an interface that is gone")
			return none, 0
		}
		paths = rest
	} else if !q.IsAdd {
		paths = nil
	}
	if how := s.freedEarly(t, t.entries[p.Masked()], src, paths); how != "" {
		return none, c.NotImitated(how + ": VPP uses what it has freed, and dies of it, or not")
	}
	s.paths(t, p, src, paths)
	if !q.IsAdd {
		return none, 0
	}
	e := t.entries[p.Masked()]
	if !q.IsMultipath {
		e.sources[src].own = slices.ContainsFunc(paths, toSelf)
	}
	return s.statsOf(e), 0
}

// addsPaths are the sources whose paths VPP can add and remove one by one.
var addsPaths = []uint8{5, 7, srcAPI, srcCLI, srcLISP, srcDHCP, 13, srcND, srcAdjacency, srcDefault}

func (s *ips) routes(c *Call, q *ip.IPRouteV2Dump) (out []*ip.IPRouteV2Details) {
	t := s.pool[family(q.Table.IsIP6)].find(q.Table.TableID)
	if t == nil {
		return nil
	}
	hosts, ok := s.hosts(t)
	if !ok {
		c.NotImitated(importedHosts)
		return nil
	}
	for _, e := range t.sorted() {
		if q.Src == 0 || q.Src == e.best() {
			out = append(out, &ip.IPRouteV2Details{Route: s.describe(t, e)})
		}
	}
	for _, h := range hosts {
		if q.Src == 0 || q.Src == srcExport {
			out = append(out, &ip.IPRouteV2Details{Route: h})
		}
	}
	return out
}

func (s *ips) lookup(c *Call, q *ip.IPRouteLookupV2) *ip.IPRouteLookupV2Reply {
	p := prefixOf(q.Prefix)
	t := s.pool[family(p.Addr().Is6())].find(q.TableID)
	if t == nil {
		return &ip.IPRouteLookupV2Reply{Retval: noSuchFIB}
	}
	hosts, known := s.hosts(t)
	if at := slices.IndexFunc(hosts, func(h ip.IPRouteV2) bool { return p.IsSingleIP() && prefixOf(h.Prefix) == p }); known && at >= 0 {
		return &ip.IPRouteLookupV2Reply{Route: hosts[at]}
	}
	switch long := !p.IsValid(); {
	case !known:
		return &ip.IPRouteLookupV2Reply{Retval: c.NotImitated(importedHosts)}
	case long && p.Addr().Is4():
		c.Die("looked up a prefix longer than addresses are")
		return nil
	case long && q.Exact == 0:
		return &ip.IPRouteLookupV2Reply{Retval: c.NotImitated("a prefix longer than addresses are")}
	}
	for bits := p.Bits(); bits >= 0; bits-- {
		key := netip.PrefixFrom(p.Addr(), bits).Masked()
		if e := t.entries[key]; e != nil {
			r := s.describe(t, e)
			r.TableID = q.TableID
			return &ip.IPRouteLookupV2Reply{Route: r}
		}
		if q.Exact != 0 {
			break
		}
	}
	return &ip.IPRouteLookupV2Reply{Retval: noSuchEntry}
}
