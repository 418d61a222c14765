// SPDX-License-Identifier: Apache-2.0

package classify

import (
	"context"
	"fmt"
	"sync"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Outputs manages which of our tables filter what our interfaces, and those that are claimed,
// send (output_acl_set_interface). m remembers which, as VPP does not show it: keep one Memory as
// long as the program lives. With another table it is taken off and put on again, and nothing is
// filtered for the time of one message.
//
// VPP shows whether something filters (feature_is_enabled, from 25.06 on): what somebody took off
// is put back. What filters of which this program does not know the table, as after a restart,
// is taken off by each of our tables, which VPP refuses for all but the one; and what still
// filters then is somebody else's, and stays. A VPP before 25.06 is believed to have what it was
// told.
func Outputs(c *vppnet.Conn, m *vppnet.Memory, claims ...vppnet.Claim) *desiredstate.Kind[Output] {
	k := &outputs{c: c, vpp: classify.NewServiceClient(c), claims: claims, tables: newTables(c), theirs: map[place]bool{}}
	kind := vppnet.Remembered(c, m, iface.On(c, claims, &desiredstate.Kind[Output]{
		Name:     "classify-output",
		Requires: []desiredstate.AnyKind{Tables(c)},
		Messages: iface.Uses(c, &classify.OutputACLSetInterface{}, &memclnt.ControlPing{}),
		Update: func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Output], want Output) error {
			if err := k.takeOff(ctx, v, have); err != nil {
				return err
			}
			return k.put(ctx, v, have.ID, want)
		},
		Delete: k.takeOff,
	}, k.put))
	told := kind.Dump
	kind.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Output], error) {
		known, err := told(ctx, v)
		if err != nil || !iface.Asks(c) {
			return known, err
		}
		return k.seen(ctx, v, known)
	}
	return kind
}

type outputs struct {
	c      *vppnet.Conn
	vpp    classify.RPCService
	claims []vppnet.Claim
	tables tables

	mu     sync.Mutex
	theirs map[place]bool // where something filters that is none of our tables
}

type place struct {
	iface uint32
	ipv6  bool
}

var outputFeatures = []iface.Feature{
	{Arc: "ip4-output", End: "interface-output", Name: "ip4-outacl"},
	{Arc: "ip6-output", End: "interface-output", Name: "ip6-outacl"},
}

func (k *outputs) request(id uint32, ipv6 bool, table uint32, on bool) api.Message {
	ip4, ip6 := pair(ipv6, table)
	return &classify.OutputACLSetInterface{SwIfIndex: interface_types.InterfaceIndex(id), IP4TableIndex: ip4, IP6TableIndex: ip6, L2TableIndex: none, IsAdd: on}
}

func (k *outputs) isOn(ctx context.Context, id uint32, ipv6 bool) (bool, error) {
	on, err := iface.AreOn(ctx, k.c, outputFeatures[number(ipv6):number(ipv6)+1], id)
	return err == nil && on[0][0], err
}

// put puts a table on where nothing filters, and sees that something does then: VPP ignores it
// if it thinks that there is one, be it of an interface that had the index before.
func (k *outputs) put(ctx context.Context, v *desiredstate.View, id uint32, o Output) error {
	table, err := v.ID(TableKey(o.Table))
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		before, after := false, true
		if iface.Asks(k.c) {
			if before, err = k.isOn(ctx, id, o.IPv6); err != nil {
				return err
			}
		} else if err := k.off(ctx, id, o.IPv6); err != nil {
			return err
		}
		if !before {
			if _, err := k.vpp.OutputACLSetInterface(ctx, k.request(id, o.IPv6, table, true).(*classify.OutputACLSetInterface)); err != nil {
				return err
			}
			if iface.Asks(k.c) {
				if after, err = k.isOn(ctx, id, o.IPv6); err != nil {
					return err
				}
			}
		}
		switch {
		case !before && after:
			k.note(place{id, o.IPv6}, false)
			return nil
		case try > 0 && before:
			return fmt.Errorf("%w: what interface %s sends is filtered by a table that is not ours", desiredstate.ErrConflict, o.Interface)
		case try > 0:
			return fmt.Errorf("%w: an interface that had the index of %s left a table behind that is not ours, or has gone: VPP takes no other", desiredstate.ErrConflict, o.Interface)
		}
		if err := k.off(ctx, id, o.IPv6); err != nil {
			return err
		}
	}
}

// off takes off whichever of our tables is on.
func (k *outputs) off(ctx context.Context, id uint32, ipv6 bool) error {
	all, err := k.tables.dump(ctx, nil)
	if err != nil {
		return err
	}
	var requests []api.Message
	for _, t := range all {
		if !t.Foreign {
			requests = append(requests, k.request(id, ipv6, t.ID, false))
		}
	}
	_, err = vppnet.Ask(ctx, k.c, requests...)
	return err
}

func (k *outputs) takeOff(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Output]) error {
	if have.Spec.Table != "" {
		table, err := v.ID(TableKey(have.Spec.Table))
		if err != nil {
			return err
		}
		_, err = k.vpp.OutputACLSetInterface(ctx, k.request(have.ID, have.Spec.IPv6, table, false).(*classify.OutputACLSetInterface))
		return vppnet.Gone(err, api.NO_SUCH_TABLE, api.INVALID_SW_IF_INDEX)
	}
	if err := k.off(ctx, have.ID, have.Spec.IPv6); err != nil {
		return err
	}
	on, err := k.isOn(ctx, have.ID, have.Spec.IPv6)
	if err == nil {
		k.note(place{have.ID, have.Spec.IPv6}, on)
	}
	return err
}

func (k *outputs) note(p place, theirs bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if theirs {
		k.theirs[p] = true
	} else {
		delete(k.theirs, p)
	}
}

// seen is what is known of outputs, and what VPP shows of them: what does not filter is not
// there, and what does is, whoever told VPP so.
func (k *outputs) seen(ctx context.Context, v *desiredstate.View, known []desiredstate.Actual[Output]) (out []desiredstate.Actual[Output], err error) {
	told := make(map[desiredstate.Key]Output, len(known))
	for _, a := range known {
		told[a.Spec.Key()] = a.Spec
	}
	var tables []string
	for t := range desiredstate.All[Table](v) {
		if !t.Foreign {
			tables = append(tables, t.Spec.Name)
		}
	}
	ours, ids := iface.Scope(k.claims).All(v)
	on, err := iface.AreOn(ctx, k.c, outputFeatures, ids...)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for n, i := range ours {
		for family, filters := range on[n] {
			o, at := Output{Interface: i.Spec.Name, IPv6: family == 1}, place{i.ID, family == 1}
			if !filters {
				delete(k.theirs, at)
				continue
			}
			if t, ok := told[o.Key()]; ok {
				o = t
			} else {
				o.may = tables
			}
			out = append(out, desiredstate.Actual[Output]{ID: i.ID, Spec: o, Foreign: o.Table == "" && k.theirs[at]})
		}
	}
	return out, nil
}
