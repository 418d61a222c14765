// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// exempts says whether hosts of the router are seen outside as who they are.
func (r *router) exempts() bool { return r.exit != nil && r.exit.first4().IsValid() && !r.exit.SNAT }

// enters says whether there is a pipe into the external network: what hosts that are not translated send to floating
// IPs of another router never comes in by its door, where those are known.
func (x *external) enters() bool {
	translate := 0
	for _, r := range x.exits {
		if r.translates() {
			translate++
		}
	}
	return slices.ContainsFunc(x.exits, func(r *router) bool {
		return r.exempts() && (translate > 1 || translate == 1 && !r.translates())
	})
}

// entrance names the table by which floating IPs are reached from inside as from outside.
func entrance(n Net) string { return "into-" + n.Name() }

// enter is the pipe into the external network. Its far end is in a table of its own: VPP takes a floating IP for an
// address of the outside interface that came last to a table, and answers ARP by no other.
func (x *external) enter() []desiredstate.Object {
	name, table := x.net.Name(), entrance(x.net)
	near, far := nearEnds+name, farEnds+name
	outer := nat.Interface{Interface: far, Table: far, Outside: true}
	objs := joined("pipe-"+name,
		pipeEnd{name: near, table: table, mtu: x.exits[0].exit.MTU, addr: nobody},
		pipeEnd{name: far, table: far, addr: nobody, after: []desiredstate.Key{outer.Key()}},
	)
	return append(objs, outer,
		l3.Table{Name: table, ID: tableNumber(table), NoIPv6: true}, l3.Route{Table: table, Prefix: everywhere4, Paths: []l3.Path{{Interface: near}}},
		l3.Table{Name: far, ID: tableNumber(far), NoIPv6: true}, l3.Route{Table: far, Prefix: everywhere4, Paths: []l3.Path{{Table: outside(x.net)}}})
}

// entries are the ways to a router's floating IP of others whose hosts are not translated, if it is in no subnet
// that they know to be outside, and in none inside.
func (x *external) entries(of *router, floating netip.Addr, into []l3.Path) (objs []desiredstate.Object) {
	for _, r := range x.exits {
		if r == of || !r.exempts() || r.knows(floating) {
			continue
		}
		table := routerTable(r.id)
		if r.translates() {
			table = wayTable(r.id)
		}
		objs = append(objs, l3.Route{Table: table, Prefix: alone(floating), Paths: into})
	}
	return objs
}

// knows says whether an address means something in the router's table, but for the way to everywhere.
func (r *router) knows(a netip.Addr) bool {
	holds := func(p netip.Prefix) bool { return p.Contains(a) }
	for _, l := range r.legs {
		if slices.ContainsFunc(l.addrs(), holds) {
			return true
		}
	}
	return slices.ContainsFunc(r.exit.Addrs, holds) ||
		slices.ContainsFunc(r.exit.Next, func(next netip.Addr) bool { return next == a }) ||
		slices.ContainsFunc(r.exit.Routes, func(e ExtraRoute) bool { return e.To.Contains(a) })
}
