// SPDX-License-Identifier: Apache-2.0

package nat64

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"go.fd.io/govpp/api"
	binding "go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/nat_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/l3/internal/transport"
	"github.com/vppkit/vppkit/vppnet"
)

// Protocol is one with ports, by its IP number. In JSON, and as text, it is its name: "icmp", "tcp"
// or "udp".
type Protocol = transport.Protocol

// The protocols of mappings. ICMP has identifiers for ports, of IPv6 and IPv4 alike.
const (
	ICMP = transport.ICMP
	TCP  = transport.TCP
	UDP  = transport.UDP
)

// Mapping is a port of the world that is one of a host's (a static entry of VPP's BIB): whoever
// speaks to that one reaches the host.
type Mapping struct {
	Table    string     // the host's; "" is the default table
	Local    netip.Addr // of the host, IPv6
	External netip.Addr // of the world, IPv4

	Protocol     Protocol
	LocalPort    uint16
	ExternalPort uint16

	// Pooled says that External is in the pool: its Address is there before the mapping, and
	// outlives it. It has ports from 1025 to 65534 to give: VPP counts others wrong, and would
	// find none for hosts any more once the mapping has gone.
	Pooled bool
}

// MappingKey is the key of the Mapping of a host's port.
func MappingKey(table string, p Protocol, local netip.Addr, port uint16) desiredstate.Key {
	return desiredstate.Key{Space: "nat64-mapping", Name: fmt.Sprintf("%s %v %v %d", table, local, p, port)}
}

// Key is MappingKey of the host's side.
func (m Mapping) Key() desiredstate.Key {
	return MappingKey(m.Table, m.Protocol, m.Local, m.LocalPort)
}

// Deps lists the table and, if Pooled, the address of the pool.
func (m Mapping) Deps() []desiredstate.Key {
	deps := place.TableDeps(m.Table)
	if m.Pooled {
		deps = append(deps, AddressKey(m.External))
	}
	return deps
}

// Validate wants an address of each family, a protocol, and ports.
func (m Mapping) Validate() error {
	if err := errors.Join(inet.CheckHostOf("local address", m.Local, true), inet.CheckHostOf("external address", m.External, false), place.CheckTable(m.Table), m.Protocol.Check()); err != nil {
		return err
	}
	switch {
	case m.Protocol == transport.None:
		return errors.New("no protocol: want ICMP, TCP or UDP")
	case m.LocalPort == 0 || m.ExternalPort == 0:
		return fmt.Errorf("protocol %v without a port", m.Protocol)
	case m.Pooled && (m.ExternalPort <= 1024 || m.ExternalPort == 65535):
		return fmt.Errorf("external port %d of an address of the pool, want 1025 to 65534: take an address that is in no pool", m.ExternalPort)
	}
	return nil
}

func (m Mapping) message(table uint32, add bool) *binding.Nat64AddDelStaticBib {
	return &binding.Nat64AddDelStaticBib{
		IsAdd: add, IAddr: m.Local.As16(), OAddr: m.External.As4(), IPort: m.LocalPort, OPort: m.ExternalPort, VrfID: table, Proto: uint8(m.Protocol),
	}
}

// Mappings manages the ports of hosts of our tables, or with external addresses in the claimed
// prefixes (nat64_add_del_static_bib). Others' stay, and an external port that they have is
// refused: VPP would take it from them. All changes replace, and end the mapping's sessions. A port
// by which a host speaks already is refused until it has been silent for long enough.
func Mappings(c *vppnet.Conn, sizes Sizes, claims ...netip.Prefix) *desiredstate.Kind[Mapping] {
	vpp, power, ours := binding.NewServiceClient(c), newPower(c, sizes), place.Claims(claims)
	pool := shared.NewRound(func(ctx context.Context) (map[netip.Addr]bool, error) { return pooled(ctx, vpp) })
	return &desiredstate.Kind[Mapping]{
		Target: c.Target(), Variant: [2]any{sizes, fmt.Sprint(claims)},
		Name:     "nat64-mapping",
		Requires: []desiredstate.AnyKind{l3.Tables(c)},
		Messages: c.Uses(&binding.Nat64PoolAddrDump{}, &binding.Nat64BibDump{}, &binding.Nat64PluginEnableDisable{}, &binding.Nat64AddDelStaticBib{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Mapping], err error) {
			addresses, err := pooled(ctx, vpp)
			if err != nil {
				return nil, err
			}
			all, err := static(ctx, vpp)
			for _, d := range all {
				m := Mapping{
					Local: netip.AddrFrom16(d.IAddr), External: netip.AddrFrom4(d.OAddr), Protocol: Protocol(d.Proto), LocalPort: d.IPort, ExternalPort: d.OPort,
				}
				if m.Protocol == transport.None || m.Protocol.Check() != nil {
					continue // it is of no port
				}
				m.Table, _ = place.TableName(v, d.VrfID)
				m.Pooled = addresses[m.External]
				out = append(out, desiredstate.Actual[Mapping]{Spec: m, ID: d.VrfID, Foreign: !ours.Has(v, d.VrfID, inet.Host(m.External))})
			}
			return out, err
		},
		Check: func(v *desiredstate.View, m Mapping) error {
			return errors.Join(sizes.check(), ours.Check(v, m.Table, inet.Host(m.External)))
		},
		Disturbs: endsSessions[Mapping],
		Create: func(ctx context.Context, v *desiredstate.View, m Mapping) (uint32, error) {
			table, err := ours.Take(v, m.Table, inet.Host(m.External))
			if err != nil {
				return 0, err
			}
			addresses, err := pool.Join(ctx)
			if err == nil && addresses[m.External] != m.Pooled {
				err = fmt.Errorf("%w: that address %v is in the pool is %t, and the mapping says otherwise: set Pooled, or take another address", desiredstate.ErrConflict, m.External, !m.Pooled)
			}
			if err == nil {
				err = power.on(ctx)
			}
			if err != nil {
				return 0, err
			}
			_, err = vpp.Nat64AddDelStaticBib(ctx, m.message(table, true))
			if errors.Is(err, api.VALUE_EXIST) || errors.Is(err, api.INVALID_VALUE) {
				err = fmt.Errorf("a session of a host has one of the ports: wait until it has been silent for long enough (Timeouts), or take another port: %w", err)
			}
			return table, err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Mapping]) error {
			if err := power.on(ctx); err != nil {
				return err
			}
			_, err := vpp.Nat64AddDelStaticBib(ctx, have.Spec.message(have.ID, false))
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
		Holds: func(m Mapping) []desiredstate.Key {
			return []desiredstate.Key{{Space: "nat64", Name: fmt.Sprintf("%v %v %d", m.External, m.Protocol, m.ExternalPort)}}
		},
		// VPP would count the ports of one that comes to the pool, or leaves it, under a mapping wrong.
		Shares: func(m Mapping) []desiredstate.Key {
			if m.Pooled {
				return nil
			}
			return []desiredstate.Key{poolKey(m.External)}
		},
	}
}

// static lists what was mapped by whoever, and not by sessions.
func static(ctx context.Context, vpp binding.RPCService) (out []*binding.Nat64BibDetails, err error) {
	all, err := vppnet.Collect(vpp.Nat64BibDump(ctx, &binding.Nat64BibDump{Proto: 255}))
	for _, d := range all {
		if d.Flags&nat_types.NAT_IS_STATIC != 0 {
			out = append(out, d)
		}
	}
	return out, err
}
