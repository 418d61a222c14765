// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/policer"
	binding "go.fd.io/govpp/binapi/qos"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Every kind keeps the laws, on both VPPs.

func TestLawsOfPolicers(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[qos.Policer] { return qos.Policers(r.c) }, nil, rapid.Custom(func(t *rapid.T) qos.Policer {
		action := func(label string) qos.Action {
			return kindrig.Pick(t, label, qos.Action{}, qos.Transmit, qos.MarkDSCP(0), qos.MarkDSCP(63))
		}
		p := qos.Policer{
			Name: kindrig.Pick(t, "name", "a", "b"), Type: kindrig.Pick(t, "type", qos.TwoColors, qos.ThreeColors, qos.TwoRatesPeak, qos.TwoRatesExcess),
			Packets: kindrig.Pick(t, "packets", false, true), Rate: kindrig.Pick[uint32](t, "rate", 1, 1000, 1<<31), Burst: kindrig.Pick[uint64](t, "burst", 10, 1000, 10000),
			Rounding: kindrig.Pick(t, "rounding", qos.Closest, qos.Up, qos.Down), ColorAware: kindrig.Pick(t, "aware", false, true),
			Conform: action("conform"), Exceed: action("exceed"), Violate: action("violate"),
		}
		if p.Packets {
			p.Rate = min(p.Rate, 1000000)
		}
		if p.Type == qos.TwoRatesPeak || p.Type == qos.TwoRatesExcess {
			p.PeakRate = p.Rate + kindrig.Pick[uint32](t, "peak", 0, 1)
		}
		if p.Type != qos.TwoColors {
			p.ExcessBurst = kindrig.Pick[uint64](t, "excess", 10, 500)
		}
		if p.Conform.Do == qos.Drop && p.Exceed.Do == qos.Drop && p.Violate.Do == qos.Drop {
			p.Conform = qos.Transmit
		}
		return p
	}))
}

// policed is two policers and two interfaces.
func policed() []desiredstate.Object {
	return []desiredstate.Object{
		qos.Policer{Name: "gold", Rate: 10000, Burst: 100000, Conform: qos.Transmit},
		qos.Policer{Name: "tin", Rate: 100, Burst: 10000, Conform: qos.Transmit},
		vppnet.Loopback{Name: "lo"},
		vppnet.Loopback{Name: "up"},
		vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100},
	}
}

func TestLawsOfAttachments(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[qos.Attachment] { return qos.Attachments(r.c, r.memory) }, policed(), rapid.Custom(func(t *rapid.T) qos.Attachment {
		a := qos.Attachment{
			Interface: kindrig.Pick(t, "interface", "lo", "up", "sub"), Output: kindrig.Pick(t, "output", false, true),
			Policer: kindrig.Pick(t, "policer", "gold", "tin", theirPolicer),
		}
		a.Output = a.Output || a.Interface == "sub"
		return a
	}))
}

func TestLawsOfRecords(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[qos.Record] { return qos.Records(r.c) }, policed(), rapid.Custom(func(t *rapid.T) qos.Record {
		return qos.Record{Interface: kindrig.Pick(t, "interface", "lo", "up", "sub"), Source: kindrig.Pick(t, "source", qos.IP, qos.VLAN, qos.MPLS)}
	}))
}

func TestLawsOfStores(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[qos.Store] { return qos.Stores(r.c) }, policed(), rapid.Custom(func(t *rapid.T) qos.Store {
		return qos.Store{Interface: kindrig.Pick(t, "interface", "lo", "up", "sub"), Value: kindrig.Pick[uint8](t, "value", 0, 1, 255)}
	}))
}

func TestLawsOfEgressMaps(t *testing.T) {
	laws(t, func(r rig) *desiredstate.Kind[qos.EgressMap] { return r.maps }, nil, rapid.Custom(func(t *rapid.T) qos.EgressMap {
		m := qos.EgressMap{ID: kindrig.Pick[uint32](t, "ID", 5, 6)}
		for _, row := range []*qos.Row{&m.External, &m.VLAN, &m.MPLS, &m.IP} {
			if kindrig.Pick(t, "same", false, true) {
				*row = qos.Same()
			}
			row[rapid.Byte().Draw(t, "place")] = rapid.Byte().Draw(t, "value")
		}
		return m
	}))
}

func TestLawsOfMarks(t *testing.T) {
	base := append(policed(), qos.EgressMap{ID: 5}, qos.EgressMap{ID: 6, IP: qos.Same()})
	laws(t, func(r rig) *desiredstate.Kind[qos.Mark] { return qos.Marks(r.c, r.maps) }, base, rapid.Custom(func(t *rapid.T) qos.Mark {
		return qos.Mark{
			Interface: kindrig.Pick(t, "interface", "lo", "up", "sub"), Source: kindrig.Pick(t, "source", qos.IP, qos.VLAN, qos.MPLS),
			Map: kindrig.Pick[uint32](t, "map", 5, 6, 99),
		}
	}))
}

// rig is a connection and what kinds on it need.
type rig struct {
	c      *vppnet.Conn
	maps   *desiredstate.Kind[qos.EgressMap]
	memory *vppnet.Memory
}

var ourMaps = vppnet.Claims(func(name string) bool { return name == "5" || name == "6" })

// kinds are those of this package, and what they are tested with.
func (r rig) kinds() []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		qos.Policers(r.c), qos.Attachments(r.c, r.memory), qos.Records(r.c), qos.Stores(r.c), r.maps, qos.Marks(r.c, r.maps),
		vppnet.Loopbacks(r.c), vppnet.SubInterfaces(r.c), vppnet.LinkStates(r.c), vppnet.BridgeDomains(r.c), vppnet.BridgePorts(r.c),
	}
}

func laws[S desiredstate.Object](t *testing.T, kind func(rig) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		memories := map[string]*vppnet.Memory{"me": {}, "namesake": {}}
		kindtest.Run(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			world := func(owner string) kindtest.World[S] {
				c := kindrig.Dial(t, vpp.Socket(), owner, vppnet.WithLostAfter(20*time.Millisecond))
				r := rig{c: c, memory: memories[owner], maps: qos.EgressMaps(c)}
				if owner == "me" {
					r.maps = qos.EgressMaps(c, ourMaps)
				}
				return kindrig.World(vpp, state, kind(r), base, r.kinds())
			}
			w := world("me")
			var zero S
			if space := zero.Key().Space; space != "qos-egress-map" && space != "qos-mark" { // nobody else has our numbers
				w.Stranger = func() kindtest.World[S] { return world("namesake") }
			}
			return w
		}})
	}
	kindrig.OnEachVPP(t, 4, stranger, func(vpp *vpptest.Proxy) string { return vpp.State(dumps()...) }, run)
}

// dumps show all that the kinds of this package can change.
func dumps() []api.Message {
	all := []api.Message{
		&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &policer.PolicerDumpV2{PolicerIndex: ^uint32(0)},
		&binding.QosRecordDump{}, &binding.QosStoreDump{}, &binding.QosEgressMapDump{}, &binding.QosMarkDump{},
	}
	return all
}

// stranger makes what is not ours.
func stranger(t *testing.T, socket string) {
	r := rig{c: kindrig.Dial(t, socket, "stranger"), memory: new(vppnet.Memory)}
	r.maps = qos.EgressMaps(r.c, vppnet.Claims(func(name string) bool { return name == "99" }))
	_, err := desiredstate.New(r.kinds()...).Ensure(t.Context(),
		qos.Policer{Name: "a", Type: qos.ThreeColors, Rate: 1, Burst: 1, Exceed: qos.Transmit},
		vppnet.Loopback{Name: "b"}, qos.Attachment{Interface: "b", Policer: "a"}, qos.Attachment{Interface: "b", Policer: "a", Output: true},
		qos.Record{Interface: "b", Source: qos.IP}, qos.Store{Interface: "b", Value: 7},
		qos.EgressMap{ID: 99}, qos.Mark{Interface: "b", Source: qos.IP, Map: 99})
	require.NoError(t, err)
}

const theirPolicer = "stranger/a"
