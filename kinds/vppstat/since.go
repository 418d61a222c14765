// SPDX-License-Identifier: Apache-2.0

package vppstat

import "net/netip"

// Since is what was counted since an earlier Snapshot. What the earlier one does not have, or
// had under another index, or in another life of VPP, and what counts less by now, has begun
// anew since: it has all that it counted.
func (s Snapshot) Since(old Snapshot) Snapshot {
	if s.vpp != old.vpp {
		old = Snapshot{At: old.At}
	}
	same := func(key string) bool {
		was, had := old.ids[key]
		is, has := s.ids[key]
		return had && has && was == is
	}
	d := s
	d.Over = s.At.Sub(old.At)
	d.make()
	for name, now := range s.Interfaces {
		if same("interface/" + name) {
			now = since(now, old.Interfaces[name], (*Interface).counters)
		}
		d.Interfaces[name] = now
	}
	for name, now := range s.Policers {
		if same("policer/" + name) {
			now = since(now, old.Policers[name], (*Policer).counters)
		}
		d.Policers[name] = now
	}
	for name, now := range s.Sets {
		was := old.Sets[name]
		if same("acl/"+name) && len(was) == len(now) { // with more or less rules it was changed
			now = sinceEach(now, was)
		}
		d.Sets[name] = now
	}
	for name, routes := range s.Tables {
		d.Tables[name] = make(map[netip.Prefix]Count, len(routes))
		for prefix, now := range routes {
			if same("table/"+name) && same("table/"+name+" "+prefix.String()) {
				now = since(now, old.Tables[name][prefix], (*Count).counters)
			}
			d.Tables[name][prefix] = now
		}
	}
	for name, now := range s.Nodes {
		d.Nodes[name] = since(now, old.Nodes[name], (*Node).counters)
	}
	for name, now := range s.Errors {
		d.Errors[name] = since(now, old.Errors[name], func(n *uint64) []*uint64 { return []*uint64{n} })
	}
	return d
}

// since takes what was from what is, or nothing if one of the counters has begun anew.
func since[T any](now, was T, counters func(*T) []*uint64) T {
	d, is, had := now, counters(&now), counters(&was)
	for i, c := range counters(&d) {
		if *is[i] < *had[i] {
			return now
		}
		*c = *is[i] - *had[i]
	}
	return d
}

// sinceEach is since of a list, whose counters begin anew together.
func sinceEach(now, was []Count) []Count {
	d := make([]Count, len(now))
	for i := range now {
		if now[i].Packets < was[i].Packets || now[i].Bytes < was[i].Bytes {
			return now
		}
		d[i] = since(now[i], was[i], (*Count).counters)
	}
	return d
}

func (c *Count) counters() []*uint64 { return []*uint64{&c.Packets, &c.Bytes} }

func (n *NAT) counters() []*uint64 {
	return []*uint64{&n.TCP, &n.UDP, &n.ICMP, &n.Other, &n.Drops}
}

func (n *Node) counters() []*uint64 {
	return []*uint64{&n.Calls, &n.Vectors, &n.Suspends, &n.Clocks}
}

func (p *Policer) counters() []*uint64 {
	return append(append(p.Conform.counters(), p.Exceed.counters()...), p.Violate.counters()...)
}

func (i *Interface) counters() []*uint64 {
	all := []*uint64{&i.Drops, &i.Punts, &i.IPv4, &i.IPv6, &i.MPLS, &i.RxMissed, &i.RxNoBuffer, &i.RxErrors, &i.TxErrors}
	for _, c := range []*Count{&i.Rx, &i.Tx, &i.RxUnicast, &i.RxMulticast, &i.RxBroadcast, &i.TxUnicast, &i.TxMulticast, &i.TxBroadcast} {
		all = append(all, c.counters()...)
	}
	for _, n := range []*NAT{&i.NATOut, &i.NATIn, &i.NAT64Out, &i.NAT64In} {
		all = append(all, n.counters()...)
	}
	return all
}
