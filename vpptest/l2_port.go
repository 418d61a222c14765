// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
)

// A mode is what happens to the frames that an interface gets.
type mode uint8

const (
	routed mode = iota
	bridged
	crossed
)

// A port is the L2 side of an interface index. It outlives the interface: the next
// one on the index finds what was left.
type port struct {
	mode    mode
	kind    l2.L2PortType
	domain  *domain
	shg     uint8
	peer    uint32 // of a cross-connect
	bits    uint32 // input features
	rewrite rewrite
}

// A rewrite is what l2_interface_vlan_tag_rewrite sets.
type rewrite struct{ op, push, tag1, tag2 uint32 }

// Bits of a port's input features, as l2_flags shows them.
const (
	featDrop     = 0x1
	featXconnect = 0x2
	featFlood    = 0x4
	featARPUFwd  = 0x8
	featARPTerm  = 0x10
	featUUFlood  = 0x20
	featUUFwd    = 0x40
	featFwd      = 0x80
	featLearn    = 0x200
	featRewrite  = 0x400

	bridgeBits = 0x2fd // what joining a bridge domain turns on
)

// port returns the L2 side of an interface, making it if it has never had one.
func (b *bridges) port(i *iface) *port {
	p := b.ports[i.index]
	if p == nil {
		p = &port{}
		b.ports[i.index] = p
	}
	return p
}

func (b *bridges) setBridge(c *Call, q *l2.SwInterfaceSetL2Bridge) *l2.SwInterfaceSetL2BridgeReply {
	i := b.v.life.interfaces.at(q.RxSwIfIndex)
	r := new(l2.SwInterfaceSetL2BridgeReply)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case q.PortType > l2.L2_API_PORT_TYPE_UU_FWD:
		r.Retval = invalidValue
	case !q.Enable:
		b.leave(c, i)
	case q.BdID > maxDomainID:
		r.Retval = bridgeDomainIDTooBig
	default:
		r.Retval = b.join(c, i, q)
	}
	return r
}

// join puts a port into a domain, which is made if it is missing. When the domain has
// another BVI already, the port is left in none at all.
func (b *bridges) join(c *Call, i *iface, q *l2.SwInterfaceSetL2Bridge) int32 {
	d := b.domains[q.BdID]
	if d == nil {
		d = b.open(&domain{id: q.BdID, flags: flooding})
	}
	if !b.detach(c, i) {
		return 0
	}
	p := b.port(i)
	p.mode, p.kind, p.domain, p.shg = bridged, q.PortType, d, q.Shg
	p.bits = p.bits&^featXconnect | bridgeBits
	switch q.PortType {
	case l2.L2_API_PORT_TYPE_BVI:
		if d.bvi != nil {
			p.domain = nil
			return bridgeDomainHasBVI
		}
		if i.hw.class.l3 {
			c.Die("made a BVI of an interface without a MAC")
			return 0
		}
		d.bvi = i
		p.bits &^= featLearn
		b.fib[fibKey{d.index, i.hw.mac}] = fibEntry{index: i.index, static: true, bvi: true}
		i.at = floodFirst
		d.insert(i)
	case l2.L2_API_PORT_TYPE_UU_FWD:
		d.uuFwd = i
	default:
		d.insert(i)
	}
	return 0
}

// detach takes a port out of its domain, and leaves the rest of it as it is. It tells
// whether VPP survived that.
func (b *bridges) detach(c *Call, i *iface) bool {
	p := b.port(i)
	d := p.domain
	if d == nil {
		return true
	}
	p.domain = nil
	if at := slices.Index(d.members, i); at >= 0 {
		d.members = slices.Delete(d.members, at, at+1)
	}
	if d.bvi == i {
		d.bvi = nil
		if i.hw.class.l3 {
			c.Die("took local0 from the domain that drops, which counts it as its BVI")
			return false
		}
		if key := (fibKey{d.index, i.hw.mac}); b.fib[key].index == i.index {
			delete(b.fib, key)
		}
		i.at = floodLast
	}
	if d.uuFwd == i {
		d.uuFwd = nil
	}
	return true
}

// leave makes a port an L3 interface. Its L2 features, tag rewrite included, are lost.
func (b *bridges) leave(c *Call, i *iface) {
	if b.detach(c, i) {
		*b.port(i) = port{bits: featDrop}
	}
}

func (b *bridges) setXconnect(c *Call, q *l2.SwInterfaceSetL2Xconnect) *l2.SwInterfaceSetL2XconnectReply {
	s := b.v.life.interfaces
	i := s.at(q.RxSwIfIndex)
	r := new(l2.SwInterfaceSetL2XconnectReply)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case !q.Enable:
		b.leave(c, i)
	case s.at(q.TxSwIfIndex) == nil:
		r.Retval = invalidInterface
	case b.detach(c, i):
		p := b.port(i)
		p.mode, p.peer = crossed, uint32(q.TxSwIfIndex)
		p.bits = p.bits&^(featLearn|featFwd|featFlood) | featXconnect | featDrop
	}
	return r
}

func (b *bridges) xconnects(*Call, *l2.L2XconnectDump) (out []*l2.L2XconnectDetails) {
	for _, index := range sortedKeys(b.ports) {
		if p := b.ports[index]; p.mode == crossed {
			out = append(out, &l2.L2XconnectDetails{
				RxSwIfIndex: interface_types.InterfaceIndex(index),
				TxSwIfIndex: interface_types.InterfaceIndex(p.peer),
			})
		}
	}
	return out
}

// setPortFlags is also the way to read the features of a port: an empty bitmap
// changes nothing.
func (b *bridges) setPortFlags(_ *Call, q *l2.L2Flags) *l2.L2FlagsReply {
	i := b.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &l2.L2FlagsReply{Retval: invalidInterface}
	}
	p := b.port(i)
	for flag, bit := range portBits {
		switch {
		case q.FeatureBitmap&flag == 0:
		case q.IsSet:
			p.bits |= bit
		default:
			p.bits &^= bit
		}
	}
	return &l2.L2FlagsReply{ResultingFeatureBitmap: b.v.options.numbered(p.bits)}
}

// portBits maps what l2_flags takes to what it shows.
var portBits = map[uint32]uint32{
	1: featLearn, 2: featFwd, 4: featFlood, 8: featUUFlood, 16: featARPTerm,
}

// How many tags a frame must have for an operation.
var rewriteNeeds = []int{0: 0, 1: 0, 2: 0, 3: 1, 4: 2, 5: 1, 6: 1, 7: 2, 8: 2}

func (b *bridges) setRewrite(_ *Call, q *l2.L2InterfaceVlanTagRewrite) *l2.L2InterfaceVlanTagRewriteReply {
	r := new(l2.L2InterfaceVlanTagRewriteReply)
	switch i := b.v.life.interfaces.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case int64(q.VtrOp) >= int64(len(rewriteNeeds)):
		r.Retval = invalidValue
	case i.hw.class.l3:
		r.Retval = invalidInterface2
	case i.sub.exactTags() < rewriteNeeds[q.VtrOp]: // what it does stays, but not with which tags
		p := b.port(i)
		p.rewrite.push, p.rewrite.tag1, p.rewrite.tag2 = 0, 0, 0
		r.Retval = invalidTagCount
	default:
		p := b.port(i)
		p.rewrite, p.bits = rewrite{}, p.bits&^featRewrite
		if q.VtrOp != 0 {
			p.rewrite = rewriteOf(q)
			p.bits |= featRewrite
		}
	}
	return r
}

// rewriteOf keeps of a request what its operation uses.
func rewriteOf(q *l2.L2InterfaceVlanTagRewrite) rewrite {
	r := rewrite{op: q.VtrOp, push: min(q.PushDot1q, 1), tag1: q.Tag1 & 0xffff, tag2: q.Tag2 & 0xffff}
	switch q.VtrOp {
	case 3, 4: // pop
		return rewrite{op: q.VtrOp}
	case 1, 5, 7: // push or put one tag
		r.tag2 = 0
	}
	return r
}

// forget is what a deleted interface takes with it. A port in L3 mode keeps its tag
// rewrite, for the next one on the index; one that sends to it keeps sending there.
func (b *bridges) forget(i *iface) {
	p := b.ports[i.index]
	if p == nil || p.mode == routed {
		return
	}
	c := &Call{VPP: b.v, name: "the end of an interface"}
	if p.mode == crossed && b.v.life.interfaces.at(indexAt(p.peer)) != nil && !b.known(p.peer) {
		c.NotImitated("one that is cross-connected to what was in no bridge yet: VPP looks where its list of ports was before that grew")
		return
	}
	if p.mode == crossed && p.peer != i.index {
		if peer := b.v.life.interfaces.at(interface_types.InterfaceIndex(p.peer)); peer != nil {
			b.leave(c, peer)
		} else { // the next one on its index finds that
			b.ports[p.peer] = &port{bits: featDrop}
		}
	}
	b.leave(c, i)
}

// known tells whether VPP's list of ports reaches that far.
func (b *bridges) known(index uint32) bool {
	for i, p := range b.ports {
		if i >= index && p != nil {
			return true
		}
	}
	return false
}

// unusedID picks an id for who asks VPP to.
func (b *bridges) unusedID() uint32 {
	for {
		if id := 1 + rand.Uint32N(maxDomainID-1); b.domains[id] == nil {
			return id
		}
	}
}

func (b *bridges) dumpPorts(d *dump) {
	for _, index := range sortedKeys(b.ports) {
		p := *b.ports[index]
		if p.mode == routed {
			p.bits &^= featDrop // what was bridged once has it; on L3 it means nothing
		}
		if p == (port{}) {
			continue
		}
		where := "l3"
		switch {
		case p.mode == crossed:
			where = fmt.Sprintf("xconnect %d", p.peer)
		case p.domain != nil:
			where = fmt.Sprintf("bridge-domain %d", p.domain.id)
		case p.mode == bridged:
			where = "bridge-domain none"
		}
		d.line(fmt.Sprintf("port %d %s", index, where),
			when(p.kind != 0, "type %d", p.kind), when(p.shg != 0, "shg %d", p.shg),
			fmt.Sprintf("features %#x", p.bits), when(p.rewrite != rewrite{}, "rewrite %v", p.rewrite))
	}
}
