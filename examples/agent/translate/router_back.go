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

// reach is a prefix to which a router asks for a way in its external network, and the key that says so.
type reach struct {
	x    *external
	r    *router
	key  string
	to   netip.Prefix
	by   []l3.Path
	as   Claim
	kind reachKind
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
		all = append(all, reach{x, r, e.Name(), alone(next), []l3.Path{{Interface: door(x.net)}}, e.hop(next), ahead})
	}
	inner := func(key string, to netip.Prefix) {
		is6 := to.Addr().Is6()
		if is6 || !e.SNAT { // or NAT sees to what comes back
			if slices.ContainsFunc(e.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() == is6 }) {
				all = append(all, reach{x, r, key, to, []l3.Path{{Table: routerTable(r.id)}}, e.back(to), behind})
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
			all = append(all, reach{x, r, e.Name(), route.To, paths, e.back(route.To), beside})
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
			if i.kind == behind && exemptible(i.to) {
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

// settle finds out what stands in external tables, and what is exempt from NAT. Who had a way before keeps it; of
// others, the longest prefix is first, as it is for routes, and then the first by name.
func (g *routing) settle() {
	s := sparing{routing: g, owned: map[netip.Prefix]*spared{}, under: map[netip.Prefix][]*spared{}, many: map[*router]int{}, apart: addresses{}}
	for a := range g.floats.taken {
		s.apart.add(a)
	}
	var all []reach
	for _, name := range slices.Sorted(maps.Keys(g.outsides)) {
		x := g.outsides[name]
		x.stands, x.ways, x.alone = map[netip.Prefix]l3.Route{}, map[netip.Prefix]l3.Route{}, addresses{}
		for _, r := range x.exits {
			all = append(all, x.reaches(r)...)
			for _, a := range r.exit.Addrs {
				if !a.IsSingleIP() {
					x.stands[a.Masked()] = x.linked(a)
				}
			}
			for _, f := range r.floats {
				x.stands[alone(f.Floating)] = l3.Route{}
				s.apart.add(f.Floating)
			}
		}
	}
	order, place := make([]int, len(all)), make([]int, len(all))
	for n, i := range all {
		order[n], place[n] = n, g.turn(i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(place[a]-place[b], all[b].to.Bits()-all[a].to.Bits())
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
	g.spares = s.owned
}

// turn is when it is looked at: what was there is first, then what was and is to be exempt only now.
func (g *routing) turn(i reach) int {
	const was, wasOtherwise, is = 0, 1, 2
	switch {
	case !g.hadWay(i):
		return is
	case i.spares() && !slices.Contains(g.held[i.key], i.r.exit.spare(i.to)):
		return wasOtherwise
	}
	return was
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
		i.has()
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
	if have, dup := s.at(i.x, i.to); dup && !reflect.DeepEqual(have, i.route()) {
		s.lacks(i.key, fmt.Errorf("%s is something else in %s already, behind another router or an address there, so nothing comes back from there", i.to, i.x.net.Name()))
		return
	}
	if i.spares() && !s.exempt(i) {
		return
	}
	i.has()
	s.hold(i.key, i.as)
}

// has has the table have the way.
func (i reach) has() {
	i.x.stands[i.to], i.x.ways[i.to] = i.route(), i.route()
	if i.to.IsSingleIP() {
		i.x.alone.add(i.to.Addr())
	}
}

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
			by := way.Paths[0]
			inside, hops := b.leads(p, c.Prefix)
			switch {
			case c.As != "" && by.Interface == door(net) && !by.NextHop.IsValid():
				out = append(out, c)
			case c.As == "" && by.Interface == door(net) && slices.Contains(hops, by.NextHop):
				out = append(out, c)
			case c.As == "" && by.Table == routerTable(p.Router) && inside:
				if out = append(out, c); b.spared(c.Prefix, p.Router) {
					out = append(out, p.spare(c.Prefix))
				}
			}
		}
	}
	return out
}

// leads says whether VPP has the router lead to a prefix inside because of a port, and by whom outside. Of several
// next hops some may be here and some there.
func (b backs) leads(p RouterPort, to netip.Prefix) (inside bool, hops []netip.Addr) {
	if !p.External {
		return p.heldIn(b.found) != "", nil
	}
	i := slices.IndexFunc(p.Routes, func(e ExtraRoute) bool { return e.To == to })
	if i < 0 {
		return false, nil
	}
	way, inside := b.found[l3.RouteKey(p.table(), to)].(l3.Route)
	if p.leadsOut(b.found, p.Routes[i]) {
		hops = p.Routes[i].By
		inside = slices.ContainsFunc(way.Paths, func(by l3.Path) bool { return by.Interface != door(p.Net) && slices.Contains(hops, by.NextHop) })
	}
	return inside, hops
}

// spared says whether some of a prefix is exempt behind a router.
func (b backs) spared(p netip.Prefix, router string) bool {
	if len(b.whose) == 0 || !exemptible(p) {
		return false
	}
	for a := p.Addr(); p.Contains(a); a = a.Next() {
		if b.whose[a] == spareOf(router) {
			return true
		}
	}
	return false
}
