// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"go.fd.io/govpp/binapi/lldp"
)

// lldps is the lldp plugin, to which nobody says anything. It knows devices by their places, and takes
// for one the number of the interface that it is told.
type lldps struct {
	v        *VPP
	on       map[uint32]lldp.SwInterfaceSetLldp
	speaks   map[uint32]bool
	name     string
	hold     uint32
	interval uint32
}

func loadLLDP(v *VPP) {
	l := &lldps{v: v, on: map[uint32]lldp.SwInterfaceSetLldp{}, speaks: map[uint32]bool{}, hold: 4, interval: 30}
	v.life.states = append(v.life.states, l.dump)
	i := v.life.interfaces
	i.switched = append(i.switched, func(i *iface) {
		if !i.admin { // a sub-interface, too
			delete(l.speaks, i.hw.place)
		}
	})
	i.linked = append(i.linked, func(i *iface) {
		if i.link {
			l.speak(i.place)
		}
	})
	Handle(v, l.config)
	Handle(v, l.set)
}

func (l *lldps) config(_ *Call, q *lldp.LldpConfig) *lldp.LldpConfigReply {
	l.name = cmp.Or(q.SystemName, l.name)
	if q.TxHold > 100 {
		return &lldp.LldpConfigReply{Retval: invalidValue}
	}
	l.hold = cmp.Or(q.TxHold, l.hold)
	if q.TxInterval > 3600 {
		return &lldp.LldpConfigReply{Retval: invalidValue}
	}
	l.interval = cmp.Or(q.TxInterval, l.interval)
	return new(lldp.LldpConfigReply)
}

func (l *lldps) set(_ *Call, q *lldp.SwInterfaceSetLldp) *lldp.SwInterfaceSetLldpReply {
	r, at := new(lldp.SwInterfaceSetLldpReply), uint32(q.SwIfIndex)
	device := l.v.life.interfaces.devices.at(at)
	switch {
	case l.v.life.interfaces.at(q.SwIfIndex) == nil:
		r.Retval = invalidInterface
	case device == nil || (*device).class.l3:
		r.Retval = invalidValue
	case !q.Enable:
		delete(l.on, (*device).index) // a number of an interface again
		delete(l.speaks, (*device).index)
	default:
		if _, is := l.on[at]; !is {
			l.on[at] = *q
			if (*device).admin {
				l.speak(at)
			}
		}
	}
	return r
}

func (l *lldps) speak(at uint32) {
	if _, is := l.on[at]; is {
		l.speaks[at] = true
	}
}

func (l *lldps) dump(d *dump) {
	if l.name != "" || l.hold != 4 || l.interval != 30 {
		d.line(fmt.Sprintf("LLDP %q each %d s, for %d times", l.name, l.interval, l.hold))
	}
	for _, at := range slices.Sorted(maps.Keys(l.on)) {
		q := l.on[at]
		d.line(fmt.Sprintf("LLDP of device %d, %q, %v, %v, %q", at, q.PortDesc, q.MgmtIP4, q.MgmtIP6, q.MgmtOid), when(!l.speaks[at], "silent"))
	}
}
