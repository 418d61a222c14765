// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"cmp"
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/qos"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Mark writes into packets that an interface sends what a map makes of what was noted of
// them, if anything was.
type Mark struct {
	Interface string
	Source    Source // where it is written: VLAN, MPLS or IP
	Map       uint32
}

// MarkKey is the key of a mark.
func MarkKey(iface string, source Source) desiredstate.Key {
	return desiredstate.Key{Space: "qos-mark", Name: iface + " " + source.String()}
}

// Key is MarkKey(m.Interface, m.Source).
func (m Mark) Key() desiredstate.Key { return MarkKey(m.Interface, m.Source) }

// Deps lists the interface and the map.
func (m Mark) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(m.Interface), EgressMapKey(m.Map)}
}

// Validate checks name and source.
func (m Mark) Validate() error {
	return cmp.Or(vppnet.CheckRef("interface", m.Interface), inPackets(m.Source))
}

// Marks manages what is written into packets that our interfaces, and those that are
// claimed, send (qos_mark_enable_disable). The map changes in place. maps is what EgressMaps
// returned.
//
// VPP keeps a mark when its interface goes, and lists it for the next one with the same
// index, to no effect. Such a mark is seen, and put into effect, if VPP can be asked whether
// it is (from 25.06 on).
func Marks(c *vppnet.Conn, maps *desiredstate.Kind[EgressMap], claims ...vppnet.Claim) *desiredstate.Kind[Mark] {
	k := marks{c, qos.NewServiceClient(c), claims}
	anew := func(ctx context.Context, _ *desiredstate.View, id uint32, m Mark) error {
		// An interface that had the index may have left a mark, which VPP takes for this one.
		if err := k.off(ctx, id, m); err != nil {
			return err
		}
		return k.set(ctx, id, m, true)
	}
	return iface.On(c, claims, &desiredstate.Kind[Mark]{
		Name:     "qos-mark",
		Requires: []desiredstate.AnyKind{maps},
		Messages: iface.Uses(c, &qos.QosMarkEnableDisable{}, &qos.QosMarkDump{}, &memclnt.ControlPing{}),
		Dump:     k.dump,
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Mark], want Mark) error {
			if have.Broken != "" { // VPP takes it for one that is on
				return anew(ctx, v, have.ID, want)
			}
			return k.set(ctx, have.ID, want, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Mark]) error {
			return k.off(ctx, have.ID, have.Spec)
		},
	}, anew)
}

type marks struct {
	c      *vppnet.Conn
	vpp    qos.RPCService
	claims []vppnet.Claim
}

func (k marks) set(ctx context.Context, id uint32, m Mark, on bool) error {
	_, err := k.vpp.QosMarkEnableDisable(ctx, &qos.QosMarkEnableDisable{Enable: on, Mark: qos.QosMark{
		SwIfIndex: id, MapID: m.Map, OutputSource: qos.QosSource(m.Source),
	}})
	return err
}

func (k marks) off(ctx context.Context, id uint32, m Mark) error {
	return vppnet.Gone(k.set(ctx, id, m, false), api.VALUE_EXIST, api.NO_MATCHING_INTERFACE)
}

// markFeatures tell whether a mark is in effect.
var markFeatures = map[Source]iface.Feature{
	VLAN: {Arc: "ip4-output", End: "interface-output", Name: "vlan-ip4-qos-mark"},
	MPLS: {Arc: "mpls-output", End: "interface-output", Name: "mpls-qos-mark"},
	IP:   {Arc: "ip4-output", End: "interface-output", Name: "ip4-qos-mark"},
}

func markFeature(m Mark) iface.Feature { return markFeatures[m.Source] }

func (k marks) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Mark], err error) {
	found, err := vppnet.Collect(k.vpp.QosMarkDump(ctx, &qos.QosMarkDump{}))
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		i, ok := desiredstate.At[vppnet.Interface](v, d.Mark.SwIfIndex)
		if !ok {
			continue // what is left of one that has gone
		}
		out = append(out, desiredstate.Actual[Mark]{
			ID: i.ID, Foreign: !iface.Scope(k.claims).Has(i),
			Spec: Mark{Interface: i.Spec.Name, Source: Source(d.Mark.OutputSource), Map: d.Mark.MapID},
		})
	}
	return iface.Broken(ctx, k.c, out, markFeature)
}
