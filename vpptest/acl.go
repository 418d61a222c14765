// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ip_types"
)

// filters is the acl plugin. What it knows of interfaces is by index and outlives
// them, though all but the ethertypes is reset when an interface goes.
type filters struct {
	v     *VPP
	sets  pool[filter[acl_types.ACLRule]]
	macs  pool[filter[acl_types.MacipACLRule]]
	ports map[uint32]*filtered
	heads map[uint32]uint32 // of sets of MACs, the first table of the classifier
	known uint32            // first interface index beyond all that ever had a MACIP set

	// reclassify is whether sessions are judged again when sets change. There are no packets
	// here, so no sessions; it is a setting that can be read.
	reclassify int
}

// A filter is a set of rules, of either sort.
type filter[R any] struct {
	tag   string
	rules []R
}

func (f *filter[R]) String() string { return fmt.Sprintf("%q %+v", f.tag, f.rules) }

func loadACL(v *VPP) {
	f := &filters{v: v, ports: map[uint32]*filtered{}, heads: map[uint32]uint32{}}
	v.life.states = append(v.life.states, f.dump)
	s := v.life.interfaces
	s.deleting = append(s.deleting, f.forget)

	Handle(v, f.putSet)
	Handle(v, f.deleteSet)
	HandleDump(v, f.setDetails)
	Handle(v, f.setLists)
	Handle(v, f.addToList)
	HandleDump(v, f.listDetails)
	Handle(v, f.setEtypes)
	HandleDump(v, f.etypeDetails)
	Handle(v, f.putMACs)
	Handle(v, f.deleteMACs)
	HandleDump(v, f.macDetails)
	Handle(v, f.bindMACs)
	f.loadFeatures()
	f.loadCommands()
	HandleDump(v, f.macListDetails)
	Handle(v, func(*Call, *acl.ACLStatsIntfCountersEnable) *acl.ACLDelReply { return new(acl.ACLDelReply) }) // VPP's mistake
}

func (f *filters) putSet(_ *Call, q *acl.ACLAddReplace) *acl.ACLAddReplaceReply {
	r := &acl.ACLAddReplaceReply{ACLIndex: q.ACLIndex}
	if r.Retval = checkRules(q); r.Retval == 0 {
		r.ACLIndex, r.Retval = f.sets.put(q.ACLIndex, filter[acl_types.ACLRule]{q.Tag, q.R})
	}
	return r
}

// loadCommands are of the CLI. Of what VPP shows of sessions there is only the setting: all
// else counts them.
func (f *filters) loadCommands() {
	for n := range 2 {
		f.v.life.commands[fmt.Sprintf("set acl-plugin reclassify-sessions %d", n)] = func() string {
			f.reclassify = n
			return ""
		}
	}
	f.v.life.commands["show acl-plugin sessions"] = func() string { return fmt.Sprintf("Reclassify sessions: %d\n", f.reclassify) }
}

// checkRules is all that VPP asks of a set. What a rule says it stores unseen.
func checkRules(q *acl.ACLAddReplace) int32 {
	if len(q.Tag) > 63 {
		return invalidValue
	}
	for _, r := range q.R {
		switch {
		case !clean(r.SrcPrefix):
			return invalidSource
		case !clean(r.DstPrefix):
			return invalidDestination
		case r.SrcPrefix.Address.Af != r.DstPrefix.Address.Af:
			return invalidSource
		case r.SrcportOrIcmptypeFirst > r.SrcportOrIcmptypeLast, r.DstportOrIcmpcodeFirst > r.DstportOrIcmpcodeLast:
			return invalidValue2
		}
	}
	return 0
}

// clean tells whether a prefix has a family, and no bits beyond its length.
func clean(p ip_types.Prefix) bool {
	bytes := p.Address.Un.XXX_UnionData[:4]
	switch p.Address.Af {
	case ip_types.ADDRESS_IP4:
	case ip_types.ADDRESS_IP6:
		bytes = p.Address.Un.XXX_UnionData[:]
	default:
		return false
	}
	if int(p.Len) > 8*len(bytes) {
		return false
	}
	for i, b := range bytes {
		if beyond := max(0, 8*(i+1)-int(p.Len)); b<<(8-min(8, beyond)) != 0 && beyond > 0 {
			return false
		}
	}
	return true
}

func (f *filters) deleteSet(_ *Call, q *acl.ACLDel) *acl.ACLDelReply {
	r := new(acl.ACLDelReply)
	switch {
	case f.sets.at(q.ACLIndex) == nil:
		r.Retval = noSuchEntry
	case f.uses(input, q.ACLIndex):
		r.Retval = inUseInbound
	case f.uses(output, q.ACLIndex):
		r.Retval = inUseOutbound
	case slices.ContainsFunc(f.v.life.lookedUp, func(used func(uint32) bool) bool { return used(q.ACLIndex) }):
		r.Retval = inUseLookup
	default:
		f.sets.delete(q.ACLIndex)
	}
	return r
}

func (f *filters) setDetails(_ *Call, q *acl.ACLDump) (out []*acl.ACLDetails) {
	f.sets.each(q.ACLIndex, func(i uint32, s *filter[acl_types.ACLRule]) {
		out = append(out, &acl.ACLDetails{ACLIndex: i, Tag: s.tag, R: s.rules})
	})
	return out
}

func (f *filters) dump(d *dump) {
	f.sets.each(none, func(i uint32, s *filter[acl_types.ACLRule]) { d.line(fmt.Sprintf("acl %d %v", i, s)) })
	f.macs.each(none, func(i uint32, s *filter[acl_types.MacipACLRule]) { d.line(fmt.Sprintf("macip-acl %d %v", i, s)) })
	for _, i := range sortedKeys(f.ports) {
		p := f.ports[i]
		if text := p.String(); text != "" {
			d.line(fmt.Sprintf("filtered %d", i), text)
		}
	}
}

// A pool gives indices, the last freed first.
type pool[T any] struct {
	all  []*T // nil is free
	free []uint32
}

func (p *pool[T]) at(i uint32) *T {
	if int64(i) >= int64(len(p.all)) {
		return nil
	}
	return p.all[i]
}

// put replaces what has the index, or adds it if that is ~0.
func (p *pool[T]) put(i uint32, t T) (uint32, int32) {
	switch n := len(p.free); {
	case i == none && n > 0:
		i, p.free = p.free[n-1], p.free[:n-1]
	case i == none:
		i, p.all = uint32(len(p.all)), append(p.all, nil)
	case p.at(i) == nil:
		return i, noSuchEntry
	}
	p.all[i] = &t
	return i, 0
}

func (p *pool[T]) delete(i uint32) {
	p.all[i] = nil
	p.free = append(p.free, i)
}

// each calls f for what has the index, or for all if that is ~0.
func (p *pool[T]) each(only uint32, f func(uint32, *T)) {
	if only != none {
		if t := p.at(only); t != nil {
			f(only, t)
		}
		return
	}
	for i, t := range p.all {
		if t != nil {
			f(uint32(i), t)
		}
	}
}

// from lists what there is from a cursor on, and what VPP answers at the end.
func (p *pool[T]) from(cursor uint32) (all []*T, retval int32, next uint32) {
	if len(p.all) == len(p.free) {
		return nil, 0, 0
	}
	if cursor == none {
		cursor = 0 // the next one after it
	}
	p.each(none, func(i uint32, x *T) {
		if i >= cursor {
			all = append(all, x)
		}
	})
	if all == nil {
		retval = invalidValue
	}
	return all, retval, none
}
