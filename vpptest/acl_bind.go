// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
)

const (
	input = iota
	output
)

// filtered is what the acl plugin has for one interface index.
type filtered struct {
	lists  [2][]uint32 // sets, in order
	etypes [2][]uint16
	nonIP  [2]int  // how often what looks at these was turned on
	macs   *uint32 // the MACIP set
}

func (p *filtered) String() string {
	s := when(len(p.lists[input])+len(p.lists[output]) > 0, "in %v out %v ", p.lists[input], p.lists[output]) +
		when(len(p.etypes[input])+len(p.etypes[output]) > 0, "etypes in %#x out %#x ", p.etypes[input], p.etypes[output])
	if p.macs != nil {
		s += fmt.Sprintf("macip %d", *p.macs)
	}
	return s
}

func (f *filters) port(i *iface) *filtered {
	p := f.ports[i.index]
	if p == nil {
		p = new(filtered)
		f.ports[i.index] = p
	}
	return p
}

func (f *filters) uses(direction int, set uint32) bool {
	for _, p := range f.ports {
		if slices.Contains(p.lists[direction], set) {
			return true
		}
	}
	return false
}

// setLists does output first, and lets it stay if it then refuses input.
func (f *filters) setLists(_ *Call, q *acl.ACLInterfaceSetACLList) *acl.ACLInterfaceSetACLListReply {
	r := new(acl.ACLInterfaceSetACLListReply)
	i := f.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	for _, set := range q.Acls {
		if f.sets.at(set) == nil {
			r.Retval = noSuchEntry
			return r
		}
	}
	in := min(int(q.NInput), len(q.Acls))
	if !f.setList(i, output, q.Acls[in:]) || !f.setList(i, input, q.Acls[:in]) {
		r.Retval = 1 // VPP's mistake: it or-ed two return values
	}
	return r
}

// setList refuses a set that is there twice.
func (f *filters) setList(i *iface, direction int, sets []uint32) bool {
	seen := map[uint32]bool{}
	for _, s := range sets {
		if seen[s] {
			return false
		}
		seen[s] = true
	}
	p := f.port(i)
	had := len(p.lists[direction]) > 0
	p.lists[direction] = slices.Clone(sets)
	// Only the step from none to some, or back, reaches the datapath.
	if has := len(sets) > 0; has != had {
		f.turn(i, direction, has)
	}
	return true
}

// turn turns the plugin's features on or off. What looks at ethertypes stays on if these
// were taken away before, and with it all that is on the way to it.
func (f *filters) turn(i *iface, direction int, on bool) {
	p := f.port(i)
	f.toggled(i, direction)
	switch some := len(p.etypes[direction]) > 0; {
	case some && on:
		p.nonIP[direction]++
	case some && p.nonIP[direction] > 0:
		p.nonIP[direction]--
	}
	if direction == input {
		f.hook(i, featACL, on || p.nonIP[input] > 0)
	}
}

// Input features of a port that filters turn on.
const (
	featACL      = 0x8000
	featClassify = 0x2000 // by tables that filter
)

func (f *filters) hook(i *iface, feature uint32, on bool) { f.v.life.bridges.hook(i, feature, on) }

func (b *bridges) hook(i *iface, feature uint32, on bool) {
	p := b.port(i)
	p.bits &^= feature
	if on {
		p.bits |= feature
	}
}

func (f *filters) addToList(_ *Call, q *acl.ACLInterfaceAddDel) *acl.ACLInterfaceAddDelReply {
	r := new(acl.ACLInterfaceAddDelReply)
	i := f.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	direction, inUse := output, int32(inUseOutbound)
	if q.IsInput {
		direction, inUse = input, inUseInbound
	}
	sets := f.port(i).lists[direction]
	at := slices.Index(sets, q.ACLIndex)
	switch {
	case q.IsAdd && at >= 0:
		r.Retval = inUse
	case q.IsAdd && f.sets.at(q.ACLIndex) == nil, !q.IsAdd && at < 0:
		r.Retval = noSuchEntry
	case q.IsAdd:
		f.setList(i, direction, append(slices.Clone(sets), q.ACLIndex))
	default: // as VPP's vectors do it: the last one takes the place
		sets = slices.Clone(sets)
		sets[at] = sets[len(sets)-1]
		f.setList(i, direction, sets[:len(sets)-1])
	}
	return r
}

// listDetails shows every interface, also one without sets.
func (f *filters) listDetails(_ *Call, q *acl.ACLInterfaceListDump) (out []*acl.ACLInterfaceListDetails) {
	f.interfaces(q.SwIfIndex, func(i *iface) {
		p := f.port(i)
		out = append(out, &acl.ACLInterfaceListDetails{
			SwIfIndex: indexOf(i), NInput: uint8(len(p.lists[input])), Acls: slices.Concat(p.lists[input], p.lists[output]),
		})
	})
	return out
}

// interfaces calls each with the one that has the index, or with all if that is ~0.
func (f *filters) interfaces(only interface_types.InterfaceIndex, each func(*iface)) {
	all := f.v.life.interfaces.all
	if only != none {
		all = []*iface{f.v.life.interfaces.at(only)}
	}
	for _, i := range all {
		if i != nil {
			each(i)
		}
	}
}

// setEtypes turns the sets of the interface off and on, so that they have an effect
// even where that was lost.
func (f *filters) setEtypes(_ *Call, q *acl.ACLInterfaceSetEtypeWhitelist) *acl.ACLInterfaceSetEtypeWhitelistReply {
	r := new(acl.ACLInterfaceSetEtypeWhitelistReply)
	i := f.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		r.Retval = invalidInterface
		return r
	}
	p := f.port(i)
	in := min(int(q.NInput), len(q.Whitelist))
	p.etypes = [2][]uint16{input: slices.Clone(q.Whitelist[:in]), output: slices.Clone(q.Whitelist[in:])}
	for direction, sets := range p.lists {
		if len(sets) > 0 {
			f.turn(i, direction, false)
			f.turn(i, direction, true)
		}
	}
	return r
}

func (f *filters) etypeDetails(_ *Call, q *acl.ACLInterfaceEtypeWhitelistDump) (out []*acl.ACLInterfaceEtypeWhitelistDetails) {
	f.interfaces(q.SwIfIndex, func(i *iface) {
		if p := f.port(i); len(p.etypes[input])+len(p.etypes[output]) > 0 {
			out = append(out, &acl.ACLInterfaceEtypeWhitelistDetails{
				SwIfIndex: indexOf(i), NInput: uint8(len(p.etypes[input])), Whitelist: slices.Concat(p.etypes[input], p.etypes[output]),
			})
		}
	})
	return out
}

// forget is what a deleted interface takes with it. Its ethertypes stay, for the next
// one on the index.
func (f *filters) forget(i *iface) {
	if f.ports[i.index] == nil {
		return
	}
	f.unbindMACs(nil, i)
	f.setList(i, output, nil)
	f.setList(i, input, nil)
	f.port(i).nonIP = [2]int{}
}
