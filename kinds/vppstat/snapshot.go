// SPDX-License-Identifier: Apache-2.0

package vppstat

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"go.fd.io/govpp/adapter"

	"github.com/vppkit/vppkit/vppnet"
)

// Count is packets and bytes.
type Count struct{ Packets, Bytes uint64 }

// Interface is what an interface counts. Unicast, multicast and broadcast are counted only
// if VPP was told to (collect_detailed_interface_stats); NAT44 by the plugins nat and nat44_ei, NAT64 by
// nat64. NAT66 counts nothing in the segment.
type Interface struct {
	Rx, Tx                                   Count
	RxUnicast, RxMulticast, RxBroadcast      Count
	TxUnicast, TxMulticast, TxBroadcast      Count
	Drops, Punts, IPv4, IPv6, MPLS           uint64 // packets
	RxMissed, RxNoBuffer, RxErrors, TxErrors uint64 // packets

	NATOut, NATIn     NAT // by NAT44, from inside out, and from outside in
	NAT64Out, NAT64In NAT // by NAT64
}

// NAT is packets that were translated, or dropped for want of it.
type NAT struct{ TCP, UDP, ICMP, Other, Drops uint64 }

// Policer is what became of what a policer measured.
type Policer struct{ Conform, Exceed, Violate Count }

// Node is how a node of VPP's graph has worked.
type Node struct{ Calls, Vectors, Suspends, Clocks uint64 }

// Snapshot is counters at a time, or what was counted since another, by the names of our
// objects. Sets has a Count for each rule, in order, packets of sessions left out; behind these are
// one of no rule, and those of rules that are gone, which VPP keeps.
type Snapshot struct {
	At   time.Time
	Over time.Duration // of a delta: since when; 0: it is none

	Interfaces map[string]Interface
	Sets       map[string][]Count
	Policers   map[string]Policer
	Tables     map[string]map[netip.Prefix]Count // by route: packets that it sent on
	Nodes      map[string]Node
	Errors     map[string]uint64 // by node and reason: "ip4-input/ip4 ttl <= 1"

	Sessions      uint64 // of NAT44, at that time, in a delta too
	NAT64Sessions uint64 // of NAT64, the same

	vpp vppnet.Identity
	ids map[string]uint32 // by space and name
}

func (s *Snapshot) make() {
	s.Interfaces, s.Sets, s.Policers = map[string]Interface{}, map[string][]Count{}, map[string]Policer{}
	s.Tables, s.Nodes, s.Errors = map[string]map[netip.Prefix]Count{}, map[string]Node{}, map[string]uint64{}
}

func (s *Snapshot) fillInterfaces(seg segment, names map[uint32]string) {
	nat44 := func(way string, i uint32) (n NAT) {
		for _, plugin := range []string{"ed", "ei"} {
			for _, path := range []string{"fast", "slow"} {
				n.add(seg, fmt.Sprintf("/nat44-%s/%s/%spath/", plugin, way, path), i)
			}
		}
		return n
	}
	nat64 := func(way string, i uint32) (n NAT) {
		n.add(seg, "/nat64/"+way+"/", i)
		return n
	}
	for i, name := range names {
		s.Interfaces[name] = Interface{
			Rx: seg.count("/if/rx", i), Tx: seg.count("/if/tx", i),
			RxUnicast: seg.count("/if/rx-unicast", i), RxMulticast: seg.count("/if/rx-multicast", i), RxBroadcast: seg.count("/if/rx-broadcast", i),
			TxUnicast: seg.count("/if/tx-unicast", i), TxMulticast: seg.count("/if/tx-multicast", i), TxBroadcast: seg.count("/if/tx-broadcast", i),
			Drops: seg.simple("/if/drops", i), Punts: seg.simple("/if/punt", i),
			IPv4: seg.simple("/if/ip4", i), IPv6: seg.simple("/if/ip6", i), MPLS: seg.simple("/if/mpls", i),
			RxMissed: seg.simple("/if/rx-miss", i), RxNoBuffer: seg.simple("/if/rx-no-buf", i),
			RxErrors: seg.simple("/if/rx-error", i), TxErrors: seg.simple("/if/tx-error", i),
			NATOut: nat44("in2out", i), NATIn: nat44("out2in", i), NAT64Out: nat64("in2out", i), NAT64In: nat64("out2in", i),
		}
	}
	s.Sessions = seg.total("/nat44-ed/total-sessions") + seg.total("/nat44-ei/total-sessions")
	s.NAT64Sessions = seg.total("/nat64/total-sessions")
}

// add adds what is counted below a place of the segment.
func (n *NAT) add(seg segment, at string, i uint32) {
	n.TCP += seg.simple(at+"tcp", i)
	n.UDP += seg.simple(at+"udp", i)
	n.ICMP += seg.simple(at+"icmp", i)
	n.Other += seg.simple(at+"other", i)
	n.Drops += seg.simple(at+"drops", i)
}

func (s *Snapshot) fillSets(seg segment, names map[uint32]string) {
	for id, name := range names {
		at := fmt.Sprintf("/acl/%d/matches", id)
		counts := make([]Count, seg.length(at))
		for i := range counts {
			counts[i] = seg.count(at, uint32(i))
		}
		s.Sets[name] = counts
	}
}

func (s *Snapshot) fillPolicers(seg segment, names map[uint32]string) {
	for i, name := range names {
		s.Policers[name] = Policer{seg.count("/net/policer/conform", i), seg.count("/net/policer/exceed", i), seg.count("/net/policer/violate", i)}
	}
}

func (s *Snapshot) fillTables(seg segment, names map[uint32]string, routes []route) {
	for _, r := range routes {
		name, ok := names[r.table]
		if !ok {
			continue
		}
		if s.Tables[name] == nil {
			s.Tables[name] = map[netip.Prefix]Count{}
		}
		s.Tables[name][r.prefix] = seg.count("/net/route/to", r.index)
		s.ids[fmt.Sprintf("table/%s %s", name, r.prefix)] = r.index
	}
}

func (s *Snapshot) fillNodes(seg segment) {
	names, _ := seg["/sys/node/names"].(adapter.NameStat)
	for i, name := range names {
		if n := uint32(i); len(name) > 0 {
			s.Nodes[strings.TrimRight(string(name), "\x00")] = Node{
				Calls: seg.simple("/sys/node/calls", n), Vectors: seg.simple("/sys/node/vectors", n),
				Suspends: seg.simple("/sys/node/suspends", n), Clocks: seg.simple("/sys/node/clocks", n),
			}
		}
	}
}

func (s *Snapshot) fillErrors(seg segment) {
	for name := range seg {
		if reason, ok := strings.CutPrefix(name, "/err/"); ok {
			s.Errors[reason] = seg.total(name)
		}
	}
}
