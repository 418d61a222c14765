// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// Claim is what a key asks for that not every other can have too.
type Claim struct {
	Kind   claimKind
	In     string       // where it counts: a network, a router, an address
	Prefix netip.Prefix // of kinds that are about prefixes
	As     string       // what has to be the same for all
	By     string       // for whom: a router, or one key. What is claimed for one does not contradict itself
}

type claimKind string

const (
	number  claimKind = "number"  // of a table, for a router
	counted claimKind = "counted" // the router's table, by a number
	role    claimKind = "role"    // of a network: inside or outside
	wayOut  claimKind = "gateway" // of a router, one port's
	own     claimKind = "address" // of an external network, a router's or a floating IP's
	subnet  claimKind = "subnet"  // of an external network, of one length
	inner   claimKind = "inner"   // prefix of a router, in one network
	lent    claimKind = "host"    // in a network, with a floating IP
	led     claimKind = "way"     // from an external network to a prefix
	back    claimKind = "back"    // from an external network to a prefix: nobody contends for it, but who had it comes first
	spare   claimKind = "spare"   // from NAT, what is behind the router: so, too
	entry   claimKind = "entry"   // by which door a router is in a network: nobody contends for it
	face    claimKind = "face"    // whose MAC and MTU a router's interface in a network has: nobody contends for it
	through claimKind = "through" // of which router a floating IP is: nobody contends for it
)

// Holds says which claims the keys below Site.Routers have that are served. Who has one
// keeps it as long as its key asks for it; others are told.
type Holds map[string][]Claim

// against says whether c cannot be had beside o.
func (c Claim) against(o Claim) bool {
	if c.Kind != o.Kind || c.In != o.In || c.By == o.By {
		return false
	}
	switch c.Kind {
	case role, counted:
		return c.As != o.As
	case subnet:
		return clashes(c.Prefix, o.Prefix)
	case inner:
		return c.Prefix.Overlaps(o.Prefix) && (c.As != o.As || c.Prefix.Bits() != o.Prefix.Bits() || c.Prefix.Addr() == o.Prefix.Addr())
	case back, spare, entry, face, through:
		return false
	default:
		return true
	}
}

func alone(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// claims lists what the port asks for.
func (p RouterPort) claims() []Claim {
	as := "inside"
	if p.External {
		as = "outside"
	}
	out := []Claim{
		{Kind: number, In: strconv.FormatUint(uint64(p.VRF), 10), By: p.Router},
		{Kind: counted, In: p.Router, As: strconv.FormatUint(uint64(p.VRF), 10), By: p.Name()},
		{Kind: role, In: p.Net.Name(), As: as, By: p.Name()},
	}
	if p.External {
		out = append(out, Claim{Kind: wayOut, In: p.Router, By: p.Name()})
		for _, e := range p.Routes {
			out = append(out, p.way(e), p.back(e.To), p.spare(e.To))
		}
		for _, next := range p.Next {
			out = append(out, p.hop(next))
		}
	}
	for _, a := range p.Addrs {
		if p.External {
			out = append(out, p.owns(a), p.subnet(a))
		} else {
			out = append(out, p.back(a.Masked()), p.spare(a.Masked()))
		}
		out = append(out, p.inner(a))
	}
	return out
}

// whole lists the claims without which there is nothing of the port.
func (p RouterPort) whole() []Claim {
	return slices.DeleteFunc(p.claims(), func(c Claim) bool {
		return c.Kind == back || c.Kind == spare || p.External && !slices.Contains([]claimKind{number, counted, role, wayOut}, c.Kind)
	})
}

func (p RouterPort) inner(a netip.Prefix) Claim {
	return Claim{Kind: inner, In: p.Router, Prefix: a, As: p.Net.Name(), By: p.Name()}
}

func (p RouterPort) owns(a netip.Prefix) Claim {
	return Claim{Kind: own, In: a.Addr().String(), By: p.Router}
}

func (p RouterPort) subnet(a netip.Prefix) Claim {
	return Claim{Kind: subnet, In: p.Net.Name(), Prefix: a, By: p.Router}
}

func (p RouterPort) way(e ExtraRoute) Claim {
	return Claim{Kind: led, In: p.Net.Name() + " " + e.To.String(), By: p.Router}
}

// back is the way to what is behind the router.
func (p RouterPort) back(to netip.Prefix) Claim {
	return Claim{Kind: back, In: to.String(), Prefix: to, By: p.Router}
}

// spare is that what is behind the router is exempt from NAT.
func (p RouterPort) spare(to netip.Prefix) Claim {
	return Claim{Kind: spare, In: to.String(), Prefix: to, By: p.Router}
}

// hop is the way to whom the router leads out by.
func (p RouterPort) hop(next netip.Addr) Claim {
	c := p.back(alone(next))
	c.As = p.Net.Name()
	return c
}

// claims lists what the floating IP asks for.
func (f FloatingIP) claims() []Claim {
	return []Claim{
		{Kind: own, In: f.Floating.String(), By: f.Name()},
		{Kind: lent, In: f.Internal.Name() + " " + f.Fixed.String(), By: f.Name()},
		{Kind: led, In: f.External.Name() + " " + alone(f.Floating).String(), By: f.Name()},
	}
}

// held is a claim and whose it is.
type held struct {
	key string
	Claim
}

type place struct {
	kind claimKind
	in   string
}

func (c Claim) place() place { return place{c.Kind, c.In} }

// inherit takes what was held before, as far as it is still asked for.
func (g *routing) inherit(before Holds, ports map[string]RouterPort, fips map[string]FloatingIP) {
	g.had, g.held, g.out.Holds = map[place][]held{}, Holds{}, Holds{}
	for name, p := range ports {
		g.keep(name, before[name], p.claims())
	}
	for name, f := range fips {
		g.keep(name, before[name], f.claims())
	}
}

// keep notes what a key held, as far as it still asks for that. It has it again once it is served.
func (g *routing) keep(key string, held []Claim, asks []Claim) {
	for _, c := range held {
		if c.uncontended() || slices.Contains(asks, c) {
			g.held[key] = append(g.held[key], c)
			g.had[c.place()] = insert(g.had[c.place()], key, c)
		}
	}
}

// uncontended says whether nobody contends for it.
func (c Claim) uncontended() bool { return slices.Contains([]claimKind{entry, face, through}, c.Kind) }

// letsGo says whether a key has something no more that it asks for and had, so another may have it.
func (g *routing) letsGo(key string) bool {
	return slices.ContainsFunc(g.held[key], func(c Claim) bool {
		return !c.uncontended() && !slices.Contains(g.out.Holds[key], c)
	})
}

// waits leaves to keys what they had first and nobody else has now: a floating IP has its address again when its router is
// back, whoever asked for it meanwhile and waits, too.
func (g *routing) waits(first Holds) {
	now := map[place][]held{}
	for key, has := range g.out.Holds {
		for _, c := range has {
			now[c.place()] = append(now[c.place()], held{key, c})
		}
	}
	for key, had := range first {
		for _, c := range had {
			alone := c.uncontended() || c.Kind == back || c.Kind == spare
			if !alone && !slices.ContainsFunc(now[c.place()], func(o held) bool { return o.key != key && c.against(o.Claim) }) {
				g.hold(key, c)
			}
		}
	}
}

// insert keeps them in the order of their keys.
func insert(all []held, key string, c Claim) []held {
	i, _ := slices.BinarySearchFunc(all, key, func(h held, key string) int { return cmp.Compare(h.key, key) })
	return slices.Insert(all, i, held{key, c})
}

// barred says who has what a key asks for; nil: nobody, or the key itself.
func (g *routing) barred(key string, asks ...Claim) error {
	for _, c := range asks {
		if slices.Contains(g.held[key], c) {
			continue
		}
		for _, o := range g.had[c.place()] {
			if o.key != key && c.against(o.Claim) {
				return fmt.Errorf("%s, and had it first", o.words(c))
			}
		}
	}
	return nil
}

// hold notes that a key has what it asked for.
func (g *routing) hold(key string, has ...Claim) {
	for _, c := range has {
		if !slices.Contains(g.out.Holds[key], c) {
			g.out.Holds[key] = append(g.out.Holds[key], c)
		}
	}
}

// words say what is another's.
func (o held) words(c Claim) string {
	switch c.Kind {
	case number:
		return fmt.Sprintf("vrf_id: %s, but router %s has it", c.In, o.By)
	case counted:
		return fmt.Sprintf("vrf_id: %s, but the router has %s", c.As, o.As)
	case role:
		return fmt.Sprintf("%s is %s for %s", c.In, o.As, o.key)
	case wayOut:
		return fmt.Sprintf("the router has a gateway already: %s", o.key)
	case own:
		return fmt.Sprintf("%s is that of %s", c.In, o.key)
	case subnet, inner:
		return fmt.Sprintf("%s overlaps %s in %s of %s", c.Prefix, o.Prefix, c.In, o.key)
	case lent:
		return fmt.Sprintf("fixed_ip_address: %s has %s", c.In, o.key)
	default:
		return fmt.Sprintf("the way to %s is that of %s", c.In, o.key)
	}
}

// Held says which claims keys have by what VPP holds: an agent that starts anew leaves
// with whom it is what others ask for too. A key is taken for served if VPP has what
// only it would have put there: of a floating IP its mapping, by its name; of a leg its
// address in the router's table; of a gateway its address in the external network's,
// and the router's own part in it, which is the pool if it translates.
func (s Site) Held(found map[desiredstate.Key]desiredstate.Object, ports map[string]RouterPort, fips map[string]FloatingIP) Holds {
	out, backs := Holds{}, backsOf(found, ports)
	for name, p := range ports {
		table := routerTable(p.Router)
		t, ok := found[l3.TableKey(table)].(l3.Table)
		if !ok {
			continue
		}
		if p.External {
			out[name] = p.heldOut(found)
		} else if door := p.heldIn(found); door != "" {
			lo, _ := found[vppnet.InterfaceKey(door)].(vppnet.Loopback)
			if lo.MAC != p.MAC && slices.ContainsFunc(slices.Collect(maps.Values(ports)), func(o RouterPort) bool { return o.MAC == lo.MAC && o.twin(p) }) {
				continue
			}
			out[name] = append(p.whole(), Claim{Kind: entry, In: p.Net.Name(), As: door, By: p.Router})
			if lo.MAC == p.MAC {
				out[name] = append(out[name], p.face())
			}
		}
		out[name] = append(out[name], backs.of(p)...)
		if t.ID != p.VRF {
			out[name] = slices.DeleteFunc(out[name], func(c Claim) bool { return c.Kind == number || c.Kind == counted })
		}
	}
	for name, f := range fips {
		m, ok := found[f.mapping("").Key()].(nat.Mapping)
		if !ok {
			continue
		}
		out[name] = slices.DeleteFunc(f.claims(), func(c Claim) bool {
			return c.Kind == lent && m.Local != f.Fixed || c.Kind != lent && m.External != f.Floating
		})
		out[name] = append(out[name], Claim{Kind: through, As: m.Table, By: name})
	}
	return out
}

// twin says whether another port of the router has one of the addresses in the same network, so that VPP's interface has
// it for one of them.
func (p RouterPort) twin(o RouterPort) bool {
	return p.Router == o.Router && p.Port != o.Port && p.Net.Name() == o.Net.Name() &&
		slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool { return slices.Contains(o.Addrs, a) })
}

// face is that the interface has the port's MAC.
func (p RouterPort) face() Claim { return Claim{Kind: face, In: p.Net.Name(), By: p.Name()} }

// heldIn is the door by which VPP has the leg; "": none.
func (p RouterPort) heldIn(found map[desiredstate.Key]desiredstate.Object) string {
	p.measured(found) // the value may describe another subnet than it did
	for _, door := range []string{door(p.Net), p.sideDoor()} {
		for _, a := range p.Addrs {
			if have, ok := found[l3.AddressKey(door, a)].(l3.Address); ok && have.Table == routerTable(p.Router) {
				return door
			}
		}
	}
	return ""
}

// leadsOut says whether VPP has an extra route of the router, to outside.
func (p RouterPort) leadsOut(found map[desiredstate.Key]desiredstate.Object, e ExtraRoute) bool {
	for _, table := range []string{p.table(), wayTable(p.Router)} {
		way, _ := found[l3.RouteKey(table, e.To)].(l3.Route)
		if slices.ContainsFunc(way.Paths, func(by l3.Path) bool { return by.Interface == door(p.Net) && slices.Contains(e.By, by.NextHop) }) {
			return true
		}
	}
	return false
}

// heldOut are the claims that VPP has of a gateway.
func (p RouterPort) heldOut(found map[desiredstate.Key]desiredstate.Object) (out []Claim) {
	table := routerTable(p.Router)
	has := map[netip.Prefix]bool{}
	for _, a := range p.Addrs {
		if _, ok := found[l3.AddressKey(door(p.Net), alone(a.Addr()))]; !ok {
			continue
		}
		if pool, ok := found[nat.AddressKey(a.Addr())].(nat.Address); ok {
			has[a] = pool.Table == natTable(p.Router)
		} else {
			_, has[a] = found[l3.RouteKey(table, a.Masked())]
		}
	}
	for _, c := range p.claims() {
		keep := false
		switch c.Kind {
		case back, spare: // which are not the router's alone to tell
		case own, subnet, inner:
			for a, ok := range has {
				keep = keep || ok && slices.Contains([]Claim{p.owns(a), p.subnet(a), p.inner(a)}, c)
			}
		case led:
			for _, e := range p.Routes {
				keep = keep || c == p.way(e) && p.leadsOut(found, e)
			}
		default:
			for _, ok := range has {
				keep = keep || ok
			}
		}
		if keep {
			out = append(out, c)
		}
	}
	return out
}
