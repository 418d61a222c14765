// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/mss_clamp"
)

// clamps is the mss_clamp plugin. It forgets nothing of an interface that goes, but what was in
// effect.
type clamps struct {
	v   *VPP
	all []clamp // by index of the interface, as far as any was ever told of
}

// clamp is of IPv4 and IPv6.
type clamp struct {
	mss [2]uint16
	way [2]mss_clamp.MssClampDir
	on  [2]mss_clamp.MssClampDir // in effect
}

func loadMSSClamp(v *VPP) {
	x := &clamps{v: v}
	v.life.states = append(v.life.states, x.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		if c := x.at(i.index); c != nil {
			c.on = [2]mss_clamp.MssClampDir{}
		}
	})
	for n, family := range []string{"ip4", "ip6"} {
		for _, arc := range []struct {
			name, feature string
			way           mss_clamp.MssClampDir
		}{{"-unicast", "in", mss_clamp.MSS_CLAMP_DIR_RX}, {"-output", "out", mss_clamp.MSS_CLAMP_DIR_TX}} {
			v.life.features.follow(family+arc.name, "tcp-mss-clamping-"+family+"-"+arc.feature, func(i *iface) bool {
				c := x.at(i.index)
				return c != nil && c.on[n]&arc.way != 0
			})
		}
	}
	Handle(v, x.set)
	HandleGet(v, x.get)
}

func (x *clamps) at(index uint32) *clamp {
	if int64(index) >= int64(len(x.all)) {
		return nil
	}
	return &x.all[index]
}

func (x *clamps) set(_ *Call, q *mss_clamp.MssClampEnableDisable) *mss_clamp.MssClampEnableDisableReply {
	i := x.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &mss_clamp.MssClampEnableDisableReply{Retval: invalidInterface}
	}
	for int64(len(x.all)) <= int64(i.index) {
		x.all = append(x.all, clamp{})
	}
	c := x.at(i.index)
	c.mss = [2]uint16{q.IPv4Mss, q.IPv6Mss}
	for n, way := range []mss_clamp.MssClampDir{q.IPv4Direction, q.IPv6Direction} {
		c.on[n] = c.on[n]&way | way&^c.way[n] // what it was told before it takes for done
		for arc, bit := range map[string]mss_clamp.MssClampDir{"-unicast": mss_clamp.MSS_CLAMP_DIR_RX, "-output": mss_clamp.MSS_CLAMP_DIR_TX} {
			if (way^c.way[n])&bit != 0 {
				x.v.life.features.toggled([]string{"ip4", "ip6"}[n]+arc, i)
			}
		}
		c.way[n] = way
	}
	return new(mss_clamp.MssClampEnableDisableReply)
}

func (x *clamps) get(_ *Call, q *mss_clamp.MssClampGet) (out []*mss_clamp.MssClampDetails, r *mss_clamp.MssClampGetReply) {
	r = &mss_clamp.MssClampGetReply{Cursor: none}
	add := func(index uint32) {
		c := x.at(index)
		if c == nil || c.way == [2]mss_clamp.MssClampDir{} {
			return
		}
		d := &mss_clamp.MssClampDetails{SwIfIndex: interface_types.InterfaceIndex(index), IPv4Direction: c.way[0], IPv6Direction: c.way[1]}
		if d.IPv4Direction != 0 {
			d.IPv4Mss = c.mss[0]
		}
		if d.IPv6Direction != 0 {
			d.IPv6Mss = c.mss[1]
		}
		out = append(out, d)
	}
	switch {
	case q.SwIfIndex != none && x.v.life.interfaces.at(q.SwIfIndex) == nil:
		r.Retval = invalidInterface
	case q.SwIfIndex != none:
		add(uint32(q.SwIfIndex))
	case len(x.all) == 0:
	default:
		if r.Cursor = q.Cursor; r.Cursor == none {
			r.Cursor = 0
		}
		for ; int64(r.Cursor) < int64(len(x.all)); r.Cursor++ {
			add(r.Cursor)
		}
	}
	return out, r
}

func (x *clamps) dump(d *dump) {
	for i, c := range x.all {
		if c.way != ([2]mss_clamp.MssClampDir{}) {
			d.line(fmt.Sprintf("TCP of interface %d announces %v at most, by %v", i, c.mss, c.way), when(c.on != c.way, "in effect by %v", c.on))
		}
	}
}
