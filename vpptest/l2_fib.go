// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
)

// A MAC belongs to the index of a domain, not to its id.
type fibKey struct {
	domain uint32
	mac    mac
}

type fibEntry struct {
	index               uint32 // of the interface; may be dead
	static, filter, bvi bool
}

func (b *bridges) addDelMAC(_ *Call, q *l2.L2fibAddDel) *l2.L2fibAddDelReply {
	d := b.domains[q.BdID]
	if d == nil {
		return &l2.L2fibAddDelReply{Retval: noSuchEntry}
	}
	key := fibKey{d.index, q.Mac}
	if !q.IsAdd {
		e, ok := b.fib[key]
		if !ok || q.SwIfIndex != 0 && uint32(q.SwIfIndex) != e.index {
			return &l2.L2fibAddDelReply{Retval: noSuchEntry}
		}
		delete(b.fib, key)
		return new(l2.L2fibAddDelReply)
	}
	e := fibEntry{index: none, static: true, filter: true}
	if !q.FilterMac {
		i := b.v.life.interfaces.at(q.SwIfIndex)
		if i == nil || b.port(i).mode != bridged {
			return &l2.L2fibAddDelReply{Retval: invalidInterface}
		}
		e = fibEntry{index: i.index, static: q.StaticMac, bvi: q.BviMac}
	}
	b.fib[key] = e
	return new(l2.L2fibAddDelReply)
}

func (b *bridges) macs(_ *Call, q *l2.L2FibTableDump) (out []*l2.L2FibTableDetails) {
	for _, key := range b.fibKeys() {
		id := uint32(none)
		if d := b.domainAt(key.domain); d != nil {
			id = d.id
		}
		if q.BdID != none && q.BdID != id {
			continue
		}
		e := b.fib[key]
		out = append(out, &l2.L2FibTableDetails{
			BdID: id, Mac: key.mac, SwIfIndex: interface_types.InterfaceIndex(e.index),
			StaticMac: e.static, FilterMac: e.filter, BviMac: e.bvi,
		})
	}
	return out
}

func (b *bridges) domainAt(index uint32) *domain {
	if int(index) < len(b.byIndex) {
		return b.byIndex[index]
	}
	return nil
}

func (b *bridges) fibKeys() []fibKey {
	keys := make([]fibKey, 0, len(b.fib))
	for key := range b.fib {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y fibKey) int {
		if x.domain != y.domain {
			return int(x.domain) - int(y.domain)
		}
		return slices.Compare(x.mac[:], y.mac[:])
	})
	return keys
}

// moveBVI keeps the entry of a BVI at its MAC, if it is of a kind that tells.
func (b *bridges) moveBVI(i *iface, old mac) {
	p := b.ports[i.index]
	if p == nil || p.domain == nil || p.domain.bvi != i || i.class != loopbackClass && i.class != bviClass {
		return
	}
	if key := (fibKey{p.domain.index, old}); b.fib[key].index == i.index {
		delete(b.fib, key)
	}
	b.fib[fibKey{p.domain.index, i.mac}] = fibEntry{index: i.index, static: true, bvi: true}
}

// addDelNeighbour keeps what ARP termination answers with.
func (b *bridges) addDelNeighbour(_ *Call, q *l2.BdIPMacAddDel) *l2.BdIPMacAddDelReply {
	d, retval := b.settable(q.Entry.BdID)
	if retval != 0 {
		return &l2.BdIPMacAddDelReply{Retval: retval}
	}
	address := q.Entry.IP.String()
	if !q.IsAdd {
		if known, ok := d.neighbours[address]; !ok || known != q.Entry.Mac {
			return &l2.BdIPMacAddDelReply{Retval: unspecified}
		}
		delete(d.neighbours, address)
		return new(l2.BdIPMacAddDelReply)
	}
	d.neighbours[address] = q.Entry.Mac
	return new(l2.BdIPMacAddDelReply)
}

func (b *bridges) neighbours(_ *Call, q *l2.BdIPMacDump) (out []*l2.BdIPMacDetails) {
	for _, id := range sortedKeys(b.domains) {
		if q.BdID != none && q.BdID != id {
			continue
		}
		d := b.domains[id]
		for _, address := range sortedKeys(d.neighbours) {
			e := l2.BdIPMac{BdID: id, Mac: d.neighbours[address]}
			if e.IP.UnmarshalText([]byte(address)) == nil {
				out = append(out, &l2.BdIPMacDetails{Entry: e})
			}
		}
	}
	return out
}

func (b *bridges) dumpFIB(d *dump) {
	for _, key := range b.fibKeys() {
		e := b.fib[key]
		if !e.static {
			continue
		}
		where := "none"
		if bd := b.domainAt(key.domain); bd != nil {
			where = fmt.Sprint(bd.id)
		}
		d.line(fmt.Sprintf("mac %s bridge-domain %s", key.mac, where),
			when(!e.filter, "interface %d", e.index), when(e.filter, "filter"), when(e.bvi, "bvi"))
	}
}
