// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"slices"

	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/interface_types"
)

// putMACs looks at nothing but the tag. A set in use is taken off its interfaces and
// put on them again, so that it has an effect even where that was lost. Where other tables of the
// classifier are, VPP says that something went wrong.
func (f *filters) putMACs(c *Call, q *acl.MacipACLAddReplace) *acl.MacipACLAddReplaceReply {
	r := &acl.MacipACLAddReplaceReply{ACLIndex: q.ACLIndex}
	if len(q.Tag) > 63 {
		r.Retval = invalidValue
		return r
	}
	if slices.ContainsFunc(q.R, func(r acl_types.MacipACLRule) bool { return r.IsPermit == 3 }) {
		r.Retval = c.NotImitated("a set of MACs that looks at what an interface sends")
		return r
	}
	if q.ACLIndex != none && f.macs.at(q.ACLIndex) == nil {
		r.Retval = noSuchEntry
		return r
	}
	classes := f.v.life.classes
	if q.ACLIndex != none {
		f.bound(q.ACLIndex, func(i *iface) {
			if f.look(c, i, q.ACLIndex, false) != 0 {
				r.Retval = 1
			}
		})
		classes.remove(c, f.heads[q.ACLIndex], true, 0)
	}
	r.ACLIndex, _ = f.macs.put(q.ACLIndex, filter[acl_types.MacipACLRule]{q.Tag, q.R})
	f.v.life.ips.classified = true
	f.heads[r.ACLIndex] = classes.addMACs(q.R)
	f.bound(r.ACLIndex, func(i *iface) { f.look(c, i, r.ACLIndex, true) })
	return r
}

// look has what an interface receives looked up in the tables of a set, or no longer.
func (f *filters) look(c *Call, i *iface, set uint32, on bool) int32 {
	head := f.heads[set]
	return f.v.life.classes.attach(c, filterIn, i, head, head, head, on)
}

// bound calls each with the interfaces of a MACIP set.
func (f *filters) bound(set uint32, each func(*iface)) {
	for index, p := range f.ports {
		if p.macs != nil && *p.macs == set {
			each(f.v.life.interfaces.at(interface_types.InterfaceIndex(index)))
		}
	}
}

// deleteMACs takes the set off its interfaces, which then let all pass.
func (f *filters) deleteMACs(c *Call, q *acl.MacipACLDel) *acl.MacipACLDelReply {
	r := new(acl.MacipACLDelReply)
	if f.macs.at(q.ACLIndex) == nil {
		r.Retval = noSuchEntry
		return r
	}
	f.bound(q.ACLIndex, func(i *iface) { f.unbindMACs(c, i) })
	f.v.life.classes.remove(c, f.heads[q.ACLIndex], true, 0)
	delete(f.heads, q.ACLIndex)
	f.macs.delete(q.ACLIndex)
	return r
}

func (f *filters) macDetails(_ *Call, q *acl.MacipACLDump) (out []*acl.MacipACLDetails) {
	f.macs.each(q.ACLIndex, func(i uint32, s *filter[acl_types.MacipACLRule]) {
		out = append(out, &acl.MacipACLDetails{ACLIndex: i, Tag: s.tag, R: s.rules})
	})
	return out
}

// bindMACs replaces what is bound; to unbind, it does not look at the set. It says nothing of places
// that other tables have.
func (f *filters) bindMACs(c *Call, q *acl.MacipACLInterfaceAddDel) *acl.MacipACLInterfaceAddDelReply {
	r := new(acl.MacipACLInterfaceAddDelReply)
	i := f.v.life.interfaces.at(q.SwIfIndex)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case !q.IsAdd:
		r.Retval = f.unbindMACs(c, i)
	case f.macs.at(q.ACLIndex) == nil:
		r.Retval = noSuchEntry
	default:
		f.unbindMACs(c, i)
		f.port(i).macs = &q.ACLIndex
		f.known = max(f.known, i.index+1)
		r.Retval = f.look(c, i, q.ACLIndex, true) // without rules it has no effect: all pass
	}
	return r
}

// unbindMACs refuses where there are other tables, and the set is off all the same.
func (f *filters) unbindMACs(c *Call, i *iface) int32 {
	p := f.port(i)
	if p.macs == nil {
		return noSuchEntry
	}
	set := *p.macs
	p.macs = nil
	return f.look(c, i, set, false)
}

// macListDetails shows one interface even without a set, or when it is gone, if its
// index is not beyond all that ever had one.
func (f *filters) macListDetails(_ *Call, q *acl.MacipACLInterfaceListDump) (out []*acl.MacipACLInterfaceListDetails) {
	first, end := uint32(0), f.known
	if q.SwIfIndex != none {
		first, end = uint32(q.SwIfIndex), min(f.known, uint32(q.SwIfIndex)+1)
	}
	for index := first; index < end; index++ {
		set := uint32(none)
		if p := f.ports[index]; p != nil && p.macs != nil {
			set = *p.macs
		}
		if set != none || q.SwIfIndex != none {
			out = append(out, &acl.MacipACLInterfaceListDetails{SwIfIndex: interface_types.InterfaceIndex(index), Acls: []uint32{set}})
		}
	}
	return out
}
