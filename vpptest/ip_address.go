// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"

	"go.fd.io/govpp/binapi/fib_types"
	interfaces_api "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip_types"
)

// A subnet is the connected prefix of an interface's addresses, which may be many.
type subnet struct {
	table  *fibTable
	prefix netip.Prefix
}

func (s *ips) addDelAddress(c *Call, q *interfaces_api.SwInterfaceAddDelAddress) *interfaces_api.SwInterfaceAddDelAddressReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: invalidInterface}
	}
	p := prefixOf(ip_types.Prefix(q.Prefix))
	switch {
	case q.DelAll:
		s.dropAddresses(i)
		return new(interfaces_api.SwInterfaceAddDelAddressReply)
	case i.index == 0 || i.sub != nil && !i.sub.pipe && i.sub.flags&interface_types.SUB_IF_API_FLAG_EXACT_MATCH == 0:
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: unsupported}
	case p.Addr().Is6() && p.Addr().IsLinkLocalUnicast():
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: s.setLinkLocal(c, i, p, q.IsAdd)}
	case q.IsAdd:
		retval, round := s.addAddress(i, p)
		if round {
			c.Die("gave an address to an interface that borrows one that was removed, and goes round in its list for ever")
		}
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: retval}
	}
	return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: s.dropAddress(i, p)}
}

// addAddress says too whether VPP has no way out of the list of addresses.
func (s *ips) addAddress(i *iface, p netip.Prefix) (retval int32, round bool) {
	is6 := p.Addr().Is6()
	side, pool := s.side(i.index), &s.pools[family(is6)]
	table := side.tables[family(is6)]
	long := !p.IsValid() && !is6 // VPP's mask for that is none
	for _, other := range s.v.life.interfaces.all {
		if other == nil || s.side(other.index).tables[family(is6)] != table {
			continue
		}
		for _, a := range s.own(other.index, is6) {
			same := other == i && a.Bits() == p.Bits() && a.Addr() != p.Addr()
			if (a.Contains(p.Addr()) || p.Contains(a.Addr()) || long) && !same {
				return []int32{addressInUse, addressDuplicate}[family(is6)], false
			}
		}
	}
	key := addressKey{p.Addr(), table}
	switch _, known := pool.known[key]; {
	case known:
		return addressDuplicate, false
	case p.Bits() <= 0:
		return lengthMismatch, false
	}
	if pool.add(i.index, key, p.Bits()) {
		return 0, true
	}
	if is6 {
		s.holdIP6(i, netip.Addr{})
	} else {
		s.v.life.features.toggled("arp", i)
		s.hear(i.index, false)
	}
	if side.connected {
		s.connect(i.index, table, p, true)
	}
	for _, f := range s.moved {
		f(i.index, p, true)
	}
	return 0, false
}

// dropAddress looks for the address alone; what it connected goes by the length given.
func (s *ips) dropAddress(i *iface, p netip.Prefix) int32 {
	is6 := p.Addr().Is6()
	side := s.side(i.index)
	table := side.tables[family(is6)]
	if !s.pools[family(is6)].remove(i.index, addressKey{p.Addr(), table}) {
		return addressNotFound
	}
	if side.connected {
		s.connect(i.index, table, p, false)
	}
	s.forgetSubnet(i.index, p)
	for _, f := range s.moved {
		f(i.index, p, false)
	}
	if is6 {
		s.releaseIP6(i)
	}
	return 0
}

func (s *ips) dropAddresses(i *iface) {
	for is6 := range s.pools {
		for _, a := range s.own(i.index, is6 == 1) {
			s.dropAddress(i, a)
		}
	}
}

// connect makes or unmakes the routes of an address.
func (s *ips) connect(index uint32, t *fibTable, a netip.Prefix, on bool) {
	addr, is6 := a.Addr(), a.Addr().Is6()
	route := func(p netip.Prefix, paths []fib_types.FibPath) {
		if !on {
			paths = nil
		}
		s.paths(t, p, srcInterface, paths)
	}
	path := fib_types.FibPath{SwIfIndex: index, Weight: 1}
	if is6 {
		path.Proto = fib_types.FIB_API_PATH_NH_PROTO_IP6
	}
	local := path
	local.Type, local.Nh.Address = fib_types.FIB_API_PATH_TYPE_LOCAL, wireAddr(addr).Un
	all := addr.BitLen()
	route(netip.PrefixFrom(addr, all), []fib_types.FibPath{local})
	if a.Bits() == all || !a.IsValid() {
		return
	}
	key := subnet{t, a.Masked()}
	count := s.side(index).subnets
	if on {
		count[key]++
		if count[key] > 1 {
			return
		}
	} else {
		if count[key] == 0 { // of another length: nothing is known of it
			return
		}
		if count[key]--; count[key] > 0 {
			return
		}
		delete(count, key)
	}
	shown := a
	if is6 {
		shown = a.Masked()
	}
	route(shown, []fib_types.FibPath{path})
	switch first, last := a.Masked().Addr(), lastOf(a); {
	case is6:
	case a.Bits() == 31:
		other := first
		if other == addr {
			other = last
		}
		path.Nh.Address = wireAddr(other).Un
		route(netip.PrefixFrom(other, 32), []fib_types.FibPath{path})
	default:
		for _, own := range []netip.Addr{first, last} {
			switch p := netip.PrefixFrom(own, 32); {
			case own == addr:
			case on:
				if own == last { // which takes back what was said of it
					s.paths(t, p, srcInterface, nil)
				}
				s.special(t, p, srcInterface, dropped(false))
			default:
				s.paths(t, p, srcInterface, nil)
			}
		}
	}
}

// lastOf is the last address of an IPv4 subnet.
func lastOf(p netip.Prefix) netip.Addr {
	if p.Addr().Is6() {
		return netip.Addr{}
	}
	a := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(a)
}

func (s *ips) addresses(_ *Call, q *ip.IPAddressDump) (out []*ip.IPAddressDetails) {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return nil
	}
	for _, a := range s.own(i.index, q.IsIPv6) {
		out = append(out, &ip.IPAddressDetails{SwIfIndex: indexOf(i), Prefix: ip_types.AddressWithPrefix(wirePrefix(a))})
	}
	return out
}

// setUnnumbered is said the wrong way round: the unnumbered interface borrows.
func (s *ips) setUnnumbered(_ *Call, q *interfaces_api.SwInterfaceSetUnnumbered) *interfaces_api.SwInterfaceSetUnnumberedReply {
	r := new(interfaces_api.SwInterfaceSetUnnumberedReply)
	all := s.v.life.interfaces
	i, lender := all.at(q.UnnumberedSwIfIndex), all.at(q.SwIfIndex)
	switch {
	case i == nil:
		r.Retval = invalidInterface
	case !q.IsAdd:
		if s.side(i.index).lender != none {
			s.lend(i.index, none)
		}
	case lender == nil:
		r.Retval = invalidInterface3
	case s.side(i.index).tables != s.side(lender.index).tables, s.side(i.index).multicast != s.side(lender.index).multicast:
		r.Retval = unexpectedState
	default:
		s.lend(i.index, lender.index)
		s.v.life.features.toggled("arp", i)
	}
	return r
}

func (s *ips) unnumbered(_ *Call, q *ip.IPUnnumberedDump) (out []*ip.IPUnnumberedDetails) {
	for _, index := range sortedKeys(s.at) {
		if p := s.at[index]; p.lender != none && (q.SwIfIndex == none || uint32(q.SwIfIndex) == index) {
			out = append(out, &ip.IPUnnumberedDetails{SwIfIndex: interface_types.InterfaceIndex(index), IPSwIfIndex: interface_types.InterfaceIndex(p.lender)})
		}
	}
	return out
}
