// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/lisp"
	"go.fd.io/govpp/binapi/lisp_gpe"
	"go.fd.io/govpp/binapi/one"
)

var (
	gpeClass   = &class{devType: "LISP_GPE", mtu: featureDisabled, l3: true, linkAdmin: true}
	gpeL2Class = &class{devType: "L2_LISP_GPE", mtu: featureDisabled, l3: true, linkAdmin: true}
)

// lisps is the lisp plugin, which makes overlays: VNIs of bridge domains and tables, and
// who is where in them.
type lisps struct {
	v           *VPP
	on          bool
	vxlan, petr bool

	maps    [2]map[uint32]uint32 // VNI to table, and to bridge domain
	back    [2]map[uint32]uint32
	tenants map[uint32]*tenant
	order   pool[*tenant]
	idle    []*iface // of VNIs that are no more; the last one is the next one's

	sets     pool[locatorSet]
	reach    uint32 // the first index beyond all sets that ever had an EID
	mappings pool[eidMapping]
	places   map[eidKey]uint32 // of mappings
	locals   map[uint32]*eidMapping
	forward  pool[forwarding] // adjacencies

	arps map[arpKey]mac
}

// A tenant is what keeps the interfaces of a VNI: for a table, and for a bridge domain.
type tenant struct {
	vni    uint32
	at     uint32
	locks  [2]int
	table  [2]uint32
	ifaces [2]*iface
}

func loadLISP(v *VPP) {
	s := &lisps{v: v, tenants: make(map[uint32]*tenant), places: make(map[eidKey]uint32), locals: make(map[uint32]*eidMapping), arps: make(map[arpKey]mac)}
	for i := range s.maps {
		s.maps[i], s.back[i] = make(map[uint32]uint32), make(map[uint32]uint32)
	}
	s.maps[0][0], s.back[0][0] = 0, 0 // VNI 0 is the default table's
	v.life.states = append(v.life.states, s.dump)
	v.life.interfaces.switched = append(v.life.interfaces.switched, func(i *iface) {
		if !i.admin && (i.class == gpeClass || i.class == gpeL2Class) {
			i.ready = false // its link does not come back
		}
	})
	Handle(v, s.enable)
	Handle(v, s.status)
	Handle(v, s.setEncap)
	Handle(v, s.encap)
	Handle(v, s.forwarded)
	Handle(v, s.setPETR)
	Handle(v, s.petrMode)
	Handle(v, s.mapVNI)
	HandleDump(v, s.vnis)
	Handle(v, s.addDelSet)
	HandleDump(v, s.setDetails)
	HandleDump(v, s.locatorDetails)
	Handle(v, s.local)
	Handle(v, s.remote)
	HandleDump(v, s.eids)
	Handle(v, s.adjacent)
	Handle(v, s.adjacencies)
	Handle(v, s.addDelARP)
	Handle(v, s.addDelND)
	Handle(v, s.arpsOf)
	Handle(v, s.ndsOf)
	Handle(v, s.arpDomains)
	Handle(v, s.ndDomains)
}

// lispDisabled is what is answered to almost all while LISP is off.
const lispDisabled = -90

func (s *lisps) enable(c *Call, q *lisp.LispEnableDisable) *lisp.LispEnableDisableReply {
	if q.IsEnable {
		for is2 := range s.maps {
			for _, vni := range hashOrder(s.maps[is2], nil) {
				s.lock(c, vni, s.maps[is2][vni], is2)
			}
		}
	} else {
		s.forward = pool[forwarding]{}
		for _, l := range s.locals {
			l.towards = nil
		}
		s.order.each(none, func(_ uint32, t **tenant) {
			vni := (*t).vni
			s.unlock(c, vni, 1)
			s.unlock(c, vni, 0)
		})
	}
	s.on = q.IsEnable
	return new(lisp.LispEnableDisableReply)
}

// lock makes the interface of a VNI, if it has none.
func (s *lisps) lock(c *Call, vni, table uint32, is2 int) {
	t := s.tenants[vni]
	if t == nil {
		t = &tenant{vni: vni, table: [2]uint32{none, none}}
		t.at, _ = s.order.put(none, t)
		s.tenants[vni] = t
	}
	if t.table[is2] == none {
		t.table[is2] = table
	}
	if t.locks[is2]++; t.locks[is2] == 1 {
		t.ifaces[is2] = s.open(c, vni, table, is2)
	}
}

func (s *lisps) open(c *Call, vni, table uint32, is2 int) *iface {
	all := s.v.life.interfaces
	name, kind := fmt.Sprint("lisp_gpe", int32(vni)), gpeClass
	if is2 == 1 {
		name, kind = "l2_"+name, gpeL2Class
	}
	var i *iface
	if n := len(s.idle); n > 0 {
		i, s.idle = s.idle[n-1], s.idle[:n-1]
		i.name = name // but the class is what it was made with
	} else {
		i = all.add(&iface{name: name, class: kind})
	}
	if is2 == 0 {
		s.v.life.features.toggled("arp", i)
		ips := s.v.life.ips
		for _, is6 := range []bool{false, true} {
			t := ips.table(is6, table)
			ips.side(i.index).tables[family(is6)] = t
			ips.lock(t) // for good
			ips.lock(t)
			lead(c, t, true)
		}
	}
	i.ready = true
	all.setAdmin(i, true)
	all.follow(i)
	if is2 == 1 {
		s.v.life.bridges.join(c, i, &l2.SwInterfaceSetL2Bridge{RxSwIfIndex: indexOf(i), BdID: table, Enable: true})
	}
	return i
}

// unlock ends the interface of a VNI with the last lock: VPP keeps it for the next one.
func (s *lisps) unlock(c *Call, vni uint32, is2 int) {
	t := s.tenants[vni]
	if t == nil || t.locks[is2] == 0 {
		return
	}
	if t.locks[is2]--; t.locks[is2] == 0 {
		i := t.ifaces[is2]
		if is2 == 1 {
			s.v.life.bridges.leave(c, i)
		}
		i.ready = false
		s.v.life.interfaces.setAdmin(i, false)
		s.v.life.interfaces.follow(i)
		s.idle = append(s.idle, i)
		for _, is6 := range []bool{false, true}[:2*(1-is2)] {
			in := s.v.life.ips.table(is6, t.table[0])
			lead(c, in, false)
			s.v.life.ips.unlock(in)
		}
	}
	if t.locks == [2]int{} {
		delete(s.tenants, vni)
		s.order.delete(t.at)
	}
}

// lead has what no route of a table leads to asked of LISP, or no more.
func lead(c *Call, t *fibTable, on bool) {
	all := builtinEntries[family(t.is6)][0].prefix
	e := t.entries[all]
	switch {
	case on && e.sources[srcLISP] != nil:
		c.NotImitated("an overlay of a table with a default route in LISP's name")
	case on:
		path := dropped(t.is6)[0]
		path.Type = fib_types.FIB_API_PATH_TYPE_NORMAL
		*t.source(all, srcLISP) = routeSource{paths: []fib_types.FibPath{path}, builtin: true}
	default:
		delete(e.sources, srcLISP)
	}
}

func (s *lisps) status(*Call, *lisp.ShowLispStatus) *lisp.ShowLispStatusReply {
	return &lisp.ShowLispStatusReply{IsLispEnabled: s.on, IsGpeEnabled: s.on}
}

func (s *lisps) setEncap(_ *Call, q *lisp_gpe.GpeSetEncapMode) *lisp_gpe.GpeSetEncapModeReply {
	used := false
	s.forward.each(none, func(uint32, *forwarding) { used = true })
	if used {
		return &lisp_gpe.GpeSetEncapModeReply{Retval: gpeEntriesPresent}
	}
	s.vxlan = q.IsVxlan
	return new(lisp_gpe.GpeSetEncapModeReply)
}

const gpeEntriesPresent = -113

func (s *lisps) encap(*Call, *lisp_gpe.GpeGetEncapMode) *lisp_gpe.GpeGetEncapModeReply {
	return &lisp_gpe.GpeGetEncapModeReply{EncapMode: flag(s.vxlan)}
}

// forwarded tells of the VNIs in which anything is forwarded.
func (s *lisps) forwarded(*Call, *lisp_gpe.GpeFwdEntryVnisGet) *lisp_gpe.GpeFwdEntryVnisGetReply {
	vnis := map[uint32]bool{}
	s.forward.each(none, func(_ uint32, f *forwarding) { vnis[f.remote.vni] = true })
	r := &lisp_gpe.GpeFwdEntryVnisGetReply{Vnis: hashOrder(vnis, nil)}
	r.Count = uint32(len(r.Vnis))
	return r
}

func (s *lisps) setPETR(_ *Call, q *one.OneEnableDisablePetrMode) *one.OneEnableDisablePetrModeReply {
	s.petr = q.IsEnable
	return new(one.OneEnableDisablePetrModeReply)
}

func (s *lisps) petrMode(*Call, *one.OneShowPetrMode) *one.OneShowPetrModeReply {
	return &one.OneShowPetrModeReply{IsEnable: s.petr}
}

// mapVNI does not look whether the VNI and the table that are to be parted belong
// together.
func (s *lisps) mapVNI(c *Call, q *lisp.LispEidTableAddDelMap) *lisp.LispEidTableAddDelMapReply {
	is2 := int(flag(q.IsL2))
	_, mapped := s.maps[is2][q.Vni]
	vni, taken := s.back[is2][q.DpTable]
	r := new(lisp.LispEidTableAddDelMapReply)
	switch {
	case !s.on:
		r.Retval = lispDisabled
	case !q.IsL2 && (q.Vni == 0 || q.DpTable == 0), q.IsAdd && (mapped || taken), !q.IsAdd && (!mapped || !taken):
		r.Retval = unspecified
	case q.IsL2 && q.IsAdd && q.DpTable > maxDomainID:
		r.Retval = c.NotImitated("a bridge domain beyond the last, which VPP takes, and makes no interface for")
	case q.IsAdd && !q.IsL2 && s.v.life.ips.ended(q.DpTable):
		r.Retval = c.NotImitated("table 4294967295, which VPP finds by its number when it has ended")
	case q.IsAdd:
		s.maps[is2][q.Vni], s.back[is2][q.DpTable] = q.DpTable, q.Vni
		s.lock(c, q.Vni, q.DpTable, is2)
	case vni != q.Vni:
		r.Retval = c.NotImitated("a VNI and a table that do not belong together, which VPP parts")
	default:
		s.unlock(c, q.Vni, is2)
		delete(s.maps[is2], q.Vni)
		delete(s.back[is2], q.DpTable)
	}
	return r
}

func (s *lisps) vnis(_ *Call, q *lisp.LispEidTableMapDump) (out []*lisp.LispEidTableMapDetails) {
	all := s.maps[flag(q.IsL2)]
	for _, vni := range hashOrder(all, nil) {
		out = append(out, &lisp.LispEidTableMapDetails{Vni: vni, DpTable: all[vni]})
	}
	return out
}

// A locatorSet is what this end is reached by, or another one.
type locatorSet struct {
	name     string // of those of this end
	local    bool
	locators []lispLocator
	users    int // EIDs
}

type lispLocator struct {
	index            uint32 // of this end
	address          lispAddress
	priority, weight uint8
}

func (s *lisps) set(name string) (at uint32, found *locatorSet) {
	s.sets.each(none, func(i uint32, x *locatorSet) {
		if x.local && x.name == name {
			at, found = i, x
		}
	})
	return at, found
}

func (s *lisps) addDelSet(c *Call, q *lisp.LispAddDelLocatorSet) *lisp.LispAddDelLocatorSetReply {
	r := &lisp.LispAddDelLocatorSetReply{LsIndex: none}
	var locators []lispLocator
	for _, l := range q.Locators {
		if s.v.life.interfaces.at(l.SwIfIndex) == nil {
			r.Retval = invalidInterface
			return r
		}
		locators = append(locators, lispLocator{index: uint32(l.SwIfIndex), priority: l.Priority, weight: l.Weight})
	}
	at, x := s.set(cut(q.LocatorSetName, 63))
	switch {
	case !s.on:
		r.Retval = lispDisabled
	case q.IsAdd:
		if x == nil {
			at, _ = s.sets.put(none, locatorSet{name: cut(q.LocatorSetName, 63), local: true})
			x = s.sets.at(at)
		}
		r.LsIndex, x.locators = at, nil
		for _, l := range locators {
			if x.has(l.index) {
				r.Retval = valueExists
				break
			}
			x.locators = append(x.locators, l)
		}
	case x == nil:
		r.Retval = unspecified
	case 0 < s.reach && s.reach <= at:
		c.Die("looked for the EIDs of a locator set behind its list of them")
	case x.users > 0:
		r.Retval = unspecified
	default:
		s.sets.delete(at)
	}
	return r
}

func (x *locatorSet) has(index uint32) bool {
	for _, l := range x.locators {
		if l.index == index {
			return true
		}
	}
	return false
}

func (s *lisps) setDetails(_ *Call, q *lisp.LispLocatorSetDump) (out []*lisp.LispLocatorSetDetails) {
	s.sets.each(none, func(i uint32, x *locatorSet) {
		if q.Filter == 1 && !x.local || q.Filter == 2 && x.local || q.Filter > 2 {
			return
		}
		name := x.name
		if !x.local {
			name = fmt.Sprintf("<remote-%d>", i)
		}
		out = append(out, &lisp.LispLocatorSetDetails{LsIndex: i, LsName: name})
	})
	return out
}

func (s *lisps) locatorDetails(_ *Call, q *lisp.LispLocatorDump) (out []*lisp.LispLocatorDetails) {
	x := s.sets.at(q.LsIndex)
	if q.IsIndexSet == 0 {
		_, x = s.set(cut(q.LsName, 63))
	}
	if x == nil {
		return nil
	}
	for _, l := range x.locators {
		d := &lisp.LispLocatorDetails{Local: flag(x.local), Priority: l.priority, Weight: l.weight}
		if x.local {
			d.SwIfIndex = interface_types.InterfaceIndex(l.index)
		} else {
			d.IPAddress = wireAddr(l.address)
		}
		out = append(out, d)
	}
	return out
}
