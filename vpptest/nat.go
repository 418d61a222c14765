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
	needsPool   bool  // a mapping of ports reserves them of an address
	strict      bool  // checks first whether it is on, and counts its routes
	source      uint8 // of its routes
	staticOnly  bool  // no pool; for good, until it is on again
	inside      *fibTable
	outside     *fibTable
	hairpins    int // interfaces inside, as VPP counts them
	pending     []natPending
	byLocal     map[natKey]uint32
	byExternal  map[natKey]uint32
	counts      map[natRoute]int
	leftBehind  map[uint32]int // features that no dump shows, by interface
	defaultUser [2]uint32      // sessions, users
}

// natConfig is what the plugin was turned on with, and not to be changed then.
type natConfig struct {
	inside, outside, sessions, users, userSessions uint32
	static, tracked                                bool
}

type natRole struct {
	index           uint32
	inside, outside bool
}

// natAddress is an address of the pool; table is ~0 for all.
type natAddress struct {
	addr  [4]byte
	table uint32
	fib   *fibTable       // nil for all
	ports map[natKey]bool // that mappings have
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
	n.byLocal, n.byExternal, n.counts = map[natKey]uint32{}, map[natKey]uint32{}, map[natRoute]int{}
	v.life.states = append(v.life.states, n.dump)
	s := v.life.interfaces
	s.deleting = slices.Insert(s.deleting, 0, n.forget) // while it still is in its table
	v.life.ips.moved = append(v.life.ips.moved, n.moved)
	n.loadFeatures()
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
	n.inside = n.keep(c.inside) // for good: VPP never lets go of them
	n.outside = n.keep(c.outside)
	n.staticOnly = c.static
	n.on, n.config, n.timeouts, n.forwarding, n.mss = true, c, natTimeouts, false, 0
	n.buckets[0] = hashBuckets(c.sessions)
	if c.users != 0 {
		n.buckets[1] = hashBuckets(c.users)
	}
	return 0
}

// keep makes an IPv4 table stay, or be, for something of NAT.
func (n *nat44) keep(table uint32) *fibTable {
	t := n.v.life.ips.table(false, table)
	n.v.life.ips.lock(t)
	return t
}

// free undoes a keep.
func (n *nat44) free(t *fibTable) {
	if t != nil {
		n.v.life.ips.unlock(t)
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
	retval := n.wipeMappings()
	for which, all := range n.addresses {
		for _, a := range slices.Clone(all) {
			n.setAddress(which, a, false)
		}
	}
	for _, index := range n.outsides() {
		n.routesOf(index, false)
	}
	failed := false // the last one counts
	n.roles.each(none, func(_ uint32, r *natRole) { failed = r.inside && !r.outside && !n.unpin() })
	n.on, n.config, n.forwarding = false, natConfig{}, false
	n.roles, n.outputs, n.addresses = pool[natRole]{}, pool[uint32]{}, [2][]natAddress{}
	if retval != 0 || failed {
		return aBug
	}
	return 0
}

// outsides are the interfaces that have routes.
func (n *nat44) outsides() (all []uint32) {
	n.roles.each(none, func(_ uint32, r *natRole) {
		if r.outside {
			all = append(all, r.index)
		}
	})
	n.outputs.each(none, func(_ uint32, index *uint32) { all = append(all, *index) })
	return all
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
	if n.v.life.interfaces.at(indexAt(index)) == nil {
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
		switch {
		case r.inside && r.outside:
			r.inside, r.outside = !inside, inside
			if !inside {
				n.hairpins++
			}
		case inside && !n.unpin():
			return 1 // and nothing is removed
		default:
			if inside != r.inside {
				n.leftBehind[index]++
			}
			n.roles.delete(at)
		}
		if !inside {
			n.routesOf(index, false)
		}
		return 0
	}
	if _, out := n.outputOf(index); out {
		return valueExists
	}
	if r == nil {
		at, _ = n.roles.put(none, natRole{index: index})
		r = n.roles.at(at)
	}
	switch first := !r.inside && !r.outside; {
	case inside && first:
		n.hairpins++
	case !inside && r.inside && !r.outside && !n.unpin():
		return 1
	}
	if !inside && !r.outside {
		n.routesOf(index, true)
	}
	r.inside, r.outside = r.inside || inside, r.outside || !inside
	return 0
}

// unpin counts one interface less that hairpins. The endpoint-independent plugin counts
// wrongly, and fails when none is left.
func (n *nat44) unpin() bool {
	if n.strict {
		return true
	}
	some := n.hairpins > 0
	n.hairpins = max(n.hairpins-1, 0)
	return some
}

func (n *nat44) setOutput(index uint32, add bool) int32 {
	if n.v.life.interfaces.at(indexAt(index)) == nil {
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
		n.v.life.features.toggled("ip4-output", n.v.life.interfaces.at(indexAt(index)))
		n.outputs.delete(at)
		n.routesOf(index, false)
	case there, r != nil:
		return valueExists
	default:
		n.v.life.features.toggled("ip4-output", n.v.life.interfaces.at(indexAt(index)))
		n.outputs.put(none, index)
		n.routesOf(index, true)
	}
	return 0
}

// outputsFrom lists the output interfaces from a cursor, and what VPP answers at the end.
func (n *nat44) outputsFrom(cursor uint32) (all []uint32, retval int32, next uint32) {
	list, retval, next := n.outputs.from(cursor)
	for _, i := range list {
		all = append(all, *i)
	}
	return all, retval, next
}

// mostAddresses is how many addresses can be added at once.
const mostAddresses = 4096

// setRange stops at the first address that it cannot add or delete.
func (n *nat44) setRange(c *Call, which int, first, last [4]byte, table uint32, add bool) int32 {
	from, to := binary.BigEndian.Uint32(first[:]), binary.BigEndian.Uint32(last[:])
	count := int32(to-from) + 1
	if count > mostAddresses {
		return c.NotImitated("more than 4,096 addresses at once")
	}
	for ; count > 0; count-- {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], from)
		if retval := n.setAddress(which, natAddress{addr: addr, table: table}, add); retval != 0 {
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
		if a.ports = map[natKey]bool{}; a.table != none {
			a.fib = n.keep(a.table)
		}
		n.addresses[which] = append(all, a)
		if which == natPool {
			n.routes(a.addr, true)
		}
	case at < 0:
		return noSuchEntry
	case n.needsPool && n.reserved(a.addr):
		return unspecified
	default:
		n.free(all[at].fib)
		if which == natPool {
			n.routes(a.addr, false)
		}
		all[at] = all[len(all)-1]
		n.addresses[which] = all[:len(all)-1]
	}
	return 0
}

// forget is what a deleted interface takes with it.
func (n *nat44) forget(i *iface) {
	if at, r := n.roleOf(i.index); r != nil {
		if r.inside && !r.outside {
			n.unpin()
		}
		n.roles.delete(at)
		if r.outside {
			n.routesOf(i.index, false)
		}
	}
	if at, ok := n.outputOf(i.index); ok {
		n.outputs.delete(at)
		n.routesOf(i.index, false)
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
	n.mappings.each(none, func(_ uint32, m *natMapping) { d.line(n.name, m.String()) })
	for _, p := range n.pending {
		d.line(n.name, p.natMapping.String(), fmt.Sprintf("of interface %d", p.index))
	}
	for _, i := range sortedKeys(n.leftBehind) {
		d.line(n.name, fmt.Sprintf("interface %d: %d features left behind", i, n.leftBehind[i]))
	}
}
