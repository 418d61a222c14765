// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Unnumbered lets an interface use the addresses of another one, of both families.
type Unnumbered struct {
	Interface string
	Lender    string // whose addresses it uses; it may have none yet

	// Table is the one that both interfaces are in, by their Memberships; "" if
	// they have none.
	Table string
}

// UnnumberedKey is the key of an interface's Unnumbered.
func UnnumberedKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "unnumbered", Name: iface}
}

// ownAddresses are what an interface that borrows cannot have: its addresses share them.
func ownAddresses(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "own-addresses", Name: iface}
}

// Key is UnnumberedKey(u.Interface).
func (u Unnumbered) Key() desiredstate.Key { return UnnumberedKey(u.Interface) }

// Deps lists both interfaces, because the next one with the lender's index would
// lend too, and their Memberships if a table is named.
func (u Unnumbered) Deps() []desiredstate.Key {
	return append(place.Deps(u.Interface, u.Table), place.Deps(u.Lender, u.Table)...)
}

// Validate checks the names.
func (u Unnumbered) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, u.Interface); err != nil {
		return err
	}
	if err := vppnet.CheckRef("lender", u.Lender); err != nil {
		return err
	}
	if u.Interface == u.Lender {
		return errors.New("interface borrows from itself")
	}
	return place.CheckTable(u.Table)
}

// Unnumbereds manages which of our interfaces, of those in tables of ours, and of
// those that are claimed, borrow their addresses (sw_interface_set_unnumbered).
// The lender changes in place. An interface that has addresses of its own cannot
// borrow: VPP would let it, and hide them.
func Unnumbereds(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Unnumbered] {
	vpp, addrs, s := interfaces.NewServiceClient(c), ip.NewServiceClient(c), place.Scope(claims)
	set := func(ctx context.Context, id, lender uint32, add bool) error {
		// VPP's names are the wrong way round: the interface without a number is
		// the one that borrows.
		_, err := vpp.SwInterfaceSetUnnumbered(ctx, &interfaces.SwInterfaceSetUnnumbered{
			UnnumberedSwIfIndex: interface_types.InterfaceIndex(id), SwIfIndex: interface_types.InterfaceIndex(lender), IsAdd: add,
		})
		if errors.Is(err, api.UNEXPECTED_INTF_STATE) {
			err = fmt.Errorf("the two interfaces are in different tables: %w", err)
		}
		return err
	}
	still := func(ctx context.Context, v *desiredstate.View, id uint32) (bool, error) { // it borrows for both families
		four, err := s.Still(ctx, vpp, v, id, false)
		if err != nil || four {
			return four, err
		}
		return s.Still(ctx, vpp, v, id, true)
	}
	return &desiredstate.Kind[Unnumbered]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "unnumbered",
		Requires: Places(c),
		Shares:   func(x Unnumbered) []desiredstate.Key { return vppnet.UseKeys(x.Interface, x.Lender) },
		Holds:    func(x Unnumbered) []desiredstate.Key { return []desiredstate.Key{ownAddresses(x.Interface)} },
		Messages: c.Uses(&ip.IPUnnumberedDump{}, &ip.IPAddressDump{}, &interfaces.SwInterfaceGetTable{}, &interfaces.SwInterfaceSetUnnumbered{}),
		Dump: vppnet.RereadUnless(len(claims) > 0, c, func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Unnumbered], err error) {
			all, err := vppnet.Collect(addrs.IPUnnumberedDump(ctx, &ip.IPUnnumberedDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
			for _, d := range all {
				id := uint32(d.SwIfIndex)
				out = append(out, desiredstate.Actual[Unnumbered]{ID: id, Foreign: !s.Has(v, id), Spec: Unnumbered{
					Interface: place.InterfaceName(v, id), Lender: place.InterfaceName(v, uint32(d.IPSwIfIndex)), Table: cmp.Or(TableOf(v, id, false), TableOf(v, id, true)),
				}})
			}
			return out, err
		}),
		Check: func(v *desiredstate.View, u Unnumbered) error { return s.CheckIn(v, u.Interface, u.Table) },
		Foresee: func(ctx context.Context, v *desiredstate.View, _ uint32, u Unnumbered) error {
			_, err := u.placed(ctx, vpp, v, s)
			return err
		},
		Create: func(ctx context.Context, v *desiredstate.View, u Unnumbered) (uint32, error) {
			id, err := u.placed(ctx, vpp, v, s)
			if err != nil {
				return 0, err
			}
			lender, err := place.InterfaceID(v, u.Lender)
			if err != nil {
				return 0, err
			}
			for _, is6 := range []bool{false, true} {
				own, err := vppnet.Collect(addrs.IPAddressDump(ctx, &ip.IPAddressDump{SwIfIndex: interface_types.InterfaceIndex(id), IsIPv6: is6}))
				if err != nil {
					return 0, err
				}
				if len(own) > 0 {
					return 0, fmt.Errorf("interface %s has addresses of its own, which VPP would no longer show", u.Interface)
				}
			}
			return id, set(ctx, id, lender, true)
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Unnumbered], want Unnumbered) error {
			lender, err := place.InterfaceID(v, want.Lender)
			if err != nil {
				return err
			}
			if is, err := still(ctx, v, have.ID); err != nil || !is {
				return cmp.Or(err, place.ErrMoved)
			}
			return set(ctx, have.ID, lender, true)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Unnumbered]) error {
			if is, err := still(ctx, v, have.ID); err != nil || !is {
				return err
			}
			// Any lender will do, and the true one may have gone.
			return vppnet.Gone(set(ctx, have.ID, have.ID, false), api.INVALID_SW_IF_INDEX)
		},
		InPlace: func(have desiredstate.Actual[Unnumbered], want Unnumbered) bool { return have.Spec.Table == want.Table },
	}
}

// placed is the interface, if its tables are as said.
func (u Unnumbered) placed(ctx context.Context, vpp interfaces.RPCService, v *desiredstate.View, s place.Scope) (uint32, error) {
	id, err := s.Take(v, u.Interface)
	if err != nil {
		return 0, err
	}
	table, err := place.TableID(v, u.Table)
	if err != nil {
		return 0, err
	}
	four, err := place.TableAt(ctx, vpp, id, false)
	if err != nil {
		return 0, err
	}
	six, err := place.TableAt(ctx, vpp, id, true)
	if err == nil && (max(four, six) != table || min(four, six) != 0 && four != six) {
		err = fmt.Errorf("%w: interface %s is in tables %d (IPv4) and %d (IPv6): say so in Unnumbered.Table, or try again when it has moved", desiredstate.ErrEarly, u.Interface, four, six)
	}
	return id, err
}
