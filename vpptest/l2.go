// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
)

// A domain is a bridge domain. Its index inside VPP, the lowest free, is what static
// MACs hang on, and so a new domain finds those of an old one.
type domain struct {
	id         uint32
	index      uint32
	flags      l2.BdFlags
	age        uint8
	learnLimit uint32
	tag        string
	bvi, uuFwd *iface
	members    []*iface
	neighbours map[string]mac // ARP and ND entries, by address
}

// flooding is how VPP makes a domain that set_l2_bridge finds missing.
const flooding = l2.BRIDGE_API_FLAG_LEARN | l2.BRIDGE_API_FLAG_FWD | l2.BRIDGE_API_FLAG_FLOOD | l2.BRIDGE_API_FLAG_UU_FLOOD

const (
	maxDomainID       = 1<<24 - 1
	defaultLearnLimit = 1 << 24
)

// bridges is the L2 part of VPP.
type bridges struct {
	v       *VPP
	domains map[uint32]*domain // by id; 0 is VPP's own, where frames are dropped
	byIndex []*domain          // nil is free
	ports   map[uint32]*port   // by interface index; outlives the interface
	fib     map[fibKey]fibEntry
	bvis    instances
	ages    map[uint32]uint8 // of dead domains, by index
}

func loadL2(v *VPP) {
	b := &bridges{
		v:       v,
		domains: make(map[uint32]*domain),
		ports:   make(map[uint32]*port),
		fib:     make(map[fibKey]fibEntry),
		ages:    make(map[uint32]uint8),
	}
	l := v.life
	local := l.interfaces.all[0]
	b.open(&domain{id: 0, bvi: local, uuFwd: local}) // VPP left them at 0
	l.bridges = b
	l.states = append(l.states, b.dump)
	s := l.interfaces
	s.deleting = append(s.deleting, b.forget)
	s.changed = append(s.changed, b.moveBVI)
	s.describe = append(s.describe, b.describe)

	Handle(v, b.addDel)
	HandleDump(v, b.details)
	Handle(v, b.setFlags)
	Handle(v, b.setAge)
	Handle(v, b.setLearnLimit)
	Handle(v, b.setBridge)
	Handle(v, b.setXconnect)
	HandleDump(v, b.xconnects)
	Handle(v, b.setPortFlags)
	Handle(v, b.setRewrite)
	Handle(v, b.addDelMAC)
	HandleDump(v, b.macs)
	Handle(v, b.addDelNeighbour)
	HandleDump(v, b.neighbours)
	Handle(v, b.createBVI)
	Handle(v, b.deleteBVI)
}

// open adds a domain at the lowest free index, with the age that a dead one left there.
func (b *bridges) open(d *domain) *domain {
	i := slices.Index(b.byIndex, nil)
	if len(b.domains) == len(b.byIndex) {
		i = len(b.byIndex)
		b.byIndex = append(b.byIndex, nil)
	}
	d.index, d.learnLimit, d.neighbours = uint32(i), defaultLearnLimit, make(map[string]mac)
	d.age = b.ages[d.index]
	b.byIndex[i], b.domains[d.id] = d, d
	return d
}

func (b *bridges) addDel(_ *Call, q *l2.BridgeDomainAddDelV2) *l2.BridgeDomainAddDelV2Reply {
	retval, id := b.add(q)
	if !q.IsAdd {
		retval, id = b.remove(q.BdID), q.BdID
	}
	return &l2.BridgeDomainAddDelV2Reply{Retval: retval, BdID: id}
}

func (b *bridges) add(q *l2.BridgeDomainAddDelV2) (int32, uint32) {
	id := q.BdID
	switch {
	case !q.IsAdd:
		return 0, id
	case id == none:
		id = b.unusedID()
	case id > maxDomainID:
		return bridgeDomainIDTooBig, id
	case b.domains[id] != nil:
		return bridgeDomainExists, id
	}
	d := b.open(&domain{id: id, tag: cut(q.BdTag, 63)})
	d.age = q.MacAge
	for flag, on := range map[l2.BdFlags]bool{
		l2.BRIDGE_API_FLAG_LEARN: q.Learn, l2.BRIDGE_API_FLAG_FWD: q.Forward,
		l2.BRIDGE_API_FLAG_FLOOD: q.Flood, l2.BRIDGE_API_FLAG_UU_FLOOD: q.UuFlood,
		l2.BRIDGE_API_FLAG_ARP_TERM: q.ArpTerm, l2.BRIDGE_API_FLAG_ARP_UFWD: q.ArpUfwd,
	} {
		if on {
			d.flags |= flag
		}
	}
	return 0, id
}

// remove leaves the static MACs of the domain behind, for the next one at its index.
func (b *bridges) remove(id uint32) int32 {
	d := b.domains[id]
	switch {
	case id == 0:
		return bridgeDomainFixed
	case d == nil:
		return noSuchEntry
	case len(d.members) > 0:
		return bridgeDomainInUse
	}
	if d.uuFwd != nil {
		b.port(d.uuFwd).domain = nil // stays in L2 mode, in no domain
	}
	delete(b.domains, id)
	b.byIndex[d.index], b.ages[d.index] = nil, d.age
	return 0
}

func (b *bridges) details(_ *Call, q *l2.BridgeDomainDump) (out []*l2.BridgeDomainDetails) {
	if q.SwIfIndex != none || q.BdID == 0 {
		return nil
	}
	for _, d := range b.byIndex[1:] {
		if d == nil || q.BdID != none && q.BdID != d.id {
			continue
		}
		has := func(f l2.BdFlags) bool { return d.flags&f != 0 }
		out = append(out, &l2.BridgeDomainDetails{
			BdID: d.id, BdTag: d.tag, MacAge: d.age,
			Learn: has(l2.BRIDGE_API_FLAG_LEARN), Forward: has(l2.BRIDGE_API_FLAG_FWD),
			Flood: has(l2.BRIDGE_API_FLAG_FLOOD), UuFlood: has(l2.BRIDGE_API_FLAG_UU_FLOOD),
			ArpTerm: has(l2.BRIDGE_API_FLAG_ARP_TERM), ArpUfwd: has(l2.BRIDGE_API_FLAG_ARP_UFWD),
			BviSwIfIndex: indexOf(d.bvi), UuFwdSwIfIndex: indexOf(d.uuFwd),
			SwIfDetails: b.memberDetails(d),
		})
	}
	return out
}

func (b *bridges) memberDetails(d *domain) (out []l2.BridgeDomainSwIf) {
	for _, m := range d.members {
		out = append(out, l2.BridgeDomainSwIf{
			Context:   garbage,
			SwIfIndex: indexOf(m),
			Shg:       b.port(m).shg,
		})
	}
	return out
}

// garbage fills what VPP leaves to chance.
const garbage = 0xdeadbeef

func indexOf(i *iface) interface_types.InterfaceIndex {
	if i == nil {
		return none
	}
	return interface_types.InterfaceIndex(i.index)
}

// settable returns the domain of an id that a client may change.
func (b *bridges) settable(id uint32) (*domain, int32) {
	switch d := b.domains[id]; {
	case id == 0:
		return nil, bridgeDomainFixed
	case d == nil:
		return nil, noSuchEntry
	default:
		return d, 0
	}
}

const allFlags = 1<<6 - 1

// features are the flags as the data path has them: a mask on those of each port.
func (d *domain) features() uint32 {
	mask := uint32(none)&^bridgeBits | featDrop
	if d.uuFwd != nil {
		mask |= featUUFwd
	}
	for flag, bit := range map[l2.BdFlags]uint32{
		l2.BRIDGE_API_FLAG_LEARN: featLearn, l2.BRIDGE_API_FLAG_FWD: featFwd,
		l2.BRIDGE_API_FLAG_FLOOD: featFlood, l2.BRIDGE_API_FLAG_UU_FLOOD: featUUFlood,
		l2.BRIDGE_API_FLAG_ARP_TERM: featARPTerm, l2.BRIDGE_API_FLAG_ARP_UFWD: featARPUFwd,
	} {
		if d.flags&flag != 0 {
			mask |= bit
		}
	}
	return mask
}

func (b *bridges) setFlags(_ *Call, q *l2.BridgeFlags) *l2.BridgeFlagsReply {
	d, retval := b.settable(q.BdID)
	switch {
	case retval != 0:
		return &l2.BridgeFlagsReply{Retval: retval}
	case q.IsSet:
		d.flags |= q.Flags & allFlags
	default:
		d.flags &^= q.Flags
	}
	return &l2.BridgeFlagsReply{ResultingFeatureBitmap: d.features()}
}

func (b *bridges) setAge(_ *Call, q *l2.BridgeDomainSetMacAge) *l2.BridgeDomainSetMacAgeReply {
	d, retval := b.settable(q.BdID)
	if retval != 0 {
		return &l2.BridgeDomainSetMacAgeReply{Retval: retval}
	}
	d.age = q.MacAge
	return new(l2.BridgeDomainSetMacAgeReply)
}

func (b *bridges) setLearnLimit(_ *Call, q *l2.BridgeDomainSetLearnLimit) *l2.BridgeDomainSetLearnLimitReply {
	d, retval := b.settable(q.BdID)
	if retval != 0 {
		return &l2.BridgeDomainSetLearnLimitReply{Retval: retval}
	}
	d.learnLimit = q.LearnLimit
	return new(l2.BridgeDomainSetLearnLimitReply)
}

func (b *bridges) createBVI(_ *Call, q *l2.BviCreate) *l2.BviCreateReply {
	instance := q.UserInstance
	if instance == none {
		instance = b.bvis.lowest()
	}
	if instance >= maxLoopbacks || b.bvis.taken(instance) {
		return &l2.BviCreateReply{Retval: invalidRegistration, SwIfIndex: none}
	}
	b.bvis.take(instance)
	address := q.Mac
	if address == (mac{}) {
		address = mac{0xb0, 0xb0, 0, 0, 0, byte(instance)}
	}
	i := b.v.life.interfaces.add(&iface{
		name: fmt.Sprint("bvi", instance), class: bviClass, instance: instance, mac: address, ready: true, at: floodFirst,
	})
	return &l2.BviCreateReply{SwIfIndex: indexOf(i)}
}

// deleteBVI takes a sub-interface for its BVI, as VPP does.
func (b *bridges) deleteBVI(_ *Call, q *l2.BviDelete) *l2.BviDeleteReply {
	i := b.v.life.interfaces.at(q.SwIfIndex)
	if i == nil || i.hw.class != bviClass {
		return &l2.BviDeleteReply{Retval: invalidInterface}
	}
	b.bvis.release(i.hw.instance)
	b.v.life.interfaces.delete(i.hw)
	return new(l2.BviDeleteReply)
}

func (b *bridges) dump(d *dump) {
	for _, id := range sortedKeys(b.domains) {
		if id == 0 {
			continue
		}
		bd := b.domains[id]
		d.line(fmt.Sprintf("bridge-domain %d %s", id, bd.flags), fmt.Sprintf("age %d", bd.age),
			when(bd.learnLimit != defaultLearnLimit, "learn-limit %d", bd.learnLimit),
			when(bd.tag != "", "tag %q", bd.tag))
		for _, address := range sortedKeys(bd.neighbours) {
			mac := bd.neighbours[address]
			d.line(" ", "neighbour", address, mac.String())
		}
	}
	b.dumpPorts(d)
	b.dumpFIB(d)
}

// describe adds the tag rewrite to what sw_interface_dump tells of a port.
func (b *bridges) describe(i *iface, d *interfaces_api.SwInterfaceDetails) {
	if p := b.ports[i.index]; p != nil && !i.hw.class.l3 {
		d.VtrOp, d.VtrPushDot1q, d.VtrTag1, d.VtrTag2 = p.rewrite.op, p.rewrite.push, p.rewrite.tag1, p.rewrite.tag2
	}
}
