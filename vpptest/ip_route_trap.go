// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"net/netip"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
)

// overDead tells whether one of the paths is over an interface that is gone. They
// outlive it, and VPP dies when it looks at them once more.
func (s *ips) overDead(paths []fib_types.FibPath) bool {
	return slices.ContainsFunc(paths, func(p fib_types.FibPath) bool {
		t := typeOf(p)
		return (t == viaNeighbour || t == viaLink) && s.v.life.interfaces.at(indexAt(p.SwIfIndex)) == nil
	})
}

// astray: VPP takes what leads to nowhere for the link of its interface, and that for one
// of another table, or looks for the table of an interface beyond its memory.
func (s *ips) astray(t *fibTable, src uint8, paths []fib_types.FibPath) bool {
	return src != srcAPI && src != srcCLI && slices.ContainsFunc(paths, func(p fib_types.FibPath) bool {
		return p.Type == fib_types.FIB_API_PATH_TYPE_DROP && p.SwIfIndex != none &&
			(s.v.life.interfaces.at(indexAt(p.SwIfIndex)) == nil || s.side(p.SwIfIndex).tables[family(t.is6)] != t)
	})
}

// imports tells whether VPP takes the last of the paths, in its order, for the link of
// local0, as it does with what is unreachable or prohibited, and that for one of another
// table: it then imports what is on that link, and dies, for there is none.
func (s *ips) imports(t *fibTable, src uint8, paths []fib_types.FibPath) bool {
	imports, never := false, false
	for _, p := range paths {
		never = never || p.Type == fib_types.FIB_API_PATH_TYPE_DROP && (src == srcAPI || src == srcCLI)
		imports = unreachable(p) && !never && s.side(0).tables[family(t.is6)] != t
	}
	return imports
}

// leave runs when an interface goes. Of the routes to its link VPP lets go first, and they
// no longer hear that it leaves its table: those of other tables follow what is in that one
// until they are changed, whoever has the index then.
func (s *ips) leave(index uint32, tables [2]*fibTable) {
	for is6 := range s.pool {
		for _, t := range s.pool[is6].slots {
			for _, e := range t.entries {
				for _, r := range e.sources {
					if over, ok := r.link(); ok && over == index && r.left == nil {
						r.left = tables[is6]
					}
				}
			}
		}
	}
}

// follow runs when what a source said is used again, as a better one has gone: VPP looks
// anew in which table the link is, if it was in another one.
func (s *ips) follow(t *fibTable, r *routeSource) {
	index, ok := r.link()
	switch {
	case !ok || r.left == nil || r.left == t:
	case s.v.life.interfaces.at(indexAt(index)) == nil:
		s.v.internal().Die("used a route again to the link, in another table, of an interface that is gone")
	default:
		r.left = s.side(index).tables[family(t.is6)]
	}
}

// imported tells whether a route in another table follows what is in t, on the link of an
// interface that was there until it went.
func (s *ips) imported(t *fibTable) bool {
	for _, other := range s.pool[family(t.is6)].slots {
		for _, e := range other.entries {
			if _, ok := attached(e); ok && other != t && e.sources[e.best()].left == t {
				return true
			}
		}
	}
	return false
}

const importedHosts = "a table with a way to the link of an interface of another one, whose hosts are in the way of other routes"

// eachImport calls f with each way of t to the link of an interface in another table.
func (s *ips) eachImport(t *fibTable, f func(p netip.Prefix, from *fibTable, over *iface)) {
	if t.hidden {
		return
	}
	for p, e := range t.entries {
		r := e.sources[e.best()]
		index, ok := r.link()
		if !ok {
			continue
		}
		over, from := s.v.life.interfaces.at(indexAt(index)), s.side(index).tables[family(t.is6)]
		if r.left != nil {
			over, from = nil, r.left
		}
		if from == t || from.entries[p] == nil {
			continue
		}
		if _, link := attached(from.entries[p]); link {
			f(p, from, over)
		}
	}
}

// importing tells whether t has routes of the tables of interfaces that it leads to.
func (s *ips) importing(t *fibTable) (does bool) {
	s.eachImport(t, func(netip.Prefix, *fibTable, *iface) { does = true })
	return does
}

// hosts are the routes that t has of the tables of interfaces that it leads to: those to the
// interface's own addresses and to neighbours, as long as it is up. What hangs on more than
// that is not known.
func (s *ips) hosts(t *fibTable) (out []ip.IPRouteV2, known bool) {
	known = true
	s.eachImport(t, func(p netip.Prefix, from *fibTable, over *iface) {
		if over == nil || over.admin && !over.hw.link {
			known = false
			return
		}
		for h, e := range from.entries {
			if h == p || !h.IsSingleIP() || !p.Contains(h.Addr()) || from.cover(h) != from.entries[p] {
				continue
			}
			path := fib_types.FibPath{Weight: 1, Proto: dropped(t.is6)[0].Proto}
			switch src := e.best(); {
			case src == srcAdjacency:
				path.SwIfIndex = none
			case src == srcInterface && toSelf(e.sources[src].paths[0]):
				path.Type = fib_types.FIB_API_PATH_TYPE_LOCAL
			case src == srcRecursive:
				known = false
				continue
			default:
				continue
			}
			if own := t.entries[h]; own != nil {
				known = known && rank(own.best()) < rank(srcExport)
				continue
			}
			if over.admin {
				out = append(out, ip.IPRouteV2{TableID: t.id, Prefix: wirePrefix(h), Src: srcExport, Paths: []fib_types.FibPath{path}})
			}
		}
	})
	slices.SortFunc(out, func(a, b ip.IPRouteV2) int { return prefixOf(a.Prefix).Addr().Compare(prefixOf(b.Prefix).Addr()) })
	return out, known
}

// tracked tells whether somebody follows an address in a table without keeping that. Who
// looks up a path keeps it.
func (t *fibTable) tracked() bool {
	for _, e := range t.entries {
		if e.sources[srcRecursive] != nil {
			return true
		}
	}
	return false
}

// compareSaid is the order that VPP takes the paths of a request in.
func compareSaid(a, b fib_types.FibPath) int {
	return cmp.Or(slices.Compare(hopSaid(a), hopSaid(b)), int(int32(interfaceSaid(a)-interfaceSaid(b))))
}

func unreachable(p fib_types.FibPath) bool {
	return p.Type == fib_types.FIB_API_PATH_TYPE_ICMP_UNREACH || p.Type == fib_types.FIB_API_PATH_TYPE_ICMP_PROHIBIT
}

func toSelf(p fib_types.FibPath) bool { return p.Type == fib_types.FIB_API_PATH_TYPE_LOCAL }

// interfaceSaid is the interface of a path as VPP reads it of a request.
func interfaceSaid(p fib_types.FibPath) uint32 {
	if unreachable(p) {
		return 0
	}
	return p.SwIfIndex
}

// hopSaid is the next hop, which VPP reads of normal paths only.
func hopSaid(p fib_types.FibPath) []byte {
	if p.Type != fib_types.FIB_API_PATH_TYPE_NORMAL {
		return make([]byte, 16)
	}
	if p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6 {
		return p.Nh.Address.XXX_UnionData[:]
	}
	return append(make([]byte, 12), p.Nh.Address.XXX_UnionData[:4]...)
}
