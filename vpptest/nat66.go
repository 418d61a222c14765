// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/nat66"
	"go.fd.io/govpp/binapi/nat_types"
)

// nat66Off is what VPP answers where NAT66 is off, and to who turns it on where it is on.
const nat66Off = 1

// nat66s is the nat66 plugin. It forgets nothing of an interface that goes, but what was in effect.
type nat66s struct {
	v          *VPP
	enabled    bool
	interfaces pool[nat66Interface]
	mappings   pool[nat66Mapping]
	on         map[nat66Interface]bool // in effect
}

type nat66Interface struct {
	index  interface_types.InterfaceIndex
	inside bool
}

type nat66Mapping struct {
	local, external netip.Addr
	table           *fibTable
}

func loadNAT66(v *VPP) {
	n := &nat66s{v: v, on: map[nat66Interface]bool{}}
	v.life.states = append(v.life.states, n.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		for _, inside := range []bool{false, true} {
			delete(n.on, nat66Interface{indexOf(i), inside})
		}
	})
	for feature, inside := range map[string]bool{"nat66-in2out": true, "nat66-out2in": false} {
		v.life.features.follow("ip6-unicast", feature, func(i *iface) bool { return n.on[nat66Interface{indexOf(i), inside}] })
	}
	Handle(v, n.enable)
	Handle(v, n.addDelInterface)
	Handle(v, n.addDelMapping)
	HandleDump(v, func(*Call, *nat66.Nat66InterfaceDump) (out []*nat66.Nat66InterfaceDetails) {
		n.interfaces.each(none, func(_ uint32, i *nat66Interface) {
			d := &nat66.Nat66InterfaceDetails{SwIfIndex: i.index}
			if i.inside {
				d.Flags = nat_types.NAT_IS_INSIDE
			}
			out = append(out, d)
		})
		return out
	})
	HandleDump(v, func(*Call, *nat66.Nat66StaticMappingDump) (out []*nat66.Nat66StaticMappingDetails) {
		n.mappings.each(none, func(_ uint32, m *nat66Mapping) {
			out = append(out, &nat66.Nat66StaticMappingDetails{LocalIPAddress: m.local.As16(), ExternalIPAddress: m.external.As16(), VrfID: m.table.id})
		})
		return out
	})
}

func (n *nat66s) enable(c *Call, q *nat66.Nat66PluginEnableDisable) *nat66.Nat66PluginEnableDisableReply {
	r := new(nat66.Nat66PluginEnableDisableReply)
	switch {
	case !q.Enable:
		c.NotImitated("turning NAT66 off, which keeps its tables, and what it has in effect on interfaces that are on both sides")
	case n.enabled:
		r.Retval = nat66Off
	default:
		n.enabled = true
		n.v.life.ips.lock(n.v.life.ips.table(true, q.OutsideVrf))
	}
	return r
}

func (n *nat66s) addDelInterface(c *Call, q *nat66.Nat66AddDelInterface) *nat66.Nat66AddDelInterfaceReply {
	r := new(nat66.Nat66AddDelInterfaceReply)
	i := n.v.life.interfaces.at(q.SwIfIndex)
	place, there := uint32(0), false
	n.interfaces.each(none, func(at uint32, x *nat66Interface) {
		if x.index == q.SwIfIndex {
			place, there = at, true
		}
	})
	x := nat66Interface{q.SwIfIndex, q.Flags&nat_types.NAT_IS_INSIDE != 0}
	switch {
	case i == nil:
		r.Retval = invalidInterface
		return r
	case !n.enabled:
		r.Retval = nat66Off
		return r
	case q.IsAdd && there:
		r.Retval = valueExists
		return r
	case q.IsAdd:
		n.interfaces.put(none, x)
		n.on[x] = true
	case !there:
		r.Retval = noSuchEntry
		return r
	case n.interfaces.at(place).inside != x.inside:
		c.NotImitated("an interface that is taken from the side of NAT66 on which it is not: what it was told stays in effect, and is no longer listed")
	default:
		n.interfaces.delete(place)
		delete(n.on, x)
	}
	n.v.life.features.toggled("ip6-unicast", i)
	return r
}

func (n *nat66s) addDelMapping(_ *Call, q *nat66.Nat66AddDelStaticMapping) *nat66.Nat66AddDelStaticMappingReply {
	r := new(nat66.Nat66AddDelStaticMappingReply)
	local, ips := netip.AddrFrom16(q.LocalIPAddress), n.v.life.ips
	place, there := uint32(0), false
	if t := ips.pool[1].find(q.VrfID); t != nil {
		n.mappings.each(none, func(at uint32, m *nat66Mapping) {
			if m.local == local && m.table == t {
				place, there = at, true
			}
		})
	}
	switch {
	case !n.enabled:
		r.Retval = nat66Off
	case q.IsAdd && there:
		r.Retval = valueExists
	case q.IsAdd:
		t := ips.table(true, q.VrfID)
		ips.lock(t)
		n.mappings.put(none, nat66Mapping{local, netip.AddrFrom16(q.ExternalIPAddress), t})
	case !there:
		r.Retval = noSuchEntry
	default:
		t := n.mappings.at(place).table
		n.mappings.delete(place)
		ips.unlock(t)
	}
	return r
}

func (n *nat66s) dump(d *dump) {
	n.interfaces.each(none, func(_ uint32, i *nat66Interface) {
		d.line(fmt.Sprintf("NAT66 on interface %d", i.index), when(i.inside, "inside"), when(!n.on[*i], "to no effect"))
	})
	n.mappings.each(none, func(_ uint32, m *nat66Mapping) {
		d.line(fmt.Sprintf("NAT66 of %v in table %d is %v", m.local, m.table.id, m.external))
	})
}
