// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

// floats is what routers and claims are to floating IPs. It changes with keys of routers; what changes with
// those of floating IPs is all, asks, and a router's floats.
type floats struct {
	all    map[string]FloatingIP
	asks   map[place][]string    // who asks for what
	of     map[string]*router    // whose each is that is served
	routed map[place]bool        // what keys of routers ask for
	inside map[string][]*router  // by network
	taken  map[netip.Addr]string // by whom: routers' addresses
}

// float finds the routers of all floating IPs.
func (g *routing) float(ports map[string]RouterPort, fips map[string]FloatingIP) {
	g.floats = floats{map[string]FloatingIP{}, map[place][]string{}, map[string]*router{}, map[place]bool{}, map[string][]*router{}, map[netip.Addr]string{}}
	for _, p := range ports {
		for _, c := range p.claims() {
			g.floats.routed[c.place()] = true
		}
	}
	g.plains = map[netip.Prefix][]reach{}
	for _, x := range g.outsides {
		x.mean()
		g.plain(x)
	}
	for _, id := range slices.Sorted(maps.Keys(g.routers)) {
		r := g.routers[id]
		for name := range r.legs {
			g.floats.inside[name] = append(g.floats.inside[name], r)
		}
		if r.exit != nil {
			for _, a := range r.exit.Addrs {
				g.floats.taken[a.Addr()] = "router " + r.id
			}
		}
	}
	names := slices.Sorted(maps.Keys(fips))
	for _, name := range names {
		g.floats.ask(fips[name])
	}
	g.serve(names)
}

// ask notes what a floating IP asks for.
func (x *floats) ask(f FloatingIP) {
	x.all[f.Name()] = f
	for _, c := range f.claims() {
		x.asks[c.place()] = append(x.asks[c.place()], f.Name())
	}
}

// serve finds the routers of floating IPs of these names, in order: all that ask for what one of them asks for
// are among them. One whose router is not there, or does not lead out where the address is, waits.
func (g *routing) serve(names []string) {
	external := map[netip.Addr]string{}
	type host struct {
		net  string
		addr netip.Addr
	}
	hosts := map[host]string{}
	for _, name := range names {
		f := g.floats.all[name]
		part := Part{Network: f.External.Name()}
		way, at := f.External.Name()+" "+alone(f.Floating).String(), host{f.Internal.Name(), f.Fixed}
		r, wait := g.behind(f, g.floats.inside[f.Internal.Name()])
		barred := g.barred(name, f.claims()...)
		var unowned error
		if wait == nil {
			served := slices.ContainsFunc(g.held[name], func(c Claim) bool { return c.Kind == through })
			x := g.outsides[f.External.Name()]
			unowned = cmp.Or(x.unowned(f, r, served), g.inside(x, f, r, served))
		}
		other := cmp.Or(g.floats.taken[f.Floating], external[f.Floating])
		switch {
		case wait != nil:
			part.Lacks = wait
		case unowned != nil:
			part.Wrong = unowned
		case g.led[way] != "":
			part.Lacks = fmt.Errorf("waits: there is an extra route to %s, of %s", alone(f.Floating), g.led[way])
		case barred != nil:
			part.Wrong = barred
		case other != "":
			part.Wrong = fmt.Errorf("floating_ip_address: %s is that of %s", f.Floating, other)
		case hosts[at] != "":
			part.Wrong = fmt.Errorf("fixed_ip_address: %s has floating IP %s already", f.Fixed, hosts[at])
		default:
			external[f.Floating], hosts[at] = "floating IP "+f.ID, f.ID
			i, _ := slices.BinarySearchFunc(r.floats, f, FloatingIP.compare)
			r.floats, g.floats.of[name] = slices.Insert(r.floats, i, f), r
			g.hold(name, append(f.claims(), Claim{Kind: through, As: natTable(r.id), By: name})...)
		}
		g.out.Parts[name] = part
	}
}

// behind finds the router of a floating IP: of those in the host's network the one that
// leads out where the address is. Of several, since nobody says which is meant, the one
// whose it has been, or the first.
func (g *routing) behind(f FloatingIP, in []*router) (r *router, wait error) {
	if len(in) == 0 {
		return nil, fmt.Errorf("waits for a router in %s", f.Internal.Name())
	}
	var ids []string
	for _, o := range in {
		ids = append(ids, o.id)
		switch had := slices.Contains(g.held[f.Name()], Claim{Kind: through, As: natTable(o.id), By: f.Name()}); {
		case o.exit == nil || o.exit.Net.Name() != f.External.Name():
		case r == nil || !r.exit.first4().IsValid() || had:
			r = o
		}
	}
	switch {
	case r == nil:
		return nil, fmt.Errorf("waits for a gateway of router %s in %s", strings.Join(ids, " or "), f.External.Name())
	case !r.exit.first4().IsValid():
		return nil, fmt.Errorf("waits for an IPv4 address of router %s in %s", r.id, f.External.Name())
	}
	return r, nil
}

// Before is how it was of what was looked at anew: there is an entry for each source and key, a zero one for
// those that were not there.
type Before struct {
	Wants map[string][]desiredstate.Object
	Parts map[string]Part
}

// Float makes of r what Site.Routing would if floating IPs of these names have changed, and nothing else: it looks at
// them, and at those that ask for what one of them does, or did. It changes r in place, but for Voices, which it
// replaces. false: routers have to do with it, so all are to be looked at.
func (r *Routing) Float(changed []string, fips map[string]FloatingIP) (before Before, ok bool) {
	g := r.made
	if g == nil {
		return before, false
	}
	names, ok := g.contenders(changed, fips)
	if !ok {
		return before, false
	}
	worlds := g.worlds(names, fips)
	before, held := Before{map[string][]desiredstate.Object{}, map[string]Part{}}, Holds{}
	alike := true // are routers and networks, whatever floating IPs they have
	for _, name := range names {
		held[name] = g.out.Holds[name]
		alike = alike && g.floats.of[name].alike()
		g.sink(name, before)
	}
	var there []string
	for _, name := range names {
		if f, ok := fips[name]; ok {
			there = append(there, name)
			g.floats.ask(f)
			g.keep(name, held[name], f.claims())
		}
	}
	g.serve(there)
	for _, name := range there {
		alike = alike && g.floats.of[name].alike() && !g.letsGo(name)
	}
	for x, outlying := range worlds {
		alike = alike && x.outlying() == outlying
	}
	if !alike {
		r.restore(before, held)
		return before, false
	}
	g.out.Work = 0
	g.out.Voices = maps.Clone(g.out.Voices)
	for _, name := range names {
		f, r := g.floats.all[name], g.floats.of[name]
		if r != nil {
			at := door(f.External)
			g.out.Voices[at] = slices.Clone(g.out.Voices[at])
			g.mapped(r, f)
			slices.SortFunc(g.out.Voices[at], Voice.compare)
			before.Wants[f.source()] = before.Wants[f.source()] // nothing, if it was not there
		}
	}
	*r = g.out
	return before, true
}

// restore has r be as it was.
func (r *Routing) restore(before Before, held Holds) {
	for source, objs := range before.Wants {
		if objs != nil {
			r.Wants[source] = objs
		}
	}
	for name, part := range before.Parts {
		delete(r.Parts, name)
		delete(r.Holds, name)
		if part.Network != "" {
			r.Parts[name] = part
		}
		if held[name] != nil {
			r.Holds[name] = held[name]
		}
	}
}

// contenders are floating IPs of these names, and all that could have what they let go, or want what they take.
// false: so could a router.
func (g *routing) contenders(changed []string, fips map[string]FloatingIP) (names []string, ok bool) {
	seen := map[string]bool{}
	for todo := changed; len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, f := range []map[string]FloatingIP{g.floats.all, fips} {
			if _, there := f[name]; !there {
				continue
			}
			if g.contested(f[name]) {
				return nil, false
			}
			for _, c := range f[name].claims() {
				if g.floats.routed[c.place()] {
					return nil, false
				}
				todo = append(todo, g.floats.asks[c.place()]...)
			}
		}
	}
	return slices.Sorted(maps.Keys(seen)), true
}

// sink takes away what was made of a floating IP, and notes it as it was.
func (g *routing) sink(name string, before Before) {
	before.Parts[name] = g.out.Parts[name]
	delete(g.out.Parts, name)
	delete(g.out.Holds, name)
	delete(g.held, name)
	f, there := g.floats.all[name]
	if !there {
		return
	}
	delete(g.floats.all, name)
	for _, c := range f.claims() {
		delete(g.had, c.place()) // whose that was is looked at, too
		delete(g.floats.asks, c.place())
	}
	source := f.source()
	before.Wants[source] = g.out.Wants[source]
	delete(g.out.Wants, source)
	delete(g.wanted, source)
	if r := g.floats.of[name]; r != nil {
		delete(g.floats.of, name)
		r.floats = slices.DeleteFunc(r.floats, func(o FloatingIP) bool { return o.ID == f.ID })
		at := door(f.External)
		g.out.Voices = maps.Clone(g.out.Voices)
		g.out.Voices[at] = slices.DeleteFunc(slices.Clone(g.out.Voices[at]), func(v Voice) bool { return v.By == f.answers().Key() })
		if len(g.out.Voices[at]) == 0 {
			delete(g.out.Voices, at)
		}
	}
}

// alike says whether a router, and what its network knows of it, are the same whatever floating IPs it has.
func (r *router) alike() bool { return r == nil || r.exit.SNAT }

// worlds are the external networks that floating IPs of these names are in, or come to be in, and whether there is
// one of a subnet that nobody names.
func (g *routing) worlds(names []string, fips map[string]FloatingIP) map[*external]bool {
	out := map[*external]bool{}
	for _, name := range names {
		for _, all := range []map[string]FloatingIP{g.floats.all, fips} {
			if x := g.outsides[all[name].External.Name()]; x != nil {
				out[x] = x.outlying()
			}
		}
	}
	return out
}
