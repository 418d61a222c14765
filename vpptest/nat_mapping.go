// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"
	"slices"
)

// natMapping is a static mapping, or an identity mapping, which is one of an address
// to itself, in any number of tables.
type natMapping struct {
	local, external         [4]byte
	localPort, externalPort uint16
	protocol                uint8
	addressOnly, identity   bool
	oneWay                  bool
	flags                   uint8 // as shown
	table                   uint32
	fib                     *fibTable
	tables                  pool[natTable] // of an identity mapping
	tag                     string
}

type natTable struct {
	id  uint32
	fib *fibTable
}

func (m natMapping) String() string {
	var in []uint32
	m.tables.each(none, func(_ uint32, t *natTable) { in = append(in, t.id) })
	if !m.identity {
		in = append(in, m.table)
	}
	return fmt.Sprintf("mapping %v:%d to %v:%d protocol %d flags %d identity %v one-way %v in %v tag %q",
		netip.AddrFrom4(m.external), m.externalPort, netip.AddrFrom4(m.local), m.localPort, m.protocol, m.flags, m.identity, m.oneWay, in, m.tag)
}

// natKey is what there can be one mapping of, on either side.
type natKey struct {
	addr     [4]byte
	port     uint16
	protocol uint8
	fib      *fibTable // nil outside
}

// A natPending is a mapping of the address of an interface, whatever that is.
type natPending struct {
	natMapping
	index    uint32
	resolved bool // of the endpoint-dependent plugin
}

// same tells whether two such mappings are one for VPP. The address of an identity mapping
// is what was in the memory, and so no other's.
func (p natPending) same(o natPending) bool {
	if p.index != o.index || p.table != o.table {
		return false
	}
	all := p.addressOnly && o.addressOnly
	if p.identity && o.identity {
		return all || p.externalPort == o.externalPort && p.protocol == o.protocol
	}
	return !p.identity && !o.identity && p.local == o.local && (all || p.localPort == o.localPort && p.externalPort == o.externalPort && p.protocol == o.protocol)
}

// change adds or removes a mapping, be it of an address or of an interface's.
func (n *nat44) change(c *Call, m natMapping, index uint32, add bool) int32 {
	if n.strict && !n.on {
		return n.off
	}
	if far := uint32(1 << 20); far < index && index < none {
		return c.NotImitated("an interface far from any, for which VPP looks beyond its memory")
	}
	if index == none {
		if add {
			return n.addMapping(m)
		}
		return n.removeMapping(m, false)
	}
	p := natPending{natMapping: m, index: index}
	at := slices.IndexFunc(n.pending, p.same)
	switch {
	case add && at >= 0:
		return valueExists
	case !add && at < 0:
		return noSuchEntry
	case add:
		n.pending = append(n.pending, p)
	default: // the last one takes its place
		last := len(n.pending) - 1
		n.pending[at] = n.pending[last]
		n.pending = n.pending[:last]
	}
	has := n.v.life.ips.used(index, false)
	if len(has) == 0 {
		return 0 // until it has an address
	}
	m.external = has[0].Addr().As4()
	if !add {
		return n.removeMapping(m, true)
	}
	retval := n.addMapping(m)
	switch last := len(n.pending) - 1; {
	case retval == 0:
		n.pending[last].resolved = true
	case n.strict:
		n.pending = n.pending[:last]
	case retval == noSuchEntry && !m.identity: // it looks for it in the table that it took for none
		if p.table == none {
			p.table = n.config.inside
		}
		if at := slices.IndexFunc(n.pending, p.same); at >= 0 {
			n.pending[at] = n.pending[last]
			n.pending = n.pending[:last]
		}
	}
	return retval
}

// moved is what NAT makes of an interface that gets or loses an address.
func (n *nat44) moved(index uint32, a netip.Prefix, add bool) {
	if !n.on || !a.Addr().Is4() {
		return
	}
	for i := range n.pending {
		p := &n.pending[i]
		if p.index != index || !n.strict && !p.addressOnly {
			continue // the other plugin resolves only these, but for what no message here makes
		}
		m := p.natMapping
		m.external = a.Addr().As4()
		known := p.resolved
		if !n.strict { // it looks in the outside table, but mappings are all in the first one
			_, known = n.byExternal[m.plain().outside()]
			known = known && n.outside == n.v.life.ips.pool[0].slots[0]
		}
		switch {
		case known == add:
		case add && n.addMapping(m) == 0:
			p.resolved = true
		case !add && n.removeMapping(m, false) == 0:
			p.resolved = false
		}
		if !n.strict {
			return // only the first one
		}
	}
}

// plain is a mapping as VPP takes it.
func (m natMapping) plain() natMapping {
	if m.addressOnly {
		m.localPort, m.externalPort, m.protocol = 0, 0, 0
	}
	if m.identity {
		m.local, m.localPort = m.external, m.externalPort
	}
	return m
}

func (m natMapping) outside() natKey { return natKey{m.external, m.externalPort, m.protocol, nil} }

func (m natMapping) inside(fib *fibTable) natKey {
	return natKey{m.local, m.localPort, m.protocol, fib}
}

func (n *nat44) addMapping(m natMapping) int32 {
	if !n.on {
		return n.off
	}
	m = m.plain()
	if at, ok := n.byExternal[m.outside()]; ok {
		return n.addTable(at, m)
	}
	fib := n.inside
	if m.table == none {
		m.table = n.config.inside
		n.v.life.ips.lock(fib)
	} else {
		fib = n.keep(m.table)
	}
	if _, rival := n.byLocal[m.inside(fib)]; rival && !m.identity && !m.oneWay {
		return valueExists
	}
	if n.needsPool && !m.addressOnly && !n.staticOnly && !n.reserve(m.outside()) {
		return noSuchEntry
	}
	if m.identity {
		m.tables.put(none, natTable{m.table, fib})
	} else {
		m.fib = fib
	}
	at, _ := n.mappings.put(none, m)
	if !m.oneWay {
		n.byLocal[m.inside(fib)] = at
	}
	n.byExternal[m.outside()] = at
	if n.strict || m.addressOnly {
		n.routes(m.external, true)
	}
	return 0
}

// addTable has an identity mapping hold in one more table. What is asked for need not
// be one.
func (n *nat44) addTable(at uint32, m natMapping) int32 {
	old := n.mappings.at(at)
	if old == nil || !old.identity {
		return valueExists
	}
	there := false
	old.tables.each(none, func(_ uint32, t *natTable) { there = there || t.id == m.table })
	if there {
		return valueExists
	}
	fib := n.keep(m.table)
	old.tables.put(none, natTable{m.table, fib})
	n.byLocal[old.inside(fib)] = at
	return 0
}

// removeMapping finds a mapping by what is outside, whatever sort it is of; what it
// takes away inside it believes the request. Of an interface's address, that there is
// none may be no error.
func (n *nat44) removeMapping(m natMapping, ofInterface bool) int32 {
	if !n.on {
		return n.off
	}
	m = m.plain()
	at, ok := n.byExternal[m.outside()]
	if !ok {
		if ofInterface && !n.strict {
			return 0
		}
		return noSuchEntry
	}
	old := n.mappings.at(at)
	fib := old.fib
	if m.identity {
		if m.table == none {
			m.table = n.config.inside
		}
		found := false
		old.tables.each(none, func(i uint32, t *natTable) {
			if t.id == m.table {
				fib, found = t.fib, true
				old.tables.delete(i)
			}
		})
		if !found {
			return noSuchEntry
		}
	}
	if n.needsPool && !m.addressOnly && !n.staticOnly && !n.unreserve(m.outside()) {
		return invalidValue
	}
	if fib == nil {
		fib = n.v.life.ips.pool[0].slots[0] // of an identity mapping that was taken for a static one
	}
	if !m.oneWay {
		delete(n.byLocal, m.inside(fib))
	}
	n.v.life.ips.unlock(fib)
	some := false
	old.tables.each(none, func(uint32, *natTable) { some = true })
	if some {
		return 0
	}
	delete(n.byExternal, m.outside())
	n.mappings.delete(at)
	if n.strict || m.addressOnly && !m.identity {
		n.routes(m.external, false)
	}
	return 0
}

// wipeMappings is what turning NAT off does. It looks for identity mappings in table 0
// only: others stay locked, and if such a one is the last, VPP calls that a bug.
func (n *nat44) wipeMappings() (retval int32) {
	all := n.mappings // a copy of the list, as it is now
	for _, m := range slices.Clone(all.all) {
		if m != nil {
			m := *m
			if m.identity {
				m.table = 0
			}
			retval = n.removeMapping(m, false)
		}
	}
	n.mappings, n.pending = pool[natMapping]{}, nil
	clear(n.byLocal)
	clear(n.byExternal)
	return retval
}

// reserve takes a port of an address of the pool.
func (n *nat44) reserve(key natKey) bool {
	for i := range n.addresses[natPool] {
		if a := &n.addresses[natPool][i]; a.addr == key.addr && !a.ports[key] {
			a.ports[key] = true
			return true
		}
	}
	return false
}

func (n *nat44) unreserve(key natKey) bool {
	for i := range n.addresses[natPool] {
		if a := &n.addresses[natPool][i]; a.addr == key.addr {
			delete(a.ports, key)
			return true
		}
	}
	return false
}

// reserved tells whether a static mapping of ports needs the address.
func (n *nat44) reserved(addr [4]byte) (yes bool) {
	n.mappings.each(none, func(_ uint32, m *natMapping) {
		yes = yes || m.external == addr && !m.addressOnly && !m.identity
	})
	return yes
}
