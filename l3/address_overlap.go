// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// overlapped says which other subnet of the table a prefix overlaps: VPP, which refuses it for
// that, does not.
func (k addresses) overlapped(ctx context.Context, v *desiredstate.View, table uint32, p netip.Prefix) string {
	const unknown = "another one"
	all, err := vppnet.Collect(k.vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	if err != nil {
		return unknown
	}
	for _, i := range all {
		if is, err := place.TableAt(ctx, k.vpp, uint32(i.SwIfIndex), p.Addr().Is6()); err != nil || is != table {
			continue
		}
		answers, err := vppnet.Ask(ctx, k.c, &ip.IPAddressDump{SwIfIndex: i.SwIfIndex, IsIPv6: p.Addr().Is6()})
		if err != nil {
			return unknown
		}
		have, err := vppnet.As[*ip.IPAddressDetails](answers)
		if err != nil {
			return unknown
		}
		for _, d := range have {
			if other := inet.ReadPrefix(ip_types.Prefix(d.Prefix)); other.Overlaps(p) {
				name, _ := v.Name(place.InterfaceSpace, uint32(i.SwIfIndex))
				return fmt.Sprintf("%v of %s", other, cmp.Or(name, vppnet.Foreign(i.InterfaceName)))
			}
		}
	}
	return unknown
}
