// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// Hosts of a router that does not translate are reached as who they are, though there is NAT in its external network, of
// others or of its own floating IPs: VPP drops what it finds no mapping for, so each address has one to itself. It has
// one in all tables. Whose it is goes by prefixes, so that a look costs what there is of these.

// maxExempt is how many addresses of a router can be exempt from NAT: VPP exempts them one by
// one.
const maxExempt = 4096

// widest is the length of the widest prefix whose addresses can be exempt.
const widest = 20

// exemptible says whether addresses of a prefix can be exempt from NAT.
func exemptible(p netip.Prefix) bool { return p.Addr().Is4() && p.Bits() >= widest }

// addresses are single ones, by the widest prefix that can be exempt.
type addresses map[netip.Prefix][]netip.Addr

func (x addresses) add(a netip.Addr) {
	if a.Is4() {
		p, _ := a.Prefix(widest)
		x[p] = append(x[p], a)
	}
}

// in lists those in a prefix.
func (x addresses) in(p netip.Prefix) (all []netip.Addr) {
	wide, _ := p.Addr().Prefix(widest)
	for _, a := range x[wide] {
		if p.Contains(a) {
			all = append(all, a)
		}
	}
	return all
}

// sparing is what is known while it is found out which addresses are exempt from NAT.
type sparing struct {
	*routing
	owned map[netip.Prefix]*spared   // an address is exempt by the longest of these
	under map[netip.Prefix][]*spared // those that are in a wider one
	many  map[*router]int
	apart addresses // floating IPs, and routers' own
}

// spared is a prefix whose addresses are exempt.
type spared struct {
	*reach
	keys  []string     // by which the router asks for it
	inner []*spared    // parts of it that are exempt by themselves, whosever
	not   []netip.Addr // that mean something else

	is    sparedAs
	objs  []desiredstate.Object
	needs []desiredstate.Key // theirs
}

// sparedAs is what the objects are made from.
type sparedAs struct {
	router, table, outside string
	inner                  []netip.Prefix
	not                    []netip.Addr
}

func size(p netip.Prefix) int { return 1 << (32 - p.Bits()) }

// spares says whether what is behind the router is to be exempt.
func (i reach) spares() bool { return i.kind == behind && i.to.Addr().Is4() && i.x.translates() }

// owner is by which prefix another one is exempt; nil: by none.
func (s *sparing) owner(p netip.Prefix) *spared {
	for bits := p.Bits(); exemptible(p) && bits >= widest; bits-- {
		at, _ := p.Addr().Prefix(bits)
		if o := s.owned[at]; o != nil {
			return o
		}
	}
	return nil
}

// at is what stands in a network's table.
func (s *sparing) at(x *external, to netip.Prefix) (l3.Route, bool) {
	have, stands := x.stands[to]
	if o := s.owner(to); !stands && to.IsSingleIP() && o != nil && o.x == x && !slices.Contains(slices.Concat(o.not, o.r.fixed()), to.Addr()) {
		return o.way(to.Addr()), true
	}
	return have, stands
}

// fixed are a router's hosts with floating IPs, which have another way.
func (r *router) fixed() (all []netip.Addr) {
	for _, f := range r.floats {
		all = append(all, f.Fixed)
	}
	return all
}

// exempt exempts a prefix, but for what is another router's in it, or means something else. false: it is in one of another
// router, or there is nothing else.
func (s *sparing) exempt(i *reach) bool {
	p, r := i.to, i.r
	by := s.owner(p)
	if by != nil && by.r != r {
		s.lacks(i.key, fmt.Errorf("%s is exempt from NAT behind router %s, in %s: nothing comes back from there", p, by.r.id, by.to))
		return false
	}
	more := 0
	if by == nil {
		more = size(p)
		for _, o := range s.outermost(p, r) {
			more -= size(o.to)
		}
	}
	if most := maxExempt - s.many[r]; p.Bits() < widest || more > most {
		s.lacks(i.key, fmt.Errorf("enable_snat is false beside NAT, for which each of the %d addresses of %s needs an exemption, and a router can have %d more of %d: nothing comes back from there", size(p), p, max(most, 0), maxExempt))
		return true
	}
	if by == nil || by.to != p {
		by = &spared{reach: i, not: s.apart.in(p)}
		for _, a := range i.x.alone.in(p) {
			if i.x.stands[alone(a)].Paths[0].Table != routerTable(r.id) {
				by.not = append(by.not, a)
			}
		}
		slices.SortFunc(by.not, netip.Addr.Compare)
		by.not = slices.Compact(by.not)
	}
	if lost, first := s.lost(by); lost > 0 {
		s.lacks(i.key, fmt.Errorf("%d addresses of %s, the first of them %s, are exempt from NAT behind another router, or mean something else outside: nothing comes back from there", lost, p, first))
		if lost == size(p) {
			return false
		}
	}
	s.many[r] += more
	if s.owned[p] == nil {
		s.owned[p] = by
		for bits := widest; bits < p.Bits(); bits++ {
			wider, _ := p.Addr().Prefix(bits)
			s.under[wider] = append(s.under[wider], by)
			if o := s.owned[wider]; o != nil {
				o.inner = append(o.inner, by)
			}
		}
		by.inner = slices.Clone(s.under[p])
	}
	by.keys = append(by.keys, i.key)
	s.hold(i.key, i.r.exit.spare(p))
	return true
}

// outermost are the prefixes in one that are exempt, of a router or, if it is nil, of any, and in no other such one there.
func (s *sparing) outermost(in netip.Prefix, r *router) (all []*spared) {
	for _, o := range s.under[in] {
		within := false
		for bits := in.Bits() + 1; bits < o.to.Bits() && !within; bits++ {
			wider, _ := o.to.Addr().Prefix(bits)
			by := s.owned[wider]
			within = by != nil && (r == nil || by.r == r)
		}
		if !within && (r == nil || o.r == r) {
			all = append(all, o)
		}
	}
	return all
}

// lost is how many addresses of a prefix are not the router's, and the first of them.
func (s *sparing) lost(x *spared) (many int, first netip.Addr) {
	note := func(a netip.Addr, n int) {
		if many += n; !first.IsValid() || a.Less(first) {
			first = a
		}
	}
	parts := s.outermost(x.to, nil)
	for _, o := range parts {
		if o.r != x.r {
			note(o.to.Addr(), size(o.to))
		}
	}
	for _, a := range x.not {
		if !slices.ContainsFunc(parts, func(o *spared) bool { return o.r != x.r && o.to.Contains(a) }) {
			note(a, 1)
		}
	}
	return many, first
}

// way is that to an address that is exempt from NAT, or VPP takes it for its own.
func (i reach) way(a netip.Addr) l3.Route {
	return l3.Route{Table: outside(i.x.net), Prefix: alone(a), Paths: i.by}
}

// spareOf begins the names of a router's exemptions.
func spareOf(router string) string { return "id-" + router + "-" }

// spare wants what is exempt, of each router by a source of its own. What is as it was last is not made again.
func (g *routing) spare(last *routing) {
	if last == nil {
		last = &routing{}
	}
	were, made := map[string]int{}, map[string]bool{}
	for _, x := range last.spares {
		were[x.r.id]++
	}
	of := map[string][]*spared{}
	for _, p := range slices.SortedFunc(maps.Keys(g.spares), netip.Prefix.Compare) {
		x, was := g.spares[p], last.spares[p]
		if x.is = x.as(); was != nil && reflect.DeepEqual(was.is, x.is) {
			x.objs, x.needs = was.objs, was.needs
		} else {
			x.make()
			g.out.Work += len(x.needs) / 2
			made[x.r.id] = true
		}
		of[x.r.id] = append(of[x.r.id], x)
	}
	for id, all := range of {
		source := "spare/" + id
		for _, x := range all {
			for _, key := range x.keys {
				part := g.out.Parts[key]
				if !slices.Contains(part.Sources, source) {
					part.Sources = append(part.Sources, source)
				}
				part.Needs = append(part.Needs, x.needs...)
				g.out.Parts[key] = part
			}
		}
		if !made[id] && were[id] == len(all) {
			g.out.Wants[source] = last.out.Wants[source]
			continue
		}
		for _, x := range all {
			g.out.Wants[source] = append(g.out.Wants[source], x.objs...)
		}
	}
}

// as says from what the objects are made.
func (x *spared) as() (is sparedAs) {
	is = sparedAs{router: x.r.id, table: routerTable(x.r.id), outside: outside(x.x.net)}
	if x.r.translates() {
		is.table = natTable(x.r.id)
	}
	for _, a := range slices.Concat(x.not, x.r.fixed()) {
		if x.to.Contains(a) {
			is.not = append(is.not, a)
		}
	}
	slices.SortFunc(is.not, netip.Addr.Compare)
	is.not = slices.Compact(is.not)
	for _, o := range x.inner {
		is.inner = append(is.inner, o.to)
	}
	slices.SortFunc(is.inner, netip.Prefix.Compare)
	return is
}

// make makes the objects: an exemption and a way for each address.
func (x *spared) make() {
	except := map[netip.Addr]bool{}
	for _, a := range x.is.not {
		except[a] = true
	}
	for _, p := range x.is.inner {
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			except[a] = true
		}
	}
	for a := x.to.Addr(); x.to.Contains(a); a = a.Next() {
		if !except[a] {
			x.objs = append(x.objs, nat.Identity{Name: spareOf(x.r.id) + a.String(), Address: a, Table: x.is.table}, x.way(a))
		}
	}
	for _, o := range x.objs {
		x.needs = append(x.needs, o.Key())
	}
}
