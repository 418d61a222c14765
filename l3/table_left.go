// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// A route to the link of an interface in another table follows what is in that. VPP stops
// telling it when the interface goes: it follows the table that it last knew of, until it is
// removed, and VPP dies when that ends first.

// A leftRoute leads to the link of an interface that is gone.
type leftRoute struct {
	is6    bool
	table  uint32
	prefix string
}

// leftRoutes are those of all tables. Which table one follows VPP shows to nobody.
func (k tables) leftRoutes(ctx context.Context) (out []leftRoute, err error) {
	over, err := k.linkRoutes(ctx)
	if err != nil || len(over) == 0 {
		return nil, err
	}
	there, err := vppnet.Collect(interfaces.NewServiceClient(k.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	if err != nil {
		return nil, err
	}
	for _, i := range there {
		delete(over, uint32(i.SwIfIndex))
	}
	if len(over) == 0 {
		return nil, nil
	}
	// Those of an interface's own addresses go with it, which it may have done meanwhile.
	still, err := k.linkRoutes(ctx)
	for index := range over {
		out = append(out, still[index]...)
	}
	return out, err
}

// linkRoutes are the routes of all tables to the links of interfaces, by the index of those.
func (k tables) linkRoutes(ctx context.Context) (map[uint32][]leftRoute, error) {
	all, err := vppnet.Collect(k.vpp.IPTableDump(ctx, &ip.IPTableDump{}))
	if err != nil {
		return nil, err
	}
	over := map[uint32][]leftRoute{}
	for _, t := range all {
		routes, err := vppnet.Collect(k.vpp.IPRouteV2Dump(ctx, &ip.IPRouteV2Dump{Table: ip.IPTable{TableID: t.Table.TableID, IsIP6: t.Table.IsIP6}}))
		if err != nil {
			return nil, err
		}
		for _, d := range routes {
			for _, p := range d.Route.Paths {
				if toLink(p) {
					over[p.SwIfIndex] = append(over[p.SwIfIndex], leftRoute{t.Table.IsIP6, t.Table.TableID, d.Route.Prefix.String()})
				}
			}
		}
	}
	return over, nil
}

// toLink tells whether a path leads to whoever has the address on an interface's link.
func toLink(p fib_types.FibPath) bool {
	return p.Type == fib_types.FIB_API_PATH_TYPE_NORMAL && p.SwIfIndex != place.None && p.Nh.Address == ip_types.AddressUnion{}
}

// unfollowed reports a route by which VPP may die of the end of a table.
func (k tables) unfollowed(ctx context.Context, id uint32, is6 bool) error {
	left, err := k.left.Join(ctx)
	if err != nil {
		return err
	}
	for _, r := range left {
		if r.is6 == is6 && r.table != id {
			return fmt.Errorf("%w: the route to %s in %s table %d leads to the link of an interface that is gone, which may have been in table %d, and VPP would die; remove that route first",
				desiredstate.ErrInUse, r.prefix, inet.Family(is6), r.table, id)
		}
	}
	return nil
}

// untold reports a route, of those that are left in a table, to the link of an interface of another one. Of IPv6,
// VPP tells the table of each host that comes there when it has ended, too, and dies of that.
func (k tables) untold(ctx context.Context, t ip.IPTable, left []*ip.IPRouteV2Details) error {
	if !t.IsIP6 {
		return nil
	}
	for _, d := range left {
		for _, p := range d.Route.Paths {
			if !toLink(p) {
				continue
			}
			in, err := place.TableAt(ctx, interfaces.NewServiceClient(k.c), p.SwIfIndex, true)
			switch {
			case errors.Is(err, api.INVALID_SW_IF_INDEX): // its end is another matter: see unfollowed
			case err != nil:
				return err
			case in != t.TableID:
				return fmt.Errorf("%w: the route to %s in ipv6 table %d leads to the link of an interface of table %d, and VPP would die of the next host there; remove that route first",
					desiredstate.ErrInUse, d.Route.Prefix, t.TableID, in)
			}
		}
	}
	return nil
}
