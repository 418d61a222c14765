// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/feature"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/span"

	"github.com/vppkit/vppkit/desiredstate"
)

// Mirror sends copies of what passes an interface to another one (SPAN): to a port, or to a
// tunnel that takes them away. The zero value mirrors both directions.
type Mirror struct {
	From, To string // interfaces; an interface can have many mirrors

	NoRx bool // not what comes in
	NoTx bool // not what goes out

	// L2 mirrors what passes From as a port of a bridge domain, or as cross-connected: what is
	// bridged alone, also by a sub-interface, whose frames bear the tags that they have on the
	// wire. To has to be bridged or cross-connected too, and its own rewrites and filters are
	// for the copies as well. If not, all that a device gets and sends is copied, but what its
	// sub-interfaces send; From is none of these then.
	L2 bool

	// After lists what has to be there before the mirror, and only goes after it. VPP forgets
	// an L2 mirror when its port leaves the bridge domain, and goes on listing it; one is
	// therefore After BridgePortKey(From). VPP does not know of it, so it is no difference by
	// itself, and an engine that never was asked for it cannot keep it.
	After []desiredstate.Key
}

// MirrorKey is the key of a mirror.
func MirrorKey(from, to string, l2 bool) desiredstate.Key {
	k := desiredstate.Key{Space: "mirror", Name: from + ">" + to}
	if l2 {
		k.Name += ">L2"
	}
	return k
}

// Key is MirrorKey(m.From, m.To, m.L2).
func (m Mirror) Key() desiredstate.Key { return MirrorKey(m.From, m.To, m.L2) }

// Deps lists the interfaces, and After.
func (m Mirror) Deps() []desiredstate.Key {
	return append([]desiredstate.Key{InterfaceKey(m.From), InterfaceKey(m.To)}, m.After...)
}

// Validate checks names and directions.
func (m Mirror) Validate() error {
	switch {
	case m.From == m.To:
		return fmt.Errorf("interface %q is mirrored to itself", m.From)
	case m.NoRx && m.NoTx:
		return errors.New("neither what comes in nor what goes out: that is no mirror at all")
	}
	return cmp.Or(CheckRef("mirrored interface", m.From), CheckRef("interface of the copies", m.To), CheckAfter(m.Key(), m.After))
}

func (m Mirror) state() (s span.SpanState) {
	if !m.NoRx {
		s |= span.SPAN_STATE_API_RX
	}
	if !m.NoTx {
		s |= span.SPAN_STATE_API_TX
	}
	return s
}

// Mirrors manages mirrors of our interfaces, and those to our interfaces
// (sw_interface_span_enable_disable). Directions change in place.
//
// VPP keeps a mirror when its interface goes, and lists it for the next one with the same
// index, to no effect, and an L2 one when its port has left L2. Such a mirror of ours is seen, and put into
// effect; so VPP is asked, of each whether it is, but of an L2 one of what goes out alone, which VPP does not
// show. It keeps one as well when the interface of the copies goes, and sends them to the next one with that
// index, whosever it is; such a one of an interface of ours goes with what is not wanted.
func Mirrors(c *Conn) *desiredstate.Kind[Mirror] {
	k := mirrors{c, span.NewServiceClient(c), new(atomic.Bool)}
	return &desiredstate.Kind[Mirror]{
		Target:   c.Target(),
		Name:     "mirror",
		Requires: []desiredstate.AnyKind{Interfaces(c)},
		Messages: c.Uses(usage.known(c, []api.Message{ // not all releases have feature_is_enabled
			&span.SwInterfaceSpanEnableDisable{}, &span.SwInterfaceSpanDump{}, &memclnt.ControlPing{}, &feature.FeatureIsEnabled{}, &interfaces.SwInterfaceDump{}, &l2.L2Flags{},
		})...),
		Dump:   k.dump,
		Shares: func(m Mirror) []desiredstate.Key { return UseKeys(m.From, m.To) },
		Check: func(v *desiredstate.View, m Mirror) error {
			if !m.L2 && isSub(v, m.From) {
				return fmt.Errorf("%w: %s is a sub-interface, and VPP mirrors devices: mirror it as a port (L2), or its parent", desiredstate.ErrInvalid, m.From)
			}
			return CheckOurs(v, "neither of the interfaces is", InterfaceKey(m.From), InterfaceKey(m.To))
		},
		Create: func(ctx context.Context, v *desiredstate.View, m Mirror) (uint32, error) {
			from, err := v.ID(InterfaceKey(m.From))
			if err != nil {
				return 0, err
			}
			return from, k.set(ctx, v, m)
		},
		Update: func(ctx context.Context, v *desiredstate.View, _ desiredstate.Actual[Mirror], want Mirror) error {
			return k.set(ctx, v, want)
		},
		Delete: k.remove,
		Fill: func(have desiredstate.Actual[Mirror], want Mirror) Mirror {
			want.After = have.Spec.After
			return want
		},
	}
}

// isSub says whether an interface is, or will be, a sub-interface.
func isSub(v *desiredstate.View, iface string) bool {
	if _, will := v.Known(InterfaceKey(iface)).(SubInterface); will {
		return true
	}
	id, err := v.ID(InterfaceKey(iface))
	if err != nil {
		return false // it is still to come
	}
	i, there := desiredstate.At[Interface](v, id)
	return there && i.Spec.Parent != "" && !i.Spec.pipeEnd
}

type mirrors struct {
	c     *Conn
	vpp   span.RPCService
	blind *atomic.Bool // what l2_flags shows is not what we think
}

func (k mirrors) dump(ctx context.Context, v *desiredstate.View) (out []desiredstate.Actual[Mirror], err error) {
	all, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	var ours, bridged []uint32
	for _, d := range all {
		from, ok := desiredstate.At[Interface](v, uint32(d.SwIfIndexFrom))
		if !ok {
			continue // what is left of one that has gone
		}
		m := Mirror{
			From: from.Spec.Name, L2: d.IsL2,
			NoRx: d.State&span.SPAN_STATE_API_RX == 0, NoTx: d.State&span.SPAN_STATE_API_TX == 0,
		}
		a := desiredstate.Actual[Mirror]{ID: from.ID, Foreign: from.Foreign}
		if to, there := desiredstate.At[Interface](v, uint32(d.SwIfIndexTo)); there {
			m.To, a.Foreign = to.Spec.Name, from.Foreign && to.Foreign
		} else {
			m.To, a.Note, a.Leftover = Foreign(number(uint32(d.SwIfIndexTo))), toNobody(d.SwIfIndexTo), !from.Foreign
		}
		switch {
		case from.Foreign || a.Note != nil:
		case !d.IsL2:
			ours = append(ours, from.ID)
		case !m.NoRx:
			bridged = append(bridged, from.ID)
		}
		a.Spec = m
		out = append(out, a)
	}
	live, err := k.inEffect(ctx, ours...)
	if err != nil {
		return nil, err
	}
	lost, err := k.lost(ctx, bridged...)
	for i := range out {
		m := &out[i]
		if on, asked := live[m.ID]; asked && !m.Spec.L2 && m.Spec.state()&^on != 0 || m.Spec.L2 && lost[m.ID] {
			m.Broken = "it is listed, and has no effect"
		}
	}
	return out, err
}

// lost says which interfaces, of which what comes in is mirrored as a port of L2, certainly are not: none of
// the features is on that l2_flags shows from the mirrors' on. That is the last of VPP's list, which only
// grows; should a VPP show otherwise, nothing is said.
func (k mirrors) lost(ctx context.Context, ids ...uint32) (map[uint32]bool, error) {
	lost := make(map[uint32]bool, len(ids))
	if k.blind.Load() {
		return lost, nil
	}
	var requests []api.Message
	for _, id := range ids {
		requests = append(requests, &l2.L2Flags{SwIfIndex: interface_types.InterfaceIndex(id), IsSet: true}) // sets none
	}
	answers, err := AskEach[*l2.L2FlagsReply](ctx, k.c, requests...)
	for i, r := range answers {
		lost[ids[i]] = r.Retval == 0 && r.ResultingFeatureBitmap>>firstMirrored == 0
	}
	return lost, err
}

// firstMirrored is the place of the mirrors' L2 feature in the list of VPP 24.10.
const firstMirrored = 17

// toNobody notes the index of the interface that a mirror was to, and that has gone.
type toNobody interface_types.InterfaceIndex

// remove takes a mirror away. One to nobody it leaves, if somebody has the index by now: it may be another
// one, and is found again if it is not.
func (k mirrors) remove(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[Mirror]) error {
	nobody, gone := have.Note.(toNobody)
	to := uint32(nobody)
	if !gone {
		var err error
		if to, err = v.ID(InterfaceKey(have.Spec.To)); err != nil {
			return err
		}
	}
	done, err := k.turn(ctx, have.ID)
	if err != nil {
		return err
	}
	defer done()
	if gone {
		all, err := Collect(interfaces.NewServiceClient(k.c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(to)}))
		if err != nil || len(all) > 0 {
			return err
		}
	}
	return k.send(ctx, have.ID, to, 0, have.Spec.L2)
}

// list is all that VPP mirrors.
func (k mirrors) list(ctx context.Context) ([]*span.SwInterfaceSpanDetails, error) {
	all, err := Ask(ctx, k.c, &span.SwInterfaceSpanDump{}, &span.SwInterfaceSpanDump{IsL2: true})
	if err != nil {
		return nil, err
	}
	return As[*span.SwInterfaceSpanDetails](all)
}

// inEffect says of interfaces in which directions they are mirrored. What VPP cannot be asked
// is not in it. Of an interface beyond all that anything was ever set for, VPP says that all
// features of an arc are on, its end too.
func (k mirrors) inEffect(ctx context.Context, ids ...uint32) (map[uint32]span.SpanState, error) {
	live := make(map[uint32]span.SpanState, len(ids))
	var requests []api.Message
	for _, id := range ids {
		for _, f := range [][2]string{
			{"device-input", "ethernet-input"},
			{"device-input", "span-input"},
			{"interface-output", "interface-output-arc-end"},
			{"interface-output", "span-output"},
		} {
			requests = append(requests, &feature.FeatureIsEnabled{ArcName: f[0], FeatureName: f[1], SwIfIndex: interface_types.InterfaceIndex(id)})
		}
	}
	requests = usage.known(k.c, requests)
	if len(requests) == 0 {
		return live, nil
	}
	on, err := AskEach[*feature.FeatureIsEnabledReply](ctx, k.c, requests...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		live[id] = 0
		for way, s := range []span.SpanState{span.SPAN_STATE_API_RX, span.SPAN_STATE_API_TX} {
			if end, x := on[4*i+2*way], on[4*i+2*way+1]; x.IsEnabled && !end.IsEnabled {
				live[id] |= s
			}
		}
	}
	return live, nil
}

// turn is for what is said of all mirrors of an interface.
func (k mirrors) turn(ctx context.Context, from uint32) (done func(), err error) {
	return k.c.Turn(ctx, desiredstate.Key{Space: "mirrored", Name: Foreign(number(from))})
}

func (k mirrors) send(ctx context.Context, from, to uint32, s span.SpanState, l2 bool) error {
	_, err := k.vpp.SwInterfaceSpanEnableDisable(ctx, &span.SwInterfaceSpanEnableDisable{
		SwIfIndexFrom: interface_types.InterfaceIndex(from), SwIfIndexTo: interface_types.InterfaceIndex(to), State: s, IsL2: l2,
	})
	return err
}

// set makes a mirror as it is wanted, and in effect. VPP puts the first one of an interface
// into effect, and thinks that it still is when that has gone; then all are taken away, and
// set anew.
func (k mirrors) set(ctx context.Context, v *desiredstate.View, m Mirror) error {
	from, err := v.ID(InterfaceKey(m.From))
	if err != nil {
		return err
	}
	to, err := v.ID(InterfaceKey(m.To))
	if err != nil {
		return err
	}
	done, err := k.turn(ctx, from)
	if err != nil {
		return err
	}
	defer done()
	all, err := k.list(ctx)
	if err != nil {
		return err
	}
	var listed span.SpanState
	others := map[uint32]span.SpanState{}
	for _, d := range all {
		if uint32(d.SwIfIndexFrom) == from && d.IsL2 == m.L2 {
			if listed |= d.State; uint32(d.SwIfIndexTo) != to {
				others[uint32(d.SwIfIndexTo)] = d.State
			}
		}
	}
	rx := m.L2 && !m.NoRx
	idle := listed != 0 && m.L2 && len(others) == 0
	if rx && listed&span.SPAN_STATE_API_RX != 0 && !idle {
		lost, err := k.lost(ctx, from)
		if err != nil {
			return err
		}
		idle = lost[from]
	}
	if listed != 0 && !m.L2 {
		live, err := k.inEffect(ctx, from)
		if err != nil {
			return err
		}
		on, asked := live[from]
		idle = asked && listed&^on != 0
	}
	if idle {
		if err := k.send(ctx, from, ^uint32(0), 0, m.L2); err != nil {
			return err
		}
		for to, s := range others {
			if err := k.send(ctx, from, to, s, m.L2); err != nil {
				return err
			}
		}
	}
	if err := k.send(ctx, from, to, m.state(), m.L2); err != nil || !rx {
		return err
	}
	lost, err := k.lost(ctx, from)
	if lost[from] {
		k.blind.Store(true)
	}
	return err
}
