// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"net/netip"

	"go.fd.io/govpp/binapi/ip_types"
)

// Return values that only IP has.
const (
	invalidInterface3   = -10 // the second interface of a request
	noPaths             = -52
	noMatch             = -54
	lengthMismatch      = -59
	noSuchTable         = -65
	addressNotFound     = -60
	addressNotDeletable = -61
	ip6NotEnabled       = -62
	unexpectedState     = -74
	addressInUse        = -105
	interfaceAddressed  = -114
	addressDuplicate    = -127
	invalidPrefixLength = -171
)

// ips is the IP part of VPP: tables, addresses, neighbours.
type ips struct {
	v    *VPP
	seed uint32 // of the numbers that VPP picks for tables
	pool [2]fibPool
	at   map[uint32]*ipSide // by index of the interface; what is not there is as new

	classified bool // there have been sets of MACs, which are tables of the classifier

	pools       [2]addressPool
	links       map[uint32]*fibTable // of link-local addresses, by index of the interface
	advertisers pool[uint32]         // indices of interfaces
	multicast   [2]multicastTables
	moved       []func(index uint32, a netip.Prefix, add bool) // what else hears of addresses
	toggled     []func(index uint32, on bool)                  // and of IPv6

	neighbours map[neighbourKey]*neighbour
	caches     [2]neighbourCache
	counters   uint32 // the last number given to the counters of a route
}

// An ipSide is the IP side of an interface.
type ipSide struct {
	tables    [2]*fibTable
	multicast [2]uint32      // indices of tables
	lender    uint32         // whose addresses it borrows; none: it does not
	subnets   map[subnet]int // addresses that have brought a connected route
	connected bool           // those routes are there

	ip6  int // what keeps IPv6 on
	ll   netip.Addr
	ra   *advertisement
	arps bool // it answers for others; outlives the interface
	arp  bool // the feature that does that is on
}

func loadIP(v *VPP) {
	s := &ips{
		v: v, at: make(map[uint32]*ipSide), neighbours: make(map[neighbourKey]*neighbour),
		pools: [2]addressPool{newAddressPool(), newAddressPool()}, links: make(map[uint32]*fibTable),
		caches: [2]neighbourCache{defaultCache, defaultCache},
	}
	for is6 := range s.multicast {
		s.multicast[is6].lock(s.multicast[is6].table(0))
	}
	v.life.ips = s
	for is6 := range s.pool {
		s.lock(s.pool[is6].make(is6 == 1, 0, ""))
	}
	v.life.states = append(v.life.states, s.dump)
	i := v.life.interfaces
	i.switched = append(i.switched, s.switched)
	i.deleting = append(i.deleting, s.deleted)

	Handle(v, s.addDelTable)
	Handle(v, s.allocateTable)
	HandleDump(v, s.tables)
	HandleDump(v, s.multicastTables)
	Handle(v, s.setTable)
	Handle(v, s.readTable)

	Handle(v, s.addDelAddress)
	HandleDump(v, s.addresses)
	Handle(v, s.setUnnumbered)
	HandleDump(v, s.unnumbered)

	Handle(v, s.addDelRoute)
	HandleDump(v, s.routes)
	Handle(v, s.lookup)

	Handle(v, s.addDelNeighbour)
	HandleDump(v, s.neighboursOf)
	Handle(v, s.setCache)
	Handle(v, s.cache)

	Handle(v, s.enableIP6)
	Handle(v, s.linkLocal)
	Handle(v, s.configRA)
	Handle(v, s.prefixRA)
	HandleDump(v, s.advertisements)
}

// side returns the IP side of an interface, making it if it has never had one.
func (s *ips) side(index uint32) *ipSide {
	p := s.at[index]
	if p == nil {
		p = &ipSide{lender: none, subnets: make(map[subnet]int), tables: [2]*fibTable{s.pool[0].slots[0], s.pool[1].slots[0]}}
		s.at[index] = p
	}
	return p
}

// switched makes and unmakes what is there only while an interface is up.
func (s *ips) switched(i *iface) {
	p := s.side(i.index)
	if i.admin != p.connected {
		p.connected = i.admin
		for f := range p.tables {
			for _, a := range s.own(i.index, f == 1) {
				s.connect(i.index, p.tables[f], a, i.admin)
			}
		}
	}
	if !i.admin {
		s.forgetNeighbours(i.index)
	}
}

// deleted runs after the interface went down. Static neighbours stay, with their routes.
func (s *ips) deleted(i *iface) {
	p := s.side(i.index)
	s.forgetNeighbours(i.index)
	if p.lender != none {
		s.lend(i.index, none)
	}
	s.leave(i.index, p.tables)
	for is6 := range p.tables {
		for _, a := range s.own(i.index, is6 == 1) {
			s.dropAddress(i, a)
		}
		if p.tables[is6].index != 0 {
			s.bind(i.index, is6 == 1, s.pool[is6].slots[0])
		}
		if p.multicast[is6] != 0 {
			s.bindMulticast(i.index, is6 == 1, s.multicast[is6].slots[0])
		}
	}
	for p.ip6 > 0 {
		s.releaseIP6(i)
	}
	s.at[i.index] = &ipSide{lender: none, subnets: make(map[subnet]int), tables: p.tables, arps: p.arps}
}

func addrOf(a ip_types.Address) netip.Addr {
	if a.Af == ip_types.ADDRESS_IP6 {
		return netip.AddrFrom16(a.Un.XXX_UnionData)
	}
	return netip.AddrFrom4([4]byte(a.Un.XXX_UnionData[:4]))
}

// as6 is an address as VPP keeps either family in one place: IPv4 in the last bytes.
func as6(a netip.Addr) netip.Addr {
	if a.Is6() {
		return a
	}
	four := a.As4()
	return netip.AddrFrom16([16]byte{12: four[0], 13: four[1], 14: four[2], 15: four[3]})
}

// prefixOf keeps the address of a prefix that is too long, and nothing of its length.
func prefixOf(p ip_types.Prefix) netip.Prefix { return netip.PrefixFrom(addrOf(p.Address), int(p.Len)) }

func wireAddr(a netip.Addr) (out ip_types.Address) {
	if a.Is4() {
		out.Un.SetIP4(a.As4())
		return out
	}
	out.Af = ip_types.ADDRESS_IP6
	out.Un.SetIP6(a.As16())
	return out
}

func wirePrefix(p netip.Prefix) ip_types.Prefix {
	return ip_types.Prefix{Address: wireAddr(p.Addr()), Len: uint8(p.Bits())}
}

func (s *ips) dump(d *dump) {
	for is6 := range s.pool {
		for _, t := range s.pool[is6].slots {
			t.dump(d)
		}
	}
	for _, index := range sortedKeys(s.at) {
		p := s.at[index]
		if t := p.tables; t[0].id != 0 || t[1].id != 0 {
			d.line(fmt.Sprintf("interface %d", index), fmt.Sprintf("tables %d %d", t[0].id, t[1].id))
		}
		for is6 := range s.pools {
			for _, a := range s.own(index, is6 == 1) {
				d.line(fmt.Sprintf("interface %d", index), "address", a.String())
			}
		}
		if p.lender != none {
			d.line(fmt.Sprintf("interface %d borrows from %d", index, p.lender))
		}
		if p.ip6 > 0 {
			d.line(fmt.Sprintf("interface %d", index), fmt.Sprintf("ip6 %d", p.ip6), p.ra.String())
		}
	}
	s.dumpNeighbours(d)
	s.dumpCaches(d)
}
