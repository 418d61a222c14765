// SPDX-License-Identifier: Apache-2.0

package nat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Identity exempts an address from translation, or one port of it: a mapping
// from an address to itself.
type Identity struct {
	Name    string
	Address netip.Addr // IPv4
	Table   string

	Protocol Protocol // with one, only a port is exempt
	Port     uint16

	// Pooled says that Address is in the pool; see Mapping.Pooled.
	Pooled bool
}

// IdentityKey is the key of an identity mapping. One that is not ours is named
// as a [Mapping] is.
func IdentityKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-identity", Name: name}
}

// Key is IdentityKey(n.Name).
func (n Identity) Key() desiredstate.Key { return IdentityKey(n.Name) }

// Deps lists NAT, the table and, if Pooled, the address of the pool.
func (n Identity) Deps() []desiredstate.Key {
	deps := append(place.TableDeps(n.Table), PluginKey())
	if n.Pooled {
		deps = append(deps, AddressKey(n.Address))
	}
	return deps
}

// Validate checks address and port.
func (n Identity) Validate() error {
	if err := errors.Join(vppnet.CheckName(n.Name), check4("address", n.Address), place.CheckTable(n.Table), n.Protocol.Check()); err != nil {
		return err
	}
	if (n.Protocol == NoProtocol) != (n.Port == 0) {
		return fmt.Errorf("protocol %q with port %d: want both, or neither", n.Protocol, n.Port)
	}
	return nil
}

// Identities manages identity mappings (nat44_add_del_identity_mapping,
// nat44_ei_add_del_identity_mapping). Those with our tag are ours. All changes
// replace. Of several tables with the same exemption, VPP keeps one tag: that is
// left to others, and one address or port has one Identity.
//
// Endpoint-independent NAT does not take back the route to itself that it makes for an
// exempt address where there is an outside interface; for an exempt port it makes none.
func Identities(c *vppnet.Conn, variant Variant) *desiredstate.Kind[Identity] {
	vpp := newClient(c, variant)
	read := settled(vpp.identities)
	return vppnet.Labelled(c, &desiredstate.Kind[Identity]{
		Target: c.Target(), Variant: variant,
		Name:     "nat-identity",
		Requires: []desiredstate.AnyKind{l3.Tables(c), plugins(c, variant, false)},
		Messages: c.Uses(vpp.messages(partMaps, partPool)...),
		Verify:   verifier(c, read),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Identity], err error) {
			all, err := read(ctx)
			if err != nil || len(all) == 0 {
				return nil, err
			}
			pool := map[netip.Addr]bool{}
			addresses, err := vpp.addresses(ctx)
			for _, a := range addresses {
				pool[a.addr] = pool[a.addr] || !a.twice
			}
			names := namesOf(c, all)
			for i, w := range all {
				n := Identity{Name: names[i].Name, Address: w.external, Protocol: Protocol(w.protocol), Port: w.externalPort, Pooled: pool[w.external]}
				n.Table, _ = place.TableName(v, w.table)
				out = append(out, desiredstate.Actual[Identity]{ID: w.table, Foreign: !names[i].Ours, Leftover: names[i].Surplus, Spec: n})
			}
			return out, err
		},
		Disturbs: endsSessions[Identity],
		Check: func(_ *desiredstate.View, n Identity) error {
			if variant == EndpointIndependent && n.Protocol != NoProtocol && !n.Pooled {
				return fmt.Errorf("%s NAT exempts ports only of an address of the pool: make it a nat.Address, and this Pooled", variant)
			}
			return nil
		},
		Create: func(ctx context.Context, v *desiredstate.View, n Identity) (uint32, error) {
			tag, err := c.Tag(n.Name)
			if err != nil {
				return 0, err
			}
			table, err := place.TableID(v, n.Table)
			if err != nil {
				return 0, err
			}
			return table, vpp.setIdentity(ctx, staticMapping{external: n.Address, externalPort: n.Port, protocol: uint8(n.Protocol), table: table, tag: tag}, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Identity]) error {
			n := have.Spec
			err := vpp.setIdentity(ctx, staticMapping{external: n.Address, externalPort: n.Port, protocol: uint8(n.Protocol), table: have.ID}, false)
			return vppnet.Gone(err, api.NO_SUCH_ENTRY, api.UNSUPPORTED, api.FEATURE_ALREADY_DISABLED)
		},
		Fill: func(have desiredstate.Actual[Identity], want Identity) Identity {
			want.Pooled = have.Spec.Pooled
			return want
		},
		Holds: func(n Identity) []desiredstate.Key {
			side := sideOf(n.Address, n.Protocol, n.Port)
			return []desiredstate.Key{heldExternal(side), heldLocal(n.Table, side)}
		},
	}, nil)
}
