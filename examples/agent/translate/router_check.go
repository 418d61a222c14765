// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
)

// routing is how the routers of a host are seen while it is found out what they
// want. Of keys that do not go together, the one that is served already stays; of
// others, the first by name is served.
type routing struct {
	site     Site
	serving  bool
	had      map[place][]held // what was served before, and is still asked for
	held     Holds            // that, by key
	routers  map[string]*router
	outsides map[string]*external // by network
	led      map[string]string    // by which gateway an external network has a way, by its claim
	floats   floats
	plains   map[netip.Prefix][]reach             // that can be exempt from NAT, by prefix
	spares   map[netip.Prefix]*spared             // that are
	wanted   map[string]map[desiredstate.Key]bool // what is in out.Wants
	out      Routing
}

// router is what its keys come to.
type router struct {
	id     string
	vrf    uint32
	legs   map[string]*leg // by network
	exit   *RouterPort
	floats []FloatingIP
}

// leg is a router's place in one of its networks. It may have several ports there.
type leg struct {
	ports []RouterPort
	door  string // the interface
}

// external is an external network, which routers share.
type external struct {
	net     Net
	exits   []*router
	lending []*router                 // those that translate, in the order of their numbers, once somebody asked
	entered bool                      // by a pipe, too
	subnets []netip.Prefix            // what its routers are in there, once each: by the first that is
	meant   map[netip.Addr][]meaning  // addresses that mean something else than a host
	ways    map[netip.Prefix]l3.Route // in its table, that routers ask for
	stands  map[netip.Prefix]l3.Route // in its table, whoever wants that; of a floating IP's nobody has the same
	alone   addresses                 // of these, those of one address that routers ask for
}

// translates says whether NAT has to do with a router's packets.
func (r *router) translates() bool {
	return r.exit != nil && r.exit.first4().IsValid() && (r.exit.SNAT || len(r.floats) > 0)
}

// first4 is the address that hosts share; the zero address if there is none.
func (p RouterPort) first4() netip.Addr {
	for _, a := range p.Addrs {
		if a.Addr().Is4() {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

func (l *leg) net() Net { return l.ports[0].Net }

func (l *leg) addrs() (out []netip.Prefix) {
	for _, p := range l.ports {
		out = append(out, p.Addrs...)
	}
	return out
}

// sort finds out who is whose.
func (g *routing) sort(ports map[string]RouterPort) {
	defer g.open()
	defer g.share()
	g.routers, g.outsides = map[string]*router{}, map[string]*external{}
	names := slices.Sorted(maps.Keys(ports))
	vrfs := map[uint32]string{}
	taken := map[netip.Addr]string{}
	for _, external := range []bool{true, false} { // the way out, before what goes by it
		for _, name := range names {
			p := ports[name]
			if p.External != external {
				continue
			}
			r := g.routers[p.Router]
			if r == nil {
				r = &router{id: p.Router, vrf: p.VRF, legs: map[string]*leg{}}
			}
			part := Part{Network: p.Net.Name(), Lacks: p.left()}
			if other, dup := vrfs[p.VRF]; dup && other != p.Router || r.vrf != p.VRF {
				part.Wrong = fmt.Errorf("vrf_id: %d, but router %s has it, or this one another", p.VRF, cmp.Or(other, p.Router))
			} else if err := g.barred(name, p.whole()...); err != nil {
				part.Wrong = err
			} else if external {
				part.Lacks, part.Wrong = g.leave(r, p, taken)
			} else {
				part.Wrong = g.enter(r, p)
			}
			if part.Wrong == nil {
				g.routers[p.Router], vrfs[p.VRF] = r, p.Router
				g.hold(name, p.whole()...)
			}
			g.out.Parts[name] = part
		}
	}
}

// leave gives a router its way out, by those of its addresses that are nobody else's, and
// says what is left out.
func (g *routing) leave(r *router, p RouterPort, taken map[netip.Addr]string) (left, wrong error) {
	if r.exit != nil {
		return nil, fmt.Errorf("the router has a gateway already: port %s", r.exit.Port)
	}
	x := g.outsides[p.Net.Name()]
	if x == nil {
		x = &external{net: p.Net}
	}
	var out lacks
	out.add(p.Lacks)
	given := p.Addrs
	p.Addrs = nil
	for _, a := range given {
		has := []Claim{p.owns(a), p.subnet(a), p.inner(a)}
		if err := cmp.Or(x.refuses(a, p.Addrs, taken), g.barred(p.Name(), has...)); err != nil {
			out.add(fmt.Errorf("gateways: %w", err))
			continue
		}
		p.Addrs = append(p.Addrs, a)
		g.hold(p.Name(), has...)
	}
	if len(p.Addrs) == 0 {
		return nil, out.join()
	}
	p.Next = slices.DeleteFunc(slices.Clone(p.Next), func(next netip.Addr) bool {
		return !slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() == next.Is6() })
	})
	for _, a := range p.Addrs {
		taken[a.Addr()] = p.Router
		if !slices.ContainsFunc(x.subnets, func(o netip.Prefix) bool { return o.Masked() == a.Masked() }) {
			x.subnets = append(x.subnets, a)
		}
	}
	r.exit, x.exits = &p, append(x.exits, r)
	g.outsides[p.Net.Name()] = x
	return out.join(), nil
}

// share has routers whose keys do not say who leads out of a subnet go by whom others in it
// do.
func (g *routing) share() {
	for _, x := range g.outsides {
		for _, r := range x.exits {
			if len(r.exit.lacksOf()) == 0 {
				continue
			}
			for _, o := range x.exits {
				*r.exit = r.exit.After(*o.exit)
			}
		}
	}
}

// refuses says why a router cannot have an address in the network beside others.
func (x *external) refuses(a netip.Prefix, own []netip.Prefix, taken map[netip.Addr]string) error {
	if other, dup := taken[a.Addr()]; dup {
		return fmt.Errorf("router %s has %s already", other, a.Addr())
	}
	for _, o := range slices.Concat(x.subnets, own) {
		if clashes(a, o) {
			return fmt.Errorf("%s overlaps %s in the same network", a, o)
		}
	}
	return nil
}

// clashes says whether two subnets of one network differ on who is on the link. An address
// alone says nothing of that.
func clashes(a, b netip.Prefix) bool {
	return a.Overlaps(b) && a.Bits() != b.Bits() && !a.IsSingleIP() && !b.IsSingleIP()
}

// holds says whether an address is in a subnet that the network's routers name.
func (x *external) holds(a netip.Addr) bool {
	return slices.ContainsFunc(x.subnets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// enter gives a router a leg in one of its networks.
func (g *routing) enter(r *router, p RouterPort) error {
	name := p.Net.Name()
	if g.outsides[name] != nil {
		return fmt.Errorf("%s is an external network here", name)
	}
	for _, a := range p.Addrs {
		for other, l := range r.legs {
			for _, o := range l.addrs() {
				if a.Overlaps(o) && (other != name || a.Bits() != o.Bits() || a.Addr() == o.Addr()) {
					return fmt.Errorf("gateway_ip: %s overlaps %s in %s, which the router has already", a, o, other)
				}
			}
		}
		if r.exit == nil {
			continue
		}
		for _, o := range g.outsides[r.exit.Net.Name()].subnets {
			if a.Overlaps(o) {
				return fmt.Errorf("gateway_ip: %s overlaps %s, by which the router leads out", a, o)
			}
		}
	}
	if r.legs[name] == nil {
		r.legs[name] = &leg{}
	}
	r.legs[name].ports = append(r.legs[name].ports, p)
	return nil
}

// open gives each leg its door. The first router in a network has the bridge domain's
// BVI, and keeps it; others come in from the side, see leg. Whose MAC it has, keeps that.
func (g *routing) open() {
	first := map[string]string{} // whose the BVI is, by network
	aside := func(l *leg) (had string) {
		for _, p := range l.ports {
			for _, c := range g.held[p.Name()] {
				if c.Kind == entry && c.In == p.Net.Name() {
					return c.As
				}
			}
		}
		return ""
	}
	for _, served := range []bool{true, false} {
		for _, id := range slices.Sorted(maps.Keys(g.routers)) {
			for name, l := range g.routers[id].legs {
				had := aside(l)
				if l.door != "" || (had == door(l.net())) != served {
					continue
				}
				if _, taken := first[name]; taken || had == l.ports[0].sideDoor() {
					l.door = l.ports[0].sideDoor()
				} else {
					l.door, first[name] = door(l.net()), id
				}
				if i := slices.IndexFunc(l.ports, func(p RouterPort) bool { return slices.Contains(g.held[p.Name()], p.face()) }); i > 0 {
					l.ports[0], l.ports[i] = l.ports[i], l.ports[0]
				}
				g.hold(l.ports[0].Name(), l.ports[0].face())
				for _, p := range l.ports {
					g.hold(p.Name(), Claim{Kind: entry, In: name, As: l.door, By: id})
				}
			}
		}
	}
}

// connected are the networks that a router is in.
func (r *router) connected() map[netip.Prefix]bool {
	all := map[netip.Prefix]bool{}
	for _, l := range r.legs {
		for _, a := range l.addrs() {
			all[a.Masked()] = true
		}
	}
	for _, a := range r.exit.Addrs {
		all[a.Masked()] = true
	}
	return all
}

// ledOut leaves out the extra routes of routers to their own networks, and to what is another's in their external
// network.
func (g *routing) ledOut() {
	taken := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(g.routers)) {
		r := g.routers[id]
		if r.exit == nil {
			continue
		}
		name := r.exit.Name()
		var routes []ExtraRoute
		own := r.connected()
		for _, e := range r.exit.Routes {
			if own[e.To] {
				g.lacks(name, fmt.Errorf("routes: %s is a network of the router", e.To))
				continue
			}
			if paths, out, _ := r.ways(e); len(paths) > 0 && out {
				c := r.exit.way(e)
				err := g.barred(name, c)
				if by := taken[c.In]; err == nil && by != "" {
					err = fmt.Errorf("the way to %s is that of %s", c.In, by)
				}
				if err != nil {
					g.lacks(name, fmt.Errorf("routes: %w", err))
					continue
				}
				taken[c.In] = name
				g.hold(name, c)
			}
			routes = append(routes, e)
		}
		r.exit.Routes = routes
	}
	g.led = taken
}
