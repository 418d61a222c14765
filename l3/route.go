// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Route says which way packets to a prefix go. Several paths share the flows
// (ECMP). Without a path they are dropped.
type Route struct {
	Table  string
	Prefix netip.Prefix // without host bits
	Paths  []Path       // at most 255, in any order
}

// Equal says whether two routes are the same.
func (r Route) Equal(o Route) bool {
	return r.Table == o.Table && r.Prefix == o.Prefix && slices.Equal(r.Paths, o.Paths)
}

// RouteKey is the key of a Route.
func RouteKey(table string, prefix netip.Prefix) desiredstate.Key {
	name := prefix.String()
	if table != "" {
		name = table + " " + name
	}
	return desiredstate.Key{Space: "route", Name: name}
}

// Key is RouteKey(r.Table, r.Prefix).
func (r Route) Key() desiredstate.Key {
	k := RouteKey(r.Table, r.Prefix)
	if r.pinned() {
		k.Name = vppnet.Foreign("pin " + k.Name)
	}
	return k
}

// pinned tells of a route that is none, but what a change of another one left behind.
func (r Route) pinned() bool { return len(r.Paths) == 1 && r.Paths[0].odd == pin }

// Deps lists the table, and the interfaces and tables of the paths: VPP keeps a
// route whose interface has gone, dead, also when another one has its index.
func (r Route) Deps() []desiredstate.Key {
	deps := append(make([]desiredstate.Key, 0, 1+len(r.Paths)), place.TableDeps(r.Table)...)
	for _, p := range r.Paths {
		deps = p.deps(deps)
	}
	return deps
}

// Validate checks prefix and paths, one by one and together.
func (r Route) Validate() error {
	if err := place.CheckTable(r.Table); err != nil {
		return err
	}
	if err := inet.CheckPrefix(r.Prefix); err != nil {
		return err
	}
	switch p := r.Prefix; {
	case p != p.Masked():
		return fmt.Errorf("prefix %v has host bits, want %v", p, p.Masked())
	case slices.Contains(special, p):
		return fmt.Errorf("prefix %v is VPP's own: it would take the route, and ignore it", p)
	case len(r.Paths) > 255:
		return fmt.Errorf("%d paths, want at most 255", len(r.Paths))
	}
	seen := make(map[Path]bool, len(r.Paths))
	for i, p := range r.Paths {
		if err := p.check(r.Table, r.Prefix); err != nil {
			return fmt.Errorf("path %d: %w", i, err)
		}
		if p.Local && len(r.Paths) > 1 {
			return errors.New("a local path stands alone")
		}
		same := p.normal(r.Prefix)
		same.Weight = 0
		if seen[same] {
			return fmt.Errorf("path %d is there already: give it more weight", i)
		}
		seen[same] = true
	}
	return nil
}

// special are the prefixes for which VPP prefers its own routes to all others.
var special = []netip.Prefix{
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("fe80::/10"),
}

// A RouteClaim lets Routes manage routes in a table that is not ours; "" is the
// default table. Nobody else may make API routes that it accepts.
type RouteClaim func(table string, prefix netip.Prefix) bool

// Routes manages all API routes of our tables, and those that are claimed
// (ip_route_add_del_v2). Paths change in place, all at once; the handle is that of
// the route's counters in VPP's statistics. Routes that others than the API made,
// such as those of interfaces and neighbours, are not shown.
//
// VPP takes a route to a prefix that an address of an interface in the table
// stands for, and hides it while the interface is up; such a prefix is therefore
// taken for foreign as long as it can be seen.
//
// A path to a next hop without an interface is looked up again by VPP (recursive), which it does not
// survive in each order of changes. Routes with such paths are therefore asked for before they are written
// (ip_route_lookup_v2); one of a host, or where a lesser source such as VPP's CLI or DHCP says something of the prefix, leads nowhere
// for a moment as it comes or goes, and so does each next hop that a route covers itself, and which leads nowhere already,
// while that route changes. If we die in between, that stays until it is pruned, or the route changes again.
//
// A reading costs two walks through each table.
func Routes(c *vppnet.Conn, claims ...RouteClaim) *desiredstate.Kind[Route] {
	k := routes{c, ip.NewServiceClient(c), claims}
	return &desiredstate.Kind[Route]{
		Target: c.Target(), Variant: variantOf(claims),
		Name:     "route",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c), Tables(c)},
		Messages: c.Uses(&ip.IPRouteV2Dump{}, &ip.IPRouteLookupV2{}, &ip.IPRouteAddDelV2{}),
		Dump:     vppnet.RereadUnless(len(claims) > 0, c, k.dump),
		Check: func(v *desiredstate.View, r Route) error {
			if table, err := place.TableID(v, r.Table); err == nil && !k.owns(v, table, r) { // else it is still to come
				return fmt.Errorf("%w: the table, and the prefix is not claimed: name a table of ours, or give Routes an l3.RouteClaim", desiredstate.ErrForeign)
			}
			is6 := r.Prefix.Addr().Is6()
			return cmp.Or(hasFamily(v, r.Table, is6), checkTables(v, is6, r.Paths))
		},
		Create: func(ctx context.Context, v *desiredstate.View, r Route) (uint32, error) {
			table, err := place.TableID(v, r.Table)
			if err != nil {
				return 0, err
			}
			return k.set(ctx, v, table, r, nil)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Route], want Route) error {
			table, err := place.TableID(v, want.Table)
			if err == nil {
				_, err = k.set(ctx, v, table, want, have.Spec.Paths)
			}
			return err
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Route]) error {
			table, err := place.TableID(v, have.Spec.Table)
			if errors.Is(err, desiredstate.ErrMissing) {
				return nil // and its routes with it
			}
			if err != nil {
				return err
			}
			if have.Spec.pinned() {
				return vppnet.Gone(unpin(ctx, k.c, table, have.Spec.Prefix), api.NO_SUCH_FIB)
			}
			// Without paths: VPP would refuse one whose interface has gone.
			_, err = change(ctx, k.c, unroute(table, have.Spec.Prefix), slices.ContainsFunc(have.Spec.Paths, Path.recursive))
			return vppnet.Gone(err, api.NO_SUCH_FIB)
		},
		InPlace: func(have desiredstate.Actual[Route], _ Route) bool { return have.Note != deadPath },
		Fill: func(have desiredstate.Actual[Route], want Route) Route {
			if samePaths(want.Prefix, have.Spec.Paths, want.Paths) {
				want.Paths = have.Spec.Paths
			}
			return want
		},
	}
}

// variantOf tells kinds with claims of their own apart, as functions cannot be compared.
func variantOf(claims []RouteClaim) any {
	if len(claims) == 0 {
		return nil
	}
	return new(byte)
}

type routeNote string

// deadPath is the Note of a route that leads by an interface that has gone. VPP takes a path
// by who has its index next for the same one, which still leads nowhere, unless the route is
// removed first.
const deadPath routeNote = "by an interface that has gone"

func dead(v *desiredstate.View, p fib_types.FibPath) bool {
	_, ok := v.Name(place.InterfaceSpace, p.SwIfIndex)
	return p.SwIfIndex != place.None && !ok
}

type routes struct {
	c      *vppnet.Conn
	vpp    ip.RPCService
	claims []RouteClaim
}

func (k routes) owns(v *desiredstate.View, table uint32, r Route) bool {
	if _, ours := place.TableName(v, table); ours {
		return true
	}
	return slices.ContainsFunc(k.claims, func(claims RouteClaim) bool { return claims(r.Table, r.Prefix) })
}

// covers tells whether a route that we may change has a prefix around r's.
func (k routes) covers(v *desiredstate.View, table uint32, r Route) bool {
	for bits := range r.Prefix.Bits() {
		if k.owns(v, table, Route{Table: r.Table, Prefix: netip.PrefixFrom(r.Prefix.Addr(), bits).Masked()}) {
			return true
		}
	}
	return false
}

func (k routes) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Route], err error) {
	for t := range desiredstate.All[Table](v) {
		if t.Foreign && len(k.claims) == 0 {
			continue
		}
		for _, is6 := range []bool{false, true} {
			if is6 && t.Spec.NoIPv6 || !is6 && t.Spec.NoIPv4 {
				continue
			}
			for _, src := range []uint8{sourceAPI, sourceInterface} {
				found, err := k.read(ctx, v, t.ID, is6, src)
				if err != nil {
					return nil, err
				}
				out = append(out, found...)
			}
		}
	}
	return out, nil
}

// sourceInterface marks the routes that VPP makes for an interface's addresses.
const sourceInterface = 4

func (k routes) read(ctx context.Context, v *desiredstate.View, table uint32, is6 bool, src uint8) (out []desiredstate.Actual[Route], err error) {
	all, err := vppnet.Collect(k.vpp.IPRouteV2Dump(ctx, &ip.IPRouteV2Dump{Src: src, Table: ip.IPTable{TableID: table, IsIP6: is6}}))
	name, _ := place.TableName(v, table)
	for _, d := range all {
		r := Route{Table: name, Prefix: inet.ReadPrefix(d.Route.Prefix).Masked()}
		if left := isPin(d.Route); left && k.covers(v, table, r) {
			r.Paths = []Path{{odd: pin}}
			out = append(out, desiredstate.Actual[Route]{ID: d.Route.StatsIndex, Leftover: true, Spec: r})
			continue
		} else if left || !k.owns(v, table, r) {
			continue
		}
		if len(d.Route.Paths) != 1 || !isDrop(d.Route.Paths[0]) {
			for _, p := range d.Route.Paths {
				r.Paths = append(r.Paths, readPath(v, table, p))
			}
		}
		a := desiredstate.Actual[Route]{ID: d.Route.StatsIndex, Foreign: src != sourceAPI, Spec: r}
		if slices.ContainsFunc(d.Route.Paths, func(p fib_types.FibPath) bool { return dead(v, p) }) {
			a.Note = deadPath
		}
		out = append(out, a)
	}
	return out, err
}

func (k routes) set(ctx context.Context, v *desiredstate.View, table uint32, r Route, old []Path) (uint32, error) {
	is6 := r.Prefix.Addr().Is6()
	req := setRoute(table, r.Prefix)
	for _, p := range r.Paths {
		path, err := p.wire(v, table, is6)
		if err != nil {
			return 0, err
		}
		req.Route.Paths = append(req.Route.Paths, path)
	}
	if len(r.Paths) == 0 {
		req.Route.Paths = []fib_types.FibPath{drop(is6)}
	}
	reply, err := change(ctx, k.c, req, slices.ContainsFunc(old, Path.recursive))
	if errors.Is(err, api.NO_SUCH_FIB) {
		err = fmt.Errorf("a table has no %s: %w", inet.Family(is6), err)
	}
	if err != nil {
		return 0, err
	}
	return reply.StatsIndex, nil
}
