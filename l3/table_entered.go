// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/dhcp"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// A stander is an interface, whoever's it is.
type stander struct {
	id           interface_types.InterfaceIndex
	name, device string
}

// standing are all interfaces by the table that they are in, in each family.
func standing(ctx context.Context, c *vppnet.Conn) (map[ip.IPTable][]stander, error) {
	vpp := interfaces.NewServiceClient(c)
	all, err := vppnet.Collect(vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(place.None)}))
	if err != nil {
		return nil, err
	}
	marks := make([]vppnet.Named, len(all))
	var requests []api.Message
	for n, d := range all {
		marks[n] = vppnet.Named{Tag: strings.TrimRight(d.Tag, "\x00"), VPP: d.InterfaceName}
		requests = append(requests, &interfaces.SwInterfaceGetTable{SwIfIndex: d.SwIfIndex}, &interfaces.SwInterfaceGetTable{SwIfIndex: d.SwIfIndex, IsIPv6: true})
	}
	in, err := vppnet.AskEach[*interfaces.SwInterfaceGetTableReply](ctx, c, requests...)
	if err != nil {
		return nil, err
	}
	names, out := c.Names(marks...), map[ip.IPTable][]stander{}
	for n, r := range in {
		if r.Retval == 0 { // else it has gone
			d, at := all[n/2], ip.IPTable{TableID: r.VrfID, IsIP6: n%2 == 1}
			out[at] = append(out[at], stander{d.SwIfIndex, names[n/2].Name, d.InterfaceDevType})
		}
	}
	return out, nil
}

// VPP keeps a table for an interface that is in it, and for a relay of DHCPv6. It looks then as if it had not been
// removed. Who removes it once more lets go, of its half for multicast, in their place: that ends under them, and VPP dies
// of the next packet to a group.

// entered says of each table who is in it: of several, one.
func (k tables) entered(ctx context.Context) (map[ip.IPTable]string, error) {
	all, err := standing(ctx, k.c)
	who := make(map[ip.IPTable]string, len(all))
	for at, in := range all {
		for _, i := range in {
			if i.device != "LISP_GPE" { // VPP puts those there itself, and not into the half for multicast
				who[at] = "interface " + i.name
			}
		}
	}
	q := &dhcp.DHCPProxyDump{IsIP6: true}
	if err != nil || !iface.Knows(k.c, q) {
		return who, err
	}
	k.c.Uses(q)
	relays, err := vppnet.Collect(dhcp.NewServiceClient(k.c).DHCPProxyDump(ctx, q))
	for _, d := range relays {
		who[ip.IPTable{TableID: d.RxVrfID, IsIP6: true}] = "a relay of DHCPv6"
	}
	return who, err
}

// deserted reports who is in one of these tables.
func (k tables) deserted(ctx context.Context, all []ip.IPTable) error {
	who, err := k.inside.Join(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		if w, is := who[t]; is {
			return fmt.Errorf("%w: %s is in %s table %d, and VPP keeps that for as long; take it out of there first",
				desiredstate.ErrInUse, w, inet.Family(t.IsIP6), t.TableID)
		}
	}
	return nil
}
