// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"

	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip6_nd"
)

// An advertisement is what sw_interface_ip6nd_ra_config sets.
type advertisement struct {
	send, managed, other, noLink, unicast, cease bool
	lifetime, longest, shortest, count, interval uint32
	prefixes                                     pool[ip6_nd.IP6ndRaPrefix]
	mtu                                          uint32
	at                                           uint32 // in the pool of advertisers
}

func (a *advertisement) String() string {
	if a == nil {
		return ""
	}
	text := fmt.Sprint(a.send, a.managed, a.other, a.noLink, a.unicast, a.cease, a.lifetime, a.longest, a.shortest, a.count, a.interval)
	for _, p := range a.shown() {
		text += fmt.Sprintf(" %v %v %v %v %d %d", p.Prefix, p.OnlinkFlag, p.AutonomousFlag, p.NoAdvertise, p.ValLifetime, p.PrefLifetime)
	}
	return text
}

func (a *advertisement) shown() (out []ip6_nd.IP6ndRaPrefix) {
	a.prefixes.each(none, func(_ uint32, p *ip6_nd.IP6ndRaPrefix) { out = append(out, *p) })
	return out
}

// advertise makes what an interface would say of itself, to begin with. The MTU is what
// it is now.
func (p *ipSide) advertise(i *iface) {
	p.ra = &advertisement{lifetime: 600, longest: 200, shortest: 150, count: 3, interval: 16}
	for _, mtu := range []uint32{i.mtu[2], i.mtu[0], 9000} {
		if p.ra.mtu == 0 {
			p.ra.mtu = mtu
		}
	}
}

// advertiser is what an interface advertises, or why nothing.
func (s *ips) advertiser(index interface_types.InterfaceIndex) (*advertisement, int32) {
	i := s.v.life.interfaces.at(index)
	if i == nil {
		return nil, invalidInterface
	}
	if a := s.side(i.index).ra; a != nil {
		return a, 0
	}
	return nil, ip6NotEnabled
}

func (s *ips) configRA(_ *Call, q *ip6_nd.SwInterfaceIP6ndRaConfig) *ip6_nd.SwInterfaceIP6ndRaConfigReply {
	a, retval := s.advertiser(q.SwIfIndex)
	if retval == 0 {
		retval = a.config(q)
	}
	return &ip6_nd.SwInterfaceIP6ndRaConfigReply{Retval: retval}
}

func (a *advertisement) config(q *ip6_nd.SwInterfaceIP6ndRaConfig) int32 {
	a.send = true // even if the rest is refused
	value := func(said bool, have, want, std uint32) uint32 {
		switch {
		case !said:
			return have
		case q.IsNo:
			return std
		}
		return want
	}
	shortest := q.MinInterval
	if q.MaxInterval != 0 && shortest == 0 {
		shortest = uint32(.75 * float64(q.MaxInterval))
	}
	longest := value(q.MaxInterval != 0, a.longest, q.MaxInterval, 200)
	shortest = value(shortest != 0, a.shortest, shortest, 150)
	lifetime := min(value(q.DefaultRouter == 1, a.lifetime, q.Lifetime, 600), 9000)
	if lifetime != 0 && lifetime <= longest || float64(shortest) > .75*float64(longest) || shortest < 3 || q.InitialCount > 3 || q.InitialInterval > 16 {
		return invalidValue
	}
	flag := func(have *bool, said uint8) {
		if said == 1 {
			*have = !q.IsNo
		}
	}
	flag(&a.managed, q.Managed)
	flag(&a.other, q.Other)
	flag(&a.noLink, q.LlOption)
	flag(&a.unicast, q.SendUnicast)
	flag(&a.cease, q.Cease)
	if q.Suppress == 1 {
		a.send = q.IsNo
	}
	if q.Cease == 1 && q.IsNo {
		a.send = true
	}
	a.longest, a.shortest, a.lifetime = longest, shortest, lifetime
	a.count = value(q.InitialCount != 0, a.count, q.InitialCount, 3)
	a.interval = value(q.InitialInterval != 0, a.interval, q.InitialInterval, 16)
	return 0
}

func (s *ips) prefixRA(_ *Call, q *ip6_nd.SwInterfaceIP6ndRaPrefix) *ip6_nd.SwInterfaceIP6ndRaPrefixReply {
	a, retval := s.advertiser(q.SwIfIndex)
	if retval == 0 {
		retval = a.prefix(q)
	}
	return &ip6_nd.SwInterfaceIP6ndRaPrefixReply{Retval: retval}
}

func (a *advertisement) prefix(q *ip6_nd.SwInterfaceIP6ndRaPrefix) int32 {
	q.Prefix.Address = wireAddr(as6(addrOf(q.Prefix.Address)))
	var at uint32
	var p *ip6_nd.IP6ndRaPrefix
	a.prefixes.each(none, func(i uint32, x *ip6_nd.IP6ndRaPrefix) {
		if x.Prefix.Address == q.Prefix.Address {
			at, p = i, x
		}
	})
	switch {
	case p == nil && q.IsNo:
		return invalidValue
	case p != nil && p.Prefix.Len != q.Prefix.Len:
		return invalidValue2
	case q.IsNo:
		a.prefixes.delete(at)
		return 0
	case p == nil:
		at, _ = a.prefixes.put(none, ip6_nd.IP6ndRaPrefix{
			Prefix: q.Prefix, OnlinkFlag: true, AutonomousFlag: true, ValLifetime: 2592000, PrefLifetime: 604800, DecrementLifetimeFlag: true,
		})
		if q.UseDefault {
			return 0
		}
		p = a.prefixes.at(at)
	}
	if p.ValLifetime, p.PrefLifetime = q.ValLifetime, q.PrefLifetime; p.ValLifetime == none || p.PrefLifetime == none {
		p.ValLifetime, p.PrefLifetime, p.DecrementLifetimeFlag = none, none, false
	}
	p.NoAdvertise, p.OnlinkFlag, p.AutonomousFlag = q.NoAdvertise, !q.OffLink && !q.NoOnlink, !q.NoAutoconfig
	return 0
}

func (s *ips) advertisements(_ *Call, q *ip6_nd.SwInterfaceIP6ndRaDump) (out []*ip6_nd.SwInterfaceIP6ndRaDetails) {
	indexes := []uint32{uint32(q.SwIfIndex)}
	if q.SwIfIndex == none {
		indexes = nil
		s.advertisers.each(none, func(_ uint32, index *uint32) { indexes = append(indexes, *index) })
	}
	for _, index := range indexes {
		at := s.at[index]
		if at == nil || at.ra == nil {
			continue
		}
		a := at.ra
		out = append(out, &ip6_nd.SwInterfaceIP6ndRaDetails{
			SwIfIndex: interface_types.InterfaceIndex(index), CurHopLimit: 64,
			AdvManagedFlag: a.managed, AdvOtherFlag: a.other, AdvRouterLifetime: uint16(a.lifetime),
			AdvLinkMtu: a.mtu, SendRadv: a.send, CeaseRadv: a.cease, SendUnicast: a.unicast,
			AdvLinkLayerAddress: !a.noLink, MaxRadvInterval: float64(a.longest), MinRadvInterval: float64(a.shortest),
			InitialAdvertsCount: a.count, InitialAdvertsInterval: float64(a.interval), Prefixes: a.shown(),
		})
	}
	return out
}
