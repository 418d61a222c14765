// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"net/netip"
	"slices"

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

func (s *ips) addDelAddress(_ *Call, q *interfaces_api.SwInterfaceAddDelAddress) *interfaces_api.SwInterfaceAddDelAddressReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: invalidInterface}
	}
	p := prefixOf(ip_types.Prefix(q.Prefix))
	switch {
	case q.DelAll:
		s.dropAddresses(i)
		return new(interfaces_api.SwInterfaceAddDelAddressReply)
	case p.Addr().Is6() && p.Addr().IsLinkLocalUnicast():
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: unimplemented}
	case i.class == localClass || i.sub != nil && i.sub.flags&interface_types.SUB_IF_API_FLAG_EXACT_MATCH == 0:
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: unsupported}
	case q.IsAdd:
		return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: s.addAddress(i, p)}
	}
	return &interfaces_api.SwInterfaceAddDelAddressReply{Retval: s.dropAddress(i, p)}
}

func (s *ips) addAddress(i *iface, p netip.Prefix) int32 {
	is6 := family(p.Addr().Is6())
	side := s.side(i.index)
	for index, other := range s.at {
		if s.v.life.interfaces.all[index] == nil || other.tables[is6] != side.tables[is6] {
			continue
		}
		for _, a := range other.addresses[is6] {
			same := other == side && a.Bits() == p.Bits() && a.Addr() != p.Addr()
			if a.Overlaps(p) && !same {
				return []int32{addressInUse, addressDuplicate}[is6]
			}
		}
	}
	if p.Bits() == 0 {
		return lengthMismatch
	}
	side.addresses[is6] = append(side.addresses[is6], p)
	if is6 == 1 {
		s.holdIP6(i)
	}
	if side.connected {
		s.connect(i.index, side.tables[is6], p, true)
	}
	return 0
}

// dropAddress looks for the address alone; what it connected goes by the length given.
func (s *ips) dropAddress(i *iface, p netip.Prefix) int32 {
	is6 := family(p.Addr().Is6())
	side := s.side(i.index)
	n := slices.IndexFunc(side.addresses[is6], func(a netip.Prefix) bool { return a.Addr() == p.Addr() })
	if n < 0 {
		return addressNotFound
	}
	side.addresses[is6] = slices.Delete(side.addresses[is6], n, n+1)
	s.forgetSubnet(i.index, p)
	if side.connected {
		s.connect(i.index, side.tables[is6], p, false)
	}
	if is6 == 1 {
		s.releaseIP6(i)
	}
	return 0
}

func (s *ips) dropAddresses(i *iface) {
	for _, all := range s.side(i.index).addresses {
		for _, a := range slices.Clone(all) {
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
	if a.Bits() == all {
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
			if own != addr {
				route(netip.PrefixFrom(own, 32), dropped(false))
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
	p := s.side(i.index)
	if p.lender != none {
		return nil // not even its own
	}
	for _, a := range p.addresses[family(q.IsIPv6)] {
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
		s.side(i.index).lender = none
	case lender == nil:
		r.Retval = invalidInterface3
	case s.side(i.index).tables != s.side(lender.index).tables:
		r.Retval = unexpectedState
	default:
		s.side(i.index).lender = lender.index
	}
	return r
}

// borrows says whether an interface has addresses of another one.
func (s *ips) borrows(p *ipSide, is6 bool) bool {
	return p.lender != none && len(s.side(p.lender).addresses[family(is6)]) > 0
}

func (s *ips) unnumbered(_ *Call, q *ip.IPUnnumberedDump) (out []*ip.IPUnnumberedDetails) {
	for _, index := range sortedKeys(s.at) {
		if p := s.at[index]; p.lender != none && (q.SwIfIndex == none || uint32(q.SwIfIndex) == index) {
			out = append(out, &ip.IPUnnumberedDetails{SwIfIndex: interface_types.InterfaceIndex(index), IPSwIfIndex: interface_types.InterfaceIndex(p.lender)})
		}
	}
	return out
}
