// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"
	"slices"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vrrp"
)

// routers is the vrrp plugin. Nobody else is on the wire and no timer runs out: who is
// in backup stays so, until Elect.
type routers struct {
	v     *VPP
	all   pool[router]
	ears  map[routerEar]int // how often VPP has turned them on
	topic Topic
}

// A routerEar is where an interface listens for its routers. It goes with the interface.
type routerEar struct {
	index uint32
	is6   bool
}

// A router is a virtual one. It outlives its interface.
type router struct {
	key      routerKey
	priority uint8
	interval uint16
	flags    vrrp.VrrpVrFlags
	addrs    []netip.Addr
	peers    []netip.Addr
	tracked  []vrrp.VrrpVrTrackIf
	lost     uint32 // the priority that it lacks because of those
	state    vrrp.VrrpVrState

	masterInterval, skew, down uint16
}

type routerKey struct {
	index uint32
	id    uint8
	is6   bool
}

// routerFlags are those that VPP keeps.
const routerFlags = vrrp.VRRP_API_VR_PREEMPT | vrrp.VRRP_API_VR_ACCEPT | vrrp.VRRP_API_VR_UNICAST | vrrp.VRRP_API_VR_IPV6

// addr is what VPP makes of an address: it believes the router about the family.
func (k routerKey) addr(a ip_types.Address) netip.Addr {
	long := as6(addrOf(a)).As16()
	if k.is6 {
		return netip.AddrFrom16(long)
	}
	return netip.AddrFrom4([4]byte(long[12:]))
}

// Return values of VRRP.
const (
	entryExists   = -116
	initFailed    = -144
	resourceInUse = -155
)

func indexAt(i uint32) interface_types.InterfaceIndex { return interface_types.InterfaceIndex(i) }

const owner = 255 // the priority of who has the addresses

func loadVRRP(v *VPP) {
	r := &routers{v: v, ears: make(map[routerEar]int)}
	v.life.routers = r
	v.life.states = append(v.life.states, r.dump)
	i := v.life.interfaces
	i.switched = append(i.switched, r.switched)
	i.linked = append(i.linked, r.linked)
	i.deleting = append(i.deleting, func(i *iface) {
		delete(r.ears, routerEar{i.index, false})
		delete(r.ears, routerEar{i.index, true})
	})
	v.life.ips.moved = append(v.life.ips.moved, r.addressed)
	v.life.ips.toggled = append(v.life.ips.toggled, r.toggled)
	for is6, arc := range routerArcs {
		v.life.features.follow(arc.name, arc.feature, func(i *iface) bool { return r.ears[routerEar{i.index, is6 == 1}] > 0 })
	}
	Handle(v, r.addDel)
	HandleDump(v, r.details)
	Handle(v, r.startStop)
	Handle(v, r.setPeers)
	HandleDump(v, r.peerDetails)
	Handle(v, r.track)
	HandleDump(v, r.trackDetails)
	Handle(v, r.wantEvents)
}

func (r *routers) find(key routerKey) (at uint32, found *router) {
	r.all.each(none, func(i uint32, x *router) {
		if x.key == key {
			at, found = i, x
		}
	})
	return at, found
}

func (r *routers) addDel(_ *Call, q *vrrp.VrrpVrAddDel) *vrrp.VrrpVrAddDelReply {
	return &vrrp.VrrpVrAddDelReply{Retval: r.set(q)}
}

func (r *routers) set(q *vrrp.VrrpVrAddDel) int32 {
	key := routerKey{uint32(q.SwIfIndex), q.VrID, q.Flags&vrrp.VRRP_API_VR_IPV6 != 0}
	at, old := r.find(key)
	there := r.v.life.interfaces.at(q.SwIfIndex) != nil
	switch {
	case !there:
		return invalidInterface
	case q.VrID == 0, q.Priority == 0, q.Interval == 0:
		return invalidValue
	case q.IsAdd == 0 && old == nil:
		return noSuchEntry
	case q.IsAdd == 0:
		r.all.delete(at)
		return 0
	case old != nil:
		return entryExists
	case len(q.Addrs) == 0:
		return invalidSource
	}
	x := router{key: key, priority: q.Priority, interval: q.Interval, flags: q.Flags & routerFlags}
	for _, a := range q.Addrs {
		x.addrs = append(x.addrs, key.addr(a))
	}
	if x.priority == owner && !r.owns(&x) {
		return addressNotFound
	}
	taken, first := false, true
	r.all.each(none, func(_ uint32, other *router) {
		first = first && (other.key.index != key.index || other.key.is6 != key.is6)
		taken = taken || other.key.index == key.index && other.key.is6 == key.is6 &&
			slices.ContainsFunc(x.addrs, func(a netip.Addr) bool { return slices.Contains(other.addrs, a) })
	})
	if taken {
		return addressInUse
	}
	r.all.put(none, x)
	r.v.life.ips.reach(key.index)
	if first {
		r.v.life.ips.hear(key.index, key.is6)
	}
	return 0
}

// owns tells whether the interface has all addresses of x.
func (r *routers) owns(x *router) bool {
	has := r.v.life.ips.used(x.key.index, x.key.is6)
	for _, a := range x.addrs {
		if !slices.ContainsFunc(has, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return false
		}
	}
	return true
}

func (r *routers) move(x *router, to vrrp.VrrpVrState) {
	if x.state == to {
		return
	}
	old := x.state
	if x.flags&vrrp.VRRP_API_VR_ACCEPT != 0 && x.priority != owner {
		r.accept(x, old == vrrp.VRRP_API_VR_STATE_MASTER, to == vrrp.VRRP_API_VR_STATE_MASTER)
	}
	if to == vrrp.VRRP_API_VR_STATE_BACKUP {
		x.masterInterval = x.interval
		x.skew = uint16((256 - uint32(x.priority)) * uint32(x.interval) / 256)
		x.down = 3*x.interval + x.skew
	}
	if idle := vrrp.VRRP_API_VR_STATE_INIT; (old == idle || to == idle) && !r.started(x.key.index, x.key.is6, x) {
		r.v.life.features.toggledAt(routerArcs[family(x.key.is6)].name, x.key.index)
		if ear := (routerEar{x.key.index, x.key.is6}); to != idle {
			r.ears[ear]++
		} else {
			r.ears[ear] = max(0, r.ears[ear]-1)
		}
	}
	x.state = to
	r.topic.Publish(r.v, func(pid uint32) api.Message {
		e := &vrrp.VrrpVrEvent{PID: pid, OldState: old, NewState: to}
		e.Vr.SwIfIndex, e.Vr.VrID, e.Vr.IsIPv6 = indexAt(x.key.index), x.key.id, flag(x.key.is6)
		return e
	})
}

// routerArcs are where routers listen, once one of an interface is started, by family.
var routerArcs = [2]struct{ name, feature string }{{"arp", "vrrp4-arp-input"}, {"ip6-local", "vrrp6-nd-input"}}

// started tells whether an interface has a router that is, other than x.
func (r *routers) started(index uint32, is6 bool, x *router) (yes bool) {
	r.all.each(none, func(_ uint32, other *router) {
		yes = yes || other != x && other.key.index == index && other.key.is6 == is6 && other.state != vrrp.VRRP_API_VR_STATE_INIT
	})
	return yes
}

// accept gives a master its addresses, with the length of a subnet that they are in,
// and takes them back.
func (r *routers) accept(x *router, was, is bool) {
	i := r.v.life.interfaces.all[x.key.index]
	if was == is || i == nil {
		return
	}
	ips := r.v.life.ips
	for _, a := range x.addrs {
		bits := 24
		if x.key.is6 {
			bits = 64
		}
		for _, p := range ips.used(i.index, x.key.is6) {
			if p.Contains(a) {
				bits = p.Bits()
				break
			}
		}
		if p := netip.PrefixFrom(a, bits); is {
			ips.addAddress(i, p)
		} else {
			ips.dropAddress(i, p)
		}
	}
}

// begin is what a router is at first when it can send.
func (x *router) begin() vrrp.VrrpVrState {
	if x.priority == owner {
		return vrrp.VRRP_API_VR_STATE_MASTER
	}
	return vrrp.VRRP_API_VR_STATE_BACKUP
}

func (r *routers) startStop(_ *Call, q *vrrp.VrrpVrStartStop) *vrrp.VrrpVrStartStopReply {
	_, x := r.find(routerKey{uint32(q.SwIfIndex), q.VrID, q.IsIPv6 != 0})
	switch {
	case x == nil:
		return &vrrp.VrrpVrStartStopReply{Retval: noSuchEntry}
	case q.IsStart == 0:
		r.move(x, vrrp.VRRP_API_VR_STATE_INIT)
	case x.state != vrrp.VRRP_API_VR_STATE_INIT:
	case x.flags&vrrp.VRRP_API_VR_UNICAST != 0 && len(x.peers) == 0:
		return &vrrp.VrrpVrStartStopReply{Retval: initFailed}
	case r.up(x.key.index, x.key.is6, change{}):
		r.move(x, x.begin())
	default:
		r.move(x, vrrp.VRRP_API_VR_STATE_INTF_DOWN)
	}
	return new(vrrp.VrrpVrStartStopReply)
}

func (r *routers) setPeers(_ *Call, q *vrrp.VrrpVrSetPeers) *vrrp.VrrpVrSetPeersReply {
	_, x := r.find(routerKey{uint32(q.SwIfIndex), q.VrID, q.IsIPv6 != 0})
	s := new(vrrp.VrrpVrSetPeersReply)
	switch {
	case x == nil:
		s.Retval = noSuchEntry
	case x.flags&vrrp.VRRP_API_VR_UNICAST == 0:
		s.Retval = invalidArgument
	case x.state != vrrp.VRRP_API_VR_STATE_INIT:
		s.Retval = resourceInUse
	case len(q.Addrs) == 0:
		s.Retval = invalidDestination
	default:
		x.peers = nil
		for _, a := range q.Addrs {
			un := a.Un.XXX_UnionData // whatever family it says
			if x.key.is6 {
				x.peers = append(x.peers, netip.AddrFrom16(un))
			} else {
				x.peers = append(x.peers, netip.AddrFrom4([4]byte(un[:4])))
			}
		}
	}
	return s
}

func (r *routers) track(c *Call, q *vrrp.VrrpVrTrackIfAddDel) *vrrp.VrrpVrTrackIfAddDelReply {
	s := new(vrrp.VrrpVrTrackIfAddDelReply)
	_, x := r.find(routerKey{uint32(q.SwIfIndex), q.VrID, q.IsIPv6 != 0})
	if x == nil {
		s.Retval = invalidValue
		return s
	}
	defer r.weigh(x, change{})
	for n, t := range q.Ifs {
		if r.v.life.interfaces.at(t.SwIfIndex) == nil {
			s.Retval = r.undo(c, q, x, n, invalidInterface)
			return s
		}
		if uint32(t.SwIfIndex) == x.key.index {
			s.Retval = r.undo(c, q, x, n, invalidInterface3)
			return s
		}
		at := slices.IndexFunc(x.tracked, func(o vrrp.VrrpVrTrackIf) bool { return o.SwIfIndex == t.SwIfIndex })
		switch {
		case q.IsAdd != 0 && at < 0:
			x.tracked = append(x.tracked, t)
		case q.IsAdd == 0 && at >= 0:
			x.tracked = slices.Delete(x.tracked, at, at+1)
		}
	}
	return s
}

// undo is what is done about those of a list that came before one that cannot be. VPP
// goes through a copy of the list until it is before the list itself, wherever that lies
// in its memory: it tracks what it finds there if it was to track something no more, and
// tracks that no more otherwise.
func (r *routers) undo(c *Call, q *vrrp.VrrpVrTrackIfAddDel, x *router, done int, retval int32) int32 {
	if q.IsAdd != 0 && done == 0 && len(x.tracked) == 0 {
		return retval
	}
	return c.NotImitated("a list of which VPP undoes what it happens to find in its memory")
}

func (r *routers) details(_ *Call, q *vrrp.VrrpVrDump) (out []*vrrp.VrrpVrDetails) {
	r.all.each(none, func(_ uint32, x *router) {
		if q.SwIfIndex != 0 && q.SwIfIndex != none && uint32(q.SwIfIndex) != x.key.index {
			return
		}
		d := &vrrp.VrrpVrDetails{
			Config:  vrrp.VrrpVrConf{SwIfIndex: indexAt(x.key.index), VrID: x.key.id, Priority: x.priority, Interval: x.interval, Flags: x.flags},
			Runtime: vrrp.VrrpVrRuntime{State: x.state, MasterAdvInt: x.masterInterval, Skew: x.skew, MasterDownInt: x.down},
			Addrs:   wireAddrs(x.addrs),
		}
		d.Runtime.Mac = mac{0, 0, 0x5e, 0, 1 + flag(x.key.is6), x.key.id}
		d.Runtime.Tracking = vrrp.VrrpVrTracking{InterfacesDec: x.lost, Priority: x.effective()}
		out = append(out, d)
	})
	return out
}

func wireAddrs(all []netip.Addr) (out []ip_types.Address) {
	for _, a := range all {
		out = append(out, wireAddr(a))
	}
	return out
}

// peerDetails is of one router. If asked for all, or for local0's, VPP answers with the
// details of another dump.
func (r *routers) peerDetails(c *Call, q *vrrp.VrrpVrPeerDump) []*vrrp.VrrpVrPeerDetails {
	if q.SwIfIndex == 0 || q.SwIfIndex == indexAt(none) {
		r.all.each(none, func(_ uint32, x *router) {
			if len(x.peers) > 0 {
				c.NotImitated("of all routers, of which VPP answers vrrp_vr_details")
			}
		})
		return nil
	}
	_, x := r.find(routerKey{uint32(q.SwIfIndex), q.VrID, q.IsIPv6 != 0})
	if x == nil || q.IsIPv6 > 1 { // it looks for the very number
		return nil
	}
	return []*vrrp.VrrpVrPeerDetails{{SwIfIndex: q.SwIfIndex, VrID: q.VrID, IsIPv6: q.IsIPv6, PeerAddrs: wireAddrs(x.peers)}}
}

func (r *routers) trackDetails(_ *Call, q *vrrp.VrrpVrTrackIfDump) (out []*vrrp.VrrpVrTrackIfDetails) {
	asked := routerKey{uint32(q.SwIfIndex), q.VrID, q.IsIPv6 != 0}
	r.all.each(none, func(_ uint32, x *router) {
		if q.DumpAll != 0 && len(x.tracked) > 0 || q.DumpAll == 0 && x.key == asked {
			out = append(out, &vrrp.VrrpVrTrackIfDetails{
				SwIfIndex: indexAt(x.key.index), VrID: x.key.id, IsIPv6: flag(x.key.is6), Ifs: slices.Clone(x.tracked),
			})
		}
	})
	return out
}

func (r *routers) wantEvents(c *Call, q *vrrp.WantVrrpVrEvents) *vrrp.WantVrrpVrEventsReply {
	return &vrrp.WantVrrpVrEventsReply{Retval: r.topic.Want(c, q.EnableDisable, q.PID)}
}

// Elect is what happens on the wire: a started virtual router, on the interface with
// this name, hears nobody better and becomes master, or somebody better and goes back
// to backup. One that is not started, or whose interface is down, does nothing.
func (v *VPP) Elect(iface string, id uint8, ipv6, master bool) {
	v.Do(func() {
		r := v.life.routers
		if r == nil {
			return
		}
		r.all.each(none, func(_ uint32, x *router) {
			on := v.life.interfaces.at(indexAt(x.key.index))
			running := x.state == vrrp.VRRP_API_VR_STATE_BACKUP || x.state == vrrp.VRRP_API_VR_STATE_MASTER
			if on == nil || on.title() != iface || x.key.id != id || x.key.is6 != ipv6 || !running {
				return
			}
			to := vrrp.VRRP_API_VR_STATE_BACKUP
			if master {
				to = vrrp.VRRP_API_VR_STATE_MASTER
			}
			r.move(x, to)
		})
	})
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func (r *routers) dump(d *dump) {
	r.all.each(none, func(_ uint32, x *router) {
		d.line(fmt.Sprintf("vrrp %+v priority %d interval %d flags %d %v", x.key, x.priority, x.interval, x.flags, x.addrs),
			x.state.String(), when(len(x.peers) > 0, "peers %v", x.peers), when(len(x.tracked) > 0, "tracks %v", x.tracked))
	})
}
