// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/qos"
)

// featQoS is on while what is bridged has its DSCP recorded.
const featQoS = 0x800

// qualities is what VPP notes of packets' marks, and what it writes into them.
type qualities struct {
	v      *VPP
	record [sources]noted
	store  [sources]noted
	value  [sources]map[uint32]uint8 // that is stored
	marks  [sources]marked
	maps   []*egressMap // by index; nil: free
	free   []int        // the last one goes first
}

const sources = 4 // external, VLAN, MPLS, IP

// noted is how often something is on, by interface, and how many interfaces there is room
// for.
type noted struct {
	on   map[uint32]int
	room uint32
}

// marked is the index of the map by which an interface marks, also where the interface has
// gone, and whether the feature is on.
type marked struct {
	by   map[uint32]int
	live map[uint32]bool
	room uint32
}

type egressMap struct {
	id   uint32
	rows [sources]qos.QosEgressMapRow
}

// recordFeatures and markFeatures are what is on for a source, by arc.
var (
	recordFeatures = [sources]map[string]string{
		qos.QOS_API_SOURCE_VLAN: {
			"ip4-unicast": "vlan-ip4-qos-record", "ip4-multicast": "vlan-ip4-qos-record",
			"ip6-unicast": "vlan-ip6-qos-record", "ip6-multicast": "vlan-ip6-qos-record", "mpls-input": "vlan-mpls-qos-record",
		},
		qos.QOS_API_SOURCE_MPLS: {"mpls-input": "mpls-qos-record"},
		qos.QOS_API_SOURCE_IP: {
			"ip4-unicast": "ip4-qos-record", "ip4-multicast": "ip4-qos-record", "ip6-unicast": "ip6-qos-record", "ip6-multicast": "ip6-qos-record",
		},
	}
	storeFeatures = map[string]string{
		"ip4-unicast": "ip4-qos-store", "ip4-multicast": "ip4-qos-store", "ip6-unicast": "ip6-qos-store", "ip6-multicast": "ip6-qos-store",
	}
	markFeatures = [sources]map[string]string{
		qos.QOS_API_SOURCE_VLAN: {"ip4-output": "vlan-ip4-qos-mark", "ip6-output": "vlan-ip6-qos-mark", "mpls-output": "vlan-mpls-qos-mark"},
		qos.QOS_API_SOURCE_MPLS: {"mpls-output": "mpls-qos-mark"},
		qos.QOS_API_SOURCE_IP:   {"ip4-output": "ip4-qos-mark", "ip6-output": "ip6-qos-mark"},
	}
)

func loadQoS(v *VPP) {
	s := &qualities{v: v}
	for n := range sources {
		s.record[n].on, s.store[n].on, s.value[n] = make(map[uint32]int), make(map[uint32]int), make(map[uint32]uint8)
		s.marks[n] = marked{by: make(map[uint32]int), live: make(map[uint32]bool)}
		for arc, name := range recordFeatures[n] {
			v.life.features.follow(arc, name, func(i *iface) bool { return s.record[n].on[i.index] > 0 })
		}
		for arc, name := range markFeatures[n] {
			v.life.features.follow(arc, name, func(i *iface) bool { return s.marks[n].live[i.index] })
		}
	}
	for arc, name := range storeFeatures {
		v.life.features.follow(arc, name, func(i *iface) bool { return s.store[qos.QOS_API_SOURCE_IP].on[i.index] > 0 })
	}
	v.life.states = append(v.life.states, s.dump)
	is := v.life.interfaces
	is.deleting = append(is.deleting, func(i *iface) {
		if s.record[qos.QOS_API_SOURCE_IP].on[i.index] > 0 {
			v.life.bridges.port(i).bits &^= featQoS
		}
		for n := range sources {
			delete(s.record[n].on, i.index)
			delete(s.store[n].on, i.index)
			delete(s.marks[n].live, i.index) // it is still listed
		}
	})
	Handle(v, s.setRecord)
	Handle(v, s.setStore)
	Handle(v, s.setMark)
	Handle(v, s.update)
	Handle(v, s.remove)
	HandleDump(v, s.records)
	HandleDump(v, s.stores)
	HandleDump(v, s.listMarks)
	HandleDump(v, s.listMaps)
}

// count turns something on once more, or off once less. It says whether that made a
// difference.
func (n *noted) count(c *Call, i uint32, on bool) (changed bool, retval int32) {
	switch {
	case on && n.on[i] == 255:
		return false, c.NotImitated("what is on more than 255 times: VPP counts no further, and begins anew")
	case on:
		n.room = max(n.room, i+1)
		n.on[i]++
		return n.on[i] == 1, 0
	case i >= n.room:
		return false, noMatch
	case n.on[i] == 0:
		return false, valueExists
	}
	n.on[i]--
	return n.on[i] == 0, 0
}

func (s *qualities) arcs(i *iface, features map[string]string) {
	for arc := range features {
		s.v.life.features.toggled(arc, i)
	}
}

func (s *qualities) setRecord(c *Call, q *qos.QosRecordEnableDisable) *qos.QosRecordEnableDisableReply {
	i := s.v.life.interfaces.at(q.Record.SwIfIndex)
	switch {
	case i == nil:
		return &qos.QosRecordEnableDisableReply{Retval: invalidInterface}
	case q.Record.InputSource >= sources:
		return &qos.QosRecordEnableDisableReply{Retval: invalidValue}
	}
	changed, retval := s.record[q.Record.InputSource].count(c, i.index, q.Enable)
	if changed {
		s.arcs(i, recordFeatures[q.Record.InputSource])
		if q.Record.InputSource == qos.QOS_API_SOURCE_IP {
			p := s.v.life.bridges.port(i)
			if p.bits &^= featQoS; q.Enable {
				p.bits |= featQoS
			}
		}
	}
	return &qos.QosRecordEnableDisableReply{Retval: retval}
}

func (s *qualities) setStore(c *Call, q *qos.QosStoreEnableDisable) *qos.QosStoreEnableDisableReply {
	i := s.v.life.interfaces.at(q.Store.SwIfIndex)
	switch {
	case i == nil:
		return &qos.QosStoreEnableDisableReply{Retval: invalidInterface}
	case q.Store.InputSource >= sources:
		return &qos.QosStoreEnableDisableReply{Retval: invalidValue}
	case q.Enable && q.Store.InputSource != qos.QOS_API_SOURCE_IP:
		return &qos.QosStoreEnableDisableReply{Retval: unimplemented}
	}
	changed, retval := s.store[q.Store.InputSource].count(c, i.index, q.Enable)
	if changed {
		s.arcs(i, storeFeatures)
		if q.Enable {
			s.value[q.Store.InputSource][i.index] = q.Store.Value // a later one changes nothing
		}
	}
	return &qos.QosStoreEnableDisableReply{Retval: retval}
}

func (s *qualities) mapAt(id uint32) int {
	for n, m := range s.maps {
		if m != nil && m.id == id {
			return n
		}
	}
	return -1
}

// setMark does not look whether there is such an interface.
func (s *qualities) setMark(c *Call, q *qos.QosMarkEnableDisable) *qos.QosMarkEnableDisableReply {
	refuse := func(retval int32) *qos.QosMarkEnableDisableReply {
		return &qos.QosMarkEnableDisableReply{Retval: retval}
	}
	if q.Mark.OutputSource >= sources {
		return refuse(invalidValue)
	}
	i := s.v.life.interfaces.at(interface_types.InterfaceIndex(q.Mark.SwIfIndex))
	m := &s.marks[q.Mark.OutputSource]
	_, is := m.by[q.Mark.SwIfIndex]
	if q.Enable {
		if i == nil {
			return refuse(c.NotImitated("marks on an interface that is not there"))
		}
		m.room = max(m.room, i.index+1)
		at := s.mapAt(q.Mark.MapID)
		if at < 0 {
			return refuse(noSuchTable)
		}
		if !is {
			m.live[i.index] = true
			s.arcs(i, markFeatures[q.Mark.OutputSource])
		}
		m.by[i.index] = at
		return refuse(0)
	}
	switch {
	case q.Mark.SwIfIndex >= m.room:
		return refuse(noMatch)
	case !is:
		return refuse(valueExists)
	}
	delete(m.by, q.Mark.SwIfIndex)
	delete(m.live, q.Mark.SwIfIndex)
	if i != nil {
		s.arcs(i, markFeatures[q.Mark.OutputSource])
	}
	return refuse(0)
}

func (s *qualities) update(_ *Call, q *qos.QosEgressMapUpdate) *qos.QosEgressMapUpdateReply {
	at := s.mapAt(q.Map.ID)
	if at < 0 {
		at = len(s.maps)
		if n := len(s.free); n > 0 {
			at, s.free = s.free[n-1], s.free[:n-1]
		} else {
			s.maps = append(s.maps, nil)
		}
		s.maps[at] = &egressMap{id: q.Map.ID}
	}
	s.maps[at].rows = q.Map.Rows
	return &qos.QosEgressMapUpdateReply{}
}

// remove takes a map away from under those who mark by it: they mark by the next one.
func (s *qualities) remove(_ *Call, q *qos.QosEgressMapDelete) *qos.QosEgressMapDeleteReply {
	if at := s.mapAt(q.ID); at >= 0 {
		s.maps[at] = nil
		s.free = append(s.free, at)
	}
	return &qos.QosEgressMapDeleteReply{}
}

func (s *qualities) records(*Call, *qos.QosRecordDump) (out []*qos.QosRecordDetails) {
	for n := range qos.QosSource(sources) {
		for _, i := range sortedKeys(s.record[n].on) {
			if s.record[n].on[i] > 0 {
				out = append(out, &qos.QosRecordDetails{Record: qos.QosRecord{SwIfIndex: indexAt(i), InputSource: n}})
			}
		}
	}
	return out
}

func (s *qualities) stores(*Call, *qos.QosStoreDump) (out []*qos.QosStoreDetails) {
	for n := range qos.QosSource(sources) {
		for _, i := range sortedKeys(s.store[n].on) {
			if s.store[n].on[i] > 0 {
				out = append(out, &qos.QosStoreDetails{Store: qos.QosStore{SwIfIndex: indexAt(i), InputSource: n, Value: s.value[n][i]}})
			}
		}
	}
	return out
}

func (s *qualities) listMarks(*Call, *qos.QosMarkDump) (out []*qos.QosMarkDetails) {
	for n := range qos.QosSource(sources) {
		for _, i := range sortedKeys(s.marks[n].by) {
			id := uint32(none)
			if m := s.maps[s.marks[n].by[i]]; m != nil {
				id = m.id
			}
			out = append(out, &qos.QosMarkDetails{Mark: qos.QosMark{SwIfIndex: i, OutputSource: n, MapID: id}})
		}
	}
	return out
}

func (s *qualities) listMaps(*Call, *qos.QosEgressMapDump) (out []*qos.QosEgressMapDetails) {
	for _, m := range s.maps {
		if m != nil {
			out = append(out, &qos.QosEgressMapDetails{Map: qos.QosEgressMap{ID: m.id, Rows: m.rows}})
		}
	}
	return out
}

func (s *qualities) dump(d *dump) {
	for n := range qos.QosSource(sources) {
		for _, i := range sortedKeys(s.record[n].on) {
			if times := s.record[n].on[i]; times > 0 {
				d.line(fmt.Sprintf("record %v on %d", n, i), when(times > 1, "%d times", times))
			}
		}
		for _, i := range sortedKeys(s.store[n].on) {
			if times := s.store[n].on[i]; times > 0 {
				d.line(fmt.Sprintf("store %d as %v on %d", s.value[n][i], n, i), when(times > 1, "%d times", times))
			}
		}
		for _, i := range sortedKeys(s.marks[n].by) {
			m := s.maps[s.marks[n].by[i]]
			d.line(fmt.Sprintf("mark %v on %d", n, i), when(m == nil, "by a map that is no more"), when(!s.marks[n].live[i], "to no effect"))
			if m != nil {
				d.line(fmt.Sprintf("  by map %d", m.id))
			}
		}
	}
	for _, m := range s.maps {
		if m != nil {
			d.line(fmt.Sprintf("egress map %d: %x", m.id, m.rows))
		}
	}
}
