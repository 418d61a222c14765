// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// ipv6Link has an interface that borrows its addresses hear solicitations of neighbours: only with an IPv6
// address of its own it would do so by itself.
type ipv6Link struct{ Interface string }

func (l ipv6Link) Key() desiredstate.Key {
	return desiredstate.Key{Space: "ipv6-link", Name: l.Interface}
}

// Deps lists also that it borrows: who ceases to do that ends IPv6.
func (l ipv6Link) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(l.Interface), l3.Unnumbered{Interface: l.Interface}.Key()}
}

func (l ipv6Link) Validate() error { return vppnet.CheckName(l.Interface) }

// ipv6Links manages those of our interfaces that borrow (sw_interface_ip6_enable_disable). A reading costs a
// request for each of these, in one round trip.
func ipv6Links(c *vppnet.Conn) *desiredstate.Kind[ipv6Link] {
	vpp := ip.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, on bool) error {
		_, err := vpp.SwInterfaceIP6EnableDisable(ctx, &ip.SwInterfaceIP6EnableDisable{SwIfIndex: interface_types.InterfaceIndex(id), Enable: on})
		return err
	}
	return &desiredstate.Kind[ipv6Link]{
		Target:   c.Target(),
		Name:     "ipv6-link",
		Requires: []desiredstate.AnyKind{l3.Unnumbereds(c)},
		Messages: c.Uses(&ip.SwInterfaceIP6GetLinkLocalAddress{}, &ip.SwInterfaceIP6EnableDisable{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[ipv6Link], err error) {
			var borrow []desiredstate.Actual[l3.Unnumbered]
			var ask []api.Message
			for u := range desiredstate.All[l3.Unnumbered](v) {
				if !u.Foreign {
					borrow = append(borrow, u)
					ask = append(ask, &ip.SwInterfaceIP6GetLinkLocalAddress{SwIfIndex: interface_types.InterfaceIndex(u.ID)})
				}
			}
			all, err := vppnet.AskEach[*ip.SwInterfaceIP6GetLinkLocalAddressReply](ctx, c, ask...)
			for n, r := range all {
				if r.Retval == 0 {
					out = append(out, desiredstate.Actual[ipv6Link]{ID: borrow[n].ID, Spec: ipv6Link{borrow[n].Spec.Interface}})
				}
			}
			return out, err
		},
		Create: func(ctx context.Context, v *desiredstate.View, l ipv6Link) (uint32, error) {
			id, err := v.ID(vppnet.InterfaceKey(l.Interface))
			if err != nil {
				return 0, err
			}
			if err = set(ctx, id, true); errors.Is(err, api.VALUE_EXIST) {
				err = nil
			}
			return id, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[ipv6Link]) error {
			return vppnet.Gone(set(ctx, have.ID, false), api.INVALID_SW_IF_INDEX, api.IP6_NOT_ENABLED)
		},
	}
}
