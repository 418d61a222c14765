// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// Routing is what the keys of a host's routers come to, all together: a floating IP
// names no router, and routers share external networks.
type Routing struct {
	Wants map[string][]desiredstate.Object // by what wants them: a router, an external network, a floating IP
	Parts map[string]Part                  // by the names of the keys, below Site.Routers

	Voices map[string][]Voice // by interface: where hosts shall find it
	Doors  map[string]Door    // by interface: those in overlays

	Holds Holds // what the keys have that others cannot have too

	Work int // how many routers, external networks, floating IPs and exempt addresses were translated for it, last

	made *routing // how it came about
}

// Voice is an address that hosts shall find on an interface, and what puts it there.
type Voice struct {
	Addr netip.Addr
	By   desiredstate.Key
}

func (v Voice) compare(o Voice) int { return cmp.Or(v.Addr.Compare(o.Addr), v.By.Compare(o.By)) }

// Door is an interface of routers in a network of an overlay.
type Door struct {
	Net
	MAC vppnet.MAC
}

// Part is what one key comes to.
type Part struct {
	Network string
	Sources []string           // in Routing.Wants, of what it needs
	Needs   []desiredstate.Key // what has to be there for it
	Wrong   error              // why it is not served, until a key changes
	Lacks   error              // what it waits for, or what of it is not served
}

// Routing turns all keys of routers and floating IPs into what VPP shall hold. If the
// host is not serving, all of it is there with its links down, and no BVI in a bridge domain. Who has had something
// before that others ask for too keeps it.
//
//	router's table     legs, by BVIs; the way out, by the external network's BVI, or by NAT, see crossing
//	external's table   one BVI, with all routers' addresses; what leaves is routed here
//
// NAT translates what comes to it from a router if the external table has a way to where it
// goes, and has it go on there; so routers may have the same addresses inside, and
// external networks the same outside. Floating IPs have routes to nowhere
// in the external table: what goes there goes on to the table of the router's NAT that has it.
func (s Site) Routing(ports map[string]RouterPort, fips map[string]FloatingIP, serving bool, before Holds) Routing {
	return s.Reroute(Routing{}, ports, fips, serving, before)
}

// Reroute is Routing, which takes over from another one what is exempt from NAT there and here: that is much, and
// hardly ever changes.
func (s Site) Reroute(last Routing, ports map[string]RouterPort, fips map[string]FloatingIP, serving bool, before Holds) Routing {
	g := s.decide(ports, fips, serving, before)
	first, lost := g.held, false
	for range len(ports) + len(fips) { // who is served no more lets go, so others are served
		if !slices.ContainsFunc(slices.Collect(maps.Keys(g.held)), g.letsGo) {
			break
		}
		g, lost = s.decide(ports, fips, serving, g.out.Holds), true
	}
	if lost {
		g.waits(first)
	}
	for _, name := range slices.Sorted(maps.Keys(g.outsides)) {
		g.world(g.outsides[name])
	}
	g.spare(last.made)
	for _, id := range slices.Sorted(maps.Keys(g.routers)) {
		g.route(g.routers[id])
	}
	for _, all := range g.out.Voices {
		slices.SortFunc(all, Voice.compare)
	}
	g.out.made = g
	return g.out
}

// decide finds out who is served, and has what others ask for, too.
func (s Site) decide(ports map[string]RouterPort, fips map[string]FloatingIP, serving bool, before Holds) *routing {
	g := &routing{site: s, serving: serving, wanted: map[string]map[desiredstate.Key]bool{}, out: Routing{
		Wants: map[string][]desiredstate.Object{}, Parts: map[string]Part{}, Voices: map[string][]Voice{}, Doors: map[string]Door{},
	}}
	g.inherit(before, ports, fips)
	g.sort(ports)
	g.ledOut()
	g.float(ports, fips)
	g.settle()
	return g
}

// want adds objects to what a source wants, and to what keys need. What is there
// already is the same: the uplink of two networks.
func (g *routing) want(source string, objs []desiredstate.Object, keys ...string) {
	have := g.wanted[source]
	if have == nil {
		have = map[desiredstate.Key]bool{}
		g.wanted[source] = have
	}
	for _, o := range objs {
		if !have[o.Key()] {
			have[o.Key()] = true
			g.out.Wants[source] = append(g.out.Wants[source], o)
		}
	}
	for _, name := range keys {
		p := g.out.Parts[name]
		if !slices.Contains(p.Sources, source) {
			p.Sources = append(p.Sources, source)
		}
		for _, o := range objs {
			p.Needs = append(p.Needs, o.Key())
		}
		g.out.Parts[name] = p
	}
}

func (g *routing) voice(door string, a netip.Addr, by desiredstate.Key) {
	g.out.Voices[door] = append(g.out.Voices[door], Voice{a, by})
}

// stand says that a door is here, if the host serves.
func (g *routing) stand(door string, n Net, mac vppnet.MAC) []desiredstate.Object {
	if !g.serving || n.overlay == nil {
		return nil
	}
	g.out.Doors[door] = Door{n, mac}
	return n.here(mac)
}

func (g *routing) lacks(name string, err error) {
	p := g.out.Parts[name]
	p.Lacks = errors.Join(p.Lacks, err)
	g.out.Parts[name] = p
}

// route wants a router, and its floating IPs.
func (g *routing) route(r *router) {
	g.out.Work++
	table, source := routerTable(r.id), "router/"+r.id
	var keys []string
	for _, net := range slices.Sorted(maps.Keys(r.legs)) {
		l := r.legs[net]
		var of []string
		for _, p := range l.ports {
			of = append(of, p.Name())
		}
		keys = append(keys, of...)
		g.want(source, g.leg(r, l), of...)
	}
	if r.exit != nil {
		keys = append(keys, r.exit.Name())
		g.want(source, g.exit(r), r.exit.Name())
	}
	g.want(source, []desiredstate.Object{l3.Table{Name: table, ID: r.vrf}}, keys...)
	for _, f := range r.floats {
		g.mapped(r, f)
	}
}

// mapped wants a floating IP of a router.
func (g *routing) mapped(r *router, f FloatingIP) {
	g.out.Work++
	g.voice(door(f.External), f.Floating, f.answers().Key())
	var into []l3.Path // nowhere, and so no way for NAT
	if x := g.outsides[f.External.Name()]; x.entered {
		into = []l3.Path{{Table: entrance(f.External)}}
		g.want(f.source(), x.entries(r, f.Floating, into), f.Name())
	}
	g.want(f.source(), []desiredstate.Object{
		nat.Plugin{},
		f.mapping(natTable(r.id)),
		f.answers(),
		l3.Route{Table: outside(f.External), Prefix: alone(f.Floating), Paths: into},
		l3.Route{Table: natTable(r.id), Prefix: alone(f.Floating), Paths: []l3.Path{{Interface: farEnd(r.id)}}},
	}, f.Name())
}

// leg is the network, and the router's BVI in it.
func (g *routing) leg(r *router, l *leg) []desiredstate.Object {
	net, table := l.net(), routerTable(r.id)
	gateway := l3.Gateway{
		Name: l.door, Bridge: net.Name(), Table: table, Addresses: l.addrs(),
		MAC: l.ports[0].MAC, MTU: l.ports[0].MTU, Down: !g.serving,
	}
	objs := append(net.objects(), believed()...)
	if l.door != door(net) {
		side, name := l.ports[0].aside()
		gateway.Bridge = name
		objs = append(objs, side...)
	}
	objs = append(objs, gateway.Objects()...)
	objs = append(objs, clamp(gateway.Name, gateway.MTU, r.largest())...)
	objs = append(objs, g.stand(gateway.Name, net, gateway.MAC)...)
	for _, a := range gateway.Addresses {
		g.voice(gateway.Name, a.Addr(), l3.AddressKey(gateway.Name, a))
	}
	var advert l3.RouterAdvertisement
	for _, a := range gateway.Addresses {
		if a.Addr().Is4() {
			continue
		}
		if !advert.Address.IsValid() {
			advert = l3.RouterAdvertisement{Interface: gateway.Name, Address: a}
		}
		p := l3.AdvertisedPrefix{Prefix: a.Masked(), NoAutonomous: a.Bits() != 64}
		if !slices.ContainsFunc(advert.Prefixes, func(o l3.AdvertisedPrefix) bool { return o.Prefix.Addr() == p.Prefix.Addr() }) {
			advert.Prefixes = append(advert.Prefixes, p)
		}
	}
	if advert.Address.IsValid() {
		objs = append(objs, advert)
	}
	return objs
}

// mtuOf is what goes by a door; 0: VPP's default for loopbacks.
func mtuOf(mtu uint32) uint32 {
	if mtu == 0 {
		return 9000
	}
	return mtu
}

// largest is the largest packet that can come to a router from anywhere.
func (r *router) largest() (out uint32) {
	for _, l := range r.legs {
		out = max(out, mtuOf(l.ports[0].MTU))
	}
	if r.exit != nil {
		out = max(out, mtuOf(r.exit.MTU))
	}
	return out
}

// clamp bounds what TCP announces by a door, if there are doors beside it of which larger packets
// come: they would be dropped, and what VPP says of that may not arrive, or not be believed.
func clamp(door string, mtu, largest uint32) []desiredstate.Object {
	if mtu = mtuOf(mtu); mtu >= largest {
		return nil
	}
	m := l3.MSSClamp{Interface: door, IPv4: l3.Clamp{MSS: uint16(mtu - 40)}}
	if mtu >= 1280 {
		m.IPv6.MSS = uint16(mtu - 60)
	}
	return []desiredstate.Object{m}
}

// believed is for how long VPP believes what MAC a neighbour has: by itself for ever, and a
// machine that takes over an address need not say so.
func believed() []desiredstate.Object {
	const age = 20 * time.Second
	return []desiredstate.Object{l3.NeighbourCache{Age: age}, l3.NeighbourCache{IPv6: true, Age: age}}
}

// exit is the router's way out.
func (g *routing) exit(r *router) (objs []desiredstate.Object) {
	table, out, by := routerTable(r.id), outside(r.exit.Net), door(r.exit.Net)
	routes := map[netip.Prefix]l3.Route{}
	for _, next := range r.exit.Next {
		all := netip.PrefixFrom(unspecified(next), 0)
		routes[all] = l3.Route{Table: table, Prefix: all, Paths: []l3.Path{{Interface: by, NextHop: next}}}
	}
	for _, a := range r.exit.Addrs { // who is there is found there
		routes[a.Masked()] = l3.Route{Table: table, Prefix: a.Masked(), Paths: []l3.Path{{Table: out}}}
	}
	for _, e := range r.exit.Routes {
		paths, _, lost := r.ways(e)
		for _, hop := range lost {
			g.lacks(r.exit.Name(), fmt.Errorf("routes: nexthop %s is in none of the router's networks", hop))
		}
		if len(paths) > 0 {
			routes[e.To] = l3.Route{Table: table, Prefix: e.To, Paths: paths}
		}
	}
	for _, a := range r.exit.lacksOf() {
		g.lacks(r.exit.Name(), fmt.Errorf("external_gateway_ip: nobody was named yet by whom %s leads out", a.Addr()))
	}
	own := slices.SortedFunc(maps.Values(routes), func(a, b l3.Route) int { return a.Key().Compare(b.Key()) })
	if r.translates() {
		own, objs = g.crossing(r, own)
	}
	for _, r := range own {
		objs = append(objs, r)
	}
	return objs
}
