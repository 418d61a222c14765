// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/vxlan"
)

var (
	vxlanClass   = &class{devType: "VXLAN", setMAC: true, linkAdmin: true, mtuRange: [2]uint16{0, 65535}}
	vxlanL3Class = &class{devType: "VXLAN", mtu: featureDisabled, linkAdmin: true, l3: true}
)

const vxlanPort = 4789

// vxlans is the vxlan plugin.
type vxlans struct {
	v       *VPP
	tunnels pool[*vxlanTunnel]
	keys    map[vxlanKey]uint32
	numbers map[uint32]bool
	groups  map[netip.Addr]*vxlanGroup
}

// vxlanKey is what only one tunnel has.
type vxlanKey struct {
	src, dst netip.Addr // src is not set for IPv6, nor for a group
	port     uint16
	table    *fibTable
	vni      uint32
}

// vxlanGroup is what all tunnels to a multicast group share, whatever they were told.
type vxlanGroup struct {
	in    map[*fibTable]int // tunnels
	group *iface
}

type vxlanTunnel struct {
	*iface
	place  uint32
	number uint32
	key    vxlanKey
	q      vxlan.VxlanAddDelTunnelV3
}

func loadVXLAN(v *VPP) {
	x := &vxlans{v: v, keys: make(map[vxlanKey]uint32), numbers: make(map[uint32]bool), groups: make(map[netip.Addr]*vxlanGroup)}
	v.life.states = append(v.life.states, x.dump)
	v.life.nodes.add("vxlan4-input", "error-drop", "l2-input")
	v.life.nodes.add("vxlan6-input", "error-drop", "l2-input")
	Handle(v, x.addDel)
	HandleDump(v, x.details)
}

func (x *vxlans) addDel(c *Call, q *vxlan.VxlanAddDelTunnelV3) *vxlan.VxlanAddDelTunnelV3Reply {
	index, retval := x.do(c, *q)
	return &vxlan.VxlanAddDelTunnelV3Reply{Retval: retval, SwIfIndex: indexAt(index)}
}

func (x *vxlans) do(c *Call, q vxlan.VxlanAddDelTunnelV3) (index uint32, retval int32) {
	src, dst := short(addrOf(q.SrcAddress)), short(addrOf(q.DstAddress))
	q.SrcAddress, q.DstAddress = wireAddr(src), wireAddr(dst)
	table := x.v.life.ips.pool[family(src.Is6())].find(q.EncapVrfID)
	switch {
	case table == nil:
		return none, noSuchFIB
	case src.Is4() != dst.Is4():
		return none, invalidValue
	case src == dst:
		return none, sameSrcDst
	case dst.IsMulticast() && x.v.life.interfaces.at(q.McastSwIfIndex) == nil:
		return none, invalidInterface
	case q.IsAdd && src.Is6() && src.IsMulticast():
		return none, c.NotImitated("a tunnel from a group: VPP dies of one to the same group then")
	}
	if q.SrcPort == 0 {
		q.SrcPort = vxlanPort
	}
	if q.DstPort == 0 {
		q.DstPort = vxlanPort
	}
	key := vxlanKey{src: src, dst: dst, port: q.SrcPort, table: table, vni: q.Vni & (1<<24 - 1)}
	if dst.Is6() || dst.IsMulticast() {
		key.src = netip.Addr{}
	}
	at, found := x.keys[key]
	switch {
	case !q.IsAdd && !found:
		return none, noSuchEntry
	case !q.IsAdd:
		return x.delete(c, *x.tunnels.at(at))
	case found:
		return none, tunnelExists
	}
	input := "vxlan4-input"
	if src.Is6() {
		input = "vxlan6-input"
	}
	if q.DecapNextIndex == none {
		q.DecapNextIndex = 1
	}
	if q.DecapNextIndex >= x.v.life.nodes.nexts(input) {
		return none, invalidDecapNext
	}
	place, _ := x.tunnels.put(none, nil)
	number := q.Instance
	if number == none {
		number = place
	}
	if x.numbers[number] {
		x.tunnels.delete(place)
		return none, instanceInUse
	}
	return x.make(&vxlanTunnel{place: place, number: number, key: key, q: q}), 0
}

func (x *vxlans) make(t *vxlanTunnel) uint32 {
	i := &iface{name: fmt.Sprintf("vxlan_tunnel%d", int32(t.number)), class: vxlanClass, ready: true, at: floodTunnel}
	if t.q.IsL3 {
		i.class = vxlanL3Class
	} else {
		i.mac = randomMAC()
	}
	t.iface = x.v.life.interfaces.add(i)
	x.v.life.bridges.port(i).bits = featDrop
	x.v.life.interfaces.setAdmin(i, true)
	*x.tunnels.at(t.place), x.keys[t.key], x.numbers[t.number] = t, t.place, true
	if !t.key.dst.IsMulticast() {
		x.v.life.ips.track(t.key.table, t.key.dst)
		return i.index
	}
	i.at = floodUsual
	g := x.groups[t.key.dst]
	if g == nil {
		g = &vxlanGroup{in: make(map[*fibTable]int)}
	}
	if g.in[t.key.table]++; g.in[t.key.table] == 1 {
		x.v.life.ips.hearIn(t.key.dst.Is6(), t.key.table.index) // by the index of the other one
		g.group = x.v.life.interfaces.at(t.q.McastSwIfIndex)
		x.v.life.ips.reach(g.group.index)
	}
	x.groups[t.key.dst] = g
	return i.index
}

func (x *vxlans) delete(c *Call, t *vxlanTunnel) (index uint32, retval int32) {
	if !t.key.dst.IsMulticast() {
		x.v.life.ips.untrack(t.key.table, t.key.dst)
	} else if g := x.groups[t.key.dst]; g == nil {
		c.Die("looked for a multicast group that the last tunnel of another table took along")
		return none, 0
	} else if g.in[t.key.table]--; g.in[t.key.table] == 0 {
		delete(x.groups, t.key.dst)
	}
	x.v.life.interfaces.delete(t.iface)
	delete(x.keys, t.key)
	delete(x.numbers, t.number)
	x.tunnels.delete(t.place)
	return t.index, 0
}

func (x *vxlans) details(_ *Call, q *vxlan.VxlanTunnelV2Dump) (out []*vxlan.VxlanTunnelV2Details) {
	x.tunnels.each(none, func(_ uint32, p **vxlanTunnel) {
		t := *p
		if q.SwIfIndex != none && q.SwIfIndex != indexOf(t.iface) {
			return
		}
		out = append(out, &vxlan.VxlanTunnelV2Details{
			SwIfIndex: indexOf(t.iface), Instance: t.number, SrcAddress: t.q.SrcAddress, DstAddress: t.q.DstAddress,
			SrcPort: t.q.SrcPort, DstPort: t.q.DstPort, McastSwIfIndex: t.q.McastSwIfIndex, EncapVrfID: t.key.table.id,
			DecapNextIndex: t.q.DecapNextIndex, Vni: t.q.Vni,
		})
	})
	return out
}

func (x *vxlans) dump(d *dump) {
	x.tunnels.each(none, func(_ uint32, p **vxlanTunnel) {
		t := *p
		d.line(fmt.Sprintf("vxlan %d from %v to %v, %d", t.index, addrOf(t.q.SrcAddress), t.key.dst, t.q.Vni),
			when(t.q.EncapVrfID != 0, "table %d", t.q.EncapVrfID), when(t.q.SrcPort != vxlanPort || t.q.DstPort != vxlanPort, "ports %d %d", t.q.SrcPort, t.q.DstPort),
			when(t.q.McastSwIfIndex != interface_types.InterfaceIndex(none), "by %d", t.q.McastSwIfIndex), when(t.q.DecapNextIndex != 1, "next %d", t.q.DecapNextIndex))
	})
}

// short is IPv4 what VPP takes for it: an IPv6 address with nothing but the last four bytes.
func short(a netip.Addr) netip.Addr {
	if b := a.As16(); a.Is6() && [12]byte(b[:12]) == ([12]byte{}) {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}
