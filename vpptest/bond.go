// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/bond"
	"go.fd.io/govpp/binapi/interface_types"
)

var bondClass = &class{devType: "bond", mtu: unsupported, setMAC: true, linkAdmin: true}

// bonds are the interfaces that are made of others.
type bonds struct {
	v       *VPP
	lacp    bool        // the plugin is there
	all     pool[*bund] // VPP's own choice of a number is the place here
	members pool[*member]
}

// A bund is a bond.
type bund struct {
	*iface
	id      uint32
	mode    bond.BondMode
	balance bond.BondLbAlgo
	numa    bool
	gso     bool
	fixed   bool // the MAC is not its first member's
	address mac  // that members get
	members []*member
	ports   instances // of LACP
}

type member struct {
	*iface
	at      uint32 // its place
	in      *bund
	own     mac // what it gets back
	passive bool
	long    bool
	near    bool // it has been active, and so VPP knows its NUMA node
	active  bool
	weight  uint32
	lacp    lacpEnd
}

func loadBonds(v *VPP) {
	b := &bonds{v: v}
	v.life.bonds = b
	v.life.states = append(v.life.states, b.dump)
	i := v.life.interfaces
	i.switched = append(i.switched, b.switched)
	i.linked = append(i.linked, b.switched)
	i.deleting = append(i.deleting, func(i *iface) {
		if m := b.member(i); m != nil {
			b.detach(m)
		}
	})
	v.life.features.follow("device-input", "bond-input", func(i *iface) bool { return b.member(i) != nil })
	Handle(v, b.create)
	Handle(v, b.delete)
	Handle(v, b.join)
	Handle(v, b.leave)
	Handle(v, b.weigh)
	HandleDump(v, b.details)
	HandleDump(v, b.memberDetails)
}

func (b *bonds) create(_ *Call, q *bond.BondCreate2) *bond.BondCreate2Reply {
	q.Mode, q.Lb = q.Mode&0xff, q.Lb&0xff // VPP has room for no more
	switch {
	case q.Mode == bond.BOND_API_MODE_LACP && !b.lacp:
		return &bond.BondCreate2Reply{Retval: featureDisabled}
	case q.Mode < bond.BOND_API_MODE_ROUND_ROBIN || q.Mode > bond.BOND_API_MODE_LACP, int32(q.Lb) > int32(bond.BOND_API_LB_ALGO_L23):
		return &bond.BondCreate2Reply{Retval: invalidArgument}
	}
	x := &bund{id: q.ID, mode: q.Mode, balance: bond.BondLbAlgo(uint8(q.Lb)), numa: q.NumaOnly, gso: q.EnableGso, fixed: q.UseCustomMac, address: q.MacAddress}
	place, _ := b.all.put(none, x)
	if x.id == none {
		x.id = place
	}
	taken := false
	b.all.each(none, func(i uint32, o **bund) { taken = taken || i != place && (*o).id == x.id })
	if taken {
		b.all.delete(place)
		return &bond.BondCreate2Reply{Retval: instanceInUse}
	}
	switch x.mode {
	case bond.BOND_API_MODE_ROUND_ROBIN:
		x.balance = bond.BOND_API_LB_ALGO_RR
	case bond.BOND_API_MODE_BROADCAST:
		x.balance = bond.BOND_API_LB_ALGO_BC
	case bond.BOND_API_MODE_ACTIVE_BACKUP:
		x.balance = bond.BOND_API_LB_ALGO_AB
	}
	if !x.fixed {
		x.address = randomMAC()
	}
	x.iface = b.v.life.interfaces.add(&iface{
		name: fmt.Sprint("BondEthernet", x.id), class: bondClass, instance: place, mac: x.address, link: true, ready: true,
	})
	b.v.life.interfaces.edge(x.index, linkUp)
	return &bond.BondCreate2Reply{SwIfIndex: indexOf(x.iface)}
}

// delete takes a sub-interface for its bond, as VPP does.
func (b *bonds) delete(_ *Call, q *bond.BondDelete) *bond.BondDeleteReply {
	i := b.v.life.interfaces.at(q.SwIfIndex)
	if i == nil || i.hw.class != bondClass {
		return &bond.BondDeleteReply{Retval: invalidInterface}
	}
	x := *b.all.at(i.hw.instance)
	for _, m := range slices.Clone(x.members) {
		b.detach(m)
	}
	b.all.delete(i.hw.instance)
	b.v.life.interfaces.delete(i.hw)
	return new(bond.BondDeleteReply)
}

// bond is what has just this index: not that of a sub-interface.
func (b *bonds) bond(index interface_types.InterfaceIndex) *bund {
	if i := b.v.life.interfaces.at(index); i != nil && i.sub == nil && i.class == bondClass {
		return *b.all.at(i.instance)
	}
	return nil
}

func (b *bonds) member(i *iface) (found *member) {
	b.members.each(none, func(_ uint32, m **member) {
		if (*m).iface == i {
			found = *m
		}
	})
	return found
}

func (b *bonds) join(c *Call, q *bond.BondAddMember) *bond.BondAddMemberReply {
	i, x := b.v.life.interfaces.at(q.SwIfIndex), b.bond(q.BondSwIfIndex)
	r := new(bond.BondAddMemberReply)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case x == nil:
		r.Retval = invalidInterface2
	case b.member(i) != nil:
		r.Retval = valueExists
	case i.hw.class == bondClass:
		r.Retval = invalidInterface2
	case x.gso && i.hw.class == vhostClass && i.hw.ready:
		r.Retval = c.NotImitated("a guest that may have agreed to segments")
	case x.gso:
		r.Retval = invalidInterface2
	case i.hw.class.l3:
		c.Die("made what has no MAC a member")
	default:
		b.attach(x, i, q)
	}
	return r
}

func (b *bonds) attach(x *bund, i *iface, q *bond.BondAddMember) {
	m := &member{iface: i, in: x, own: i.hw.mac, passive: q.IsPassive, long: q.IsLongTimeout}
	m.at, _ = b.members.put(none, m)
	x.members = append(x.members, m)
	switch {
	case x.fixed || len(x.members) > 1:
		b.v.life.interfaces.changeMAC(i.hw, x.address)
	default:
		x.address = i.hw.mac
		b.v.life.interfaces.changeMAC(x.iface, x.address)
	}
	if x.mode == bond.BOND_API_MODE_LACP {
		m.begin()
	}
	b.update(m)
	b.v.life.features.toggled("device-input", i)
}

func (b *bonds) detach(m *member) {
	m.in.members = slices.DeleteFunc(m.in.members, func(o *member) bool { return o == m })
	b.members.delete(m.at)
	if m.in.mode == bond.BOND_API_MODE_LACP {
		m.in.ports.release(uint32(m.lacp.port - 1))
	}
	b.v.life.interfaces.changeMAC(m.hw, m.own)
	b.v.life.features.toggled("device-input", m.iface)
}

// switched is what an interface that goes up or down does to its bond. A sub-interface
// does not hear of its device.
func (b *bonds) switched(i *iface) {
	if m := b.member(i); m != nil {
		b.update(m)
	}
}

// update has a member take part if it is up, or, of LACP, if both ends agree.
func (b *bonds) update(m *member) {
	up := m.admin && m.hw.link
	if m.in.mode == bond.BOND_API_MODE_LACP {
		if !up {
			m.begin() // but who was at the other end is remembered
		}
		up = up && m.lacp.agreed()
	}
	m.active, m.near = up, m.near || up
}

func (b *bonds) leave(_ *Call, q *bond.BondDetachMember) *bond.BondDetachMemberReply {
	i := b.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &bond.BondDetachMemberReply{Retval: invalidInterface}
	}
	m := b.member(i)
	if m == nil {
		return &bond.BondDetachMemberReply{Retval: invalidInterface2}
	}
	b.detach(m)
	return new(bond.BondDetachMemberReply)
}

func (b *bonds) weigh(_ *Call, q *bond.SwInterfaceSetBondWeight) *bond.SwInterfaceSetBondWeightReply {
	r := new(bond.SwInterfaceSetBondWeightReply)
	i := b.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	switch m := b.member(i); {
	case m == nil:
		r.Retval = invalidInterface2
	case m.in.mode != bond.BOND_API_MODE_ACTIVE_BACKUP:
		r.Retval = invalidArgument
	default:
		m.weight = q.Weight
	}
	return r
}

func (b *bonds) details(_ *Call, q *bond.SwBondInterfaceDump) (out []*bond.SwBondInterfaceDetails) {
	b.all.each(none, func(_ uint32, at **bund) {
		x := *at
		if q.SwIfIndex != none && q.SwIfIndex != indexOf(x.iface) {
			return
		}
		d := &bond.SwBondInterfaceDetails{
			SwIfIndex: indexOf(x.iface), ID: x.id, Mode: x.mode, Lb: x.balance, NumaOnly: x.numa,
			Members: uint32(len(x.members)), InterfaceName: cut(x.name, 63),
		}
		for _, m := range x.members {
			if m.active {
				d.ActiveMembers++
			}
		}
		out = append(out, d)
	})
	return out
}

func (b *bonds) memberDetails(_ *Call, q *bond.SwMemberInterfaceDump) (out []*bond.SwMemberInterfaceDetails) {
	x := b.bond(q.SwIfIndex)
	if x == nil {
		return nil
	}
	for _, m := range x.members {
		out = append(out, &bond.SwMemberInterfaceDetails{
			SwIfIndex: indexOf(m.iface), InterfaceName: cut(m.device(b.v).name, 63), IsPassive: m.passive, IsLongTimeout: m.long,
			IsLocalNuma: m.near, Weight: m.weight,
		})
	}
	return out
}

// device is what VPP takes for a member's device: of a sub-interface, local0.
func (m *member) device(v *VPP) *iface {
	if m.sub != nil {
		return v.life.interfaces.all[0]
	}
	return m.iface
}

// changeMAC gives a device another MAC, and says so.
func (s *interfaces) changeMAC(i *iface, to mac) {
	old := i.mac
	i.mac = to
	for _, f := range s.changed {
		f(i, old)
	}
}

func (b *bonds) dump(d *dump) {
	b.all.each(none, func(place uint32, at **bund) {
		x := *at
		d.line(fmt.Sprintf("bond %d at %d id %d %s %s", x.index, place, x.id, x.mode, x.balance), when(x.numa, "NUMA only"), when(x.gso, "GSO"), when(x.fixed, "MAC %s", x.address))
		for _, m := range x.members {
			d.line(fmt.Sprintf("bond %d member %d weight %d", x.index, m.index, m.weight), when(m.passive, "passive"), when(m.long, "long timeout"))
		}
	})
}
