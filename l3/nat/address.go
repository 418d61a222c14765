// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Address is an address of the pool that hosts share when they speak to the
// world (SNAT). See [Addresses] for ranges.
type Address struct {
	Address netip.Addr // IPv4

	// Table is the table whose hosts it is for.
	Table    string
	AnyTable bool // for the hosts of all tables; Table is ""

	// Twice: it is for the other pool, of the addresses that stand for the world
	// towards the hosts in a mapping with TwiceNAT; endpoint-dependent only.
	Twice bool
}

// AddressKey is the key of an address of the pool.
func AddressKey(a netip.Addr) desiredstate.Key {
	return desiredstate.Key{Space: addressSpace, Name: a.String()}
}

const addressSpace = "nat-address"

// Key is AddressKey(n.Address), with " twice" after the name of one of the
// other pool.
func (n Address) Key() desiredstate.Key {
	k := AddressKey(n.Address)
	if n.Twice {
		k.Name += " twice"
	}
	return k
}

// Deps lists NAT and the table.
func (n Address) Deps() []desiredstate.Key { return append(place.TableDeps(n.Table), PluginKey()) }

// Validate wants an IPv4 address, and one way to say the table.
func (n Address) Validate() error {
	if err := check4("address", n.Address); err != nil {
		return err
	}
	if n.AnyTable && n.Table != "" {
		return errors.New("any table and a table")
	}
	return place.CheckTable(n.Table)
}

func check4(what string, a netip.Addr) error { return inet.CheckHostOf(what, a, false) }

// Range returns the addresses from first to last, each as n with that Address.
// Last before first is none.
func Range(first, last netip.Addr, n Address) (out []Address) {
	for n.Address = range inet.Range(first, last) {
		out = append(out, n)
	}
	return out
}

// Addresses manages the addresses of the pools that are for the hosts of our
// tables, or in the claimed prefixes (nat44_add_del_address_range,
// nat44_ei_add_del_address_range): VPP keeps nothing else that says whose an address
// is. All others stay as they are, and are refused.
//
// All changes replace, and end the sessions of the address.
func Addresses(c *vppnet.Conn, variant Variant, claims ...netip.Prefix) *desiredstate.Kind[Address] {
	vpp := newClient(c, variant)
	ours := place.Claims(claims)
	check := func(v *desiredstate.View, n Address) (table uint32, err error) {
		if n.Twice && variant != EndpointDependent {
			return 0, fmt.Errorf("%w: %s NAT has no twice-NAT: use nat.EndpointDependent", desiredstate.ErrInvalid, variant)
		}
		if table = anyTable; !n.AnyTable {
			if table, err = place.TableID(v, n.Table); err != nil {
				return 0, err
			}
		}
		return table, ours.CheckID(v, table, inet.Host(n.Address))
	}
	return &desiredstate.Kind[Address]{
		Target: c.Target(), Variant: [2]any{variant, fmt.Sprint(claims)},
		Name:     addressSpace,
		Requires: []desiredstate.AnyKind{l3.Tables(c), plugins(c, variant, false)},
		Messages: c.Uses(vpp.messages(partPool)...),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Address], err error) {
			all, err := vpp.addresses(ctx)
			for _, a := range all {
				n := Address{Address: a.addr, Twice: a.twice, AnyTable: a.table == anyTable}
				if !n.AnyTable {
					n.Table, _ = place.TableName(v, a.table)
				}
				out = append(out, desiredstate.Actual[Address]{ID: inet.Number(n.Address), Foreign: !ours.Has(v, a.table, inet.Host(a.addr)), Spec: n})
			}
			return out, err
		},
		Check: func(v *desiredstate.View, n Address) error {
			_, err := check(v, n)
			if errors.Is(err, desiredstate.ErrMissing) {
				return nil // the table is still to come
			}
			return err
		},
		Disturbs: endsSessions[Address],
		Create: func(ctx context.Context, v *desiredstate.View, n Address) (uint32, error) {
			table, err := check(v, n)
			if err != nil {
				return 0, err
			}
			return inet.Number(n.Address), vpp.setAddress(ctx, poolAddress{n.Address, table, n.Twice}, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Address]) error {
			err := vpp.setAddress(ctx, poolAddress{have.Spec.Address, anyTable, have.Spec.Twice}, false)
			if errors.Is(err, api.UNSPECIFIED) {
				return fmt.Errorf("a mapping of ports is of this address: %w", err)
			}
			return vppnet.Gone(err, api.NO_SUCH_ENTRY, api.FEATURE_ALREADY_DISABLED)
		},
	}
}
