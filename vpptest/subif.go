// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

// A subif is what makes a sub-interface: its id, and the frames that it gets.
type subif struct {
	id           uint32
	flags        interface_types.SubIfFlags
	outer, inner uint16
}

// A match is a kind of frame that one sub-interface of a device gets.
type match struct {
	tags         int
	dot1ad       bool
	outer, inner uint16 // none: any
	other        bool   // what nobody else gets
}

const anyVLAN = 1<<16 - 1

func (b subif) has(f interface_types.SubIfFlags) bool { return b.flags&f != 0 }

func (b subif) tags() int {
	switch {
	case b.has(interface_types.SUB_IF_API_FLAG_TWO_TAGS):
		return 2
	case b.has(interface_types.SUB_IF_API_FLAG_ONE_TAG):
		return 1
	}
	return 0
}

func (b subif) match() match {
	if b.has(interface_types.SUB_IF_API_FLAG_DEFAULT) {
		return match{other: true}
	}
	m := match{tags: b.tags(), dot1ad: b.has(interface_types.SUB_IF_API_FLAG_DOT1AD)}
	if m.tags > 0 {
		m.outer = b.outer
		if b.has(interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY) {
			m.outer = anyVLAN
		}
	}
	if m.tags > 1 {
		m.inner = b.inner
		if b.has(interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY) {
			m.inner = anyVLAN
		}
	}
	return m
}

func (b *subif) describe(d *interfaces_api.SwInterfaceDetails) {
	d.Type = interface_types.IF_API_TYPE_SUB
	d.SubID = b.id
	d.SubNumberOfTags = uint8(b.tags())
	d.SubOuterVlanID, d.SubInnerVlanID = b.outer, b.inner
	d.SubIfFlags = b.flags &^ interface_types.SUB_IF_API_FLAG_NO_TAGS
}

func (s *interfaces) createVLAN(_ *Call, q *interfaces_api.CreateVlanSubif) *interfaces_api.CreateVlanSubifReply {
	r := &interfaces_api.CreateVlanSubifReply{SwIfIndex: none}
	i := s.at(q.SwIfIndex)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case q.VlanID < 1 || q.VlanID > 4095:
		r.Retval = invalidVLAN
	default:
		r.Retval, r.SwIfIndex = s.createSubif(i.hw, i.hw, subif{
			id:    q.VlanID,
			outer: uint16(q.VlanID),
			flags: interface_types.SUB_IF_API_FLAG_ONE_TAG | interface_types.SUB_IF_API_FLAG_EXACT_MATCH,
		}, invalidRegistration)
	}
	return r
}

// createSub does with a sub-interface as parent what VPP does: it makes one of local0.
func (s *interfaces) createSub(_ *Call, q *interfaces_api.CreateSubif) *interfaces_api.CreateSubifReply {
	r := &interfaces_api.CreateSubifReply{SwIfIndex: none}
	i := s.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	hw := i
	if i.sub != nil {
		hw = s.all[0]
	}
	r.Retval, r.SwIfIndex = s.createSubif(hw, i, subif{
		id: q.SubID, flags: q.SubIfFlags, outer: q.OuterVlanID, inner: q.InnerVlanID,
	}, unspecified)
	return r
}

// createSubif makes a sub-interface of sup. When its frames are another's already, it
// fails with clash, and the other one gets them no more: dumps do not show that, but
// a second attempt succeeds.
func (s *interfaces) createSubif(hw, sup *iface, b subif, clash int32) (int32, interface_types.InterfaceIndex) {
	if sup.subs[b.id] != nil {
		return vlanExists, none
	}
	i := s.add(&iface{name: fmt.Sprintf("%s.%d", hw.name, b.id), class: hw.class, sup: sup, hw: hw, sub: &b})
	if holder := hw.slot[b.match()]; holder != nil || b.malformed() {
		delete(hw.slot, b.match())
		i.sup, i.hw = i, i // it hangs on nothing yet
		s.delete(i)
		return clash, interface_types.InterfaceIndex(i.index)
	}
	if sup.subs == nil {
		sup.subs = make(map[uint32]*iface)
	}
	if hw.slot == nil {
		hw.slot = make(map[match]*iface)
	}
	sup.subs[b.id] = i
	hw.slot[b.match()] = i
	return 0, interface_types.InterfaceIndex(i.index)
}

// malformed tells of matches that VPP has no place for.
func (b subif) malformed() bool {
	const shape = interface_types.SUB_IF_API_FLAG_NO_TAGS | interface_types.SUB_IF_API_FLAG_ONE_TAG |
		interface_types.SUB_IF_API_FLAG_TWO_TAGS | interface_types.SUB_IF_API_FLAG_DEFAULT
	anyID := b.has(interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY | interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY)
	return !b.has(shape) || anyID && b.has(interface_types.SUB_IF_API_FLAG_EXACT_MATCH)
}

func (s *interfaces) deleteSub(_ *Call, q *interfaces_api.DeleteSubif) *interfaces_api.DeleteSubifReply {
	r := new(interfaces_api.DeleteSubifReply)
	switch i := s.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case i.sub == nil:
		r.Retval = notASubInterface
	default:
		s.delete(i)
	}
	return r
}

// release makes a device forget a sub-interface.
func (i *iface) release(sub *iface) {
	if sub.sup.subs[sub.sub.id] == sub {
		delete(sub.sup.subs, sub.sub.id)
	}
	if m := sub.sub.match(); i.slot[m] == sub {
		delete(i.slot, m)
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
