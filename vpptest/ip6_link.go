// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"math/rand/v2"
	"net/netip"

	"go.fd.io/govpp/binapi/fib_types"
	"go.fd.io/govpp/binapi/ip"
)

// holdIP6 is one reason more for IPv6 to be on. The first one makes all anew; an address
// that is given is its link-local one.
func (s *ips) holdIP6(i *iface, given netip.Addr) (first bool) {
	p := s.side(i.index)
	if p.ip6++; p.ip6 > 1 {
		return false
	}
	ethernet := i.sup.sub == nil && !i.hw.class.l3
	switch m := i.hw.mac; {
	case given.IsValid():
		p.ll = given
	case ethernet:
		p.ll = netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
	default:
		a := [16]byte{0: 0xfe, 1: 0x80}
		for n := range 8 {
			a[8+n] = byte(rand.IntN(256))
		}
		a[8] &= 0xfd
		p.ll = netip.AddrFrom16(a)
	}
	s.linkRoute(i.index, p.ll, fib_types.FIB_API_PATH_TYPE_LOCAL)
	s.hear(i.index, true)
	if ethernet {
		p.advertise(i)
		p.ra.at, _ = s.advertisers.put(none, i.index)
	}
	for _, f := range s.toggled {
		f(i.index, true)
	}
	return true
}

// releaseIP6 is one reason less, whoever's it was.
func (s *ips) releaseIP6(i *iface) {
	p := s.side(i.index)
	if p.ip6 == 0 {
		return
	}
	if p.ip6--; p.ip6 == 0 {
		for _, f := range s.toggled {
			f(i.index, false)
		}
		if p.ra != nil {
			s.advertisers.delete(p.ra.at)
		}
		s.unlinkRoute(i.index, p.ll)
		p.ll, p.ra = netip.Addr{}, nil
	}
}

func (s *ips) enableIP6(_ *Call, q *ip.SwInterfaceIP6EnableDisable) *ip.SwInterfaceIP6EnableDisableReply {
	r := new(ip.SwInterfaceIP6EnableDisableReply)
	switch i := s.v.life.interfaces.at(q.SwIfIndex); {
	case i == nil:
		r.Retval = invalidInterface
	case !q.Enable:
		if s.side(i.index).ip6 == 0 {
			r.Retval = ip6NotEnabled
		}
		s.releaseIP6(i)
	case !s.holdIP6(i, netip.Addr{}):
		r.Retval = valueExists
	}
	return r
}

func (s *ips) linkLocal(_ *Call, q *ip.SwInterfaceIP6GetLinkLocalAddress) *ip.SwInterfaceIP6GetLinkLocalAddressReply {
	i := s.v.life.interfaces.at(q.SwIfIndex)
	if i == nil {
		return &ip.SwInterfaceIP6GetLinkLocalAddressReply{Retval: invalidInterface}
	}
	p := s.side(i.index)
	if p.ip6 == 0 {
		return &ip.SwInterfaceIP6GetLinkLocalAddressReply{Retval: ip6NotEnabled}
	}
	return &ip.SwInterfaceIP6GetLinkLocalAddressReply{IP: p.ll.As16()}
}

// setLinkLocal is what adding and deleting a link-local address does: an interface has
// one, which only another one can take the place of.
func (s *ips) setLinkLocal(c *Call, i *iface, p netip.Prefix, add bool) int32 {
	side := s.side(i.index)
	switch {
	case p.Bits() != 128:
		return lengthMismatch
	case !add && side.ip6 == 0:
		c.Die("deleted a link-local address where IPv6 is off")
		return 0
	case !add && side.ll == p.Addr():
		return addressNotDeletable
	case !add:
		return addressNotFound
	case side.ip6 == 0:
		s.holdIP6(i, p.Addr())
	default:
		s.unlinkRoute(i.index, side.ll)
		side.ll = p.Addr()
		s.linkRoute(i.index, side.ll, fib_types.FIB_API_PATH_TYPE_LOCAL)
	}
	return 0
}

// linkRoute puts a route to a link-local address into the table that an interface has
// for these. No dump of tables shows it; its number is ~0, by which the last one made is
// found.
func (s *ips) linkRoute(index uint32, a netip.Addr, kind fib_types.FibPathType) {
	t := s.links[index]
	if t == nil {
		t = s.pool[1].make(true, none, "")
		t.hidden = true
		s.links[index] = t
		s.lock(t)
		t.source(netip.MustParsePrefix("fe80::/10"), srcSpecial).paths = []fib_types.FibPath{
			{SwIfIndex: index, Weight: 1, Proto: fib_types.FIB_API_PATH_NH_PROTO_IP6},
		}
	}
	path := fib_types.FibPath{SwIfIndex: index, Weight: 1, Proto: fib_types.FIB_API_PATH_NH_PROTO_IP6, Type: kind}
	path.Nh.Address = wireAddr(a).Un
	s.paths(t, netip.PrefixFrom(a, 128), srcND, []fib_types.FibPath{path})
}

func (s *ips) unlinkRoute(index uint32, a netip.Addr) {
	t := s.links[index]
	if t == nil {
		return
	}
	s.paths(t, netip.PrefixFrom(a, 128), srcND, nil)
	for _, e := range t.entries {
		if e.sources[srcND] != nil {
			return
		}
	}
	delete(s.links, index)
	s.unlock(t)
}
