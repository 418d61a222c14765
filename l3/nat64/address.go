// SPDX-License-Identifier: Apache-2.0

package nat64

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	interface_binding "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat64"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Address is an address of the pool that hosts share when they speak to the world, those of all
// tables: one that VPP keeps for a table's hosts it has no port of left once 64,511 were used, and
// then looks for one for ever, and does nothing else any more. See [Range] for several.
type Address struct {
	Address netip.Addr // IPv4
}

// MaxAddresses bounds the pool. VPP takes 1 MB of its main heap for each, and 1.5 times all of
// that again while it grows, and ends itself if it lacks that.
const MaxAddresses = 128

// AddressKey is the key of an address of the pool.
func AddressKey(a netip.Addr) desiredstate.Key {
	return desiredstate.Key{Space: "nat64-address", Name: a.String()}
}

// Key is AddressKey(n.Address).
func (n Address) Key() desiredstate.Key { return AddressKey(n.Address) }

// Deps is empty.
func (n Address) Deps() []desiredstate.Key { return nil }

// Validate wants an IPv4 address.
func (n Address) Validate() error { return inet.CheckHostOf("address", n.Address, false) }

func (n Address) message(add bool) *binding.Nat64AddDelPoolAddrRange {
	four := n.Address.As4()
	return &binding.Nat64AddDelPoolAddrRange{IsAdd: add, StartAddr: four, EndAddr: four, VrfID: place.None}
}

// Range returns the addresses from first to last; last before first is none.
func Range(first, last netip.Addr) (out []Address) {
	for a := range inet.Range(first, last) {
		out = append(out, Address{a})
	}
	return out
}

// Addresses manages the addresses of the pool that are in the claimed prefixes
// (nat64_add_del_pool_addr_range): VPP keeps nothing that says whose one is. All others stay as
// they are, and are refused. An address that goes ends its sessions. One that a Mapping has, which is not
// Pooled, is refused, as is to take one away while any has it: VPP would count its ports wrong.
func Addresses(c *vppnet.Conn, claims ...netip.Prefix) *desiredstate.Kind[Address] {
	k, ours := newPool(c), place.Claims(claims)
	return &desiredstate.Kind[Address]{
		Target: c.Target(), Variant: fmt.Sprint(claims),
		Name:     "nat64-address",
		Messages: c.Uses(&binding.Nat64PoolAddrDump{}, &binding.Nat64BibDump{}, &binding.Nat64InterfaceDump{}, &interface_binding.SwInterfaceDump{}, &binding.Nat64AddDelPoolAddrRange{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Address], err error) {
			all, err := vppnet.Collect(k.vpp.Nat64PoolAddrDump(ctx, &binding.Nat64PoolAddrDump{}))
			for _, d := range all {
				a := netip.AddrFrom4(d.Address)
				out = append(out, desiredstate.Actual[Address]{
					ID: inet.Number(a), Spec: Address{a}, Foreign: d.VrfID != place.None || !ours.Has(v, 0, inet.Host(a)),
				})
			}
			return out, err
		},
		Check:    func(v *desiredstate.View, n Address) error { return ours.CheckID(v, 0, inet.Host(n.Address)) },
		Disturbs: endsSessions[Address],
		Create: func(ctx context.Context, v *desiredstate.View, n Address) (uint32, error) {
			if err := ours.CheckID(v, 0, inet.Host(n.Address)); err != nil {
				return 0, err
			}
			s, err := k.Join(ctx)
			if err == nil {
				err = s.check(n)
			}
			if err == nil {
				err = k.add(ctx, n)
			}
			return inet.Number(n.Address), err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Address]) error {
			s, err := k.Join(ctx)
			if err == nil {
				err = s.check(have.Spec)
			}
			if err != nil {
				return err
			}
			_, err = k.vpp.Nat64AddDelPoolAddrRange(ctx, have.Spec.message(false))
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
		Holds: func(n Address) []desiredstate.Key { return []desiredstate.Key{poolKey(n.Address)} },
	}
}

// poolKey is held by who is in the pool, and shared by mappings of an address that is not.
func poolKey(a netip.Addr) desiredstate.Key {
	return desiredstate.Key{Space: "nat64-pool", Name: a.String()}
}

// pool is what there is of VPP's pool, read for all who are about to change it at once.
type pool struct {
	c   *vppnet.Conn
	vpp binding.RPCService
	*shared.Round[poolState]
}

// poolState is what a change of the pool has to know.
type poolState struct {
	mapped map[netip.Addr]bool // that mappings have
	gone   []uint32            // outside interfaces that there are no more
}

func newPool(c *vppnet.Conn) pool {
	k := pool{c: c, vpp: binding.NewServiceClient(c)}
	ifs := interface_binding.NewServiceClient(c)
	k.Round = shared.NewRound(func(ctx context.Context) (s poolState, err error) { return k.read(ctx, ifs) })
	return k
}

func (k pool) read(ctx context.Context, ifs interface_binding.RPCService) (s poolState, err error) {
	s.mapped = map[netip.Addr]bool{}
	mappings, err := static(ctx, k.vpp)
	if err != nil {
		return s, err
	}
	for _, d := range mappings {
		s.mapped[netip.AddrFrom4(d.OAddr)] = true
	}
	s.gone, err = k.gone(ctx, ifs)
	return s, err
}

// add counts right before it adds, one at a time: of all that come at once each would find room.
func (k pool) add(ctx context.Context, n Address) error {
	done, err := k.c.Turn(ctx, desiredstate.Key{Space: "nat64", Name: "pool"})
	if err != nil {
		return err
	}
	defer done()
	there, err := pooled(ctx, k.vpp)
	if err == nil && len(there) >= MaxAddresses {
		err = fmt.Errorf("%w: %d addresses are in the pool, for which VPP takes 1 MB each of its main heap: want at most %d", desiredstate.ErrInvalid, len(there), MaxAddresses)
	}
	if err == nil {
		_, err = k.vpp.Nat64AddDelPoolAddrRange(ctx, n.message(true))
	}
	return err
}

// gone lists outside interfaces that there are no more. One may have left NAT64, and gone, since it
// was listed; so those that seem to have gone are looked for there again.
func (k pool) gone(ctx context.Context, ifs interface_binding.RPCService) (gone []uint32, err error) {
	before, err := interfaces{k.vpp}.roles(ctx)
	if err != nil {
		return nil, err
	}
	for id, r := range before {
		if r&place.Outside == 0 {
			continue
		}
		there, err := vppnet.Collect(ifs.SwInterfaceDump(ctx, &interface_binding.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(id)}))
		if err != nil {
			return nil, err
		}
		if len(there) == 0 {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	after, err := interfaces{k.vpp}.roles(ctx)
	return slices.DeleteFunc(gone, func(id uint32) bool { return after[id]&place.Outside == 0 }), err
}

// pooled lists the addresses of the pool, anybody's.
func pooled(ctx context.Context, vpp binding.RPCService) (map[netip.Addr]bool, error) {
	all, err := vppnet.Collect(vpp.Nat64PoolAddrDump(ctx, &binding.Nat64PoolAddrDump{}))
	out := make(map[netip.Addr]bool, len(all))
	for _, d := range all {
		out[netip.AddrFrom4(d.Address)] = true
	}
	return out, err
}

// check reports what a change of an address would do to VPP.
func (s poolState) check(n Address) error {
	switch {
	case len(s.gone) > 0:
		return fmt.Errorf("%w: interfaces numbered %v, outside for NAT64, have gone, and VPP would die of a change of its pool: make interfaces until there are some with these numbers", desiredstate.ErrConflict, s.gone)
	case s.mapped[n.Address]:
		return fmt.Errorf("%w: a mapping has address %v, whose ports VPP would count wrong: remove the mapping first", desiredstate.ErrConflict, n.Address)
	}
	return nil
}
