// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/classify"
)

// classifier is the tables of VPP's classifier, in a pool, and what interfaces look into.
type classifier struct {
	v      *VPP
	tables pool[classTable]
	at     [4]classed // input, output, of policers, of flows
	ever   bool       // there has been a table
}

type classTable struct {
	mask   []byte
	skip   uint32
	next   uint32
	miss   uint32
	memory int
	hash   classHash

	current bool // it begins where VPP is in a packet, so far on; not shown
	offset  int16

	macs bool // it is of a set of MACs
}

// vector is what the classifier compares at once, in bytes.
const vector = 16

func loadClassify(v *VPP) {
	s := &classifier{v: v}
	v.life.classes = s
	v.life.states = append(v.life.states, s.dump)
	s.loadAttached()
	Handle(v, s.addDel)
	Handle(v, s.session)
	Handle(v, func(c *Call, _ *classify.ClassifyTableIds) *classify.ClassifyTableIdsReply {
		r := &classify.ClassifyTableIdsReply{}
		s.tables.each(none, func(i uint32, _ *classTable) { r.Ids = append(r.Ids, i) })
		return r
	})
	Handle(v, s.info)
	HandleDump(v, s.sessions)
}

func (s *classifier) addDel(c *Call, q *classify.ClassifyAddDelTable) *classify.ClassifyAddDelTableReply {
	r := &classify.ClassifyAddDelTableReply{NewTableIndex: none, SkipNVectors: none, MatchNVectors: none}
	t := s.tables.at(q.TableIndex)
	switch {
	case uint64(len(q.Mask)) != uint64(q.MatchNVectors)*vector:
		r.Retval = invalidValue
	case !q.IsAdd && t == nil:
		r.Retval = noSuchTable
	case !q.IsAdd:
		r.Retval = s.remove(c, q.TableIndex, q.DelChain, 0)
	case t != nil: // of what there is nothing else changes
		t.next = q.NextTableIndex
		r.NewTableIndex, r.SkipNVectors, r.MatchNVectors = q.TableIndex, t.skip, uint32(len(t.mask)/vector)
	case q.MemorySize == 0:
		r.Retval = invalidMemorySize
	case q.Nbuckets == 0, q.MatchNVectors < 1, q.MatchNVectors > 5:
		r.Retval = invalidValue
	case q.Nbuckets > 1<<20, q.SkipNVectors > 1000:
		r.Retval = c.NotImitated("a classifier's table of more than a million buckets, or far into packets")
	default:
		r.NewTableIndex, r.SkipNVectors, r.MatchNVectors = s.add(q), q.SkipNVectors, q.MatchNVectors
	}
	return r
}

func (s *classifier) add(q *classify.ClassifyAddDelTable) uint32 {
	s.ever = true
	index, _ := s.tables.put(none, classTable{
		mask: append([]byte(nil), q.Mask...), skip: q.SkipNVectors, next: q.NextTableIndex, miss: q.MissNextIndex,
		memory: pagesOf(q.MemorySize), current: q.CurrentDataFlag == 1, offset: q.CurrentDataOffset, hash: newClassHash(q.Nbuckets),
	})
	return index
}

// pagesOf is the memory that VPP takes for so many bytes: whole pages.
func pagesOf(size uint32) int {
	const page = 4096
	return (int(size) + page - 1) / page * page
}

// remove takes no notice of who looks into the table. What its sessions have goes with it.
func (s *classifier) remove(c *Call, index uint32, chain bool, depth int) int32 {
	t := s.tables.at(index)
	if t == nil {
		return 0
	}
	if depth > len(s.tables.all) {
		c.Die("classifier: a chain of tables without end was to go")
		return unspecified
	}
	if chain && t.next != none {
		if r := s.remove(c, t.next, true, depth+1); r != 0 {
			return r
		}
	}
	if s.tables.at(index) != nil {
		s.tables.delete(index)
	}
	return 0
}

func (s *classifier) session(c *Call, q *classify.ClassifyAddDelSession) *classify.ClassifyAddDelSessionReply {
	t := s.tables.at(q.TableIndex)
	switch {
	case t == nil:
		return &classify.ClassifyAddDelSessionReply{Retval: noSuchTable}
	case uint32(len(q.Match)) != t.skip*vector+uint32(len(t.mask)):
		return &classify.ClassifyAddDelSessionReply{Retval: invalidValue}
	case q.Action == classify.CLASSIFY_API_ACTION_SET_IP4_FIB_INDEX, q.Action == classify.CLASSIFY_API_ACTION_SET_IP6_FIB_INDEX:
		return &classify.ClassifyAddDelSessionReply{Retval: c.NotImitated("sessions of the classifier that choose a table of routes")}
	}
	e := classEntry{next: uint16(q.HitNextIndex), opaque: q.OpaqueIndex, advance: q.Advance, key: append([]byte(nil), q.Match[t.skip*vector:]...)}
	for i := range e.key {
		e.key[i] &= t.mask[i]
	}
	if !q.IsAdd {
		if !t.hash.remove(e) {
			return &classify.ClassifyAddDelSessionReply{Retval: noSuchEntry}
		}
		return &classify.ClassifyAddDelSessionReply{}
	}
	t.hash.add(e)
	if t.hash.memory(len(t.mask)) > t.memory {
		c.Die("classifier: a table has no memory for another session")
	}
	return &classify.ClassifyAddDelSessionReply{}
}

func (s *classifier) info(c *Call, q *classify.ClassifyTableInfo) *classify.ClassifyTableInfoReply {
	t := s.tables.at(q.TableID)
	switch {
	case t == nil:
		return &classify.ClassifyTableInfoReply{Retval: noClassifyTable}
	}
	return &classify.ClassifyTableInfoReply{
		TableID: q.TableID, Nbuckets: uint32(len(t.hash.buckets)), MatchNVectors: uint32(len(t.mask) / vector), SkipNVectors: t.skip,
		ActiveSessions: t.hash.active, NextTableIndex: t.next, MissNextIndex: t.miss, MaskLength: uint32(len(t.mask)), Mask: t.mask,
	}
}

func (s *classifier) sessions(c *Call, q *classify.ClassifySessionDump) (out []*classify.ClassifySessionDetails) {
	if t := s.tables.at(q.TableID); t != nil {
		for e := range t.hash.all {
			out = append(out, &classify.ClassifySessionDetails{
				TableID: q.TableID, HitNextIndex: uint32(e.next), Advance: e.advance, OpaqueIndex: e.opaque,
				MatchLength: uint32(len(e.key)), Match: e.key,
			})
		}
	}
	return out
}

func (s *classifier) dump(d *dump) {
	s.tables.each(none, func(i uint32, t *classTable) {
		if t.macs {
			return // it is in the acl plugin's part
		}
		d.line(fmt.Sprintf("classifier's table %d of %d buckets, %d vectors on, mask %x, next %d, miss %d", i, len(t.hash.buckets), t.skip, t.mask, int32(t.next), int32(t.miss)),
			when(t.current, "from where VPP is%+d", t.offset))
		for e := range t.hash.all {
			d.line(fmt.Sprintf("  session %x: next %d, opaque %d, advance %d", e.key, int16(e.next), int32(e.opaque), e.advance))
		}
	})
	s.dumpAttached(d)
}
