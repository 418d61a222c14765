// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// A nat44 is one of VPP's two NAT44 plugins, which have the same parts under other
// names: endpoint-dependent (nat44_ed.go), endpoint-independent (nat44_ei.go). No
// packets pass, so there never are sessions.
type nat44 struct {
	v    *VPP
	name string
	off  int32 // what a call answers while the plugin is off

	on          bool
	config      natConfig
	buckets     [2]uint32 // of sessions, of users
	forwarding  bool
	timeouts    [4]uint32
	mss         uint16 // 0: off
	roles       pool[natRole]
	outputs     pool[uint32] // interfaces
	addresses   [2][]natAddress
	mappings    pool[natMapping]
	needsPool   bool           // a mapping of ports reserves them of an address
	leftBehind  map[uint32]int // features that no dump shows, by interface
	defaultUser [2]uint32      // sessions, users
}

// natConfig is what the plugin was turned on with, and not to be changed then.
type natConfig struct{ inside, outside, sessions, users, userSessions uint32 }

type natRole struct {
	index           uint32
	inside, outside bool
}

// natAddress is an address of the pool; table is ~0 for all.
type natAddress struct {
	addr  [4]byte
	table uint32
}

// natMapping is a static mapping, or an identity mapping, which is one of an address
// to itself.
type natMapping struct {
	local, external         [4]byte
	localPort, externalPort uint16
	protocol                uint8
	addressOnly, identity   bool
	oneWay                  bool
	flags                   uint8 // as shown
	table                   uint32
	tag                     string
}

// The pools of addresses.
const (
	natPool = iota
	natTwicePool
)

// Default timeouts of VPP, in seconds.
var natTimeouts = [4]uint32{300, 7440, 240, 60} // UDP, TCP established, TCP transitory, ICMP

func (n *nat44) load(v *VPP) {
	n.v, n.leftBehind = v, map[uint32]int{}
	v.life.states = append(v.life.states, n.dump)
	s := v.life.interfaces
	s.deleting = append(s.deleting, n.forget)
}

func (n *nat44) switchOn(c natConfig) int32 {
	if n.on {
		return featureEnabled
	}
	if c.sessions == 0 {
		c.sessions = n.defaultUser[0]
	}
	if c.users == 0 {
		c.users = n.defaultUser[1]
	}
	if c.userSessions == 0 && c.users != 0 {
		c.userSessions = c.sessions
	}
	n.keep(c.inside) // for good: VPP never lets go of them
	n.keep(c.outside)
	n.on, n.config, n.timeouts, n.forwarding, n.mss = true, c, natTimeouts, false, 0
	n.buckets[0] = hashBuckets(c.sessions)
	if c.users != 0 {
		n.buckets[1] = hashBuckets(c.users)
	}
	return 0
}

// keep makes an IPv4 table stay, or be, for something of NAT.
func (n *nat44) keep(table uint32) {
	if ips := n.v.life.ips; table != none {
		ips.lock(ips.table(false, table))
	}
}

// free undoes a keep.
func (n *nat44) free(table uint32) {
	if ips := n.v.life.ips; table != none {
		ips.unlock(ips.table(false, table))
	}
}

// hashBuckets is how large VPP makes a hash table.
func hashBuckets(n uint32) uint32 {
	n = uint32(float64(n) / 2.5)
	lower := uint32(1)
	for lower*2 < n {
		lower *= 2
	}
	if 2*lower-n < n-lower {
		return 2 * lower
	}
	return lower
}

// switchOff wipes all but the timeouts.
func (n *nat44) switchOff() int32 {
	if !n.on {
		return featureDisabled2
	}
	n.mappings.each(none, func(_ uint32, m *natMapping) { n.free(m.table) })
	for _, all := range n.addresses {
		for _, a := range all {
			n.free(a.table)
		}
	}
	n.on, n.config, n.forwarding = false, natConfig{}, false
	n.roles, n.outputs, n.mappings = pool[natRole]{}, pool[uint32]{}, pool[natMapping]{}
	n.addresses = [2][]natAddress{}
	return 0
}

func (n *nat44) roleOf(index uint32) (at uint32, r *natRole) {
	n.roles.each(none, func(i uint32, x *natRole) {
		if x.index == index {
			at, r = i, x
		}
	})
	return at, r
}

func (n *nat44) outputOf(index uint32) (at uint32, ok bool) {
	n.outputs.each(none, func(i uint32, x *uint32) {
		if *x == index {
			at, ok = i, true
		}
	})
	return at, ok
}

// setRole takes one direction. Removing one that is not there removes the other from
// sight, and leaves its effect.
func (n *nat44) setRole(index uint32, inside, add bool) int32 {
	if !(&Call{VPP: n.v}).HasInterface(index) {
		return invalidInterface
	}
	if !n.on {
		return n.off
	}
	at, r := n.roleOf(index)
	if !add {
		if r == nil {
			return noSuchEntry
		}
		if r.inside && r.outside {
			r.inside, r.outside = !inside, inside
			return 0
		}
		if inside != r.inside {
			n.leftBehind[index]++
		}
		n.roles.delete(at)
		return 0
	}
	if _, out := n.outputOf(index); out {
		return valueExists
	}
	if r == nil {
		at, _ = n.roles.put(none, natRole{index: index})
		r = n.roles.at(at)
	}
	r.inside, r.outside = r.inside || inside, r.outside || !inside
	return 0
}

func (n *nat44) setOutput(index uint32, add bool) int32 {
	if !(&Call{VPP: n.v}).HasInterface(index) {
		return invalidInterface
	}
	if !n.on {
		return n.off
	}
	at, there := n.outputOf(index)
	_, r := n.roleOf(index)
	switch {
	case !add && !there:
		return noSuchEntry
	case !add:
		n.outputs.delete(at)
	case there, r != nil:
		return valueExists
	default:
		n.outputs.put(none, index)
	}
	return 0
}

// outputsFrom lists the output interfaces from a cursor, and what VPP answers at the end.
func (n *nat44) outputsFrom(cursor uint32) (all []uint32, retval int32, next uint32) {
	some := false
	n.outputs.each(none, func(uint32, *uint32) { some = true })
	switch {
	case !some:
		return nil, 0, 0
	case n.outputs.at(cursor) == nil && cursor != 0:
		return nil, invalidValue, none
	}
	n.outputs.each(none, func(i uint32, x *uint32) {
		if i >= cursor {
			all = append(all, *x)
		}
	})
	return all, 0, none
}

// setRange stops at the first address that it cannot add or delete.
func (n *nat44) setRange(which int, first, last [4]byte, table uint32, add bool) int32 {
	from, to := binary.BigEndian.Uint32(first[:]), binary.BigEndian.Uint32(last[:])
	for count := int32(to-from) + 1; count > 0; count-- {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], from)
		if retval := n.setAddress(which, natAddress{addr, table}, add); retval != 0 {
			return retval
		}
		from++
	}
	return 0
}

// setAddress lets the last one take the place of one that goes.
func (n *nat44) setAddress(which int, a natAddress, add bool) int32 {
	all := n.addresses[which]
	at := slices.IndexFunc(all, func(x natAddress) bool { return x.addr == a.addr })
	switch {
	case !n.on && (add || n.needsPool):
		return n.off
	case add && at >= 0:
		return valueExists
	case add:
		n.keep(a.table)
		n.addresses[which] = append(all, a)
	case at < 0:
		return noSuchEntry
	case n.needsPool && n.reserved(a.addr):
		return unspecified
	default:
		n.free(all[at].table)
		all[at] = all[len(all)-1]
		n.addresses[which] = all[:len(all)-1]
	}
	return 0
}

// reserved tells whether a mapping of ports needs the address.
func (n *nat44) reserved(addr [4]byte) (yes bool) {
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		yes = yes || m.external == addr && !m.addressOnly
	})
	return yes
}

func (n *nat44) mapping(same func(*natMapping) bool) (at uint32, found *natMapping) {
	n.mappings.each(none, func(i uint32, m *natMapping) {
		if same(m) {
			at, found = i, m
		}
	})
	return at, found
}

// setMapping finds a mapping by what is outside, whatever else is said.
func (n *nat44) setMapping(m natMapping, add bool) int32 {
	if !n.on {
		return n.off
	}
	if m.addressOnly {
		m.localPort, m.externalPort, m.protocol = 0, 0, 0
	}
	if m.table == none {
		m.table = n.config.inside
	}
	at, old := n.mapping(func(x *natMapping) bool {
		return x.external == m.external && x.externalPort == m.externalPort && x.protocol == m.protocol
	})
	if !add {
		if old == nil {
			return noSuchEntry
		}
		n.free(old.table)
		n.mappings.delete(at)
		return 0
	}
	_, rival := n.mapping(func(x *natMapping) bool {
		return x.local == m.local && x.localPort == m.localPort && x.protocol == m.protocol && x.table == m.table && !x.oneWay
	})
	inPool := slices.ContainsFunc(n.addresses[natPool], func(a natAddress) bool { return a.addr == m.external })
	switch {
	case old != nil, rival != nil && !m.oneWay && !m.identity:
		return valueExists
	case n.needsPool && !m.addressOnly && !inPool:
		return noSuchEntry
	}
	n.keep(m.table)
	n.mappings.put(none, m)
	return 0
}

// forget is what a deleted interface takes with it.
func (n *nat44) forget(i *iface) {
	if at, r := n.roleOf(i.index); r != nil {
		n.roles.delete(at)
	}
	if at, ok := n.outputOf(i.index); ok {
		n.outputs.delete(at)
	}
	delete(n.leftBehind, i.index)
}

func (n *nat44) dump(d *dump) {
	if n.on {
		d.line(n.name, fmt.Sprintf("%+v forwarding %v timeouts %v mss %d", n.config, n.forwarding, n.timeouts, n.mss))
	}
	n.roles.each(none, func(_ uint32, r *natRole) {
		d.line(n.name, fmt.Sprintf("interface %d", r.index), when(r.inside, "inside"), when(r.outside, "outside"))
	})
	n.outputs.each(none, func(_ uint32, i *uint32) { d.line(n.name, fmt.Sprintf("interface %d output", *i)) })
	for which, all := range n.addresses {
		for _, a := range all {
			d.line(n.name, "address", netip.AddrFrom4(a.addr).String(), when(a.table != none, "table %d", a.table), when(which == natTwicePool, "twice"))
		}
	}
	n.mappings.each(none, func(_ uint32, m *natMapping) { d.line(n.name, fmt.Sprintf("mapping %+v", *m)) })
	for _, i := range sortedKeys(n.leftBehind) {
		d.line(n.name, fmt.Sprintf("interface %d: %d features left behind", i, n.leftBehind[i]))
	}
}
