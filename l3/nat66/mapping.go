// SPDX-License-Identifier: Apache-2.0

package nat66

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	binding "go.fd.io/govpp/binapi/nat66"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// Mapping says which address a host has towards the world, and that whoever speaks to that
// one reaches the host.
type Mapping struct {
	Table    string     // the host's; "" is the default table
	Local    netip.Addr // of the host, IPv6
	External netip.Addr // towards the world, IPv6; of one Mapping alone
}

// MappingKey is the key of a host's Mapping.
func MappingKey(table string, local netip.Addr) desiredstate.Key {
	return desiredstate.Key{Space: "nat66-mapping", Name: table + " " + local.String()}
}

// Key is MappingKey(m.Table, m.Local).
func (m Mapping) Key() desiredstate.Key { return MappingKey(m.Table, m.Local) }

// Deps lists the table.
func (m Mapping) Deps() []desiredstate.Key { return place.TableDeps(m.Table) }

// Validate wants two addresses of IPv6.
func (m Mapping) Validate() error {
	return errors.Join(inet.CheckHostOf("local address", m.Local, true), inet.CheckHostOf("external address", m.External, true), place.CheckTable(m.Table))
}

func (m Mapping) message(table uint32, add bool) *binding.Nat66AddDelStaticMapping {
	return &binding.Nat66AddDelStaticMapping{IsAdd: add, LocalIPAddress: m.Local.As16(), ExternalIPAddress: m.External.As16(), VrfID: table}
}

// Mappings manages which addresses belong together (nat66_add_del_static_mapping), of the hosts of
// our tables, or with external addresses in the claimed prefixes. Others' stay, and an external
// address that they have is refused: VPP would take it from them. Another external address replaces.
func Mappings(c *vppnet.Conn, claims ...netip.Prefix) *desiredstate.Kind[Mapping] {
	vpp := binding.NewServiceClient(c)
	ours := place.Claims(claims)
	return &desiredstate.Kind[Mapping]{
		Target: c.Target(), Variant: fmt.Sprint(claims),
		Name:     "nat66-mapping",
		Requires: []desiredstate.AnyKind{l3.Tables(c)},
		Messages: c.Uses(&binding.Nat66PluginEnableDisable{}, &binding.Nat66AddDelStaticMapping{}, &binding.Nat66StaticMappingDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Mapping], err error) {
			all, err := vppnet.Collect(vpp.Nat66StaticMappingDump(ctx, &binding.Nat66StaticMappingDump{}))
			for _, d := range all {
				m := Mapping{Local: netip.AddrFrom16(d.LocalIPAddress), External: netip.AddrFrom16(d.ExternalIPAddress)}
				m.Table, _ = place.TableName(v, d.VrfID)
				out = append(out, desiredstate.Actual[Mapping]{Spec: m, ID: d.VrfID, Foreign: !ours.Has(v, d.VrfID, inet.Host(m.External))})
			}
			return out, err
		},
		Check: func(v *desiredstate.View, m Mapping) error { return ours.Check(v, m.Table, inet.Host(m.External)) },
		Create: func(ctx context.Context, v *desiredstate.View, m Mapping) (uint32, error) {
			table, err := ours.Take(v, m.Table, inet.Host(m.External))
			if err != nil {
				return 0, err
			}
			return table, on(ctx, vpp, func() error {
				_, err := vpp.Nat66AddDelStaticMapping(ctx, m.message(table, true))
				return err
			})
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Mapping]) error {
			_, err := vpp.Nat66AddDelStaticMapping(ctx, have.Spec.message(have.ID, false))
			return vppnet.Gone(err, api.NO_SUCH_ENTRY, off)
		},
		Holds: func(m Mapping) []desiredstate.Key {
			return []desiredstate.Key{{Space: "nat66", Name: m.External.String()}}
		},
	}
}
