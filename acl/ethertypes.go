// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// EtherTypes lists what ethertypes other than IP pass a bridged interface. All
// others are dropped, ARP (0x0806) too if it is not listed.
//
// VPP looks at a direction's list only while a set is bound to that direction.
// Without EtherTypes, or in a direction without any, all of them pass; there is
// no way to list none.
type EtherTypes struct {
	Interface     string
	Input, Output []uint16 // each once, in any order; together at most 255
}

// EtherTypesKey is the key of the EtherTypes of an interface.
func EtherTypesKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "acl-ethertypes", Name: iface}
}

// Key is EtherTypesKey(e.Interface).
func (e EtherTypes) Key() desiredstate.Key { return EtherTypesKey(e.Interface) }

// Deps lists the interface.
func (e EtherTypes) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(e.Interface)}
}

// Validate wants at least one type, none of them IP, which sets decide on.
func (e EtherTypes) Validate() error {
	if err := vppnet.CheckRef("interface", e.Interface); err != nil {
		return err
	}
	if n := len(e.Input) + len(e.Output); n == 0 || n > maxBound {
		return fmt.Errorf("%d ethertypes, want 1 to %d", n, maxBound)
	}
	for _, types := range [][]uint16{e.Input, e.Output} {
		for i, t := range types {
			switch {
			case t == 0x0800 || t == 0x86dd:
				return fmt.Errorf("ethertype %#04x is IP, which the list is not about: use sets", t)
			case t < 0x0600:
				return fmt.Errorf("ethertype %#04x is the length of a frame without one", t)
			case slices.Contains(types[:i], t):
				return fmt.Errorf("ethertype %#04x twice in one direction", t)
			}
		}
	}
	return nil
}

// typesOf is what a list of ethertypes is taken turns about. Bindings send the list of an
// interface as they read it; another must not come in between.
func typesOf(iface uint32) desiredstate.Key {
	return desiredstate.Key{Space: "acl-ethertypes", Name: vppnet.Foreign(fmt.Sprint(iface))}
}

// EtherTypeLists manages the lists of ethertypes of our interfaces, and of those
// that others named in them (acl_interface_set_etype_whitelist). Both directions
// change at once, in place.
//
// VPP keeps the list when the interface goes, for the next one with its index; so
// it has to go before. A list that an interface of ours was born with is ours.
func EtherTypeLists(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[EtherTypes] {
	vpp := acl.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, e EtherTypes) error {
		done, err := c.Turn(ctx, typesOf(id))
		if err != nil {
			return err
		}
		defer done()
		types := slices.Concat(e.Input, e.Output)
		_, err = vpp.ACLInterfaceSetEtypeWhitelist(ctx, &acl.ACLInterfaceSetEtypeWhitelist{
			SwIfIndex: interface_types.InterfaceIndex(id), Count: uint8(len(types)), NInput: uint8(len(e.Input)), Whitelist: types,
		})
		return err
	}
	scope := iface.Scope(claims)
	return &desiredstate.Kind[EtherTypes]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "acl-ethertypes",
		Requires: []desiredstate.AnyKind{vppnet.Interfaces(c)},
		Shares:   func(x EtherTypes) []desiredstate.Key { return vppnet.UseKeys(x.Interface) },
		Messages: c.Uses(&acl.ACLInterfaceEtypeWhitelistDump{}, &acl.ACLInterfaceSetEtypeWhitelist{}),
		Dump: vppnet.RereadUnless(len(claims) > 0, c, func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[EtherTypes], err error) {
			found, err := vppnet.Collect(vpp.ACLInterfaceEtypeWhitelistDump(ctx, &acl.ACLInterfaceEtypeWhitelistDump{SwIfIndex: everywhere}))
			for _, d := range found {
				id := uint32(d.SwIfIndex)
				if i, ok := desiredstate.At[vppnet.Interface](v, id); ok {
					n := min(int(d.NInput), len(d.Whitelist))
					out = append(out, desiredstate.Actual[EtherTypes]{ID: id, Foreign: !scope.Has(i), Spec: EtherTypes{
						Interface: i.Spec.Name, Input: d.Whitelist[:n:n], Output: d.Whitelist[n:],
					}})
				}
			}
			return out, err
		}),
		Check: func(v *desiredstate.View, e EtherTypes) error { return scope.Check(v, e.Interface) },
		Create: func(ctx context.Context, v *desiredstate.View, e EtherTypes) (uint32, error) {
			id, err := scope.Take(v, e.Interface)
			if err != nil {
				return 0, err
			}
			return id, set(ctx, id, e)
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[EtherTypes], want EtherTypes) error {
			return set(ctx, have.ID, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[EtherTypes]) error {
			return vppnet.Gone(set(ctx, have.ID, EtherTypes{}), api.INVALID_SW_IF_INDEX)
		},
		Fill: func(have desiredstate.Actual[EtherTypes], want EtherTypes) EtherTypes {
			if sameTypes(have.Spec.Input, want.Input) && sameTypes(have.Spec.Output, want.Output) {
				return have.Spec
			}
			return want
		},
	}
}

// sameTypes compares without order, and as often as each is there.
func sameTypes(a, b []uint16) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
