// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/policer"
	"go.fd.io/govpp/binapi/policer_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// all asks a dump for all policers; it is no index.
const all = ^uint32(0)

// Policers manages policers (policer_add). One is ours by its name in VPP.
//
// All changes are in place (policer_update): its attachments stay, its buckets are full
// again, and its counters begin at 0. VPP shows no indexes, and wants them; they are found
// by asking what is at which (policer_dump_v2). VPP deletes a policer that is attached: it
// measures on, until the next one takes its place. So what names it goes before, and what
// of that is not ours to know does not: see Attachments.
//
// From VPP 26.06 on it needs the plugin policer.
func Policers(c *vppnet.Conn) *desiredstate.Kind[Policer] {
	k := policers{c, policer.NewServiceClient(c)}
	return vppnet.Labelled(c, &desiredstate.Kind[Policer]{
		Target:   c.Target(),
		Name:     "policer",
		Messages: c.Uses(&policer.PolicerAdd{}, &policer.PolicerUpdate{}, &policer.PolicerDel{}, &policer.PolicerDumpV2{}, &memclnt.ControlPing{}),
		Dump:     vppnet.Reread(c, k.dump),
		Verify: vppnet.Verifier(c, func(ctx context.Context, ids []uint32) (map[uint32]vppnet.Named, error) {
			found, err := k.at(ctx, ids...)
			now := make(map[uint32]vppnet.Named, len(ids))
			for i, p := range found {
				if p != nil {
					now[ids[i]] = named(p)
				}
			}
			return now, err
		}),
		Create: func(ctx context.Context, _ *desiredstate.View, p Policer) (uint32, error) {
			name, err := c.Tag(p.Name)
			if err != nil {
				return 0, err
			}
			r, err := k.vpp.PolicerAdd(ctx, &policer.PolicerAdd{Name: name, Infos: p.encode()})
			if err != nil {
				return 0, err
			}
			return r.PolicerIndex, nil
		},
		Update: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Policer], want Policer) error {
			_, err := k.vpp.PolicerUpdate(ctx, &policer.PolicerUpdate{PolicerIndex: have.ID, Infos: want.encode()})
			return err
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Policer]) error {
			_, err := k.vpp.PolicerDel(ctx, &policer.PolicerDel{PolicerIndex: have.ID})
			return vppnet.Gone(err, api.NO_SUCH_ENTRY)
		},
	}, nil)
}

type policers struct {
	c   *vppnet.Conn
	vpp policer.RPCService
}

// named is what the policer's name in VPP says of whose it is.
func named(p *policer.PolicerDetails) vppnet.Named { return vppnet.Named{Tag: p.Name, VPP: p.Name} }

func (k policers) dump(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[Policer], err error) {
	found, ids, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	things := make([]vppnet.Named, len(found))
	for i, p := range found {
		things[i] = named(p)
	}
	for i, n := range k.c.Names(things...) {
		p := decode(found[i])
		p.Name = n.Name
		out = append(out, desiredstate.Actual[Policer]{Spec: p, ID: ids[i], Foreign: !n.Ours, Leftover: n.Surplus})
	}
	return out, nil
}

func (p Policer) encode() policer_types.PolicerConfig {
	c := policer_types.PolicerConfig{
		Cir: p.Rate, Eir: p.PeakRate, Cb: p.Burst, Eb: p.ExcessBurst,
		RoundType: policer_types.Sse2QosRoundType(p.Rounding), Type: policer_types.Sse2QosPolicerType(p.Type), ColorAware: p.ColorAware,
		ConformAction: p.Conform.encode(), ExceedAction: p.Exceed.encode(), ViolateAction: p.Violate.encode(),
	}
	if p.Packets {
		c.RateType = policer_types.SSE2_QOS_RATE_API_PPS
	}
	return c
}

func (a Action) encode() policer_types.Sse2QosAction {
	return policer_types.Sse2QosAction{Type: policer_types.Sse2QosActionType(a.Do), Dscp: a.DSCP}
}

func decode(d *policer.PolicerDetails) Policer {
	action := func(a policer_types.Sse2QosAction) Action { return Action{Verb(a.Type), a.Dscp} }
	return Policer{
		Type: Type(d.Type), Packets: d.RateType == policer_types.SSE2_QOS_RATE_API_PPS,
		Rate: d.Cir, Burst: d.Cb, PeakRate: d.Eir, ExcessBurst: d.Eb,
		Rounding: Rounding(d.RoundType), ColorAware: d.ColorAware,
		Conform: action(d.ConformAction), Exceed: action(d.ExceedAction), Violate: action(d.ViolateAction),
	}
}
