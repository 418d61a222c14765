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
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// A router that translates has its NAT a pipe away from its legs, in tables of its own:
//
//	router's table   legs; what leads out goes into the pipe
//	NAT's table      the pipe's far end, where NAT is, and the floating IPs; all else a table further
//	ways             out to the external network, and by the pipe back to the router's hosts
//
// VPP puts a host's own address into a packet to a floating IP at once, and looks for it in the
// table in which it found the floating one; what answers has to come in by that table, too. So a
// router's floating IPs are in NAT's table and no host is: of other routers' tables VPP takes those for a
// way that lead to an interface themselves, and hosts are a table further. Such a table is an exit for
// all routers of the external network, and their hosts reach its floating IPs, whoever has the same addresses
// inside. What is too large for the way out is refused at the pipe, before NAT, so who sent it is told. And
// what stays within a router never comes to NAT.

// natTable and wayTable name a router's tables beside its own.
func natTable(router string) string { return farEnds + router }
func wayTable(router string) string { return "ways-" + router }

// nearEnd and farEnd name the ends of its pipe.
func nearEnd(router string) string { return nearEnds + router }
func farEnd(router string) string  { return farEnds + router }

const (
	nearEnds = "to-nat-"
	farEnds  = "nat-"
)

// nobody is the address of the pipe's end that none needs (RFC 7600).
var nobody = netip.AddrFrom4([4]byte{192, 0, 0, 8})

// crossing is the pipe and what is behind it, for a router whose table would have these routes.
// It returns those that the table has then.
func (g *routing) crossing(r *router, routes []l3.Route) (own []l3.Route, objs []desiredstate.Object) {
	pipe, near, far := "pipe-"+r.id, nearEnd(r.id), farEnd(r.id)
	nats, ways := natTable(r.id), wayTable(r.id)
	add := func(more ...desiredstate.Object) { objs = append(objs, more...) }
	add(l3.Table{Name: nats, ID: tableNumber(nats), NoIPv6: true}, l3.Table{Name: ways, ID: tableNumber(ways), NoIPv6: true})
	inside := nat.Interface{Interface: far, Table: nats, Inside: true}
	exit := nat.Exit{Table: nats, To: append([]string{outside(r.exit.Net)}, g.neighbours(r)...)}
	add(joined(pipe,
		pipeEnd{name: near, table: routerTable(r.id), mtu: r.exit.MTU, addr: nobody},
		pipeEnd{name: far, table: nats, addr: r.exit.first4(), after: []desiredstate.Key{inside.Key(), exit.Key()}}, // or something would come out as it went in
	)...)
	add(nat.Plugin{}, inside, exit, l3.Route{Table: nats, Prefix: everywhere4, Paths: []l3.Path{{Table: ways}}})
	if r.exit.SNAT {
		add(nat.Address{Address: r.exit.first4(), Table: nats})
	}

	in := map[netip.Prefix]bool{}
	for _, l := range r.legs {
		for _, a := range l.addrs() {
			if a.Addr().Is4() {
				in[a.Masked()] = true
			}
		}
	}
	leads := false
	for _, route := range routes {
		if route.Prefix.Addr().Is6() {
			own = append(own, route)
			continue
		}
		leads = leads || route.Prefix == everywhere4
		stays, out := r.parted(route.Paths)
		if len(out) == 0 {
			in[route.Prefix] = true
		} else {
			add(l3.Route{Table: ways, Prefix: route.Prefix, Paths: out})
			stays = append(stays, r.share(near, len(stays), len(out)))
		}
		route.Paths = stays
		own = append(own, route)
	}
	if !leads {
		own = append(own, l3.Route{Table: routerTable(r.id), Prefix: everywhere4, Paths: []l3.Path{{Interface: near}}})
	}
	for _, p := range slices.SortedFunc(maps.Keys(in), netip.Prefix.Compare) {
		add(l3.Route{Table: ways, Prefix: p, Paths: []l3.Path{{Interface: far}}})
	}
	return own, objs
}

// pipeEnd is an end of a pipe, and where it is.
type pipeEnd struct {
	name, table string
	mtu         uint32
	addr        netip.Addr
	after       []desiredstate.Key // what has to be there before packets come
}

// joined is a pipe between two tables.
func joined(pipe string, near, far pipeEnd) []desiredstate.Object {
	objs := []desiredstate.Object{vppnet.Pipe{Name: pipe}, vppnet.LinkState{Interface: pipe, Up: true}}
	for i, e := range []pipeEnd{near, far} {
		member := l3.Membership{Interface: e.name, Table: e.table, NoIPv6: true}
		address := l3.Address{Interface: e.name, Prefix: alone(e.addr), Table: e.table}
		objs = append(objs, vppnet.PipeEnd{Name: e.name, Pipe: pipe, Second: i == 1}, member, address, vppnet.LinkState{
			Interface: e.name, Up: true, Parent: pipe, MTU: e.mtu, After: append([]desiredstate.Key{member.Key(), address.Key()}, e.after...),
		})
	}
	return objs
}

// share is the path into the pipe, of as many flows as went by the paths that lead out.
func (r *router) share(near string, stay, out int) l3.Path {
	p := l3.Path{Interface: near}
	if stay > 0 && out > 1 {
		p.Weight = uint8(out)
	}
	return p
}

var everywhere4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// parted are the paths that stay within the router, and those that lead out.
func (r *router) parted(paths []l3.Path) (stays, out []l3.Path) {
	for _, p := range paths {
		if p.Table != "" || p.Interface == door(r.exit.Net) {
			out = append(out, p)
		} else {
			stays = append(stays, p)
		}
	}
	return stays, out
}

// maxNeighbours is how many routers of an external network have floating IPs that hosts of its other routers
// reach: VPP looks through them one by one, and is told of each for each other one.
const maxNeighbours = 64

// neighbours are the tables of the other routers' floating IPs in the external network. Those of routers that came
// later are later, as far as their numbers tell: then VPP is told of them alone.
func (g *routing) neighbours(r *router) (tables []string) {
	x := g.outsides[r.exit.Net.Name()]
	if x.lending == nil {
		for _, o := range x.exits {
			if o.translates() {
				x.lending = append(x.lending, o)
			}
		}
		slices.SortFunc(x.lending, func(a, b *router) int { return cmp.Or(cmp.Compare(a.vrf, b.vrf), cmp.Compare(a.id, b.id)) })
	}
	for i, o := range x.lending {
		switch {
		case i < maxNeighbours && o != r:
			tables = append(tables, natTable(o.id))
		case i >= maxNeighbours && o == r:
			g.lacks(r.exit.Name(), fmt.Errorf("floating IPs: hosts of other routers in %s do not reach this router's, as they reach those of %d others", x.net.Name(), maxNeighbours))
		}
	}
	return tables
}
