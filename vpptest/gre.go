// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/gre"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/tunnel_types"
)

var (
	greClass   = &class{devType: "GRE tunnel device", setMAC: true, linkAdmin: true, mtu: unsupported}
	greL3Class = &class{devType: "GRE tunnel device", mtu: featureDisabled, linkAdmin: true, l3: true}
)

// gres is the gre plugin.
type gres struct {
	v       *VPP
	tunnels pool[*greTunnel]
	keys    map[greKey]uint32
	numbers map[uint32]bool
}

type greKey struct {
	src, dst netip.Addr
	table    *fibTable
	typ      gre.GreTunnelType
	mode     tunnel_types.TunnelMode
	session  uint16
	gre      uint32 // 0: packets bear none
}

type greTunnel struct {
	*iface
	place uint32
	key   greKey
	q     gre.GreTunnel
	looks bool // up its other end in the table
}

func loadGRE(v *VPP) {
	g := &gres{v: v, keys: make(map[greKey]uint32), numbers: make(map[uint32]bool)}
	v.life.states = append(v.life.states, g.dump)
	i := v.life.interfaces
	i.switched = append(i.switched, g.look)
	v.life.ips.moved = append(v.life.ips.moved, func(index uint32, _ netip.Prefix, _ bool) {
		if i := i.at(indexAt(index)); i != nil {
			g.look(i)
		}
	})
	Handle(v, g.addDel)
	Handle(v, g.addDelV2)
	HandleDump(v, g.details)
	HandleDump(v, g.detailsV2)
}

func (g *gres) addDel(c *Call, q *gre.GreTunnelAddDel) *gre.GreTunnelAddDelReply {
	index, retval := g.do(c, q.IsAdd, q.Tunnel, 0)
	return &gre.GreTunnelAddDelReply{Retval: retval, SwIfIndex: indexAt(index)}
}

func (g *gres) addDelV2(c *Call, q *gre.GreTunnelAddDelV2) *gre.GreTunnelAddDelV2Reply {
	t := q.Tunnel
	index, retval := g.do(c, q.IsAdd, gre.GreTunnel{
		Type: t.Type, Mode: t.Mode, Flags: t.Flags, SessionID: t.SessionID, Instance: t.Instance, OuterTableID: t.OuterTableID, Src: t.Src, Dst: t.Dst,
	}, t.Key)
	return &gre.GreTunnelAddDelV2Reply{Retval: retval, SwIfIndex: indexAt(index)}
}

func (g *gres) do(c *Call, add bool, q gre.GreTunnel, number uint32) (index uint32, retval int32) {
	const allFlags = 0x7f
	src, dst := addrOf(q.Src), addrOf(q.Dst)
	table := g.v.life.ips.pool[family(src.Is6())].find(q.OuterTableID)
	switch {
	case src.Is4() != dst.Is4():
		return none, invalidProtocol
	case src == dst:
		return none, sameSrcDst
	case q.Type > gre.GRE_API_TUNNEL_TYPE_ERSPAN:
		return none, invalidValue
	case q.Mode > tunnel_types.TUNNEL_API_MODE_MP:
		return none, invalidValue2
	case q.Flags&^allFlags != 0:
		return none, c.NotImitated("flags that there are not")
	case table == nil:
		return none, noSuchFIB
	case q.SessionID > 1023:
		return none, invalidSession
	case q.Mode == tunnel_types.TUNNEL_API_MODE_MP && !dst.IsUnspecified():
		return none, invalidDestination
	}
	key := greKey{src, dst, table, q.Type, q.Mode, q.SessionID, number}
	at, found := g.keys[key]
	switch {
	case !add && !found:
		return none, noSuchEntry
	case !add:
		return g.delete(*g.tunnels.at(at)), 0
	case found:
		return none, interfaceExists
	}
	place, _ := g.tunnels.put(none, nil)
	if q.Instance == none {
		q.Instance = place
	}
	if g.numbers[q.Instance] {
		g.tunnels.delete(place)
		return none, instanceInUse
	}
	q.Src, q.Dst = wireAddr(short(src)), wireAddr(short(dst))
	return g.make(&greTunnel{place: place, key: key, q: q}), 0
}

func (g *gres) make(t *greTunnel) uint32 {
	overhead := uint16(24)
	if t.key.dst.Is6() {
		overhead = 44
	}
	t.iface = &iface{
		name: fmt.Sprintf("gre%d", int32(t.q.Instance)), class: greClass, ready: true,
		mac: mac{0xd0, 0x0b, 0xee, 0xd0, byte(t.place >> 8), byte(t.place)},
	}
	linkMTU := 9000 + 22 - overhead
	if t.q.Type == gre.GRE_API_TUNNEL_TYPE_L3 {
		t.class, linkMTU = greL3Class, -overhead // as VPP counts, from nothing
	}
	if t.q.Type != gre.GRE_API_TUNNEL_TYPE_ERSPAN {
		t.q.SessionID = 0
	}
	g.v.life.interfaces.add(t.iface)
	t.linkMTU, t.mtu[0] = linkMTU, 9000
	*g.tunnels.at(t.place), g.keys[t.key], g.numbers[t.q.Instance] = t, t.place, true
	return t.index
}

// look has a tunnel look up its other end, once it has something to send: as soon as it is up,
// one of packets as soon as it also has a neighbourhood. It does so for as long as it is there.
func (g *gres) look(i *iface) {
	if i.class != greClass && i.class != greL3Class {
		return
	}
	g.tunnels.each(none, func(_ uint32, p **greTunnel) {
		t := *p
		ips := g.v.life.ips
		if t == nil || t.iface != i || t.looks || !i.admin || t.q.Mode != tunnel_types.TUNNEL_API_MODE_P2P {
			return
		}
		if i.class.l3 && len(ips.own(i.index, false))+len(ips.own(i.index, true)) == 0 {
			return
		}
		t.looks = true
		ips.track(t.key.table, t.key.dst)
	})
}

func (g *gres) delete(t *greTunnel) uint32 {
	g.v.life.interfaces.delete(t.iface)
	if t.looks {
		g.v.life.ips.untrack(t.key.table, t.key.dst)
	}
	delete(g.keys, t.key)
	delete(g.numbers, t.q.Instance)
	g.tunnels.delete(t.place)
	return t.index
}

func (g *gres) details(_ *Call, q *gre.GreTunnelDump) (out []*gre.GreTunnelDetails) {
	g.each(q.SwIfIndex, func(t gre.GreTunnel, _ uint32) {
		out = append(out, &gre.GreTunnelDetails{Tunnel: t})
	})
	return out
}

func (g *gres) detailsV2(_ *Call, q *gre.GreTunnelDumpV2) (out []*gre.GreTunnelDetailsV2) {
	g.each(q.SwIfIndex, func(t gre.GreTunnel, number uint32) {
		out = append(out, &gre.GreTunnelDetailsV2{Tunnel: gre.GreTunnelV2{
			Type: t.Type, Mode: t.Mode, Flags: t.Flags, SessionID: t.SessionID, Instance: t.Instance, OuterTableID: t.OuterTableID, SwIfIndex: t.SwIfIndex,
			Src: t.Src, Dst: t.Dst, Key: number,
		}})
	})
	return out
}

// each tells of the tunnel with an index, or of all.
func (g *gres) each(only interface_types.InterfaceIndex, f func(t gre.GreTunnel, number uint32)) {
	g.tunnels.each(none, func(_ uint32, p **greTunnel) {
		t := *p
		if only == none || only == indexOf(t.iface) {
			d := t.q
			d.SwIfIndex, d.OuterTableID = indexOf(t.iface), t.key.table.id
			f(d, t.key.gre)
		}
	})
}

func (g *gres) dump(d *dump) {
	g.tunnels.each(none, func(_ uint32, p **greTunnel) {
		t := *p
		d.line(fmt.Sprintf("gre %d from %v to %v, %v", t.index, t.key.src, t.key.dst, t.q.Type), when(t.q.OuterTableID != 0, "table %d", t.q.OuterTableID),
			when(t.q.SessionID != 0, "session %d", t.q.SessionID), when(t.q.Mode != 0, "to many"), when(t.key.gre != 0, "key %d", t.key.gre), when(t.looks, "looks"))
	})
}
