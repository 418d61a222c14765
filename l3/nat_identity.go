// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// NATIdentity exempts an address from translation, or one port of it: a mapping
// from an address to itself.
type NATIdentity struct {
	Name    string
	Address netip.Addr // IPv4
	Table   string

	Protocol Protocol // with one, only a port is exempt
	Port     uint16

	// Pooled says that Address is in the pool; see NATMapping.Pooled.
	Pooled bool
}

// NATIdentityKey is the key of an identity mapping. One that is not ours is named
// as a [NATMapping] is.
func NATIdentityKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-identity", Name: name}
}

// Key is NATIdentityKey(n.Name).
func (n NATIdentity) Key() desiredstate.Key { return NATIdentityKey(n.Name) }

// Deps lists NAT, the table and, if Pooled, the address of the pool.
func (n NATIdentity) Deps() []desiredstate.Key {
	deps := append(tableDeps(n.Table), NATKey())
	if n.Pooled {
		deps = append(deps, NATAddressKey(n.Address))
	}
	return deps
}

// Validate checks address and port.
func (n NATIdentity) Validate() error {
	if err := errors.Join(vppnet.CheckName(n.Name), check4("address", n.Address), checkTable(n.Table), n.Protocol.check()); err != nil {
		return err
	}
	if (n.Protocol == NoProtocol) != (n.Port == 0) {
		return fmt.Errorf("protocol %q with port %d: want both, or neither", n.Protocol, n.Port)
	}
	return nil
}

// NATIdentities manages identity mappings (nat44_add_del_identity_mapping,
// nat44_ei_add_del_identity_mapping). Those with our tag are ours. All changes
// replace. Of several tables with the same exemption, VPP keeps one tag: that is
// left to others, and one address or port has one NATIdentity.
//
// Endpoint-independent NAT does not take back the route to itself that it makes for an
// exempt address where there is an outside interface; for an exempt port it makes none.
func NATIdentities(c *vppnet.Conn, variant NATVariant) *desiredstate.Kind[NATIdentity] {
	vpp := newNAT(c, variant)
	return &desiredstate.Kind[NATIdentity]{
		Target: c.Target(), Variant: variant,
		Name:     "nat-identity",
		Requires: []desiredstate.AnyKind{Tables(c), nats(c, variant, false)},
		Messages: c.Uses(vpp.messages(natMaps, natPool)...),
		Verify: vppnet.Verifying(func(ctx context.Context, names []string, ids []uint32) ([]bool, error) {
			return verifyNAT(ctx, c, vpp.identities, names, ids)
		}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[NATIdentity], err error) {
			all, err := vpp.identities(ctx)
			if err != nil || len(all) == 0 {
				return nil, err
			}
			pool := map[netip.Addr]bool{}
			addresses, err := vpp.addresses(ctx)
			for _, a := range addresses {
				pool[a.addr] = pool[a.addr] || !a.twice
			}
			names := natNames(c, all)
			for i, w := range all {
				n := NATIdentity{Name: names[i].Name, Address: w.external, Protocol: Protocol(w.protocol), Port: w.externalPort, Pooled: pool[w.external]}
				n.Table, _ = tableName(v, w.table)
				out = append(out, desiredstate.Actual[NATIdentity]{ID: w.table, Foreign: !names[i].Ours, Leftover: names[i].Surplus, Spec: n})
			}
			return out, err
		},
		Disturbs: endsSessions[NATIdentity],
		Create: func(ctx context.Context, v *desiredstate.View, n NATIdentity) (uint32, error) {
			tag, err := c.Tag(n.Name)
			if err != nil {
				return 0, err
			}
			if variant == EndpointIndependent && n.Protocol != NoProtocol && !n.Pooled {
				return 0, fmt.Errorf("%w: %s NAT exempts ports only of an address of the pool: make it a NATAddress, and this Pooled", desiredstate.ErrInvalid, variant)
			}
			table, err := tableID(v, n.Table)
			if err != nil {
				return 0, err
			}
			return table, vpp.setIdentity(ctx, natMapping{external: n.Address, externalPort: n.Port, protocol: uint8(n.Protocol), table: table, tag: tag}, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[NATIdentity]) error {
			n := have.Spec
			err := vpp.setIdentity(ctx, natMapping{external: n.Address, externalPort: n.Port, protocol: uint8(n.Protocol), table: have.ID}, false)
			return vppnet.Gone(err, api.NO_SUCH_ENTRY, api.UNSUPPORTED, api.FEATURE_ALREADY_DISABLED)
		},
		Fill: func(have desiredstate.Actual[NATIdentity], want NATIdentity) NATIdentity {
			want.Pooled = have.Spec.Pooled
			return want
		},
		Holds: func(n NATIdentity) []desiredstate.Key {
			side := natSide(n.Address, n.Protocol, n.Port)
			return []desiredstate.Key{natExternal(side), natLocal(n.Table, side)}
		},
	}
}
