// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Neighbour says which MAC an address on an interface's link has. It neither ages
// nor is learnt over.
type Neighbour struct {
	Interface string
	IP        netip.Addr // link-local ones too
	MAC       vppnet.MAC

	// NoRoute: do not make a host route to the address, as VPP does even if no
	// subnet of the interface has it.
	NoRoute bool
}

// Key is "neighbour/<interface> <IP>".
func (n Neighbour) Key() desiredstate.Key {
	return desiredstate.Key{Space: "neighbour", Name: n.Interface + " " + n.IP.String()}
}

// Deps lists the interface, because the next one with its index would have the
// neighbour.
func (n Neighbour) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(n.Interface)}
}

// Validate wants the address of one host and a unicast MAC; VPP itself takes any.
func (n Neighbour) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, n.Interface); err != nil {
		return err
	}
	if err := inet.CheckHost("IP", n.IP); err != nil {
		return err
	}
	if n.MAC.IsZero() {
		return errors.New("MAC is not set")
	}
	return n.MAC.CheckUnicast()
}

// Neighbours manages the static neighbours on our interfaces, on those in tables
// of ours, and on those that are claimed: all of them (ip_neighbor_add_del). The
// MAC changes in place. What VPP has learnt is not shown; a Neighbour replaces it. On somebody else's
// interface, which is not claimed, one depends on the Membership.
//
// VPP keeps a static neighbour whose interface somebody deletes, in the default table, and
// dies when another interface there gets or loses one with that address. That is refused
// (desiredstate.ErrInUse) until there is an interface with the index again. To find out
// costs two requests for all that change together, of many for all that change soon, and a
// round trip more for each whose address is a static neighbour's elsewhere.
func Neighbours(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Neighbour] {
	vpp, s, left := ip_neighbor.NewServiceClient(c), place.Scope(claims), newLeftNeighbours(c)
	send := func(ctx context.Context, id uint32, n Neighbour, add bool) error {
		flags := ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC
		if n.NoRoute {
			flags |= ip_neighbor.IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY
		}
		_, err := vpp.IPNeighborAddDel(ctx, &ip_neighbor.IPNeighborAddDel{IsAdd: add, Neighbor: ip_neighbor.IPNeighbor{
			SwIfIndex: interface_types.InterfaceIndex(id), Flags: flags,
			MacAddress: ethernet_types.MacAddress(n.MAC), IPAddress: inet.Address(n.IP),
		}})
		return err
	}
	remove := func(ctx context.Context, id uint32, n Neighbour) error {
		return vppnet.Gone(send(ctx, id, n, false), api.NO_SUCH_ENTRY, api.INVALID_SW_IF_INDEX)
	}
	return place.Looking(c, s, func(n Neighbour) bool { return n.IP.Is6() }, &desiredstate.Kind[Neighbour]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "neighbour",
		Requires: Places(c),
		Deps:     func(x Neighbour) []desiredstate.Key { return s.Deps(x.Interface) },
		Shares:   func(x Neighbour) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(append(left.messages(), &ip_neighbor.IPNeighborAddDel{})...),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Neighbour], err error) {
			for _, af := range []ip_types.AddressFamily{ip_types.ADDRESS_IP4, ip_types.ADDRESS_IP6} {
				all, err := vppnet.Collect(vpp.IPNeighborDump(ctx, &ip_neighbor.IPNeighborDump{SwIfIndex: ^interface_types.InterfaceIndex(0), Af: af}))
				if err != nil {
					return nil, err
				}
				for _, d := range all {
					n, id := d.Neighbor, uint32(d.Neighbor.SwIfIndex)
					if n.Flags&ip_neighbor.IP_API_NEIGHBOR_FLAG_STATIC == 0 || !s.In(v, id, TableOf(v, id, af == ip_types.ADDRESS_IP6)) {
						continue
					}
					out = append(out, desiredstate.Actual[Neighbour]{ID: id, Spec: Neighbour{
						Interface: place.InterfaceName(v, id), IP: inet.Read(n.IPAddress), MAC: vppnet.MAC(n.MacAddress),
						NoRoute: n.Flags&ip_neighbor.IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY != 0,
					}})
				}
			}
			return out, nil
		},
		Check: func(v *desiredstate.View, n Neighbour) error { return s.Check(v, n.Interface) },
		Create: func(ctx context.Context, v *desiredstate.View, n Neighbour) (uint32, error) {
			id, err := s.TakeStill(ctx, interfaces.NewServiceClient(c), v, n.Interface, n.IP.Is6())
			if err != nil {
				return 0, err
			}
			if err := left.still(ctx, id, n.IP); err != nil {
				return 0, err
			}
			if n.NoRoute { // of one that it has learnt, VPP keeps the route
				if err := remove(ctx, id, n); err != nil {
					return 0, err
				}
			}
			return id, send(ctx, id, n, true)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Neighbour], want Neighbour) error {
			return send(ctx, have.ID, want, true)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Neighbour]) error {
			// It leads to next hops of routes.
			done, err := besideRoutes(ctx, c, v, have.ID, have.Spec.IP.Is6())
			if err != nil {
				return err
			}
			defer done()
			if err := left.still(ctx, have.ID, have.Spec.IP); err != nil {
				return vppnet.Gone(err, api.INVALID_SW_IF_INDEX)
			}
			return remove(ctx, have.ID, have.Spec)
		},
		InPlace: func(have desiredstate.Actual[Neighbour], want Neighbour) bool {
			return have.Spec.NoRoute == want.NoRoute
		},
	})
}
