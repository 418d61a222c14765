// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
)

// hold keeps the table that a path looks into, and the route to its next hop there;
// release lets go of both.
func (s *ips) hold(p fib_types.FibPath) {
	t := s.tableOf(p)
	if t == nil {
		return
	}
	s.lock(t)
	if typeOf(p) == viaRoute {
		s.track(s.hopTable(p), hopOf(p))
	}
}

func (s *ips) release(p fib_types.FibPath) {
	t := s.tableOf(p)
	if t == nil {
		return
	}
	if typeOf(p) == viaRoute {
		s.untrack(s.hopTable(p), hopOf(p))
	}
	s.unlock(t)
}

// track keeps a route to an address, as a tunnel to there does, and untrack lets go of it.
func (s *ips) track(in *fibTable, a netip.Addr) {
	s.entry(in, netip.PrefixFrom(a, a.BitLen()), srcRecursive).users++
}

func (s *ips) untrack(in *fibTable, a netip.Addr) {
	key := netip.PrefixFrom(a, a.BitLen())
	if e := in.entries[key]; e != nil && e.sources[srcRecursive] != nil {
		if e.sources[srcRecursive].users--; e.sources[srcRecursive].users == 0 {
			s.paths(in, key, srcRecursive, nil)
		}
	}
}

// tableOf is the table that a path looks into, if it does.
func (s *ips) tableOf(p fib_types.FibPath) *fibTable {
	if t := typeOf(p); t != viaRoute && t != viaTable {
		return nil
	}
	return s.pool[family(p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6)].find(p.TableID)
}

// hopTable is the table that its next hop is looked up in. What VPP takes for IPv4 it
// looks up by the same index among the tables of IPv4.
func (s *ips) hopTable(p fib_types.FibPath) *fibTable {
	t := s.tableOf(p)
	slots := s.pool[family(hopOf(p).Is6())].slots
	if t == nil || int(t.index) >= len(slots) {
		return nil
	}
	return slots[t.index]
}

// shown are the paths of an entry as a dump shows them. One that is there only because
// others are looked up by it has those of what covers it, or is a neighbour on the link
// of that.
func (s *ips) shown(t *fibTable, e *ipRoute) []fib_types.FibPath {
	src := e.best()
	if src != srcRecursive {
		return e.sources[src].paths
	}
	self := e.shown.Masked()
	cover := t.cover(self)
	if cover == nil {
		return dropped(t.is6)
	}
	if index, ok := attached(cover); ok {
		p := fib_types.FibPath{SwIfIndex: index, Weight: 1, Proto: dropped(t.is6)[0].Proto}
		p.Nh.Address = wireAddr(self.Addr()).Un
		return []fib_types.FibPath{p}
	}
	paths := s.shown(t, cover)
	if s.leadsTo(paths, t, self.Addr(), make(map[*ipRoute]bool)) {
		return dropped(t.is6)
	}
	return paths
}

// cover is the entry that is used where p is not.
func (t *fibTable) cover(p netip.Prefix) *ipRoute {
	for bits := p.Bits() - 1; bits >= 0; bits-- {
		if e := t.entries[netip.PrefixFrom(p.Addr(), bits).Masked()]; e != nil {
			return e
		}
	}
	return nil
}

// attached is the interface on whose link all addresses of an entry are.
func attached(e *ipRoute) (uint32, bool) {
	switch src := e.best(); src {
	case srcInterface, srcSpecial, srcAPI:
		return e.sources[src].link()
	}
	return 0, false
}

// freedEarly says how a change of what a source says of a prefix has VPP use what it frees by it; "": it
// does not.
func (s *ips) freedEarly(t *fibTable, e *ipRoute, src uint8, paths []fib_types.FibPath) string {
	if e == nil || rank(e.best()) < rank(src) {
		return ""
	}
	recursive := func(p fib_types.FibPath) bool { return typeOf(p) == viaRoute }
	old := e.sources[src]
	switch {
	case old == nil:
		if e.best() != srcDefault && slices.ContainsFunc(paths, recursive) {
			return "recursive paths to what has a lesser source"
		}
		return ""
	case len(paths) == 0 && e.sources[srcRecursive] != nil && slices.ContainsFunc(old.paths, recursive):
		return "the end of recursive paths of a next hop"
	}
	before, after := s.coveredHops(t, e, old.paths), s.coveredHops(t, e, paths)
	if len(before) == 0 {
		return ""
	}
	for host, other := range t.entries { // who has the old paths from it, and lets go of them as the last
		after[host] = after[host] || other.best() == srcRecursive && t.cover(host) == e
	}
	for host := range before {
		if at := t.entries[host]; at != nil && at.best() != srcRecursive {
			return "a change of paths to a next hop that the route itself covers, and that is a neighbour off its subnet"
		}
	}
	for host := range after {
		if after[host] && !before[host] {
			return "a change of paths to next hops that the route itself covers, as it does others"
		}
	}
	return ""
}

// coveredHops are the next hops of paths that nothing but the route itself leads to.
func (s *ips) coveredHops(t *fibTable, e *ipRoute, paths []fib_types.FibPath) map[netip.Prefix]bool {
	hops := make(map[netip.Prefix]bool)
	for _, p := range paths {
		if typeOf(p) != viaRoute || s.hopTable(p) != t {
			continue
		}
		host := netip.PrefixFrom(hopOf(p), hopOf(p).BitLen())
		if at := t.entries[host]; t.cover(host) == e && (at == nil || rank(at.best()) > rank(srcAPI)) {
			hops[host] = true
		}
	}
	return hops
}

// leadsTo tells whether paths are looked up, in the end, by a. What has been asked already is not asked again.
func (s *ips) leadsTo(paths []fib_types.FibPath, t *fibTable, a netip.Addr, asked map[*ipRoute]bool) bool {
	for _, p := range paths {
		to := s.hopTable(p)
		if typeOf(p) != viaRoute || to == nil {
			continue
		}
		hop := hopOf(p)
		if to == t && hop == a {
			return true
		}
		e := to.entries[netip.PrefixFrom(hop, hop.BitLen())]
		for e != nil && e.best() == srcRecursive {
			e = to.cover(e.shown.Masked())
		}
		if e == nil || asked[e] {
			continue
		}
		asked[e] = true
		if s.leadsTo(e.sources[e.best()].paths, t, a, asked) {
			return true
		}
	}
	return false
}
