// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/qos"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Record notes the mark of each packet that an interface receives, for a Mark to write when
// the packet leaves. Of several sources on one interface the highest layer counts.
type Record struct {
	Interface string
	Source    Source // VLAN, MPLS or IP; of IP also in frames that are bridged
}

// RecordKey is the key of a record.
func RecordKey(iface string, source Source) desiredstate.Key {
	return desiredstate.Key{Space: "qos-record", Name: iface + " " + source.String()}
}

// Key is RecordKey(r.Interface, r.Source).
func (r Record) Key() desiredstate.Key { return RecordKey(r.Interface, r.Source) }

// Deps lists the interface.
func (r Record) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(r.Interface)}
}

// Validate checks name and source.
func (r Record) Validate() error {
	return cmp.Or(vppnet.CheckRef("interface", r.Interface), inPackets(r.Source))
}

// inPackets wants a source that is in packets.
func inPackets(s Source) error {
	if s == External || int(s) >= len(sources) {
		return fmt.Errorf("%v is not in packets, want vlan, mpls or ip", s)
	}
	return nil
}

// Records manages what is noted of packets on our interfaces, and on those that are claimed
// (qos_record_enable_disable).
//
// VPP counts how often it was told so; one that goes is turned off as often as it is on.
// An interface that leaves its bridge domain, or a cross-connect, would note nothing of what is bridged
// later, which VPP does not show: the same plan turns it off and on again.
func Records(c *vppnet.Conn, claims ...vppnet.Claim) *desiredstate.Kind[Record] {
	vpp := qos.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, r Record, on bool) error {
		_, err := vpp.QosRecordEnableDisable(ctx, &qos.QosRecordEnableDisable{Enable: on, Record: qos.QosRecord{
			SwIfIndex: interface_types.InterfaceIndex(id), InputSource: qos.QosSource(r.Source),
		}})
		return err
	}
	return iface.On(c, claims, &desiredstate.Kind[Record]{
		Name:     "qos-record",
		Messages: c.Uses(&qos.QosRecordEnableDisable{}, &qos.QosRecordDump{}, &memclnt.ControlPing{}),
		Dump: func(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Record], err error) {
			found, err := vppnet.Collect(vpp.QosRecordDump(ctx, &qos.QosRecordDump{}))
			for _, d := range found {
				if i, ok := desiredstate.At[vppnet.Interface](v, uint32(d.Record.SwIfIndex)); ok {
					out = append(out, desiredstate.Actual[Record]{
						ID: i.ID, Foreign: !iface.Scope(claims).Has(i),
						Spec: Record{Interface: i.Spec.Name, Source: Source(d.Record.InputSource)},
					})
				}
			}
			return out, err
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Record], want Record) error {
			if err := untilOff(func() error { return set(ctx, have.ID, want, false) }); err != nil {
				return err
			}
			return set(ctx, have.ID, want, true)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Record]) error {
			return untilOff(func() error { return set(ctx, have.ID, have.Spec, false) })
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, r Record) error {
		return set(ctx, id, r, true)
	})
}

// untilOff turns off what VPP counts: it is off when VPP says that it was.
func untilOff(off func() error) error {
	for {
		err := off()
		switch {
		case errors.Is(err, api.VALUE_EXIST), errors.Is(err, api.NO_MATCHING_INTERFACE), errors.Is(err, api.INVALID_SW_IF_INDEX):
			return nil
		case err != nil:
			return err
		}
	}
}
