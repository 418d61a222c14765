// SPDX-License-Identifier: Apache-2.0

package l3

import (
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
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// A path to a next hop over no interface is recursive: VPP looks up the next hop, and keeps a host
// entry for it, of sourceRecursive, as long as a path needs it. What covers that entry knows it. VPP
// uses some of this after it has freed it, and dies (25.10 and 26.06):
//
//   - when recursive paths come to a prefix of which a lesser source says something, such as a
//     next hop's entry, or a route of VPP's CLI; not if a drop comes first. A host may become a next
//     hop at any moment;
//   - when a host route with recursive paths goes that is itself a next hop; not if it becomes
//     a drop first;
//   - when the paths of a route change or go that covers their next hops itself, so that it leads
//     nowhere, and other next hops too; not if those entries are the API's for that time. With
//     a static neighbour off its subnet among them one is enough.

// change is IPRouteAddDelV2 by detours around that. Had says that the route may have recursive paths by now.
func change(ctx context.Context, c *vppnet.Conn, req *ip.IPRouteAddDelV2, had bool) (*ip.IPRouteAddDelV2Reply, error) {
	d := &detour{vpp: ip.NewServiceClient(c), table: req.Route.TableID, prefix: inet.ReadPrefix(req.Route.Prefix).Masked()}
	has := slices.ContainsFunc(req.Route.Paths, recursive)
	done, err := c.Share(ctx, routesOf(d.table))
	if err != nil {
		return nil, err
	}
	defer done()
	if !has && !had {
		return d.vpp.IPRouteAddDelV2(ctx, req)
	}
	now, err := d.look(ctx, d.prefix, true)
	if err == nil && len(d.covered(now.Paths))+len(d.covered(req.Route.Paths)) > 0 { // and what else covers them must not change meanwhile
		done()
		var alone func()
		if alone, err = c.Turn(ctx, routesOf(d.table)); err != nil {
			return nil, err
		}
		defer alone()
		now, err = d.look(ctx, d.prefix, true)
	}
	if err != nil {
		return nil, err
	}
	return d.change(ctx, req, has, now)
}

// routesOf is the turn of who changes what leads somewhere in a table, a route or what else covers next hops.
func routesOf(table uint32) desiredstate.Key {
	return desiredstate.Key{Space: "routes", Name: vppnet.Foreign(fmt.Sprint(table))}
}

// besideRoutes is the turn of who removes from an interface what covers next hops.
func besideRoutes(ctx context.Context, c *vppnet.Conn, v *desiredstate.View, index uint32, is6 bool) (done func(), err error) {
	table, err := place.TableID(v, TableOf(v, index, is6))
	if err != nil {
		return func() {}, nil //nolint:nilerr // the table has gone
	}
	return c.Share(ctx, routesOf(table))
}

// A detour is a change of one route.
type detour struct {
	vpp    ip.RPCService
	table  uint32
	prefix netip.Prefix
	extra  []netip.Prefix // routes of ours that must not stay
}

func (d *detour) change(ctx context.Context, req *ip.IPRouteAddDelV2, has bool, now ip.IPRouteV2) (reply *ip.IPRouteAddDelV2Reply, err error) {
	host, had := d.prefix.IsSingleIP(), now.Src == sourceAPI && slices.ContainsFunc(now.Paths, recursive)
	first, last := req.IsAdd && has && (lesser(now.Src) || host && now.Src == 0), !req.IsAdd && had && host
	var covered []netip.Prefix
	if now.Src == sourceAPI {
		covered = d.covered(now.Paths)
	}
	err = d.pin(ctx, covered, d.covered(req.Route.Paths))
	if err == nil && (first || last) {
		_, err = d.vpp.IPRouteAddDelV2(ctx, setRoute(d.table, d.prefix, drop(d.prefix.Addr().Is6())))
	}
	if err == nil {
		reply, err = d.vpp.IPRouteAddDelV2(ctx, req)
	}
	if err != nil && first {
		d.extra = append(d.extra, d.prefix)
	}
	return reply, errors.Join(err, d.clear(ctx))
}

// clear removes what must not stay. Who asked for the change knows nothing of it, so it is tried twice.
func (d *detour) clear(ctx context.Context) (err error) {
	ctx, cancel := shared.Outlive(ctx)
	defer cancel()
	for _, p := range d.extra {
		if p == d.prefix { // the paths may have come, and we did not hear of it
			_, _ = d.vpp.IPRouteAddDelV2(ctx, setRoute(d.table, p, drop(p.Addr().Is6())))
		}
		_, failed := d.vpp.IPRouteAddDelV2(ctx, unroute(d.table, p))
		if failed != nil {
			_, failed = d.vpp.IPRouteAddDelV2(ctx, unroute(d.table, p))
		}
		err = errors.Join(err, failed)
	}
	return err
}

// covered are the next hops of paths within the route itself.
func (d *detour) covered(paths []fib_types.FibPath) (hosts []netip.Prefix) {
	for _, p := range paths {
		host := inet.Host(hop(p))
		if recursive(p) && p.TableID == d.table && d.prefix.Contains(hop(p)) && host != d.prefix && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// pin gives each of the covered next hops, if nothing but the route leads there, a route of its own: to nowhere,
// where it leads anyway. One that somebody left there, or at a next hop to come, goes with them.
func (d *detour) pin(ctx context.Context, covered, coming []netip.Prefix) error {
	for i, host := range slices.Concat(covered, coming) {
		if slices.Contains(d.extra, host) {
			continue
		}
		entry, err := d.look(ctx, host, true)
		if err != nil {
			return err
		}
		if isPin(entry) {
			d.extra = append(d.extra, host)
		}
		if i >= len(covered) || !lesser(entry.Src) {
			continue
		}
		cover, err := d.look(ctx, netip.PrefixFrom(host.Addr(), host.Bits()-1).Masked(), false)
		if err != nil {
			return err
		}
		if inet.ReadPrefix(cover.Prefix).Masked() != d.prefix {
			continue
		}
		d.extra = append(d.extra, host)
		if _, err := d.vpp.IPRouteAddDelV2(ctx, setRoute(d.table, host, pinPath(host.Addr().Is6()))); err != nil {
			return err
		}
	}
	return nil
}

// unpin removes a pin that somebody left, if it is still one.
func unpin(ctx context.Context, c *vppnet.Conn, table uint32, host netip.Prefix) error {
	done, err := c.Share(ctx, routesOf(table))
	if err != nil {
		return err
	}
	defer done()
	d := &detour{vpp: ip.NewServiceClient(c), table: table, prefix: host}
	if now, err := d.look(ctx, host, true); err != nil || !isPin(now) {
		return err
	}
	_, err = d.vpp.IPRouteAddDelV2(ctx, unroute(table, host))
	return err
}

// look is what is said of a prefix exactly, or of what it is a part of; zero: nothing.
func (d *detour) look(ctx context.Context, p netip.Prefix, exact bool) (ip.IPRouteV2, error) {
	q := &ip.IPRouteLookupV2{TableID: d.table, Prefix: inet.Prefix(p)}
	if exact {
		q.Exact = 1
	}
	r, err := d.vpp.IPRouteLookupV2(ctx, q)
	if errors.Is(err, api.NO_SUCH_ENTRY) {
		return ip.IPRouteV2{}, nil
	}
	if err != nil {
		return ip.IPRouteV2{}, err
	}
	return r.Route, nil
}

// recursive tells whether VPP keeps an entry for the next hop of a path.
func recursive(p fib_types.FibPath) bool {
	return p.Type == fib_types.FIB_API_PATH_TYPE_NORMAL && p.SwIfIndex == place.None && !hop(p).IsUnspecified()
}

func hop(p fib_types.FibPath) netip.Addr {
	return inet.ReadUnion(p.Nh.Address, p.Proto == fib_types.FIB_API_PATH_NH_PROTO_IP6)
}

// lesser tells of the source of an entry whether the API's paths would replace its own, other than those
// that are in each table.
func lesser(src uint8) bool { return src > sourceAPI && src != sourceDefault }

// sourceDefault marks the routes with which a table begins.
const sourceDefault = 20

// pinPath is known again by its numbers, of which a drop has no use: if we die before it goes, the next
// reading finds it, and so does the next change of the route.
func pinPath(is6 bool) fib_types.FibPath {
	p := drop(is6)
	p.Weight, p.Preference = 197, 211
	return p
}

func isPin(r ip.IPRouteV2) bool {
	return len(r.Paths) == 1 && isDrop(r.Paths[0]) && r.Paths[0].Weight == 197 && r.Paths[0].Preference == 211
}

func setRoute(table uint32, p netip.Prefix, paths ...fib_types.FibPath) *ip.IPRouteAddDelV2 {
	return &ip.IPRouteAddDelV2{IsAdd: true, Route: ip.IPRouteV2{TableID: table, Prefix: inet.Prefix(p), Src: sourceAPI, Paths: paths}}
}

func unroute(table uint32, p netip.Prefix) *ip.IPRouteAddDelV2 {
	return &ip.IPRouteAddDelV2{Route: ip.IPRouteV2{TableID: table, Prefix: inet.Prefix(p), Src: sourceAPI}}
}
