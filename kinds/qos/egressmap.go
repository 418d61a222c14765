// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"context"
	"fmt"
	"strconv"

	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/qos"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/internal/shared"
	"github.com/vppkit/vppkit/vppnet"
)

// EgressMap says what a Mark writes for what was noted: of each source a row, in which the
// place of the noted value has what is written. The zero map writes 0.
type EgressMap struct {
	ID       uint32
	External Row
	VLAN     Row
	MPLS     Row
	IP       Row
}

// Row is what is written, by what was noted.
type Row [256]uint8

// Same is the row that writes what was noted.
func Same() (r Row) {
	for i := range r {
		r[i] = uint8(i)
	}
	return r
}

// EgressMapKey is the key of a map.
func EgressMapKey(id uint32) desiredstate.Key {
	return desiredstate.Key{Space: "qos-egress-map", Name: strconv.FormatUint(uint64(id), 10)}
}

// Key is EgressMapKey(m.ID).
func (m EgressMap) Key() desiredstate.Key { return EgressMapKey(m.ID) }

// Deps is empty.
func (m EgressMap) Deps() []desiredstate.Key { return nil }

// Validate accepts all: VPP has any number and any value.
func (m EgressMap) Validate() error {
	if m.ID == ^uint32(0) {
		return fmt.Errorf("map %d: VPP calls one that has gone so", m.ID)
	}
	return nil
}

// EgressMaps manages maps (qos_egress_map_update). VPP knows them by a number that says
// nothing of whose they are: ours are those whose numbers, as text, are claimed, all others
// are foreign. All of a map changes in place.
//
// VPP deletes a map that is used, and the next one takes its place under those who use it:
// marks of ours go before, and one that somebody else's mark uses is not removed (desiredstate.ErrInUse).
func EgressMaps(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[EgressMap] {
	vpp := qos.NewServiceClient(c)
	claimed := func(id uint32) bool { return vppnet.Ours(EgressMapKey(id).Name, false, claims) }
	set := func(ctx context.Context, m EgressMap) error {
		req := &qos.QosEgressMapUpdate{Map: qos.QosEgressMap{ID: m.ID}}
		for i, row := range []Row{m.External, m.VLAN, m.MPLS, m.IP} {
			req.Map.Rows[i].Outputs = row[:]
		}
		_, err := vpp.QosEgressMapUpdate(ctx, req)
		return err
	}
	used := shared.NewRound(func(ctx context.Context) (map[uint32]uint32, error) { return users(ctx, c) })
	return &desiredstate.Kind[EgressMap]{
		Target: c.Target(), Variant: vppnet.Variant(claims...),
		Name:     "qos-egress-map",
		Messages: iface.Uses(c, &qos.QosEgressMapUpdate{}, &qos.QosEgressMapDelete{}, &qos.QosEgressMapDump{}, &qos.QosMarkDump{}, &interfaces.SwInterfaceDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[EgressMap], err error) {
			found, err := vppnet.Collect(vpp.QosEgressMapDump(ctx, &qos.QosEgressMapDump{}))
			for _, d := range found {
				m := EgressMap{ID: d.Map.ID}
				for i, row := range []*Row{&m.External, &m.VLAN, &m.MPLS, &m.IP} {
					copy(row[:], d.Map.Rows[i].Outputs)
				}
				out = append(out, desiredstate.Actual[EgressMap]{ID: m.ID, Spec: m, Foreign: !claimed(m.ID)})
			}
			return out, err
		},
		Check: func(_ *desiredstate.View, m EgressMap) error {
			if !claimed(m.ID) {
				return fmt.Errorf("%w: egress map %d is not claimed: give EgressMaps a vppnet.Claims of its number", desiredstate.ErrForeign, m.ID)
			}
			return nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, m EgressMap) (uint32, error) { return m.ID, set(ctx, m) },
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[EgressMap], want EgressMap) error {
			return set(ctx, want)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[EgressMap]) error {
			by, err := used.Join(ctx)
			if err != nil {
				return err
			}
			if index, is := by[have.ID]; is {
				return fmt.Errorf("%w: the interface with index %d marks by it: have that turned off", desiredstate.ErrInUse, index)
			}
			_, err = vpp.QosEgressMapDelete(ctx, &qos.QosEgressMapDelete{ID: have.Spec.ID})
			return err
		},
	}
}

// users tells which interface has a mark of each map that is used.
func users(ctx context.Context, c *vppnet.Conn) (map[uint32]uint32, error) {
	found, err := vppnet.Collect(qos.NewServiceClient(c).QosMarkDump(ctx, &qos.QosMarkDump{}))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	ifs, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(all)}))
	if err != nil {
		return nil, err
	}
	there := make(map[uint32]bool, len(ifs))
	for _, i := range ifs {
		there[uint32(i.SwIfIndex)] = true
	}
	var on []desiredstate.Actual[Mark]
	for _, d := range found {
		m := Mark{Source: Source(d.Mark.OutputSource), Map: d.Mark.MapID}
		if _, known := markFeatures[m.Source]; known && there[d.Mark.SwIfIndex] {
			on = append(on, desiredstate.Actual[Mark]{ID: d.Mark.SwIfIndex, Spec: m})
		}
	}
	on, err = iface.Broken(ctx, c, on, markFeature)
	by := make(map[uint32]uint32, len(on))
	for _, m := range on {
		if m.Broken == "" { // else it is what an interface that has gone left behind
			by[m.Spec.Map] = m.ID
		}
	}
	return by, err
}
