// SPDX-License-Identifier: Apache-2.0

package vpptest

import "net/netip"

// An addressPool holds the addresses of all interfaces for one family, each interface's
// as a chain. Who borrows addresses gets the head of the lender's chain for its own:
// what it had is lost to it, and what it gets from then on is the lender's too.
type addressPool struct {
	nodes []addressNode
	free  []int
	heads map[uint32]int     // by index of the interface, which they outlive
	known map[addressKey]int // where an address is
}

type addressKey struct {
	addr  netip.Addr
	table *fibTable // that the interface was in
}

type addressNode struct {
	key        addressKey
	bits       int
	index      uint32 // of the interface that it was given to
	prev, next int
}

const nowhere = -1

func newAddressPool() addressPool {
	return addressPool{heads: make(map[uint32]int), known: make(map[addressKey]int)}
}

func (n *addressNode) prefix() netip.Prefix { return netip.PrefixFrom(n.key.addr, n.bits) }

func (p *addressPool) head(index uint32) int {
	if h, ok := p.heads[index]; ok {
		return h
	}
	return nowhere
}

// chain is what an interface's head leads to. What was freed is still led to by those
// that borrowed it.
func (p *addressPool) chain(index uint32) (out []netip.Prefix) {
	for at := p.head(index); at != nowhere && len(out) < len(p.nodes); at = p.nodes[at].next {
		out = append(out, p.nodes[at].prefix())
	}
	return out
}

// add puts an address at the end of an interface's chain. If that leads to what was freed,
// and is taken anew for the address, the chain goes round from then on.
func (p *addressPool) add(index uint32, key addressKey, bits int) (round bool) {
	at := len(p.nodes)
	if n := len(p.free); n > 0 {
		at, p.free = p.free[n-1], p.free[:n-1]
	} else {
		p.nodes = append(p.nodes, addressNode{})
	}
	p.nodes[at].next = nowhere
	last := nowhere
	for h, n := p.head(index), 0; h != nowhere && n < len(p.nodes); h, n = p.nodes[h].next, n+1 {
		last = h
	}
	if last == at {
		return true
	}
	p.nodes[at] = addressNode{key: key, bits: bits, index: index, prev: last, next: nowhere}
	p.known[key] = at
	if last == nowhere {
		p.heads[index] = at
	} else {
		p.nodes[last].next = at
	}
	return false
}

// remove tells whether the interface had been given the address.
func (p *addressPool) remove(index uint32, key addressKey) bool {
	at, ok := p.known[key]
	if !ok || p.nodes[at].index != index {
		return false
	}
	n := p.nodes[at]
	if n.prev != nowhere {
		p.nodes[n.prev].next = n.next
	}
	if n.next != nowhere {
		p.nodes[n.next].prev = n.prev
	}
	if n.prev == nowhere {
		p.heads[index] = n.next
	}
	delete(p.known, key)
	p.free = append(p.free, at)
	return true
}

// own are the addresses of an interface; none of one that borrows.
func (s *ips) own(index uint32, is6 bool) []netip.Prefix {
	if s.side(index).lender != none {
		return nil
	}
	return s.pools[family(is6)].chain(index)
}

// used are the addresses that an interface sends from: its own, or those it borrows.
func (s *ips) used(index uint32, is6 bool) []netip.Prefix {
	if lender := s.side(index).lender; lender != none {
		index = lender
	}
	return s.pools[family(is6)].chain(index)
}

// lend makes the heads of an interface those of the lender, or nothing.
func (s *ips) lend(index, lender uint32) {
	for f := range s.pools {
		head := nowhere
		if lender != none {
			head = s.pools[f].head(lender)
		}
		s.pools[f].heads[index] = head
	}
	s.side(index).lender = lender
}
