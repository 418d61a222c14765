// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Address gives an interface an address and the subnet around it. VPP has the
// connected routes of it while the interface is up.
type Address struct {
	Interface string
	Prefix    netip.Prefix // the address, host bits and all, and the length of its subnet

	// Table is the one that the interface's Membership puts it into, in the family of the
	// address; "" if none does. The Membership is then a dependency.
	Table string

	// LinkMTU is what the interface's LinkState is to give it, if that is not VPP's default:
	// VPP advertises to IPv6's hosts the MTU that the interface had when it got its first IPv6
	// address, whatever it has later. It has this one just for that moment, and is the
	// LinkState's then as before. VPP does not show it; one that changes is advertised when
	// the addresses are made anew. 0: nothing is set.
	LinkMTU uint32
}

// AddressKey is the key of an interface's Address.
func AddressKey(iface string, prefix netip.Prefix) desiredstate.Key {
	return desiredstate.Key{Space: "address", Name: iface + " " + prefix.String()}
}

// Key is AddressKey(a.Interface, a.Prefix).
func (a Address) Key() desiredstate.Key { return AddressKey(a.Interface, a.Prefix) }

// Deps lists the interface and, if a table is named, its Membership and the table.
func (a Address) Deps() []desiredstate.Key { return place.Deps(a.Interface, a.Table) }

// Validate checks names, prefix and MTU. It refuses what VPP would take though no host
// can have it: group addresses, broadcast, and the first and last address of an
// IPv4 subnet. Link-local addresses are VPP's own affair.
func (a Address) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, a.Interface); err != nil {
		return err
	}
	if err := place.CheckTable(a.Table); err != nil {
		return err
	}
	if err := inet.CheckPrefix(a.Prefix); err != nil {
		return err
	}
	addr := a.Prefix.Addr()
	if err := inet.CheckHost("address", addr); err != nil {
		return err
	}
	switch {
	case a.Prefix.Bits() == 0:
		return fmt.Errorf("address %v: want a subnet of length 1 or more", a.Prefix)
	case addr.IsLinkLocalUnicast() && addr.Is6():
		return fmt.Errorf("address %v: VPP makes link-local addresses itself", a.Prefix)
	case addr.Is4() && a.Prefix.Bits() < 31 && (addr == a.Prefix.Masked().Addr() || !a.Prefix.Contains(addr.Next())):
		return fmt.Errorf("address %v is its subnet's own, or its broadcast", a.Prefix)
	case a.LinkMTU != 0 && (a.LinkMTU < 68 || a.LinkMTU > 65535):
		return fmt.Errorf("link MTU %d, want 68 to 65535 bytes, as its LinkState", a.LinkMTU)
	}
	return nil
}

// Addresses manages the addresses of our interfaces, of those in tables of ours,
// and of those that are claimed (sw_interface_add_del_address): all of them, so
// nobody else may give such an interface one. There is nothing to change in place.
//
// Within one table VPP takes an address only once, and a subnet on one interface
// only, with one length; it refuses all else as "address in use". An interface that
// borrows its addresses (Unnumbered) has none of its own.
//
// What a vrrp.Router that is master lends its interface is not shown.
//
// A reading costs two requests for each of these interfaces, in one round trip.
func Addresses(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Address] {
	k := addresses{c, interfaces.NewServiceClient(c), claims, shared.NewBatch(func(ctx context.Context, tables []ip.IPTable) (map[ip.IPTable][]subnet, error) {
		return subnets(ctx, c, tables)
	})}
	return place.Looking(c, claims, func(a Address) bool { return a.Prefix.Addr().Is6() }, &desiredstate.Kind[Address]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "address",
		Requires: append(Places(c), Unnumbereds(c)),
		Shares: func(x Address) []desiredstate.Key {
			return append(vppnet.UseKeys(x.Interface), ownAddresses(x.Interface))
		},
		Messages: c.Uses(&ip.IPAddressDump{}, &interfaces.SwInterfaceDump{}, &interfaces.SwInterfaceAddDelAddress{}, &interfaces.SwInterfaceSetMtu{}, &memclnt.ControlPing{}),
		Dump:     vppnet.RereadUnless(len(claims) > 0, c, k.dump),
		Check:    func(v *desiredstate.View, a Address) error { return k.CheckIn(v, a.Interface, a.Table) },
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, a Address) error {
			_, _, err := k.placed(ctx, v, a)
			return err
		},
		Create: k.create,
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Address]) error {
			// Next hops of routes are covered by it.
			done, err := besideRoutes(ctx, k.c, v, have.ID, have.Spec.Prefix.Addr().Is6())
			if err != nil {
				return err
			}
			defer done()
			// With another length VPP would leave the connected route behind, for good.
			return vppnet.Gone(k.send(ctx, have.ID, have.Spec.Prefix, false), api.ADDRESS_NOT_FOUND_FOR_INTERFACE, api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[Address], want Address) Address {
			want.LinkMTU = have.Spec.LinkMTU
			return want
		},
		Holds: func(a Address) []desiredstate.Key {
			return []desiredstate.Key{place.HeldAddress(a.Table, a.Prefix.Addr())}
		},
	})
}

type addresses struct {
	c   *vppnet.Conn
	vpp interfaces.RPCService
	place.Scope
	subnets *shared.Batch[ip.IPTable, []subnet]
}

func (k addresses) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Address], err error) {
	var reqs []api.Message
	for i := range desiredstate.All[vppnet.Interface](v) {
		for _, is6 := range []bool{false, true} {
			if k.In(v, i.ID, TableOf(v, i.ID, is6)) {
				reqs = append(reqs, &ip.IPAddressDump{SwIfIndex: interface_types.InterfaceIndex(i.ID), IsIPv6: is6})
			}
		}
	}
	all, err := vppnet.Ask(ctx, k.c, append(reqs, askForVirtual(k.c)...)...)
	if err != nil {
		return nil, err
	}
	virtual, all := virtualAddresses(all)
	found, err := vppnet.As[*ip.IPAddressDetails](all)
	for _, d := range found {
		id := uint32(d.SwIfIndex)
		if virtual[virtualAddress{id, inet.ReadPrefix(ip_types.Prefix(d.Prefix)).Addr()}] {
			continue
		}
		prefix := inet.ReadPrefix(ip_types.Prefix(d.Prefix))
		out = append(out, desiredstate.Actual[Address]{ID: id, Spec: Address{
			Interface: place.InterfaceName(v, id), Prefix: prefix, Table: TableOf(v, id, prefix.Addr().Is6()),
		}})
	}
	return out, err
}

// placed is where an interface is that can have the address: its index, and its table.
func (k addresses) placed(ctx context.Context, v *desiredstate.View, a Address) (id, table uint32, err error) {
	if id, err = k.TakeIn(v, a.Interface, a.Table); err != nil {
		return 0, 0, err
	}
	if _, err := v.ID(UnnumberedKey(a.Interface)); err == nil {
		return 0, 0, fmt.Errorf("interface %s borrows its addresses, so VPP would not show one of its own", a.Interface)
	}
	table, err = place.Stands(ctx, k.vpp, v, a.Interface, id, "Address.Table", a.Table, a.Prefix.Addr().Is6())
	return id, table, err
}

func (k addresses) create(ctx context.Context, v *desiredstate.View, a Address) (uint32, error) {
	id, table, err := k.placed(ctx, v, a)
	if err != nil {
		return 0, err
	}
	add := func() error { return k.send(ctx, id, a.Prefix, true) }
	if a.LinkMTU != 0 && a.Prefix.Addr().Is6() {
		err = k.c.WithMTU(ctx, id, a.LinkMTU, add)
	} else {
		err = add()
	}
	if errors.Is(err, api.ADDRESS_IN_USE) || errors.Is(err, api.DUPLICATE_IF_ADDRESS) {
		err = fmt.Errorf("its subnet overlaps %s in its table: take another, or remove that: %w", k.overlapped(ctx, table, a.Prefix), err)
	}
	return id, err
}

func (k addresses) send(ctx context.Context, id uint32, p netip.Prefix, add bool) error {
	_, err := k.vpp.SwInterfaceAddDelAddress(ctx, &interfaces.SwInterfaceAddDelAddress{
		SwIfIndex: interface_types.InterfaceIndex(id), IsAdd: add, Prefix: ip_types.AddressWithPrefix(inet.Prefix(p)),
	})
	return err
}
