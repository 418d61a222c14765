// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/span"
)

// tooFar is higher than that of any interface that a VPP has room for.
const tooFar = 1 << 24

// featSpan is on while an interface's frames are mirrored as they are bridged.
const featSpan = 0x20000

// spans is what mirrors frames. VPP forgets nothing of it when an interface goes, but that
// it was in effect.
type spans struct {
	v  *VPP
	by map[spanKey]*spanSource
}

// A spanKey is an interface that is mirrored, as a device or as a port of L2.
type spanKey struct {
	from uint32
	l2   bool
}

// A spanSource has the mirrors of an interface, and whether the interface's arcs know.
type spanSource struct {
	rx, tx     map[uint32]bool // by the index of where to
	inRx, inTx bool
}

func loadSpan(v *VPP) {
	s := &spans{v: v, by: make(map[spanKey]*spanSource)}
	v.life.states = append(v.life.states, s.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		for _, l2 := range []bool{false, true} {
			if x := s.by[spanKey{i.index, l2}]; x != nil {
				x.inRx, x.inTx = false, false
			}
		}
	})
	f := v.life.features
	rx := func(i *iface) bool { x := s.by[spanKey{i.index, false}]; return x != nil && x.inRx }
	f.follow("device-input", "span-input", rx)
	f.follow("port-rx-eth", "span-input", rx)
	f.follow("interface-output", "span-output", func(i *iface) bool { x := s.by[spanKey{i.index, false}]; return x != nil && x.inTx })
	for _, end := range [][2]string{{"device-input", "ethernet-input"}, {"port-rx-eth", "ethernet-input"}, {"interface-output", "interface-output-arc-end"}} {
		f.follow(end[0], end[1], func(*iface) bool { return false })
	}
	Handle(v, s.set)
	HandleDump(v, s.details)
}

func (s *spans) set(c *Call, q *span.SwInterfaceSpanEnableDisable) *span.SwInterfaceSpanEnableDisableReply {
	refuse := func(retval int32) *span.SwInterfaceSpanEnableDisableReply {
		return &span.SwInterfaceSpanEnableDisableReply{Retval: retval}
	}
	state := span.SpanState(uint8(q.State))
	switch {
	case state > span.SPAN_STATE_API_RX_TX:
		return refuse(unimplemented)
	case q.SwIfIndexFrom == none, q.SwIfIndexTo == none && state != 0, q.SwIfIndexFrom == q.SwIfIndexTo:
		return refuse(invalidInterface2)
	}
	from := s.v.life.interfaces.at(q.SwIfIndexFrom)
	if from == nil {
		return refuse(c.NotImitated("mirrors of an interface that is not there"))
	}
	if q.SwIfIndexTo != none && q.SwIfIndexTo >= tooFar {
		return refuse(c.NotImitated("mirrors to an index so high: VPP makes a bitmap that long, if it has the memory, and dies if not"))
	}
	key := spanKey{from.index, q.IsL2}
	x := s.by[key]
	if x == nil {
		x = &spanSource{rx: make(map[uint32]bool), tx: make(map[uint32]bool)}
		s.by[key] = x
	}
	was := [2]int{len(x.rx), len(x.tx)}
	for dir, all := range []map[uint32]bool{x.rx, x.tx} {
		switch on := state&(1<<dir) != 0; {
		case on:
			all[uint32(q.SwIfIndexTo)] = true
		case q.SwIfIndexTo == none:
			clear(all)
		default:
			delete(all, uint32(q.SwIfIndexTo))
		}
	}
	if changes(was[0], len(x.rx)) {
		x.inRx = len(x.rx) > 0
		s.arcs(from, q.IsL2, "device-input", "port-rx-eth")
		if q.IsL2 {
			p := s.v.life.bridges.port(from)
			if p.bits &^= featSpan; x.inRx {
				p.bits |= featSpan
			}
		}
	}
	if changes(was[1], len(x.tx)) {
		x.inTx = len(x.tx) > 0
		s.arcs(from, q.IsL2, "interface-output")
	}
	return refuse(0)
}

// changes says whether VPP turns anything on or off.
func changes(was, is int) bool { return was == 0 && is == 1 || was > 0 && is == 0 }

func (s *spans) arcs(i *iface, l2 bool, names ...string) {
	for _, arc := range names {
		if !l2 {
			s.v.life.features.toggled(arc, i)
		}
	}
}

func (s *spans) details(_ *Call, q *span.SwInterfaceSpanDump) (out []*span.SwInterfaceSpanDetails) {
	s.each(func(k spanKey, to uint32, state span.SpanState, _ bool) {
		if k.l2 == q.IsL2 {
			out = append(out, &span.SwInterfaceSpanDetails{SwIfIndexFrom: indexAt(k.from), SwIfIndexTo: indexAt(to), State: state, IsL2: q.IsL2})
		}
	})
	return out
}

func (s *spans) each(f func(k spanKey, to uint32, state span.SpanState, live bool)) {
	var keys []spanKey
	for k := range s.by {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b spanKey) int { return int(a.from) - int(b.from) })
	for _, k := range keys {
		x := s.by[k]
		both := make(map[uint32]span.SpanState)
		for to := range x.rx {
			both[to] |= span.SPAN_STATE_API_RX
		}
		for to := range x.tx {
			both[to] |= span.SPAN_STATE_API_TX
		}
		for _, to := range sortedKeys(both) {
			f(k, to, both[to], (len(x.rx) == 0 || x.inRx) && (len(x.tx) == 0 || x.inTx))
		}
	}
}

func (s *spans) dump(d *dump) {
	for _, l2 := range []bool{false, true} {
		s.each(func(k spanKey, to uint32, state span.SpanState, live bool) {
			if k.l2 == l2 {
				d.line(fmt.Sprintf("mirror %d to %d, %v", k.from, to, state), when(l2, "L2"), when(!live, "to no effect"))
			}
		})
	}
}
