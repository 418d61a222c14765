// SPDX-License-Identifier: Apache-2.0

package vppstat

import (
	"context"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// route is a route and the index that VPP counts it by, in a table by number.
type route struct {
	table  uint32
	prefix netip.Prefix
	index  uint32
}

// readRoutes lists the routes of these tables, of whatever source.
func readRoutes(ctx context.Context, c *vppnet.Conn, tables map[uint32]string) ([]route, error) {
	c.Uses(&ip.IPRouteV2Dump{}, &memclnt.ControlPing{})
	var requests []api.Message
	for id := range tables {
		for _, is6 := range []bool{false, true} {
			requests = append(requests, &ip.IPRouteV2Dump{Table: ip.IPTable{TableID: id, IsIP6: is6}})
		}
	}
	answers, err := vppnet.Ask(ctx, c, requests...)
	if err != nil {
		return nil, err
	}
	all, err := vppnet.As[*ip.IPRouteV2Details](answers)
	if err != nil {
		return nil, err
	}
	out := make([]route, len(all))
	for i, d := range all {
		out[i] = route{d.Route.TableID, inet.ReadPrefix(d.Route.Prefix), d.Route.StatsIndex}
	}
	return out, nil
}
