// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// Several keys may ask for other ways from one external table to the same prefix. What stands there is decided here, for
// all sources: a source of which the store refuses one object has none of them.

// maxExempt is how many addresses of a router can be exempt from NAT: VPP exempts them one by
// one.
const maxExempt = 4096

// widest is the length of the widest prefix whose addresses can be exempt.
const widest = 20

// reach is a prefix to which a router asks for a way in its external network, and the key that says so.
type reach struct {
	x    *external
	r    *router
	key  string
	to   netip.Prefix
	by   []l3.Path
	as   Claim
	kind reachKind

	exempt bool // from NAT, as far as its addresses are nobody else's
}

type reachKind int

const (
	behind reachKind = iota // the router
	beside                  // the router, out there
	ahead                   // by whom the router leads out
)

// reaches are what a router asks for. What is translated asks for no way back.
func (x *external) reaches(r *router) (all []reach) {
	e := r.exit
	for _, next := range e.Next {
		all = append(all, reach{x, r, e.Name(), alone(next), []l3.Path{{Interface: door(x.net)}}, e.hop(next), ahead, false})
	}
	inner := func(key string, to netip.Prefix) {
		is6 := to.Addr().Is6()
		if is6 || !e.SNAT { // or NAT sees to what comes back
			if slices.ContainsFunc(e.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() == is6 }) {
				all = append(all, reach{x, r, key, to, []l3.Path{{Table: routerTable(r.id)}}, e.back(to), behind, false})
			}
		}
	}
	for _, net := range slices.Sorted(maps.Keys(r.legs)) {
		for _, p := range r.legs[net].ports {
			for _, a := range p.Addrs {
				inner(p.Name(), a.Masked())
			}
		}
	}
	for _, route := range e.Routes {
		switch paths, out, _ := r.ways(route); {
		case len(paths) == 0:
		case out:
			all = append(all, reach{x, r, e.Name(), route.To, paths, e.back(route.To), beside, false})
		default:
			inner(e.Name(), route.To)
		}
	}
	return all
}

// hadWay says whether it has been there before.
func (g *routing) hadWay(i reach) bool {
	return slices.ContainsFunc(g.had[i.as.place()], func(h held) bool {
		return h.Claim == i.as && h.key == i.key || i.kind == ahead && h.As == i.as.As
	})
}

// route is the way.
func (i reach) route() l3.Route { return l3.Route{Table: outside(i.x.net), Prefix: i.to, Paths: i.by} }

// plain notes which prefixes of a network's routers can be exempt from NAT.
func (g *routing) plain(x *external) {
	for _, r := range x.exits {
		for _, i := range x.reaches(r) {
			if i.kind == behind && i.to.Addr().Is4() && i.to.Bits() >= widest {
				g.plains[i.to] = append(g.plains[i.to], i)
			}
		}
	}
}

// around are the prefixes that can be exempt and hold an address.
func (g *routing) around(a netip.Addr) (all []reach) {
	for bits := widest; a.Is4() && bits <= a.BitLen(); bits++ {
		p, _ := a.Prefix(bits)
		all = append(all, g.plains[p]...)
	}
	return all
}

// inside says why no floating IP of the router r can have this address: it is that of a host behind a router of the
// network. One that is served keeps it, unless the router is its own.
func (g *routing) inside(x *external, f FloatingIP, r *router, served bool) error {
	for _, i := range g.around(f.Floating) {
		if i.x == x && (i.r == r || !served) {
			return fmt.Errorf("floating_ip_address: %s is in %s, behind router %s", f.Floating, i.to, i.r.id)
		}
	}
	return nil
}

// contested says whether routers have to do with the address of a floating IP.
func (g *routing) contested(f FloatingIP) bool {
	x := g.outsides[f.External.Name()]
	return x != nil && len(x.meant[f.Floating]) > 0 || len(g.around(f.Floating)) > 0
}

// sparing is what is known while it is found out which addresses are exempt from NAT.
type sparing struct {
	*routing
	whose map[netip.Addr]*router // an address is exempt once, in all tables
	many  map[*router]int
	outer map[netip.Addr]bool             // floating IPs
	fixed map[*router]map[netip.Addr]bool // hosts with floating IPs, which have another way
}

// settle finds out what stands in external tables, and what is exempt from NAT. Who had a way before keeps it; of
// others, the longest prefix is first, as it is for routes, and then the first by name. What is exempt is wanted by
// wants, as that is the routers'.
func (g *routing) settle() (wants func()) {
	s := sparing{routing: g, whose: map[netip.Addr]*router{}, many: map[*router]int{}, outer: map[netip.Addr]bool{}, fixed: map[*router]map[netip.Addr]bool{}}
	var all []reach
	for _, name := range slices.Sorted(maps.Keys(g.outsides)) {
		x := g.outsides[name]
		x.stands, x.ways = map[netip.Prefix]l3.Route{}, map[netip.Prefix]l3.Route{}
		for _, r := range x.exits {
			all = append(all, x.reaches(r)...)
			for _, a := range r.exit.Addrs {
				if !a.IsSingleIP() {
					x.stands[a.Masked()] = x.linked(a)
				}
			}
			s.fixed[r] = map[netip.Addr]bool{}
			for _, f := range r.floats {
				x.stands[alone(f.Floating)] = l3.Route{}
				s.outer[f.Floating], s.fixed[r][f.Fixed] = true, true
			}
		}
	}
	order, had := make([]int, len(all)), make([]bool, len(all))
	for n, i := range all {
		order[n], had[n] = n, g.hadWay(i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if had[a] != had[b] {
			return map[bool]int{true: -1, false: 1}[had[a]]
		}
		return cmp.Compare(all[b].to.Bits(), all[a].to.Bits())
	})
	for _, n := range order {
		i := &all[n]
		switch i.kind {
		case ahead:
			s.lead(*i)
		case beside, behind:
			s.stand(i)
		}
	}
	return func() { s.spare(all) }
}

// linked is a subnet of the network.
func (x *external) linked(a netip.Prefix) l3.Route {
	return l3.Route{Table: outside(x.net), Prefix: a.Masked(), Paths: []l3.Path{{Interface: door(x.net)}}}
}

// lead has a router lead out by a next hop, unless that is something else.
func (s *sparing) lead(i reach) {
	next, is := i.to.Addr(), ""
	have, dup := i.x.stands[i.to]
	far := !next.IsLinkLocalUnicast() && !i.x.holds(next) // so it has to be told to be on the link
	switch {
	case dup && len(have.Paths) == 0:
		is = "a floating IP"
	case !far:
	case dup && !reflect.DeepEqual(have, i.route()):
		is = "something else already"
	default:
		if in, ok := i.x.around(next); ok {
			is = fmt.Sprintf("in %s, behind a router", in)
			break
		}
		i.x.stands[i.to], i.x.ways[i.to] = i.route(), i.route()
		s.hold(i.key, i.as)
	}
	if is != "" {
		s.lacks(i.key, fmt.Errorf("external_gateway_ip: %s is %s in %s, so nothing leads out by it", next, is, i.x.net.Name()))
		i.r.exit.Next = slices.DeleteFunc(i.r.exit.Next, func(a netip.Addr) bool { return a == next })
	}
}

// around is the prefix behind a router that holds an address.
func (x *external) around(a netip.Addr) (p netip.Prefix, ok bool) {
	for bits := a.BitLen(); a.Is4() && bits >= widest; bits-- {
		p, _ = a.Prefix(bits)
		if route, stands := x.stands[p]; stands && len(route.Paths) == 1 && route.Paths[0].Table != "" {
			return p, true
		}
	}
	return p, false
}

// stand has the external table have a way, and exempts what is behind it from NAT.
func (s *sparing) stand(i *reach) {
	ok, first := true, true
	if have, dup := i.x.stands[i.to]; dup && !reflect.DeepEqual(have, i.route()) {
		s.lacks(i.key, fmt.Errorf("%s is something else in %s already, behind another router or an address there, so nothing comes back from there", i.to, i.x.net.Name()))
		ok = false
	} else if i.kind == behind && i.to.Addr().Is4() && i.x.translates() {
		ok, first = s.exempt(i)
	}
	if ok {
		i.x.stands[i.to], i.x.ways[i.to] = i.route(), i.route()
	}
	if ok && (first || s.hadWay(*i)) { // or some of it was another router's before
		s.hold(i.key, i.as)
	} else {
		s.out.Holds[i.key] = slices.DeleteFunc(s.out.Holds[i.key], func(c Claim) bool { return c == i.as })
	}
}

// exempt lets a router's hosts be reached as who they are, though there is NAT in its external
// network, of others or of its own floating IPs: VPP drops what it finds no mapping for, so
// each address has one to itself. Hosts with floating IPs have another. Not ok: all of them are others'; not first: some
// are another router's, or there are too many.
func (s *sparing) exempt(i *reach) (ok, first bool) {
	p, r := i.to, i.r
	if most := maxExempt - s.many[r]; p.Bits() < widest || 1<<(32-p.Bits()) > most {
		s.lacks(i.key, fmt.Errorf("enable_snat is false beside NAT, for which each of the %d addresses of %s needs an exemption, and a router can have %d more of %d: nothing comes back from there", 1<<(32-p.Bits()), p, max(most, 0), maxExempt))
		return true, false
	}
	var others []netip.Addr
	i.exempt, first = true, true
	for a := p.Addr(); p.Contains(a); a = a.Next() {
		way := i.spared(a)
		have, dup := i.x.stands[way.Prefix]
		switch whose := s.whose[a]; {
		case whose == r:
		case whose != nil:
			others, first = append(others, a), false
		case dup && !reflect.DeepEqual(have, way), s.outer[a], s.floats.taken[a] != "":
			others = append(others, a)
		default:
			s.whose[a] = r
			s.many[r]++
			if !s.fixed[r][a] {
				i.x.stands[way.Prefix] = way
			}
		}
	}
	if len(others) > 0 {
		s.lacks(i.key, fmt.Errorf("%d addresses of %s, the first of them %s, are exempt from NAT behind another router, or mean something else outside: nothing comes back from there", len(others), p, others[0]))
	}
	return len(others) < 1<<(32-p.Bits()), first
}

// spared is the way to an address that is exempt from NAT, or VPP takes it for its own.
func (i *reach) spared(a netip.Addr) l3.Route {
	return l3.Route{Table: outside(i.x.net), Prefix: alone(a), Paths: i.by}
}

// spare wants what is exempt of routers' prefixes, each address for the first key that it is of.
func (s *sparing) spare(all []reach) {
	done := map[netip.Addr]bool{}
	for _, i := range all {
		if !i.exempt {
			continue
		}
		table := routerTable(i.r.id)
		if i.r.translates() {
			table = natTable(i.r.id)
		}
		var objs []desiredstate.Object
		for a := i.to.Addr(); i.to.Contains(a); a = a.Next() {
			if s.whose[a] == i.r && !s.fixed[i.r][a] && !done[a] {
				objs, done[a] = append(objs, nat.Identity{Name: spared(i.r.id) + a.String(), Address: a, Table: table}, i.spared(a)), true
			}
		}
		s.want("router/"+i.r.id, objs, i.key)
	}
}

// spared begins the names of a router's exemptions.
func spared(router string) string { return "id-" + router + "-" }

// translates says whether there is NAT in the external network.
func (x *external) translates() bool { return slices.ContainsFunc(x.exits, (*router).translates) }

// backs is what VPP holds of ways from external networks to what is behind routers.
type backs struct {
	found map[desiredstate.Key]desiredstate.Object
	outs  map[string][]Net      // by router
	whose map[netip.Addr]string // addresses that are exempt from NAT
}

func backsOf(found map[desiredstate.Key]desiredstate.Object, ports map[string]RouterPort) backs {
	b := backs{found, map[string][]Net{}, map[netip.Addr]string{}}
	for _, p := range ports {
		if p.External {
			b.outs[p.Router] = append(b.outs[p.Router], p.Net)
		}
	}
	for _, o := range found {
		if i, ok := o.(nat.Identity); ok {
			b.whose[i.Address] = strings.TrimSuffix(i.Name, i.Address.String())
		}
	}
	return b
}

// of are the claims to ways that VPP has of a port.
func (b backs) of(p RouterPort) (out []Claim) {
	for _, c := range p.claims() {
		if c.Kind != back {
			continue
		}
		for _, net := range b.outs[p.Router] {
			way, _ := b.found[l3.RouteKey(outside(net), c.Prefix)].(l3.Route)
			if len(way.Paths) == 0 {
				continue
			}
			switch by := way.Paths[0]; {
			case by.Table == routerTable(p.Router):
				if c.As == "" && !b.others(c.Prefix, p.Router) {
					out = append(out, c)
				}
			case by.Interface == door(net) && (c.As != "" || b.found[l3.RouteKey(routerTable(p.Router), c.Prefix)] != nil):
				out = append(out, c)
			}
		}
	}
	return out
}

// others says whether more of a prefix is exempt behind other routers than behind this one.
func (b backs) others(of netip.Prefix, router string) bool {
	if len(b.whose) == 0 || !of.Addr().Is4() || of.Bits() < widest {
		return false
	}
	others := 0
	for a := of.Addr(); of.Contains(a); a = a.Next() {
		switch b.whose[a] {
		case "":
		case spared(router):
			others--
		default:
			others++
		}
	}
	return others > 0
}
