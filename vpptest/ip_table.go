// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"
	"strings"

	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
)

// A fibTable is one slot of a pool: a table, or what was left of one.
type fibTable struct {
	index  uint32
	is6    bool
	id     uint32
	name   string
	api    bool // the API wants it, however often it was asked
	users  int  // all else that keeps it
	alive  bool
	hidden bool // of link-local addresses

	entries map[netip.Prefix]*ipRoute // by what they match; those of an IPv4 table outlive it
}

// A fibPool holds the tables of a family. The last freed slot is the next used.
type fibPool struct {
	slots []*fibTable
	free  []uint32
	ones  *fibTable // where the last one was made whose number is ~0
}

// find finds the last one whose number was ~0 even if it is gone: VPP forgets to forget it.
func (p *fibPool) find(id uint32) *fibTable {
	if id == none {
		return p.ones
	}
	for _, t := range p.slots {
		if t.alive && t.id == id {
			return t
		}
	}
	return nil
}

// ended tells whether a number stands for a table that is gone, in either family.
func (s *ips) ended(id uint32) bool {
	for is6 := range s.pool {
		if t := s.pool[is6].find(id); t != nil && !t.alive {
			return true
		}
	}
	return false
}

// make adds a table that nobody keeps yet.
func (p *fibPool) make(is6 bool, id uint32, name string) *fibTable {
	var t *fibTable
	if n := len(p.free); n > 0 {
		t, p.free = p.slots[p.free[n-1]], p.free[:n-1]
	} else {
		t = &fibTable{index: uint32(len(p.slots)), is6: is6, entries: make(map[netip.Prefix]*ipRoute)}
		p.slots = append(p.slots, t)
	}
	if name = strings.TrimRight(name, "\x00"); name == "" {
		name = "ipv4-VRF:"
		if is6 {
			name = "ipv6-VRF:"
		}
		name += fmt.Sprint(int32(id))
	}
	t.id, t.name, t.api, t.users, t.alive, t.hidden = id, name, false, 0, true, false
	if id == none {
		p.ones = t
	}
	for _, e := range builtinEntries[family(is6)] {
		t.source(e.prefix, e.src).paths = e.paths
	}
	return t
}

// locks is how many keep it. Who lets go of what was another's brings it below zero.
func (t *fibTable) locks() int { return t.users + int(flag(t.api)) }

// table finds or makes one, by VPP's name for it.
func (s *ips) table(is6 bool, id uint32) *fibTable {
	p := &s.pool[family(is6)]
	if t := p.find(id); t != nil {
		return t
	}
	return p.make(is6, id, "")
}

func (s *ips) lock(t *fibTable) { t.users++ }

func (s *ips) unlock(t *fibTable) {
	t.users--
	s.settle(t)
}

// settle ends a table that nothing keeps. Its routes do not.
func (s *ips) settle(t *fibTable) {
	switch {
	case t.locks() != 0 || t.index == 0:
		return
	case !t.alive:
		s.v.internal().NotImitated("a table that ends twice, whose place VPP then gives to two others")
		return
	case s.imported(t):
		s.v.internal().Die("ended a table that a route of another one gets hosts from, over an interface that is gone")
		return
	case t.tracked():
		s.v.internal().Die("ended a table in which a tunnel looks for its other end")
		return
	case t.is6 && s.importing(t):
		s.v.internal().NotImitated("the end of an IPv6 table with a route to the link of an interface of another one: VPP dies of the next host there")
		return
	}
	t.alive = false
	for key, e := range t.entries {
		for _, b := range builtinEntries[family(t.is6)] {
			if b.prefix == key {
				delete(e.sources, b.src)
			}
		}
		if t.is6 || len(e.sources) == 0 {
			delete(t.entries, key)
		}
	}
	p := &s.pool[family(t.is6)]
	p.free = append(p.free, t.index)
}

func (s *ips) create(is6, multicast bool, id uint32, name string) {
	if id == 0 {
		return
	}
	p := &s.pool[family(is6)]
	t := p.find(id)
	if t == nil {
		t = p.make(is6, id, name)
	}
	t.api = true
	if multicast {
		m := &s.multicast[family(is6)]
		m.lock(m.table(id))
	}
}

func (s *ips) addDelTable(_ *Call, q *ip.IPTableAddDelV2) *ip.IPTableAddDelV2Reply {
	is6, id := q.Table.IsIP6, q.Table.TableID
	switch {
	case q.IsAdd:
		s.create(is6, q.CreateMfib, id, q.Table.Name)
	case id != 0:
		if t := s.pool[family(is6)].find(id); t != nil {
			t.api = false
			s.settle(t)
		}
		if t := s.multicast[family(is6)].find(id); t != nil {
			s.unlockMulticast(is6, t) // whoever's it was
		}
	}
	return new(ip.IPTableAddDelV2Reply)
}

func (s *ips) allocateTable(_ *Call, q *ip.IPTableAllocate) *ip.IPTableAllocateReply {
	t := q.Table
	if t.TableID == none {
		t.TableID = s.unusedTable(t.IsIP6)
	}
	s.create(t.IsIP6, true, t.TableID, t.Name)
	return &ip.IPTableAllocateReply{Table: t}
}

// unusedTable picks a number just as VPP does.
func (s *ips) unusedTable(is6 bool) uint32 {
	return unusedID(&s.seed, func(id uint32) bool { return s.pool[family(is6)].find(id) != nil })
}

// unusedID draws a number as VPP does, and looks around it if it is taken.
func unusedID(seed *uint32, taken func(uint32) bool) uint32 {
	for {
		*seed = *seed*1664525 + 1013904223
		for n := range uint32(1 << 10) {
			if n%2 == 0 {
				*seed -= n
			} else {
				*seed += n
			}
			if *seed != none && !taken(*seed) {
				return *seed
			}
		}
	}
}

func (s *ips) tables(_ *Call, _ *ip.IPTableDump) (out []*ip.IPTableDetails) {
	for is6 := range s.pool {
		for _, t := range s.pool[is6].slots {
			if t.alive && !t.hidden {
				out = append(out, &ip.IPTableDetails{Table: ip.IPTable{TableID: t.id, IsIP6: t.is6, Name: t.name}})
			}
		}
	}
	return out
}

func (s *ips) multicastTables(_ *Call, _ *ip.IPMtableDump) (out []*ip.IPMtableDetails) {
	for is6 := range s.multicast {
		for _, t := range s.multicast[is6].slots {
			if t.alive {
				out = append(out, &ip.IPMtableDetails{Table: ip.IPTable{TableID: t.id, IsIP6: is6 == 1}})
			}
		}
	}
	return out
}

func (s *ips) setTable(c *Call, q *interfaces_api.SwInterfaceSetTable) *interfaces_api.SwInterfaceSetTableReply {
	r := new(interfaces_api.SwInterfaceSetTableReply)
	i := s.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	t := s.pool[family(q.IsIPv6)].find(q.VrfID)
	switch {
	case t == nil && q.IsIPv6 && q.VrfID == none:
		r.Retval = c.NotImitated("table 4294967295, by which number VPP finds tables that have none, if there are any: VPP goes into it, and dies sooner or later")
	case t == nil:
		r.Retval = noSuchFIB
	case len(s.used(i.index, q.IsIPv6)) > 0:
		r.Retval = interfaceAddressed
	default:
		s.bind(i.index, q.IsIPv6, t)
		if m := s.multicast[family(q.IsIPv6)].find(q.VrfID); m != nil {
			s.bindMulticast(i.index, q.IsIPv6, m)
		}
	}
	return r
}

// bind moves an interface, and the routes of its neighbours. VPP lets go of the old table
// first, and looks an IPv4 one up once more by its number.
func (s *ips) bind(index uint32, is6 bool, t *fibTable) {
	p := s.side(index)
	old := p.tables[family(is6)]
	for _, key := range s.neighbourKeys() {
		if key.index == index && key.ip.Is6() == is6 {
			s.adjacency(s.v.internal(), key, old, false)
			s.adjacency(s.v.internal(), key, t, true)
		}
	}
	if old.index != 0 {
		s.unlock(old)
	}
	if t.id != 0 && !is6 {
		t = s.table(false, t.id)
	}
	if t.id != 0 {
		s.lock(t)
	}
	p.tables[family(is6)] = t
}

func (s *ips) readTable(_ *Call, q *interfaces_api.SwInterfaceGetTable) *interfaces_api.SwInterfaceGetTableReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &interfaces_api.SwInterfaceGetTableReply{Retval: invalidInterface, VrfID: none}
	}
	return &interfaces_api.SwInterfaceGetTableReply{VrfID: s.side(i.index).tables[family(q.IsIPv6)].id}
}

func (t *fibTable) dump(d *dump) {
	if t.hidden && t.alive {
		return // what it holds is said of the interface
	}
	words := []string{fmt.Sprintf("table %s %d %q", []string{"ip4", "ip6"}[family(t.is6)], t.id, t.name), when(!t.api && t.id != 0, "unwanted")}
	switch {
	case t.alive && (t.id != 0 || len(t.entries) > len(builtinEntries[family(t.is6)])):
		d.line(words...)
	case !t.alive && len(t.entries) > 0:
		d.line("what is left of a table")
	default:
		return
	}
	t.dumpEntries(d)
}
