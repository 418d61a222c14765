// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// routing is how the routers of a host are seen while it is found out what they
// want. Of keys that do not go together, the first by name is served.
type routing struct {
	site     Site
	serving  bool
	routers  map[string]*router
	outsides map[string]*external // by network
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
type leg struct{ ports []RouterPort }

// external is an external network, which routers share.
type external struct {
	net   Net
	exits []*router
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
	g.routers, g.outsides = map[string]*router{}, map[string]*external{}
	names := slices.Sorted(maps.Keys(ports))
	vrfs := map[uint32]string{}
	inside := map[string]string{} // whose leg is in a network
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
			part := Part{Network: p.Net.Name(), Lacks: p.Lacks}
			if other, dup := vrfs[p.VRF]; dup && other != p.Router || r.vrf != p.VRF {
				part.Wrong = fmt.Errorf("vrf_id: %d, but router %s has it, or this one another", p.VRF, cmp.Or(other, p.Router))
			} else if external {
				part.Lacks, part.Wrong = g.leave(r, p, taken)
			} else {
				part.Wrong = g.enter(r, p, inside)
			}
			if part.Wrong == nil {
				g.routers[p.Router], vrfs[p.VRF] = r, p.Router
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
		if err := x.refuses(a, p.Addrs, taken); err != nil {
			out.add(fmt.Errorf("gateways: %w", err))
			continue
		}
		p.Addrs = append(p.Addrs, a)
	}
	if len(p.Addrs) == 0 {
		return nil, out.join()
	}
	p.Next = slices.DeleteFunc(slices.Clone(p.Next), func(next netip.Addr) bool {
		return !slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return a.Addr().Is6() == next.Is6() })
	})
	for _, a := range p.Addrs {
		taken[a.Addr()] = p.Router
	}
	r.exit, x.exits = &p, append(x.exits, r)
	g.outsides[p.Net.Name()] = x
	return out.join(), nil
}

// refuses says why a router cannot have an address in the network beside others.
func (x *external) refuses(a netip.Prefix, own []netip.Prefix, taken map[netip.Addr]string) error {
	if other, dup := taken[a.Addr()]; dup {
		return fmt.Errorf("router %s has %s already", other, a.Addr())
	}
	for _, o := range append(x.addrs(), own...) {
		if a.Overlaps(o) && a.Bits() != o.Bits() {
			return fmt.Errorf("%s overlaps %s in the same network", a, o)
		}
	}
	return nil
}

func (x *external) addrs() (out []netip.Prefix) {
	for _, r := range x.exits {
		out = append(out, r.exit.Addrs...)
	}
	return out
}

// enter gives a router a leg in one of its networks. A bridge domain has one door to
// L3, so all ports that lie in one network have to be of one router.
func (g *routing) enter(r *router, p RouterPort, inside map[string]string) error {
	name := p.Net.Name()
	if g.outsides[name] != nil {
		return fmt.Errorf("%s is an external network here", name)
	}
	if other, dup := inside[name]; dup && other != p.Router {
		return fmt.Errorf("router %s is in %s already: on one host a network has one router", other, name)
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
		for _, o := range g.outsides[r.exit.Net.Name()].addrs() {
			if a.Overlaps(o) {
				return fmt.Errorf("gateway_ip: %s overlaps %s, by which the router leads out", a, o)
			}
		}
	}
	if r.legs[name] == nil {
		r.legs[name] = &leg{}
	}
	r.legs[name].ports = append(r.legs[name].ports, p)
	inside[name] = p.Router
	return nil
}

// float finds the routers of floating IPs. One whose router is not there, or does not
// lead out where the address is, waits.
func (g *routing) float(fips map[string]FloatingIP) {
	inside := map[string]*router{}
	external := map[netip.Addr]string{}
	for _, r := range g.routers {
		for name := range r.legs {
			inside[name] = r
		}
		if r.exit != nil {
			for _, a := range r.exit.Addrs {
				external[a.Addr()] = "router " + r.id
			}
		}
	}
	type host struct {
		router *router
		addr   netip.Addr
	}
	hosts := map[host]string{}
	for _, name := range slices.Sorted(maps.Keys(fips)) {
		f := fips[name]
		part := Part{Network: f.External.Name()}
		r := inside[f.Internal.Name()]
		switch {
		case r == nil:
			part.Lacks = fmt.Errorf("waits for a router in %s", f.Internal.Name())
		case r.exit == nil || r.exit.Net.Name() != f.External.Name():
			part.Lacks = fmt.Errorf("waits for a gateway of router %s in %s", r.id, f.External.Name())
		case !r.exit.first4().IsValid():
			part.Lacks = fmt.Errorf("waits for an IPv4 address of router %s in %s", r.id, f.External.Name())
		case external[f.Floating] != "":
			part.Wrong = fmt.Errorf("floating_ip_address: %s is that of %s", f.Floating, external[f.Floating])
		case hosts[host{r, f.Fixed}] != "":
			part.Wrong = fmt.Errorf("fixed_ip_address: %s has floating IP %s already", f.Fixed, hosts[host{r, f.Fixed}])
		default:
			external[f.Floating], hosts[host{r, f.Fixed}] = "floating IP "+f.ID, f.ID
			r.floats = append(r.floats, f)
		}
		g.out.Parts[name] = part
	}
}
