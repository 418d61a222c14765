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
	pipe         bool // it is the end of one, and has nothing to do with tags
}

func (b *subif) String() string {
	if b.pipe {
		return fmt.Sprintf("pipe's end %d", b.id)
	}
	return fmt.Sprintf("&{id:%d flags:%d outer:%d inner:%d}", b.id, b.flags, b.outer, b.inner)
}

// keptFlags are those that VPP has room for.
const keptFlags = 1<<16 - 1

// shownFlags are those that a dump shows: all but that of no tags.
const shownFlags = 254

// A match is a kind of frames that one sub-interface of a device gets. Its zero value
// is frames without a tag, which are the device's own until somebody fails to get them.
type match struct {
	kind         matchKind
	dot1ad       bool
	outer, inner uint16
	anyInner     bool
}

type matchKind uint8

const (
	untagged matchKind = iota
	oneTag
	twoTags
	theRest // what nobody else gets
)

// framed tells whether VPP puts a header of Ethernet before what leaves by the interface:
// it does not for a sub-interface of many numbers, which has no one to write.
func (i *iface) framed() bool {
	return i.sub == nil || i.sub.pipe || i.sub.has(interface_types.SUB_IF_API_FLAG_EXACT_MATCH) && !i.sub.has(interface_types.SUB_IF_API_FLAG_DEFAULT|
		interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY|interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY)
}

func (b subif) has(f interface_types.SubIfFlags) bool { return b.flags&f != 0 }

// tags is the number of tags that VPP shows: it adds, so that it can come to 3.
func (b subif) tags() int {
	n := 0
	if b.has(interface_types.SUB_IF_API_FLAG_ONE_TAG) {
		n++
	}
	if b.has(interface_types.SUB_IF_API_FLAG_TWO_TAGS) {
		n += 2
	}
	return n
}

// exactTags is how many tags a frame has for sure. A device is no sub-interface.
func (b *subif) exactTags() int {
	const one, two = interface_types.SUB_IF_API_FLAG_ONE_TAG, interface_types.SUB_IF_API_FLAG_TWO_TAGS
	switch {
	case b == nil, b.has(interface_types.SUB_IF_API_FLAG_NO_TAGS), !b.has(one | two), b.has(interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY):
		return 0
	case b.has(one), b.has(interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY):
		return 1
	}
	return 2
}

func (b subif) match() match {
	m := match{dot1ad: b.has(interface_types.SUB_IF_API_FLAG_DOT1AD), outer: b.outer}
	switch {
	case b.has(interface_types.SUB_IF_API_FLAG_DEFAULT):
		return match{kind: theRest}
	case b.has(interface_types.SUB_IF_API_FLAG_NO_TAGS), b.flags == 0:
		return match{}
	case b.has(interface_types.SUB_IF_API_FLAG_ONE_TAG):
		m.kind = oneTag
	default:
		m.kind, m.inner = twoTags, b.inner
		if m.anyInner = b.has(interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY); m.anyInner {
			m.inner = 0
		}
	}
	return m
}

// vague tells of an exact match that is none: VPP does not even begin with it.
func (b subif) vague() bool {
	return b.has(interface_types.SUB_IF_API_FLAG_TWO_TAGS) && b.has(interface_types.SUB_IF_API_FLAG_EXACT_MATCH) &&
		b.has(interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY|interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY)
}

// anything tells of a match of whatever tags, which VPP does not implement.
func (b subif) anything() bool {
	const outer, inner = interface_types.SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY, interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY
	switch m := b.match(); m.kind {
	case oneTag:
		return b.has(outer)
	case twoTags:
		return b.has(outer) && b.has(inner)
	}
	return false
}

func (b *subif) describe(d *interfaces_api.SwInterfaceDetails) {
	if d.Type = interface_types.IF_API_TYPE_SUB; b.pipe {
		d.Type = interface_types.IF_API_TYPE_PIPE
	}
	d.SubID = b.id
	d.SubNumberOfTags = uint8(b.tags())
	d.SubOuterVlanID, d.SubInnerVlanID = b.outer, b.inner
	d.SubIfFlags = b.flags & shownFlags
}

func (s *interfaces) createVLAN(c *Call, q *interfaces_api.CreateVlanSubif) *interfaces_api.CreateVlanSubifReply {
	r := &interfaces_api.CreateVlanSubifReply{SwIfIndex: none}
	i := s.at(q.SwIfIndex)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case q.VlanID < 1 || q.VlanID > 4095:
		r.Retval = invalidVLAN
	case i.hw.likeAnEnd(q.VlanID):
		r.Retval = c.NotImitated(asAnEnd)
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
func (s *interfaces) createSub(c *Call, q *interfaces_api.CreateSubif) *interfaces_api.CreateSubifReply {
	r := &interfaces_api.CreateSubifReply{SwIfIndex: none}
	i := s.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	if i.hw.likeAnEnd(q.SubID) {
		r.Retval = c.NotImitated(asAnEnd)
		return r
	}
	hw := i
	if i.sub != nil {
		hw = s.all[0]
	}
	r.Retval, r.SwIfIndex = s.createSubif(hw, i, subif{
		id: q.SubID, flags: q.SubIfFlags & keptFlags, outer: q.OuterVlanID, inner: q.InnerVlanID,
	}, unspecified)
	return r
}

const asAnEnd = "a pipe's sub-interface with the number of an end, which VPP takes for the end from then on"

// likeAnEnd tells of the number of a sub-interface of a device.
func (i *iface) likeAnEnd(id uint32) bool { return i.class == pipeClass && id < 2 }

// createSubif makes a sub-interface of sup. When its frames are another's already, it
// fails with clash, and the other one gets them no more: dumps do not show that, but
// a second attempt succeeds.
func (s *interfaces) createSubif(hw, sup *iface, b subif, clash int32) (int32, interface_types.InterfaceIndex) {
	if sup.subs[b.id] != nil {
		return vlanExists, none
	}
	if b.vague() {
		return clash, none
	}
	device := sup.hw // which is not that of the new one, if sup is a sub-interface
	i := s.add(&iface{class: hw.class, sup: sup, hw: hw, sub: &b})
	unsupported := b.anything()
	if !hw.class.l3 && (unsupported || hw.slot[b.match()] != nil) {
		if !unsupported {
			delete(hw.slot, b.match())
		}
		i.sup, i.hw = i, i // it hangs on nothing yet
		s.delete(i)
		if unsupported { // VPP tells nobody that it was there
			delete(s.events.edges, i.index)
		}
		return clash, interface_types.InterfaceIndex(i.index)
	}
	if sup.subs == nil {
		sup.subs = make(map[uint32]*iface)
	}
	sup.subs[b.id] = i
	device.goesWith(i)
	if !hw.class.l3 {
		hw.slot[b.match()] = i
	}
	return 0, interface_types.InterfaceIndex(i.index)
}

func (s *interfaces) deleteSub(c *Call, q *interfaces_api.DeleteSubif) *interfaces_api.DeleteSubifReply {
	r := new(interfaces_api.DeleteSubifReply)
	switch i := s.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case i.sub == nil:
		r.Retval = notASubInterface
	case i.sub.pipe:
		r.Retval = c.NotImitated("delete_subif of a pipe's end: VPP takes it out of the pipe")
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
	if !i.class.l3 && !sub.sub.pipe && !sub.sub.anything() {
		delete(i.slot, sub.sub.match()) // whoever had it
	}
	delete(i.goes, sub.sub.id)
}

// goesWith has a sub-interface go when its device goes. VPP finds them by their id alone,
// which those of another sub-interface have too: the last one counts.
func (i *iface) goesWith(sub *iface) {
	if i.goes == nil {
		i.goes = make(map[uint32]going)
	}
	g, known := i.goes[sub.sub.id]
	if g.index = sub.index; !known {
		for _, other := range i.goes {
			g.came = max(g.came, other.came+1)
		}
	}
	i.goes[sub.sub.id] = g
}

// going is an interface that goes with its device.
type going struct {
	index uint32
	came  int // after those with less
}

func (g going) order() int { return g.came }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
