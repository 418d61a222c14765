// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/interface_types"
)

// putMACs looks at nothing but the tag. A set in use is taken off its interfaces and
// put on them again, so that it has an effect even where that was lost.
func (f *filters) putMACs(_ *Call, q *acl.MacipACLAddReplace) *acl.MacipACLAddReplaceReply {
	r := &acl.MacipACLAddReplaceReply{ACLIndex: q.ACLIndex}
	if len(q.Tag) > 63 {
		r.Retval = invalidValue
		return r
	}
	r.ACLIndex, r.Retval = f.macs.put(q.ACLIndex, filter[acl_types.MacipACLRule]{q.Tag, q.R})
	if r.Retval == 0 {
		f.v.life.ips.classified = true
		f.bound(r.ACLIndex, func(i *iface) { f.hook(i, featMACIP, len(q.R) > 0) })
	}
	return r
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
func (f *filters) deleteMACs(_ *Call, q *acl.MacipACLDel) *acl.MacipACLDelReply {
	r := new(acl.MacipACLDelReply)
	if f.macs.at(q.ACLIndex) == nil {
		r.Retval = noSuchEntry
		return r
	}
	f.bound(q.ACLIndex, func(i *iface) { f.unbindMACs(i) })
	f.macs.delete(q.ACLIndex)
	return r
}

func (f *filters) macDetails(_ *Call, q *acl.MacipACLDump) (out []*acl.MacipACLDetails) {
	f.macs.each(q.ACLIndex, func(i uint32, s *filter[acl_types.MacipACLRule]) {
		out = append(out, &acl.MacipACLDetails{ACLIndex: i, Tag: s.tag, R: s.rules})
	})
	return out
}

// bindMACs replaces what is bound; to unbind, it does not look at the set.
func (f *filters) bindMACs(c *Call, q *acl.MacipACLInterfaceAddDel) *acl.MacipACLInterfaceAddDelReply {
	r := new(acl.MacipACLInterfaceAddDelReply)
	i := f.v.life.interfaces.at(q.SwIfIndex)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case !q.IsAdd && !f.unbindMACs(i), q.IsAdd && f.macs.at(q.ACLIndex) == nil:
		r.Retval = noSuchEntry
	case q.IsAdd && f.v.life.classes.looks(i):
		r.Retval = c.NotImitated("a set of MACs where tables of the classifier are")
	case q.IsAdd:
		f.unbindMACs(i)
		f.port(i).macs = &q.ACLIndex
		f.known = max(f.known, i.index+1)
		if len(f.macs.at(q.ACLIndex).rules) > 0 { // without rules it has no effect: all pass
			f.hook(i, featMACIP, true)
		}
	}
	return r
}

func (f *filters) unbindMACs(i *iface) bool {
	p := f.port(i)
	if p.macs == nil {
		return false
	}
	p.macs = nil
	f.hook(i, featMACIP, false)
	return true
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
