// SPDX-License-Identifier: Apache-2.0

package vpptest

// multicastTables are the IPv6 tables for multicast. Nothing of them is imitated but
// their indices, which VPP orders relays by.
type multicastTables struct {
	ids   pool[uint32]
	users map[uint32]int // by number
}

func (m *multicastTables) find(id uint32) (at uint32, ok bool) {
	m.ids.each(none, func(i uint32, x *uint32) {
		if *x == id {
			at, ok = i, true
		}
	})
	return at, ok
}

// hold makes a table, or keeps it, and returns its index.
func (m *multicastTables) hold(id uint32) uint32 {
	at, ok := m.find(id)
	if !ok {
		at, _ = m.ids.put(none, id)
	}
	m.users[id]++
	return at
}

func (m *multicastTables) release(id uint32) {
	if at, ok := m.find(id); ok {
		if m.users[id]--; m.users[id] == 0 {
			m.ids.delete(at)
			delete(m.users, id)
		}
	}
}
