// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/nat64"
	"go.fd.io/govpp/binapi/nat_types"
)

// nat64On is what VPP answers to who turns NAT64 on where it is on, or off where it is off.
const nat64On = 1

// What VPP has of NAT64 at most: entries for each bucket of its BIB, and, in a heap of half a GB, such buckets, of
// 16 bytes each, and addresses, of 1 MB each, which it has to hold twice for a moment.
const (
	nat64PerBucket = 10
	nat64Buckets   = 1 << 24
	nat64Pool      = 256
)

// nat64s is the nat64 plugin. It looks whether it is on for nothing but turning on and off,
// and forgets nothing of an interface that goes, but what was in effect.
type nat64s struct {
	v          *VPP
	enabled    bool
	buckets    uint32 // of the BIB
	timeouts   [4]uint32
	interfaces pool[nat64Interface]
	on         map[nat64Side]int // in effect, and how often
	addresses  []*nat64Address
	prefixes   []nat64Prefix
	bib        [4]pool[nat64Mapping] // by nat64Sort
}

type nat64Interface struct {
	index           interface_types.InterfaceIndex
	inside, outside bool
}

type nat64Side struct {
	index  interface_types.InterfaceIndex
	inside bool
}

// nat64Address is an address of the pool; table is nil for all.
type nat64Address struct {
	addr  ip_types.IP4Address
	table *fibTable
	ports map[nat64Port]int
}

type nat64Port struct {
	sort int
	port uint16
}

type nat64Prefix struct {
	prefix ip_types.IP6Prefix
	table  uint32
}

// nat64Mapping is an entry of the BIB.
type nat64Mapping struct {
	in    ip_types.IP6Address
	out   ip_types.IP4Address
	ports [2]uint16 // inside, outside
	proto uint8
	table *fibTable
}

// nat64Sort is where the entries of a protocol are: others, UDP, TCP, ICMP.
func nat64Sort(proto uint8) int {
	switch proto {
	case 17:
		return 1
	case 6:
		return 2
	case 1, 58:
		return 3
	}
	return 0
}

func loadNAT64(v *VPP) {
	n := &nat64s{v: v, on: map[nat64Side]int{}, timeouts: natTimeouts}
	v.life.states = append(v.life.states, n.dump)
	i := v.life.interfaces
	i.deleting = append(i.deleting, func(i *iface) {
		for _, inside := range []bool{false, true} {
			delete(n.on, nat64Side{indexOf(i), inside})
		}
	})
	v.life.features.follow("ip6-unicast", "nat64-in2out", func(i *iface) bool { return n.on[nat64Side{indexOf(i), true}] > 0 })
	v.life.features.follow("ip4-unicast", "nat64-out2in", func(i *iface) bool { return n.on[nat64Side{indexOf(i), false}] > 0 })
	Handle(v, n.enable)
	Handle(v, n.setTimeouts)
	Handle(v, n.readTimeouts)
	Handle(v, n.addDelInterface)
	Handle(v, n.addDelRange)
	Handle(v, n.addDelPrefix)
	Handle(v, n.addDelMapping)
	HandleDump(v, n.interfaceDetails)
	HandleDump(v, n.addressDetails)
	HandleDump(v, func(*Call, *nat64.Nat64PrefixDump) (out []*nat64.Nat64PrefixDetails) {
		for _, p := range n.prefixes {
			out = append(out, &nat64.Nat64PrefixDetails{Prefix: p.prefix, VrfID: p.table})
		}
		return out
	})
	HandleDump(v, n.mappingDetails)
}

func (n *nat64s) enable(c *Call, q *nat64.Nat64PluginEnableDisable) *nat64.Nat64PluginEnableDisableReply {
	r := new(nat64.Nat64PluginEnableDisableReply)
	switch {
	case q.Enable == n.enabled:
		r.Retval = nat64On
	case q.Enable:
		n.enabled, n.buckets = true, q.BibBuckets
		if n.buckets == 0 {
			n.buckets = 1024
		}
	case len(n.interfaces.all) > len(n.interfaces.free):
		r.Retval = c.NotImitated("turning NAT64 off while it is on interfaces: of outside ones it stays in effect, and VPP dies of the next packet")
	default:
		n.enabled, n.timeouts, n.prefixes, n.bib = false, natTimeouts, nil, [4]pool[nat64Mapping]{}
		for _, a := range n.addresses {
			if a.table != nil {
				n.v.life.ips.unlock(a.table)
			}
		}
		n.addresses = nil
	}
	return r
}

func (n *nat64s) setTimeouts(_ *Call, q *nat64.Nat64SetTimeouts) *nat64.Nat64SetTimeoutsReply {
	n.timeouts = [4]uint32{q.UDP, q.TCPEstablished, q.TCPTransitory, q.ICMP}
	return new(nat64.Nat64SetTimeoutsReply)
}

func (n *nat64s) readTimeouts(*Call, *nat64.Nat64GetTimeouts) *nat64.Nat64GetTimeoutsReply {
	return &nat64.Nat64GetTimeoutsReply{UDP: n.timeouts[0], TCPEstablished: n.timeouts[1], TCPTransitory: n.timeouts[2], ICMP: n.timeouts[3]}
}

// addDelInterface, told to take a side that an interface does not have, forgets that it has another one.
func (n *nat64s) addDelInterface(_ *Call, q *nat64.Nat64AddDelInterface) *nat64.Nat64AddDelInterfaceReply {
	r := new(nat64.Nat64AddDelInterfaceReply)
	i := n.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	at, have := uint32(0), (*nat64Interface)(nil)
	n.interfaces.each(none, func(place uint32, x *nat64Interface) {
		if x.index == q.SwIfIndex {
			at, have = place, x
		}
	})
	side := nat64Side{q.SwIfIndex, q.Flags&nat_types.NAT_IS_INSIDE != 0}
	switch {
	case !q.IsAdd && have == nil:
		r.Retval = noSuchEntry
		return r
	case !q.IsAdd && have.inside && have.outside:
		have.inside, have.outside = !side.inside, side.inside
	case !q.IsAdd:
		n.interfaces.delete(at)
	default:
		if have == nil {
			at, _ = n.interfaces.put(none, nat64Interface{index: q.SwIfIndex})
			have = n.interfaces.at(at)
		}
		have.inside, have.outside = have.inside || side.inside, have.outside || !side.inside
	}
	if q.IsAdd {
		n.on[side]++
	} else {
		n.on[side] = max(0, n.on[side]-1)
	}
	arc := "ip6-unicast"
	if !side.inside {
		arc = "ip4-unicast"
		for _, a := range n.addresses {
			n.v.life.ips.local(q.SwIfIndex, a.addr, srcNAT64, q.IsAdd)
		}
	}
	n.v.life.features.toggled(arc, i)
	return r
}

func (n *nat64s) interfaceDetails(*Call, *nat64.Nat64InterfaceDump) (out []*nat64.Nat64InterfaceDetails) {
	n.interfaces.each(none, func(_ uint32, i *nat64Interface) {
		d := &nat64.Nat64InterfaceDetails{SwIfIndex: i.index}
		if i.inside {
			d.Flags |= nat_types.NAT_IS_INSIDE
		}
		if i.outside {
			d.Flags |= nat_types.NAT_IS_OUTSIDE
		}
		out = append(out, d)
	})
	return out
}

func (n *nat64s) dump(d *dump) {
	n.interfaces.each(none, func(_ uint32, i *nat64Interface) {
		d.line(fmt.Sprintf("NAT64 on interface %d", i.index), when(i.inside, "inside"), when(i.outside, "outside"),
			fmt.Sprintf("in effect %d and %d times", n.on[nat64Side{i.index, true}], n.on[nat64Side{i.index, false}]))
	})
	for _, a := range n.addresses {
		d.line("NAT64 has address", fmt.Sprint(a.addr), when(a.table != nil, "of a table"))
	}
	for _, p := range n.prefixes {
		d.line(fmt.Sprintf("NAT64 has prefix %v in table %d", p.prefix, p.table))
	}
	for sort := range n.bib {
		n.bib[sort].each(none, func(_ uint32, m *nat64Mapping) {
			d.line(fmt.Sprintf("NAT64 of %v in table %d is %v, protocol %d, ports %v", m.in, m.table.id, m.out, m.proto, m.ports))
		})
	}
	if n.timeouts != natTimeouts {
		d.line(fmt.Sprintf("NAT64 has timeouts %v", n.timeouts))
	}
}
