// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/classify"
	"go.fd.io/govpp/binapi/interface_types"
)

// classed are the tables of the classifier that interfaces look into, for IPv4, IPv6, and what is
// bridged.
// VPP keeps and lists them when their interface goes, to no effect.
type classed struct {
	by   [3]map[uint32]uint32 // table, by interface
	live [3]map[uint32]bool
	room [3]uint32 // the first interface beyond all that were ever asked about
}

// classL2 comes after the families: what is bridged.
const (
	classL2     = 2
	classPlaces = 3
)

const (
	filterIn = iota
	filterOut
	byPolicers
	byFlows
)

// classFeatures are what is on, by use and family.
var classFeatures = [4][2][2]string{
	filterIn:   {{"ip4-unicast", "ip4-inacl"}, {"ip6-unicast", "ip6-inacl"}},
	filterOut:  {{"ip4-output", "ip4-outacl"}, {"ip6-output", "ip6-outacl"}},
	byPolicers: {{"ip4-unicast", "ip4-policer-classify"}, {"ip6-unicast", "ip6-policer-classify"}},
	byFlows:    {{"ip4-unicast", "ip4-flow-classify"}, {"ip6-unicast", "ip6-flow-classify"}},
}

func (s *classifier) loadAttached() {
	for use := range s.at {
		for family := range classPlaces {
			s.at[use].by[family], s.at[use].live[family] = make(map[uint32]uint32), make(map[uint32]bool)
			if family < classL2 {
				f := classFeatures[use][family]
				s.v.life.features.follow(f[0], f[1], func(i *iface) bool { return s.at[use].live[family][i.index] })
			}
		}
	}
	is := s.v.life.interfaces
	is.deleting = append(is.deleting, func(i *iface) {
		for use := range s.at {
			for family := range classPlaces {
				delete(s.at[use].live[family], i.index)
			}
		}
	})
	v := s.v
	Handle(v, func(c *Call, q *classify.InputACLSetInterface) *classify.InputACLSetInterfaceReply {
		return &classify.InputACLSetInterfaceReply{Retval: s.set(c, filterIn, q.SwIfIndex, q.IP4TableIndex, q.IP6TableIndex, q.L2TableIndex, q.IsAdd)}
	})
	Handle(v, func(c *Call, q *classify.OutputACLSetInterface) *classify.OutputACLSetInterfaceReply {
		return &classify.OutputACLSetInterfaceReply{Retval: s.set(c, filterOut, q.SwIfIndex, q.IP4TableIndex, q.IP6TableIndex, q.L2TableIndex, q.IsAdd)}
	})
	Handle(v, func(c *Call, q *classify.PolicerClassifySetInterface) *classify.PolicerClassifySetInterfaceReply {
		retval := s.set(c, byPolicers, q.SwIfIndex, q.IP4TableIndex, q.IP6TableIndex, q.L2TableIndex, q.IsAdd)
		if retval == 0 && q.IsAdd && slices.Contains(v.options.without, "policer") {
			c.Die("enabled what the policer plugin does, which is not there") // as seen of 26.06
		}
		return &classify.PolicerClassifySetInterfaceReply{Retval: retval}
	})
	Handle(v, func(c *Call, q *classify.FlowClassifySetInterface) *classify.FlowClassifySetInterfaceReply {
		return &classify.FlowClassifySetInterfaceReply{Retval: s.set(c, byFlows, q.SwIfIndex, q.IP4TableIndex, q.IP6TableIndex, none, q.IsAdd)}
	})
	HandleDump(v, func(c *Call, q *classify.PolicerClassifyDump) (out []*classify.PolicerClassifyDetails) {
		for _, i := range s.listed(c, byPolicers, uint8(q.Type), q.SwIfIndex) {
			out = append(out, &classify.PolicerClassifyDetails{SwIfIndex: indexAt(i), TableIndex: s.at[byPolicers].by[q.Type][i]})
		}
		return out
	})
	HandleDump(v, func(c *Call, q *classify.FlowClassifyDump) (out []*classify.FlowClassifyDetails) {
		for _, i := range s.listed(c, byFlows, uint8(q.Type), q.SwIfIndex) {
			out = append(out, &classify.FlowClassifyDetails{SwIfIndex: indexAt(i), TableIndex: s.at[byFlows].by[q.Type][i]})
		}
		return out
	})
	Handle(v, func(c *Call, q *classify.ClassifyTableByInterface) *classify.ClassifyTableByInterfaceReply {
		r := &classify.ClassifyTableByInterfaceReply{SwIfIndex: q.SwIfIndex, L2TableID: none, IP4TableID: none, IP6TableID: none}
		if i := s.v.life.interfaces.at(q.SwIfIndex); i == nil {
			r.Retval = invalidInterface
		} else {
			r.IP4TableID, r.IP6TableID, r.L2TableID = s.of(filterIn, 0, i.index), s.of(filterIn, 1, i.index), s.of(filterIn, classL2, i.index)
		}
		return r
	})
}

func (s *classifier) of(use, family int, i uint32) uint32 {
	if t, is := s.at[use].by[family][i]; is {
		return t
	}
	return none
}

// set is one after the other, and ends with the first that is refused, or is there already.
func (s *classifier) set(c *Call, use int, index interface_types.InterfaceIndex, ip4, ip6, l2 uint32, add bool) int32 {
	i := s.v.life.interfaces.at(index)
	if i == nil {
		return invalidInterface
	}
	return s.attach(c, use, i, ip4, ip6, l2, add)
}

func (s *classifier) attach(c *Call, use int, i *iface, ip4, ip6, l2 uint32, add bool) int32 {
	if l2 != none && use != filterIn {
		return c.NotImitated("a table of the classifier for what is bridged, but to filter what comes in")
	}
	a := &s.at[use]
	for family, t := range []uint32{ip4, ip6, l2} {
		if t == none {
			continue
		}
		if s.tables.at(t) == nil {
			return noSuchTable
		}
		a.room[family] = max(a.room[family], i.index+1)
		was := s.of(use, family, i.index)
		switch {
		case !add && was != t:
			return noSuchTable
		case add && was != none:
			return 0
		}
		if a.live[family][i.index] = add; add {
			a.by[family][i.index] = t
		} else {
			delete(a.by[family], i.index)
		}
		if family == classL2 {
			s.v.life.bridges.hook(i, featClassify, add)
		} else {
			s.v.life.features.toggled(classFeatures[use][family][0], i)
		}
	}
	return 0
}

// listed are the interfaces that VPP shows: all, if it is asked for the first. Of another one
// it takes what lies before its entry for the number of entries that follow.
func (s *classifier) listed(c *Call, use int, family uint8, of interface_types.InterfaceIndex) []uint32 {
	if family > 1 {
		c.NotImitated("interfaces by tables of the classifier that are neither for IPv4 nor IPv6")
		return nil
	}
	a := s.at[use]
	switch {
	case uint32(of) >= a.room[family]: // of all, too
		return nil
	case of != 0:
		c.Die("classifier: asked for what is attached to one interface")
		return nil
	}
	return sortedKeys(a.by[family])
}

// dumpAttached leaves out sets of MACs where they belong: they are in the acl plugin's part.
func (s *classifier) dumpAttached(d *dump) {
	for use, name := range []string{"filters input", "filters output", "chooses policers", "counts flows"} {
		for family := range classPlaces {
			a := s.at[use]
			for _, i := range sortedKeys(a.by[family]) {
				if t := s.tables.at(a.by[family][i]); t == nil || !t.macs {
					d.line(fmt.Sprintf("classifier's table %d %s of %d", a.by[family][i], name, i), []string{"", "IPv6", "bridged"}[family], when(!a.live[family][i], "to no effect"))
				}
			}
		}
	}
}
