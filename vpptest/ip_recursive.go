// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"

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
	if s.leadsTo(paths, t, self.Addr(), 16) {
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

// leadsTo tells whether paths are looked up, in the end, by a.
func (s *ips) leadsTo(paths []fib_types.FibPath, t *fibTable, a netip.Addr, depth int) bool {
	for _, p := range paths {
		if typeOf(p) != viaRoute || depth == 0 {
			continue
		}
		to, hop := s.hopTable(p), hopOf(p)
		if to == nil {
			continue
		}
		if to == t && hop == a {
			return true
		}
		e := to.entries[netip.PrefixFrom(hop, hop.BitLen())]
		for e != nil && e.best() == srcRecursive {
			e = to.cover(e.shown.Masked())
		}
		if e != nil && s.leadsTo(e.sources[e.best()].paths, t, a, depth-1) {
			return true
		}
	}
	return false
}
