// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	nat "go.fd.io/govpp/binapi/nat44_ed"
)

// natExit is what NAT calls a VRF table: the tables in which the packets of one go on
// once they are translated.
type natExit struct {
	table uint32
	fib   *fibTable
	to    pool[natTable]
}

func (n *natED) loadExits(v *VPP) {
	Handle(v, n.addDelExit)
	Handle(v, n.addDelExitTo)
	// VPP answers with the details of the first version.
	HandleDump(v, func(*Call, *nat.Nat44EdVrfTablesV2Dump) (out []*nat.Nat44EdVrfTablesDetails) {
		n.exits.each(none, func(_ uint32, x *natExit) {
			d := &nat.Nat44EdVrfTablesDetails{TableVrfID: x.table}
			x.to.each(none, func(_ uint32, to *natTable) { d.VrfIds = append(d.VrfIds, to.id) })
			d.VrfIds = append(d.VrfIds, make([]uint32, len(x.to.free))...) // VPP counts those that were
			d.NVrfIds = uint32(len(d.VrfIds))
			out = append(out, d)
		})
		return out
	})
	v.life.states = append(v.life.states, func(d *dump) {
		n.exits.each(none, func(_ uint32, x *natExit) {
			var to []uint32
			x.to.each(none, func(_ uint32, t *natTable) { to = append(to, t.id) })
			d.line(n.name, fmt.Sprintf("table %d leaves by %v", x.table, to))
		})
	})
}

// forgetExits is what turning NAT off does.
func (n *natED) forgetExits() {
	n.exits.each(none, func(_ uint32, x *natExit) { n.freeExit(x) })
	n.exits = pool[natExit]{}
}

func (n *natED) exitOf(table uint32) (at uint32, x *natExit) {
	n.exits.each(none, func(i uint32, e *natExit) {
		if e.table == table {
			at, x = i, e
		}
	})
	return at, x
}

func (n *natED) addDelExit(_ *Call, q *nat.Nat44EdAddDelVrfTable) *nat.Nat44EdAddDelVrfTableReply {
	r := new(nat.Nat44EdAddDelVrfTableReply)
	at, x := n.exitOf(q.TableVrfID)
	switch {
	case x != nil && q.IsAdd:
		r.Retval = valueExists
	case x != nil:
		n.freeExit(x)
		n.exits.delete(at)
	case !q.IsAdd:
		r.Retval = noSuchEntry
	default:
		n.exits.put(none, natExit{table: q.TableVrfID, fib: n.keep(q.TableVrfID)})
	}
	return r
}

func (n *natED) freeExit(x *natExit) {
	x.to.each(none, func(_ uint32, to *natTable) { n.free(to.fib) })
	n.free(x.fib)
}

func (n *natED) addDelExitTo(_ *Call, q *nat.Nat44EdAddDelVrfRoute) *nat.Nat44EdAddDelVrfRouteReply {
	r := new(nat.Nat44EdAddDelVrfRouteReply)
	_, x := n.exitOf(q.TableVrfID)
	if x == nil {
		r.Retval = noSuchEntry
		return r
	}
	at, there := uint32(0), false
	x.to.each(none, func(i uint32, to *natTable) {
		if to.id == q.VrfID {
			at, there = i, true
		}
	})
	switch {
	case there && q.IsAdd:
		r.Retval = valueExists
	case there:
		n.free(x.to.at(at).fib)
		x.to.delete(at)
	case !q.IsAdd:
		r.Retval = noSuchEntry
	default:
		x.to.put(none, natTable{q.VrfID, n.keep(q.VrfID)})
	}
	return r
}
