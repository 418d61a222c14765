// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"math/bits"
	"slices"

	"go.fd.io/govpp/binapi/acl_types"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/ip_types"
)

// macMatch is what rules of a set of MACs look at alike: each has tables of the classifier of its own.
type macMatch struct {
	mask  ethernet_types.MacAddress
	bits  int
	ip6   bool
	rules []int
	arp   [3]uint32 // tables, by VLAN tags
	ip    [3]uint32
}

func matchOf(r acl_types.MacipACLRule) macMatch {
	return macMatch{mask: r.SrcMacMask, bits: int(r.SrcPrefix.Len), ip6: r.SrcPrefix.Address.Af == ip_types.ADDRESS_IP6}
}

// weight is by what VPP sorts: what weighs most is looked at first.
func (m macMatch) weight() (n int) {
	for _, b := range m.mask {
		n += bits.OnesCount8(b)
	}
	return n + m.bits + when01(m.ip6) + 10*len(m.rules)
}

func when01(is bool) int {
	if is {
		return 1
	}
	return 0
}

// macKey is a frame with so many tags, as the tables of sets of MACs look at it: where MAC, address
// and, of ARP, both once more are.
func macKey(tags int, arp, ip6 bool, mac ethernet_types.MacAddress, address []byte, kinds ...[2]byte) []byte {
	b := make([]byte, 80)
	copy(b[6:], mac[:])
	l3 := 14 + 4*tags
	for i := range tags + 1 {
		copy(b[12+4*i:], kinds[i][:])
	}
	at := l3 + 12
	switch {
	case arp:
		copy(b[l3+8:], mac[:])
		at = l3 + 14
	case ip6:
		at = l3 + 8
	}
	copy(b[at:], address)
	return b[:(at+len(address)+vector-1)/vector*vector]
}

// addMACs makes the tables of a set of MACs, one chain, and gives the first; none without rules.
func (s *classifier) addMACs(rules []acl_types.MacipACLRule) uint32 {
	var all []*macMatch
	for n, r := range rules {
		want := matchOf(r)
		i := slices.IndexFunc(all, func(m *macMatch) bool {
			return m.mask == want.mask && m.bits == want.bits && m.ip6 == want.ip6
		})
		if i < 0 {
			i, all = len(all), append(all, &want)
		}
		all[i].rules = append(all[i].rules, n)
	}
	slices.SortStableFunc(all, func(a, b *macMatch) int { return cmp.Compare(a.weight(), b.weight()) })
	last := uint32(none)
	chain := func(m *macMatch, tags int, arp bool) uint32 {
		ones := [2]byte{255, 255}
		prefix := make([]byte, (m.bits+7)/8)
		for i := range m.bits {
			prefix[i/8] |= 0x80 >> (i % 8)
		}
		miss := uint32(none)
		if last == none { // the end of the chain drops
			miss = 0
		}
		mask := macKey(tags, arp, m.ip6, m.mask, prefix, ones, ones, ones)
		last, _ = s.tables.put(none, classTable{
			mask: mask, next: last, miss: miss,
			memory: pagesOf(2 << 22), hash: newClassHash(32), macs: true,
		})
		return last
	}
	for _, arp := range []bool{true, false} {
		for _, m := range all {
			for tags := 2; tags >= 0; tags-- {
				switch {
				case !arp:
					m.ip[tags] = chain(m, tags, false)
				case !m.ip6:
					m.arp[tags] = chain(m, tags, true)
				}
			}
		}
	}
	for n, r := range rules {
		i := slices.IndexFunc(all, func(m *macMatch) bool { return slices.Contains(m.rules, n) })
		s.addMAC(all[i], uint32(n), r)
	}
	return last
}

// addMAC puts a rule into the tables of its match.
func (s *classifier) addMAC(m *macMatch, n uint32, r acl_types.MacipACLRule) {
	next := uint16(0)
	if r.IsPermit != acl_types.ACL_ACTION_API_DENY {
		next = 1<<16 - 1
	}
	kinds := [3][]([2]byte){{}, {{0x81, 0}}, {{0x88, 0xa8}, {0x81, 0}}}
	put := func(table uint32, tags int, arp bool, kind [2]byte) {
		t, length := s.tables.at(table), 4
		if m.ip6 {
			length = 16
		}
		key := macKey(tags, arp, m.ip6, r.SrcMac, r.SrcPrefix.Address.Un.XXX_UnionData[:length], append(slices.Clone(kinds[tags]), kind)...)
		key = append(key, make([]byte, 80)...)[:len(t.mask)]
		for i := range key {
			key[i] &= t.mask[i]
		}
		t.hash.add(classEntry{next: next, opaque: n, key: key})
	}
	for tags := 2; tags >= 0; tags-- {
		if m.ip6 {
			put(m.ip[tags], tags, false, [2]byte{0x86, 0xdd})
			continue
		}
		put(m.ip[tags], tags, false, [2]byte{0x08, 0x00})
		put(m.arp[tags], tags, true, [2]byte{0x08, 0x06})
	}
}
