// SPDX-License-Identifier: Apache-2.0

package vpptest

import "go.fd.io/govpp/binapi/fib_types"

// A multicastTable is nothing but that it is there, and where: VPP orders relays by that,
// and who borrows an address must be in the lender's.
type multicastTable struct {
	index uint32
	id    uint32
	users int
	alive bool
}

// multicastTables is a pool of them. The last freed slot is the next used.
type multicastTables struct {
	slots []*multicastTable
	free  []uint32
}

func (m *multicastTables) find(id uint32) *multicastTable {
	for _, t := range m.slots {
		if t.alive && t.id == id {
			return t
		}
	}
	return nil
}

// table finds one or makes one that nobody keeps yet.
func (m *multicastTables) table(id uint32) *multicastTable {
	if t := m.find(id); t != nil {
		return t
	}
	var t *multicastTable
	if n := len(m.free); n > 0 {
		t, m.free = m.slots[m.free[n-1]], m.free[:n-1]
	} else {
		t = &multicastTable{index: uint32(len(m.slots))}
		m.slots = append(m.slots, t)
	}
	t.id, t.users, t.alive = id, 0, true
	return t
}

func (m *multicastTables) lock(t *multicastTable) { t.users++ }

// unlockMulticast lets go of a table, and ends it if nobody keeps it. VPP counts all who
// do in one, and has the API let go of what it never kept.
func (s *ips) unlockMulticast(is6 bool, t *multicastTable) {
	t.users--
	switch {
	case t.users != 0:
	case !t.alive:
		s.v.internal().NotImitated("a table for multicast that ends twice, whose place VPP then gives to two others")
	default:
		t.alive = false
		m := &s.multicast[family(is6)]
		m.free = append(m.free, t.index)
	}
}

// bindMulticast moves an interface.
func (s *ips) bindMulticast(index uint32, is6 bool, t *multicastTable) {
	m, at := &s.multicast[family(is6)], &s.side(index).multicast[family(is6)]
	if *at != 0 {
		s.unlockMulticast(is6, m.slots[*at])
	}
	if t.id != 0 && !is6 {
		t = m.table(t.id)
	}
	if t.id != 0 {
		m.lock(t)
	}
	*at = t.index
}

// hear has an interface hear what all do.
func (s *ips) hear(index uint32, is6 bool) {
	s.meet(index)
	s.hearIn(is6, s.side(index).multicast[family(is6)])
}

// meet makes an adjacency on an interface. Those of LISP have such as LISP makes, to the
// other end of one of its tunnels, and VPP takes any for one.
func (s *ips) meet(index uint32) {
	if i := s.v.life.interfaces.at(indexAt(index)); i != nil && i.ofLISP() {
		s.v.internal().Die("looked for the tunnel of a neighbour on an interface of LISP")
	}
}

// reach makes an adjacency to a neighbour, or to all of a group. Of WireGuard, VPP looks for the
// peer by the interface, and a sub-interface has none.
func (s *ips) reach(index uint32) {
	s.meet(index)
	if i := s.v.life.interfaces.at(indexAt(index)); i != nil && i.sub != nil && i.hw.class == wgClass {
		s.v.internal().Die("looked for the peers of a sub-interface of WireGuard's")
	}
}

// meetBy is for a path: to a neighbour, or to whoever is on the link.
func (s *ips) meetBy(p fib_types.FibPath) {
	if typeOf(p) == viaNeighbour {
		s.reach(p.SwIfIndex)
	} else {
		s.meet(p.SwIfIndex)
	}
}

func (i *iface) ofLISP() bool { return i.hw.class == gpeClass || i.hw.class == gpeL2Class }

// hearIn puts a route into a table for multicast that may be gone, or never was. VPP looks
// for what covers it, and believes that there is something. Of IPv6 all tables share one
// hash, and which of it VPP looks at stands, where no table ever was, in memory that nobody
// set.
func (s *ips) hearIn(is6 bool, index uint32) {
	m := &s.multicast[family(is6)]
	if is6 && int(index) >= len(m.slots) {
		s.v.internal().NotImitated("puts a route into a table for multicast that never was")
		return
	}
	if int(index) >= len(m.slots) || !m.slots[index].alive {
		s.v.internal().Die("put a route into a table for multicast that is not there")
	}
}
