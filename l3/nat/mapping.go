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

// Mapping is a static mapping: an address of the world that stands for one of a
// host. Without ports it is a floating IP, good for both directions and all
// protocols.
type Mapping struct {
	Name string

	Local    netip.Addr // of the host, IPv4
	External netip.Addr // of the world, IPv4; it need not be in a pool
	Table    string     // of the host

	// With a protocol, only one port is mapped.
	Protocol     Protocol
	LocalPort    uint16
	ExternalPort uint16

	// Of a mapping of a port only; endpoint-dependent only.
	TwiceNAT     bool // towards the host, the world has an address of the pool for that
	SelfTwiceNAT bool // the same, but only if it is the host itself that speaks to External (hairpinning)

	// OneWay: what the host begins is not translated by it; endpoint-dependent only.
	OneWay bool

	// Pooled says that External is in the pool: its Address is there before the
	// mapping, and outlives it. Endpoint-independent NAT demands it for ports.
	Pooled bool
}

// MappingKey is the key of a mapping. One that is not ours is named by its
// external side, "vpp:203.0.113.5" or "vpp:203.0.113.5 tcp 80".
func MappingKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-mapping", Name: name}
}

// Key is MappingKey(m.Name).
func (m Mapping) Key() desiredstate.Key { return MappingKey(m.Name) }

// Deps lists NAT, the table and, if Pooled, the address of the pool.
func (m Mapping) Deps() []desiredstate.Key {
	deps := append(place.TableDeps(m.Table), PluginKey())
	if m.Pooled {
		deps = append(deps, AddressKey(m.External))
	}
	return deps
}

// Validate checks addresses, ports, and what goes together.
func (m Mapping) Validate() error {
	if err := errors.Join(vppnet.CheckName(m.Name), check4("local address", m.Local), check4("external address", m.External), place.CheckTable(m.Table), m.Protocol.Check()); err != nil {
		return err
	}
	switch {
	case m.Protocol == NoProtocol && (m.LocalPort != 0 || m.ExternalPort != 0):
		return errors.New("ports of no protocol: want both, or neither")
	case m.Protocol != NoProtocol && (m.LocalPort == 0 || m.ExternalPort == 0):
		return fmt.Errorf("protocol %v without a port", m.Protocol)
	case m.Protocol == NoProtocol && (m.TwiceNAT || m.SelfTwiceNAT):
		return errors.New("twice-NAT is for a mapping of a port")
	case m.TwiceNAT && m.SelfTwiceNAT:
		return errors.New("twice-NAT for all includes that for the host itself")
	case m.Local == m.External:
		return errors.New("from an address to itself: that is a nat.Identity")
	}
	return nil
}

// sideOf names one side of a mapping.
func sideOf(a netip.Addr, p Protocol, port uint16) string {
	if p == NoProtocol {
		return a.String()
	}
	return fmt.Sprintf("%v %v %d", a, p, port)
}

// namesOf are the names of all the mappings of one sort.
func namesOf(c *vppnet.Conn, all []staticMapping) []vppnet.Name {
	marks := make([]vppnet.Named, len(all))
	for i, w := range all {
		marks[i] = vppnet.Named{Tag: w.tag, VPP: sideOf(w.external, Protocol(w.protocol), w.externalPort)}
	}
	return c.Names(marks...)
}

// verifier makes a Kind.Verify, which says of each name and the table number that its
// mapping had, whether there still is a mapping of that name for that table. Read lists
// those of one sort.
func verifier(c *vppnet.Conn, read func(context.Context) ([]staticMapping, error)) func(context.Context, []desiredstate.Held) ([]bool, error) {
	return func(ctx context.Context, held []desiredstate.Held) ([]bool, error) {
		all, err := read(ctx)
		if err != nil {
			return nil, err
		}
		type place struct {
			name  string
			table uint32
		}
		there := make(map[place]bool, len(all))
		for i, n := range namesOf(c, all) {
			there[place{n.Name, all[i].table}] = true
		}
		same := make([]bool, len(held))
		for i, h := range held {
			same[i] = there[place{h.Key.Name, h.ID}]
		}
		return same, nil
	}
}

// heldExternal and heldLocal are what one mapping holds, identities included.
func heldExternal(side string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-external", Name: side}
}

func heldLocal(table, side string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-local", Name: table + " " + side}
}

// Mappings manages static mappings (nat44_add_del_static_mapping_v2,
// nat44_ei_add_del_static_mapping). Those with our tag are ours. All changes
// replace.
//
// With a mapping that goes, all its sessions end, those included by which other
// hosts inside reached it; so does what the host had begun by it. To find those of
// others, endpoint-dependent NAT is asked for the sessions of all hosts, once for
// all mappings that go together. Sessions that the host had before it got its
// mapping go on if endpoint-dependent, and end otherwise: see [EndSessions].
func Mappings(c *vppnet.Conn, variant Variant) *desiredstate.Kind[Mapping] {
	k := mappings{c, newClient(c, variant)}
	hairpins := newHairpins(k.vpp)
	return vppnet.Labelled(c, &desiredstate.Kind[Mapping]{
		Target: c.Target(), Variant: variant,
		Name:     "nat-mapping",
		Requires: []desiredstate.AnyKind{l3.Tables(c), plugins(c, variant, false)},
		Messages: c.Uses(k.vpp.messages(partMaps, partPool, partSessions)...),
		Dump:     k.dump,
		Verify:   verifier(c, settled(k.vpp.mappings)),
		Disturbs: endsSessions[Mapping],
		Check:    k.check,
		Create: func(ctx context.Context, v *desiredstate.View, m Mapping) (uint32, error) {
			wire, err := k.wire(v, m)
			if err != nil {
				return 0, err
			}
			return wire.table, k.vpp.setMapping(ctx, wire, true)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Mapping]) error {
			m := have.Spec
			// VPP finds the mapping by its external side, and takes all else from
			// what it is told: it has to be what it was made with.
			wire := staticMapping{
				local: m.Local, localPort: m.LocalPort, external: m.External, externalPort: m.ExternalPort, protocol: uint8(m.Protocol),
				twice: m.TwiceNAT, self: m.SelfTwiceNAT, oneWay: m.OneWay, table: have.ID,
			}
			err := vppnet.Gone(k.vpp.setMapping(ctx, wire, false), api.NO_SUCH_ENTRY, api.UNSUPPORTED, api.FEATURE_ALREADY_DISABLED)
			if err != nil {
				return err
			}
			return hairpins.end(ctx, wire)
		},
		Fill: func(have desiredstate.Actual[Mapping], want Mapping) Mapping {
			want.Pooled = have.Spec.Pooled
			return want
		},
		Holds: func(m Mapping) []desiredstate.Key {
			held := []desiredstate.Key{heldExternal(sideOf(m.External, m.Protocol, m.ExternalPort))}
			if !m.OneWay {
				held = append(held, heldLocal(m.Table, sideOf(m.Local, m.Protocol, m.LocalPort)))
			}
			return held
		},
	}, nil)
}

type mappings struct {
	c   *vppnet.Conn
	vpp client
}

func (k mappings) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Mapping], err error) {
	all, err := settled(k.vpp.mappings)(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	pool := map[netip.Addr]bool{}
	addresses, err := k.vpp.addresses(ctx)
	for _, a := range addresses {
		pool[a.addr] = pool[a.addr] || !a.twice
	}
	names := namesOf(k.c, all)
	for i, w := range all {
		m := Mapping{
			Name: names[i].Name, Local: w.local, LocalPort: w.localPort, External: w.external, ExternalPort: w.externalPort, Protocol: Protocol(w.protocol),
			TwiceNAT: w.twice, SelfTwiceNAT: w.self, OneWay: w.oneWay, Pooled: pool[w.external],
		}
		m.Table, _ = place.TableName(v, w.table)
		out = append(out, desiredstate.Actual[Mapping]{ID: w.table, Foreign: !names[i].Ours, Leftover: names[i].Surplus, Spec: m})
	}
	return out, err
}

// check refuses what endpoint-independent NAT does not have.
func (k mappings) check(_ *desiredstate.View, m Mapping) error {
	switch variant := k.vpp.variant(); {
	case variant != EndpointIndependent:
	case m.TwiceNAT, m.SelfTwiceNAT, m.OneWay:
		return fmt.Errorf("%s NAT has neither twice-NAT nor mappings for one way: use nat.EndpointDependent", variant)
	case m.Protocol != NoProtocol && !m.Pooled:
		return fmt.Errorf("%s NAT maps ports only of an address of the pool: make it a nat.Address, and the mapping Pooled", variant)
	}
	return nil
}

func (k mappings) wire(v *desiredstate.View, m Mapping) (w staticMapping, err error) {
	tag, err := k.c.Tag(m.Name)
	if err != nil {
		return w, err
	}
	table, err := place.TableID(v, m.Table)
	return staticMapping{
		local: m.Local, localPort: m.LocalPort, external: m.External, externalPort: m.ExternalPort, protocol: uint8(m.Protocol),
		twice: m.TwiceNAT, self: m.SelfTwiceNAT, oneWay: m.OneWay, table: table, tag: tag,
	}, err
}
