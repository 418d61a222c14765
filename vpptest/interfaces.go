// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

type mac = ethernet_types.MacAddress

// A class is what VPP calls a device class: what a driver can do.
type class struct {
	devType   string
	mtu       int32     // what hw_interface_set_mtu answers to another value
	mtuRange  [2]uint16 // what it takes, if that is 0
	setMAC    bool
	linkAdmin bool // its link is up while it is admin up, and a guest, if it needs one, is there
	l3        bool // not Ethernet
}

var (
	localClass    = &class{devType: "local", mtu: featureDisabled, l3: true}
	nicClass      = &class{devType: "dpdk", setMAC: true, mtuRange: [2]uint16{64, 9216}}
	loopbackClass = &class{devType: "Loopback", mtu: unsupported, setMAC: true, linkAdmin: true}
	bviClass      = &class{devType: "BVI", mtu: unsupported, setMAC: true, linkAdmin: true}
)

// An iface is a software interface: a device of its own, or a sub-interface.
type iface struct {
	index    uint32
	name     string // of a device
	tag      string
	class    *class
	instance uint32
	mac      mac
	admin    bool
	link     bool // of a device
	ready    bool // what the link hangs on besides admin: a guest, a carrier
	speed    uint32
	linkMTU  uint16
	mtu      [4]uint32

	sup   *iface            // itself, or the one that a sub-interface names
	hw    *iface            // the device
	place uint32            // of a device, among those
	sub   *subif            // nil for a device
	subs  map[uint32]*iface // by sub id
	slot  map[match]*iface  // of a device: who gets which frames
	goes  map[uint32]going  // of a device: what goes with it, by sub id
	at    flood             // its place in a bridge domain
}

// interfaces is the interface part of VPP. Indices are given again at once, the last
// freed first.
type interfaces struct {
	v    *VPP
	all  []*iface // by index; nil is free
	free []uint32

	devices  pool[*iface] // in VPP's order, which has places of their own
	ethernet bool         // there was one that is Ethernet

	added    []func(*iface) // what else hears of interfaces
	deleting []func(*iface)
	switched []func(*iface) // its admin state
	linked   []func(*iface) // its link, of a device
	changed  []func(i *iface, old mac)
	describe []func(*iface, *interfaces_api.SwInterfaceDetails)

	events linkEvents
	loops  instances
}

func loadInterfaces(v *VPP) {
	s := &interfaces{v: v}
	v.life.interfaces = s
	v.life.states = append(v.life.states, s.dump)
	v.life.idle = append(v.life.idle, s.sendEvents)

	local := s.add(&iface{name: "local0", class: localClass})
	local.mtu = [4]uint32{}
	for i, name := range v.options.nics {
		nic := &iface{
			name: name, class: nicClass, ready: true, link: true, speed: 10_000_000,
			mac: mac{0x02, 0xca, 0xfe, 0, byte(i >> 8), byte(i + 1)},
		}
		s.add(nic)
	}

	Handle(v, s.setFlags)
	Handle(v, s.setTag)
	Handle(v, s.setName)
	Handle(v, s.setMAC)
	Handle(v, s.readMAC)
	Handle(v, s.setMTU)
	Handle(v, s.setDeviceMTU)
	HandleDump(v, s.details)
	Handle(v, s.wantEvents)
	Handle(v, s.createLoopback)
	Handle(v, s.createLoopbackInstance)
	Handle(v, s.deleteLoopback)
	Handle(v, s.createVLAN)
	Handle(v, s.createSub)
	Handle(v, s.deleteSub)
}

// at returns the interface of an index, or nil: what VPP answers -2 to.
func (s *interfaces) at(index interface_types.InterfaceIndex) *iface {
	if int64(index) < int64(len(s.all)) {
		return s.all[index]
	}
	return nil
}

// add gives i an index, and a device what every Ethernet device has.
func (s *interfaces) add(i *iface) *iface {
	if n := len(s.free); n > 0 {
		i.index, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i.index, s.all = uint32(len(s.all)), append(s.all, nil)
	}
	s.all[i.index] = i
	if i.sub == nil {
		i.sup, i.hw = i, i
		if !i.class.l3 {
			i.linkMTU, i.mtu[0] = 9000, 9000
			s.ethernet = true
		}
		i.slot = map[match]*iface{{}: i} // frames without a tag are its own
		i.place, _ = s.devices.put(none, i)
	}
	s.inherit(i)
	for _, f := range s.added {
		f(i)
	}
	s.edge(i.index, added)
	return i
}

// inherit makes i the parent of those that outlived the one that had its index. VPP knows
// parents by that alone, and takes a sub-interface for one of local0.
func (s *interfaces) inherit(i *iface) {
	for _, x := range s.all {
		if x == nil || x.sub == nil || x.sup == i || x.sup.index != i.index {
			continue
		}
		if x.sup, x.hw = i, i; i.sub != nil {
			x.hw = s.all[0]
		}
		if i.subs == nil {
			i.subs = make(map[uint32]*iface)
		}
		i.subs[x.sub.id] = x
	}
}

// delete removes i and the sub-interfaces that go with it.
func (s *interfaces) delete(i *iface) {
	for _, id := range hashOrder(i.goes, going.order) {
		sub := s.at(indexAt(i.goes[id].index))
		if sub == nil {
			s.v.internal().Die("deleted a device with a sub-interface of a sub-interface, which was deleted before")
			return
		}
		if sub.sub == nil && len(sub.goes) > 0 {
			s.v.internal().NotImitated("a device that goes, and takes along the interface of another one, which has got the number of a sub-interface of a sub-interface, and not that one's own sub-interfaces")
		}
		s.delete(sub)
	}
	if i.sub == nil && slices.ContainsFunc(s.all, func(x *iface) bool { return x != nil && x.sub != nil && x.hw == i }) {
		s.v.internal().NotImitated("a device that goes, while a sub-interface stays of which VPP does not know that it is its: VPP calls that what it finds in its memory")
	}
	s.setAdmin(i, false)
	for _, f := range s.deleting {
		f(i)
	}
	if i.sub != nil {
		i.hw.release(i)
	}
	if i.sub == nil {
		s.devices.delete(i.place)
	}
	s.all[i.index] = nil
	s.free = append(s.free, i.index)
	s.edge(i.index, deleted)
}

// setAdmin sets the admin state, and the link where that follows it.
func (s *interfaces) setAdmin(i *iface, up bool) int32 {
	if up && i.sub != nil && !i.sub.pipe && !i.sup.admin {
		return unspecified
	}
	if i.admin == up {
		return 0
	}
	i.admin = up
	if up {
		s.edge(i.index, adminUp)
	} else {
		s.edge(i.index, adminDown)
	}
	for _, f := range s.switched {
		f(i)
	}
	s.follow(i)
	if i.class == pipeClass && i.sub == nil { // its ends are as it is, and what is on them
		for _, id := range hashOrder(i.goes, going.order) {
			if sub := s.at(indexAt(i.goes[id].index)); sub != nil {
				s.setAdmin(sub, up)
			}
		}
	}
	return 0
}

// follow brings the link of a device in line with what it hangs on.
func (s *interfaces) follow(i *iface) {
	up := i.ready && (i.admin || !i.class.linkAdmin)
	if i.sub != nil || i.link == up {
		return
	}
	i.link = up
	if up {
		s.edge(i.index, linkUp)
	} else {
		s.edge(i.index, linkDown)
	}
	for _, f := range s.linked {
		f(i)
	}
}

// title is what VPP calls an interface: a sub-interface is called by its device's name,
// as that is now.
func (i *iface) title() string {
	if i.sub != nil {
		return fmt.Sprintf("%s.%d", i.hw.name, int32(i.sub.id))
	}
	return i.name
}

func (i *iface) flags() (f interface_types.IfStatusFlags) {
	if i.admin {
		f |= interface_types.IF_STATUS_API_FLAG_ADMIN_UP
	}
	if i.hw.link {
		f |= interface_types.IF_STATUS_API_FLAG_LINK_UP
	}
	return f
}

// LinkUp is what happens outside: a cable of a NIC is plugged or pulled, or a guest
// comes to a vhost-user port or leaves it. Whether the link follows depends, as in
// VPP, on the admin state too. An unknown name does nothing.
func (v *VPP) LinkUp(name string, up bool) {
	v.Do(func() {
		for _, i := range v.life.interfaces.all {
			if i != nil && i.sub == nil && i.name == name && i.ready != up {
				i.ready = up
				v.life.interfaces.follow(i)
			}
		}
	})
}

// instances hands out instance numbers, the lowest free first.
type instances struct {
	used []bool
}

func (n *instances) lowest() uint32 {
	if i := slices.Index(n.used, false); i >= 0 {
		return uint32(i)
	}
	return uint32(len(n.used))
}

func (n *instances) taken(i uint32) bool { return int(i) < len(n.used) && n.used[i] }

func (n *instances) take(i uint32) {
	for int(i) >= len(n.used) {
		n.used = append(n.used, false)
	}
	n.used[i] = true
}

func (n *instances) release(i uint32) { n.used[i] = false }

// randomMAC is one as VPP makes them up for devices that have none.
func randomMAC() mac {
	n := rand.Uint32()
	return mac{0x02, 0xfe, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
}

func (s *interfaces) dump(d *dump) {
	for _, i := range s.all {
		if i == nil {
			continue
		}
		address := i.mac.String()
		if bytes.HasPrefix(i.mac[:], []byte{0x02, 0xfe}) {
			address = "02:fe:random"
		}
		d.line(fmt.Sprintf("interface %d %s", i.index, i.title()), i.class.devType,
			when(i.sub != nil, "sub %v of %d", i.sub, i.sup.index),
			when(i.sub == nil && !i.class.l3, "mac %s", address),
			when(i.admin, "up"), when(i.sub == nil && i.link, "link"),
			fmt.Sprintf("mtu %d %v", i.linkMTU, i.mtu),
			when(i.tag != "", "tag %q", i.tag))
	}
}
