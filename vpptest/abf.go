// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/fib_types"
)

// steering is the abf plugin. VPP forgets nothing of it when an interface goes, but that it was
// in effect.
type steering struct {
	v        *VPP
	policies pool[*steeringPolicy]
	all      pool[*steered]
	live     map[steeredFrom]bool
}

type steeringPolicy struct {
	id, set uint32
	paths   []fib_types.FibPath
}

// steered is a policy at work on what an interface gets.
type steered struct {
	steeredFrom
	policy   *steeringPolicy
	priority uint32
}

type steeredFrom struct {
	from uint32
	is6  bool
}

func loadABF(v *VPP) {
	s := &steering{v: v, live: map[steeredFrom]bool{}}
	v.life.states = append(v.life.states, s.dump)
	interfaces := v.life.interfaces
	interfaces.deleting = append(interfaces.deleting, func(i *iface) {
		delete(s.live, steeredFrom{i.index, false})
		delete(s.live, steeredFrom{i.index, true})
	})
	for is6, names := range map[bool][2]string{false: {"ip4-unicast", "abf-input-ip4"}, true: {"ip6-unicast", "abf-input-ip6"}} {
		v.life.features.follow(names[0], names[1], func(i *iface) bool { return s.live[steeredFrom{i.index, is6}] })
	}
	v.life.lookedUp = append(v.life.lookedUp, func(set uint32) (used bool) {
		s.all.each(none, func(_ uint32, a **steered) { used = used || (*a).policy.set == set })
		return used
	})
	Handle(v, s.policy)
	HandleDump(v, s.policyDetails)
	Handle(v, s.attach)
	HandleDump(v, s.attachDetails)
}

// find is the policy with a number.
func (s *steering) find(id uint32) (at uint32, found *steeringPolicy) {
	s.policies.each(none, func(i uint32, p **steeringPolicy) {
		if (*p).id == id {
			at, found = i, *p
		}
	})
	return at, found
}

// on is what a policy does on an interface, of whichever family.
func (s *steering) on(id, from uint32) (at uint32, found *steered) {
	s.all.each(none, func(i uint32, a **steered) {
		if (*a).policy.id == id && (*a).from == from {
			at, found = i, *a
		}
	})
	return at, found
}

func (s *steering) policy(c *Call, q *abf.AbfPolicyAddDel) *abf.AbfPolicyAddDelReply {
	refuse := func(retval int32) *abf.AbfPolicyAddDelReply { return &abf.AbfPolicyAddDelReply{Retval: retval} }
	if len(q.Policy.Paths) == 0 {
		return refuse(invalidValue)
	}
	var paths []fib_types.FibPath
	for _, p := range q.Policy.Paths {
		made, retval := s.v.life.ips.path(c, p)
		if retval != 0 {
			return refuse(retval)
		}
		if t := typeOf(made); t == viaNothing || t == viaSelf || t == viaTable {
			return refuse(c.NotImitated("a policy that leads to a table, to VPP itself or to nothing"))
		}
		paths = append(paths, made)
	}
	at, p := s.find(q.Policy.PolicyID)
	if q.IsAdd {
		return refuse(s.add(c, q, p, paths))
	}
	if p == nil {
		return refuse(invalidValue)
	}
	left := slices.DeleteFunc(slices.Clone(p.paths), func(have fib_types.FibPath) bool {
		return slices.ContainsFunc(paths, func(gone fib_types.FibPath) bool { return samePath(have, gone) == 0 })
	})
	s.take(p, left)
	if len(left) > 0 {
		return refuse(0)
	}
	s.all.each(none, func(_ uint32, a **steered) {
		if (*a).policy == p {
			c.Die("an interface has a policy that has lost its last path: VPP lists it, and dies")
		}
	})
	s.policies.delete(at)
	return refuse(0)
}

func (s *steering) add(c *Call, q *abf.AbfPolicyAddDel, p *steeringPolicy, paths []fib_types.FibPath) int32 {
	all := slices.Clone(paths)
	if p != nil {
		if p.set != q.Policy.ACLIndex {
			return invalidValue
		}
		all = append(all, p.paths...)
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if samePath(a, b) == 0 {
				c.Die("a policy that is given a path that it has loses all: VPP dies of the next")
			}
		}
	}
	for _, path := range paths {
		s.v.life.ips.meetBy(path)
	}
	if p == nil {
		p = &steeringPolicy{id: q.Policy.PolicyID, set: q.Policy.ACLIndex}
		s.policies.put(none, p)
	}
	slices.SortStableFunc(all, comparePaths)
	s.take(p, all)
	return 0
}

// take gives a policy other paths.
func (s *steering) take(p *steeringPolicy, paths []fib_types.FibPath) {
	for _, path := range paths {
		s.v.life.ips.hold(path)
	}
	for _, path := range p.paths {
		s.v.life.ips.release(path)
	}
	p.paths = paths
}

func (s *steering) policyDetails(*Call, *abf.AbfPolicyDump) (out []*abf.AbfPolicyDetails) {
	s.policies.each(none, func(_ uint32, p **steeringPolicy) {
		out = append(out, &abf.AbfPolicyDetails{Policy: abf.AbfPolicy{
			PolicyID: (*p).id, ACLIndex: (*p).set, NPaths: uint8(len((*p).paths)), Paths: (*p).paths,
		}})
	})
	return out
}

func (s *steering) attach(c *Call, q *abf.AbfItfAttachAddDel) *abf.AbfItfAttachAddDelReply {
	refuse := func(retval int32) *abf.AbfItfAttachAddDelReply { return &abf.AbfItfAttachAddDelReply{Retval: retval} }
	from := steeredFrom{uint32(q.Attach.SwIfIndex), q.Attach.IsIPv6}
	_, p := s.find(q.Attach.PolicyID)
	at, have := s.on(q.Attach.PolicyID, from.from)
	switch {
	case !q.IsAdd && have == nil:
		return refuse(noSuchEntry)
	case !q.IsAdd && have.is6 != from.is6:
		c.Die("looked for a policy in an interface's list of the other family")
	case !q.IsAdd:
		s.all.delete(at)
		if !s.any(from) {
			delete(s.live, from)
		}
		return refuse(0)
	case p == nil:
		c.Die("gave an interface a policy that is not there")
	case have != nil:
		return refuse(entryExists)
	case s.v.life.interfaces.at(q.Attach.SwIfIndex) == nil:
		return refuse(c.NotImitated("a policy for an interface that is not there"))
	}
	if !s.any(from) {
		s.live[from] = true
	}
	s.all.put(none, &steered{from, p, q.Attach.Priority})
	return refuse(0)
}

// any says whether there is one, in effect or not.
func (s *steering) any(from steeredFrom) (yes bool) {
	s.all.each(none, func(_ uint32, a **steered) { yes = yes || (*a).steeredFrom == from })
	return yes
}

func (s *steering) attachDetails(*Call, *abf.AbfItfAttachDump) (out []*abf.AbfItfAttachDetails) {
	s.all.each(none, func(_ uint32, a **steered) {
		out = append(out, &abf.AbfItfAttachDetails{Attach: abf.AbfItfAttach{
			PolicyID: (*a).policy.id, SwIfIndex: indexAt((*a).from), Priority: (*a).priority, IsIPv6: (*a).is6,
		}})
	})
	return out
}

func (s *steering) dump(d *dump) {
	s.policies.each(none, func(_ uint32, p **steeringPolicy) {
		d.line(fmt.Sprintf("policy %d", (*p).id), fmt.Sprintf("set %d %+v", (*p).set, (*p).paths))
	})
	s.all.each(none, func(_ uint32, p **steered) {
		a := *p
		d.line(fmt.Sprintf("steered %d", a.from), fmt.Sprintf("policy %d priority %d", a.policy.id, a.priority),
			when(a.is6, "IPv6"), when(!s.live[a.steeredFrom], "to no effect"))
	})
}
