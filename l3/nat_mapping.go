// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// NATMapping is a static mapping: an address of the world that stands for one of a
// host. Without ports it is a floating IP, good for both directions and all
// protocols.
type NATMapping struct {
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

	// Pooled says that External is in the pool: its NATAddress is there before the
	// mapping, and outlives it. Endpoint-independent NAT demands it for ports.
	Pooled bool
}

// Protocol is one with ports, or none. In JSON it is its name.
type Protocol uint8

// The protocols of mappings, by their IP numbers. ICMP has identifiers for ports.
const (
	NoProtocol Protocol = 0
	ICMP       Protocol = 1
	TCP        Protocol = 6
	UDP        Protocol = 17
)

var protocolNames = map[Protocol]string{NoProtocol: "", ICMP: "icmp", TCP: "tcp", UDP: "udp"}

// String returns "icmp", "tcp", "udp" or "".
func (p Protocol) String() string {
	if s, ok := protocolNames[p]; ok {
		return s
	}
	return fmt.Sprintf("%d", uint8(p))
}

// MarshalText is String.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String writes of a protocol of mappings.
func (p *Protocol) UnmarshalText(b []byte) error {
	for known, name := range protocolNames {
		if name == strings.ToLower(string(b)) {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("protocol %q: want icmp, tcp, udp, or nothing", b)
}

func (p Protocol) check() error {
	if _, ok := protocolNames[p]; !ok {
		return fmt.Errorf("protocol %v: want ICMP, TCP, UDP, or none", p)
	}
	return nil
}

// NATMappingKey is the key of a mapping. One that is not ours is named by its
// external side, "vpp:203.0.113.5" or "vpp:203.0.113.5 tcp 80".
func NATMappingKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-mapping", Name: name}
}

// Key is NATMappingKey(m.Name).
func (m NATMapping) Key() desiredstate.Key { return NATMappingKey(m.Name) }

// Deps lists NAT, the table and, if Pooled, the address of the pool.
func (m NATMapping) Deps() []desiredstate.Key {
	deps := append(tableDeps(m.Table), NATKey())
	if m.Pooled {
		deps = append(deps, NATAddressKey(m.External))
	}
	return deps
}

// Validate checks addresses, ports, and what goes together.
func (m NATMapping) Validate() error {
	if err := errors.Join(vppnet.CheckName(m.Name), check4("local address", m.Local), check4("external address", m.External), checkTable(m.Table), m.Protocol.check()); err != nil {
		return err
	}
	switch {
	case m.Protocol == NoProtocol && (m.LocalPort != 0 || m.ExternalPort != 0):
		return errors.New("ports of no protocol")
	case m.Protocol != NoProtocol && (m.LocalPort == 0 || m.ExternalPort == 0):
		return fmt.Errorf("protocol %v without a port", m.Protocol)
	case m.Protocol == NoProtocol && (m.TwiceNAT || m.SelfTwiceNAT):
		return errors.New("twice-NAT is for a mapping of a port")
	case m.TwiceNAT && m.SelfTwiceNAT:
		return errors.New("twice-NAT for all includes that for the host itself")
	case m.Local == m.External:
		return errors.New("from an address to itself: that is a NATIdentity")
	}
	return nil
}

// natSide names one side of a mapping.
func natSide(a netip.Addr, p Protocol, port uint16) string {
	if p == NoProtocol {
		return a.String()
	}
	return fmt.Sprintf("%v %v %d", a, p, port)
}

// natNames are the names of all the mappings of one sort.
func natNames(c *vppnet.Conn, all []natMapping) []vppnet.Name {
	marks := make([]vppnet.Named, len(all))
	for i, w := range all {
		marks[i] = vppnet.Named{Tag: w.tag, VPP: natSide(w.external, Protocol(w.protocol), w.externalPort)}
	}
	return c.Names(marks...)
}

// verifyNAT says of each name and the table number that its mapping had, whether there
// still is a mapping of that name for that table. Read lists those of one sort.
func verifyNAT(ctx context.Context, c *vppnet.Conn, read func(context.Context) ([]natMapping, error), names []string, ids []uint32) ([]bool, error) {
	all, err := read(ctx)
	if err != nil {
		return nil, err
	}
	type place struct {
		name  string
		table uint32
	}
	there := make(map[place]bool, len(all))
	for i, n := range natNames(c, all) {
		there[place{n.Name, all[i].table}] = true
	}
	same := make([]bool, len(names))
	for i, name := range names {
		same[i] = there[place{name, ids[i]}]
	}
	return same, nil
}

// natExternal and natLocal are what one mapping holds, identities included.
func natExternal(side string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-external", Name: side}
}

func natLocal(table, side string) desiredstate.Key {
	return desiredstate.Key{Space: "nat-local", Name: table + " " + side}
}

// NATMappings manages static mappings (nat44_add_del_static_mapping_v2,
// nat44_ei_add_del_static_mapping). Those with our tag are ours. All changes
// replace.
//
// With a mapping that goes, all its sessions end, those included by which other
// hosts inside reached it; so does what the host had begun by it. To find those of
// others, endpoint-dependent NAT is asked for the sessions of all hosts, once for
// all mappings that go together. Sessions that the host had before it got its
// mapping go on if endpoint-dependent, and end otherwise: see [EndNATSessions].
func NATMappings(c *vppnet.Conn, variant NATVariant) *desiredstate.Kind[NATMapping] {
	k := natMappings{c, newNAT(c, variant)}
	hairpins := newHairpins(k.vpp)
	return &desiredstate.Kind[NATMapping]{
		Target: c.Target(), Variant: variant,
		Name:     "nat-mapping",
		Requires: []desiredstate.AnyKind{Tables(c), nats(c, variant, false)},
		Messages: c.Uses(k.vpp.messages(natMaps, natPool, natSessions)...),
		Dump:     k.dump,
		Verify: vppnet.Verifying(func(ctx context.Context, names []string, ids []uint32) ([]bool, error) {
			return verifyNAT(ctx, c, k.vpp.mappings, names, ids)
		}),
		Disturbs: endsSessions[NATMapping],
		Create: func(ctx context.Context, v *desiredstate.View, m NATMapping) (uint32, error) {
			wire, err := k.wire(v, m)
			if err != nil {
				return 0, err
			}
			return wire.table, k.vpp.setMapping(ctx, wire, true)
		},
		Delete: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[NATMapping]) error {
			m := have.Spec
			// VPP finds the mapping by its external side, and takes all else from
			// what it is told: it has to be what it was made with.
			wire := natMapping{
				local: m.Local, localPort: m.LocalPort, external: m.External, externalPort: m.ExternalPort, protocol: uint8(m.Protocol),
				twice: m.TwiceNAT, self: m.SelfTwiceNAT, oneWay: m.OneWay, table: have.ID,
			}
			err := vppnet.Gone(k.vpp.setMapping(ctx, wire, false), api.NO_SUCH_ENTRY, api.UNSUPPORTED, api.FEATURE_ALREADY_DISABLED)
			if err != nil {
				return err
			}
			return hairpins.end(ctx, wire)
		},
		Fill: func(have desiredstate.Actual[NATMapping], want NATMapping) NATMapping {
			want.Pooled = have.Spec.Pooled
			return want
		},
		Holds: func(m NATMapping) []desiredstate.Key {
			held := []desiredstate.Key{natExternal(natSide(m.External, m.Protocol, m.ExternalPort))}
			if !m.OneWay {
				held = append(held, natLocal(m.Table, natSide(m.Local, m.Protocol, m.LocalPort)))
			}
			return held
		},
	}
}

type natMappings struct {
	c   *vppnet.Conn
	vpp natAPI
}

func (k natMappings) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[NATMapping], err error) {
	all, err := k.vpp.mappings(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	pool := map[netip.Addr]bool{}
	addresses, err := k.vpp.addresses(ctx)
	for _, a := range addresses {
		pool[a.addr] = pool[a.addr] || !a.twice
	}
	names := natNames(k.c, all)
	for i, w := range all {
		m := NATMapping{
			Name: names[i].Name, Local: w.local, LocalPort: w.localPort, External: w.external, ExternalPort: w.externalPort, Protocol: Protocol(w.protocol),
			TwiceNAT: w.twice, SelfTwiceNAT: w.self, OneWay: w.oneWay, Pooled: pool[w.external],
		}
		m.Table, _ = tableName(v, w.table)
		out = append(out, desiredstate.Actual[NATMapping]{ID: w.table, Foreign: !names[i].Ours, Leftover: names[i].Surplus, Spec: m})
	}
	return out, err
}

func (k natMappings) wire(v *desiredstate.View, m NATMapping) (w natMapping, err error) {
	tag, err := k.c.Tag(m.Name)
	if err != nil {
		return w, err
	}
	if k.vpp.variant() == EndpointIndependent {
		switch {
		case m.TwiceNAT, m.SelfTwiceNAT, m.OneWay:
			return w, fmt.Errorf("%w: %s NAT has neither twice-NAT nor mappings for one way", desiredstate.ErrInvalid, k.vpp.variant())
		case m.Protocol != NoProtocol && !m.Pooled:
			return w, fmt.Errorf("%w: %s NAT maps ports only of an address of the pool: make it a NATAddress, and the mapping Pooled", desiredstate.ErrInvalid, k.vpp.variant())
		}
	}
	table, err := tableID(v, m.Table)
	return natMapping{
		local: m.Local, localPort: m.LocalPort, external: m.External, externalPort: m.ExternalPort, protocol: uint8(m.Protocol),
		twice: m.TwiceNAT, self: m.SelfTwiceNAT, oneWay: m.OneWay, table: table, tag: tag,
	}, err
}
