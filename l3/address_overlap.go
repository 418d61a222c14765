// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/vppnet"
)

// A subnet is that of an address of an interface.
type subnet struct {
	prefix netip.Prefix
	of     string
}

// subnets are those of tables, for all who ask at once.
func subnets(ctx context.Context, c *vppnet.Conn, tables []ip.IPTable) (map[ip.IPTable][]subnet, error) {
	all, err := standing(ctx, c)
	if err != nil {
		return nil, err
	}
	out := make(map[ip.IPTable][]subnet, len(tables))
	for _, t := range tables {
		var requests []api.Message
		names := map[interface_types.InterfaceIndex]string{}
		for _, i := range all[t] {
			names[i.id] = i.name
			requests = append(requests, &ip.IPAddressDump{SwIfIndex: i.id, IsIPv6: t.IsIP6})
		}
		answers, err := vppnet.Ask(ctx, c, requests...)
		if err != nil {
			return nil, err
		}
		found, err := vppnet.As[*ip.IPAddressDetails](answers)
		if err != nil {
			return nil, err
		}
		out[t] = nil
		for _, d := range found {
			out[t] = append(out[t], subnet{inet.ReadPrefix(ip_types.Prefix(d.Prefix)), names[d.SwIfIndex]})
		}
	}
	return out, nil
}

// overlapped says which other subnet of the table a prefix overlaps: VPP, which refuses it for
// that, does not.
func (k addresses) overlapped(ctx context.Context, table uint32, p netip.Prefix) string {
	all, err := k.subnets.Ask(ctx, ip.IPTable{TableID: table, IsIP6: p.Addr().Is6()})
	for _, other := range all {
		if err == nil && other.prefix.Overlaps(p) {
			return fmt.Sprintf("%v of %s", other.prefix, other.of)
		}
	}
	return "another one"
}
