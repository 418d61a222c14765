// SPDX-License-Identifier: Apache-2.0

package nat64

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ip_types"
	binding "go.fd.io/govpp/binapi/nat64"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Prefix is where the hosts of a table see the world: an IPv4 address stands behind it, as RFC 6052
// says. Without one, that is 64:ff9b::/96.
type Prefix struct {
	Table  string       // the hosts'; "" is the default table
	Prefix netip.Prefix // IPv6, of 32, 40, 48, 56, 64 or 96 bits
}

// PrefixKey is the key of a table's Prefix.
func PrefixKey(table string) desiredstate.Key {
	return desiredstate.Key{Space: "nat64-prefix", Name: table}
}

// Key is PrefixKey(n.Table).
func (n Prefix) Key() desiredstate.Key { return PrefixKey(n.Table) }

// Deps lists the table.
func (n Prefix) Deps() []desiredstate.Key { return place.TableDeps(n.Table) }

var lengths = []int{32, 40, 48, 56, 64, 96}

// Validate wants a prefix of IPv6 without bits behind it, and one of VPP's lengths.
func (n Prefix) Validate() error {
	if err := inet.CheckPrefix(n.Prefix); err != nil {
		return err
	}
	switch {
	case !n.Prefix.Addr().Is6():
		return fmt.Errorf("prefix %v is not IPv6", n.Prefix)
	case !slices.Contains(lengths, n.Prefix.Bits()):
		return fmt.Errorf("prefix %v: want one of %v bits", n.Prefix, lengths)
	case n.Prefix != n.Prefix.Masked():
		return fmt.Errorf("prefix %v has bits behind its length: write %v", n.Prefix, n.Prefix.Masked())
	}
	return place.CheckTable(n.Table)
}

func (n Prefix) message(table uint32, add bool) *binding.Nat64AddDelPrefix {
	return &binding.Nat64AddDelPrefix{IsAdd: add, VrfID: table, Prefix: ip_types.IP6Prefix{Address: n.Prefix.Addr().As16(), Len: uint8(n.Prefix.Bits())}}
}

// Prefixes manages those of our tables, or in the claimed prefixes (nat64_add_del_prefix). Others'
// stay, and are refused, as is a second one of a table. One changes in place; its sessions stay as they are.
func Prefixes(c *vppnet.Conn, claims ...netip.Prefix) *desiredstate.Kind[Prefix] {
	vpp, ours := binding.NewServiceClient(c), place.Claims(claims)
	return &desiredstate.Kind[Prefix]{
		Target: c.Target(), Variant: fmt.Sprint(claims),
		Name:     "nat64-prefix",
		Requires: []desiredstate.AnyKind{l3.Tables(c)},
		Messages: c.Uses(&binding.Nat64AddDelPrefix{}, &binding.Nat64PrefixDump{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Prefix], err error) {
			all, err := vppnet.Collect(vpp.Nat64PrefixDump(ctx, &binding.Nat64PrefixDump{}))
			for _, d := range all {
				n := Prefix{Prefix: netip.PrefixFrom(netip.AddrFrom16(d.Prefix.Address), int(d.Prefix.Len))}
				n.Table, _ = place.TableName(v, d.VrfID)
				out = append(out, desiredstate.Actual[Prefix]{Spec: n, ID: d.VrfID, Foreign: !ours.Has(v, d.VrfID, n.Prefix)})
			}
			return out, err
		},
		Check: func(v *desiredstate.View, n Prefix) error { return ours.Check(v, n.Table, n.Prefix) },
		Create: func(ctx context.Context, v *desiredstate.View, n Prefix) (uint32, error) {
			table, err := ours.Take(v, n.Table, n.Prefix)
			if err != nil {
				return 0, err
			}
			_, err = vpp.Nat64AddDelPrefix(ctx, n.message(table, true))
			return table, err
		},
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Prefix], want Prefix) error {
			if err := ours.CheckID(v, have.ID, want.Prefix); err != nil {
				return err
			}
			_, err := vpp.Nat64AddDelPrefix(ctx, want.message(have.ID, true))
			return err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Prefix]) error {
			_, err := vpp.Nat64AddDelPrefix(ctx, have.Spec.message(have.ID, false))
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
	}
}
