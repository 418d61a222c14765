// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/l3xc"
)

// l3xcs is the l3xc plugin. VPP forgets nothing of it when an interface goes, but that it was
// in effect.
type l3xcs struct {
	v   *VPP
	all pool[*crossing]
}

type crossing struct {
	from  uint32
	is6   bool
	paths []fib_types.FibPath
	live  bool
}

func loadL3XC(v *VPP) {
	x := &l3xcs{v: v}
	v.life.states = append(v.life.states, x.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		for _, is6 := range []bool{false, true} {
			if _, c := x.find(i.index, is6); c != nil {
				c.live = false
			}
		}
	})
	for is6, names := range map[bool][2]string{false: {"ip4-unicast", "l3xc-input-ip4"}, true: {"ip6-unicast", "l3xc-input-ip6"}} {
		v.life.features.follow(names[0], names[1], func(i *iface) bool {
			_, c := x.find(i.index, is6)
			return c != nil && c.live
		})
	}
	Handle(v, x.update)
	Handle(v, x.delete)
	HandleDump(v, x.details)
}

func (x *l3xcs) find(from uint32, is6 bool) (at uint32, found *crossing) {
	x.all.each(none, func(i uint32, c **crossing) {
		if (*c).from == from && (*c).is6 == is6 {
			at, found = i, *c
		}
	})
	return at, found
}

func (x *l3xcs) update(c *Call, q *l3xc.L3xcUpdate) *l3xc.L3xcUpdateReply {
	refuse := func(retval int32) *l3xc.L3xcUpdateReply { return &l3xc.L3xcUpdateReply{Retval: retval} }
	from, ips := x.v.life.interfaces.at(q.L3xc.SwIfIndex), x.v.life.ips
	switch {
	case from == nil:
		return refuse(invalidInterface)
	case len(q.L3xc.Paths) == 0:
		return refuse(invalidValue)
	}
	var paths []fib_types.FibPath
	for _, p := range q.L3xc.Paths {
		made, retval := ips.path(c, p)
		if retval != 0 {
			return refuse(retval)
		}
		if t := typeOf(made); t == viaNothing || t == viaSelf || t == viaTable {
			return refuse(c.NotImitated("a cross-connect to a table, to VPP itself or to nothing"))
		}
		paths = append(paths, made)
	}
	for _, p := range paths {
		ips.meetBy(p)
	}
	slices.SortStableFunc(paths, comparePaths)
	_, have := x.find(from.index, q.L3xc.IsIP6)
	if have == nil {
		have = &crossing{from: from.index, is6: q.L3xc.IsIP6, live: true}
		x.all.put(none, have)
	}
	for _, p := range paths {
		ips.hold(p)
	}
	for _, p := range have.paths {
		ips.release(p)
	}
	have.paths = paths
	return refuse(0)
}

func (x *l3xcs) delete(_ *Call, q *l3xc.L3xcDel) *l3xc.L3xcDelReply {
	if x.v.life.interfaces.at(q.SwIfIndex) == nil {
		return &l3xc.L3xcDelReply{Retval: invalidInterface}
	}
	at, have := x.find(uint32(q.SwIfIndex), q.IsIP6)
	if have == nil {
		return &l3xc.L3xcDelReply{Retval: invalidValue}
	}
	for _, p := range have.paths {
		x.v.life.ips.release(p)
	}
	x.all.delete(at)
	return new(l3xc.L3xcDelReply)
}

// details never say of which family one is. Of one interface, IPv4 comes first.
func (x *l3xcs) details(_ *Call, q *l3xc.L3xcDump) (out []*l3xc.L3xcDetails) {
	add := func(c *crossing) {
		out = append(out, &l3xc.L3xcDetails{L3xc: l3xc.L3xc{SwIfIndex: indexAt(c.from), NPaths: uint8(len(c.paths)), Paths: c.paths}})
	}
	if q.SwIfIndex == none {
		x.all.each(none, func(_ uint32, c **crossing) { add(*c) })
		return out
	}
	for _, is6 := range []bool{false, true} {
		if _, c := x.find(uint32(q.SwIfIndex), is6); c != nil {
			add(c)
		}
	}
	return out
}

func (x *l3xcs) dump(d *dump) {
	x.all.each(none, func(_ uint32, p **crossing) {
		c := *p
		d.line(fmt.Sprintf("l3xc %d", c.from), when(c.is6, "IPv6"), when(!c.live, "to no effect"), fmt.Sprintf("%+v", c.paths))
	})
}
