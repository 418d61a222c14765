// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
)

// A router has one port for all its subnets of IPv6 in a network, and can have one for those of both families. Its key says
// of one of them alone, that of gateway_ip, how long it is; which one that is changes as subnets come. So what the key said
// before counts, too, and what VPP has.

// others reads the addresses that a leg has beside gateway_ip.
func (p *RouterPort) others(f fields, out *lacks) {
	first := p.Addrs[0]
	for i, raw := range list(f, "fixed_ips", out) {
		a, err := fixedIP(raw)
		if err == nil && a != first.Addr() {
			_, err = ownAddress(a.String(), int64(a.BitLen()))
		}
		switch {
		case err != nil:
			out.add(fmt.Errorf("fixed_ips %d: %w", i, err))
		case a != first.Addr() && !slices.Contains(p.more, a):
			if p.more = append(p.more, a); first.Contains(a) { // subnets of one network do not overlap
				p.measure(netip.PrefixFrom(a, first.Bits()))
			}
		}
	}
}

// measure says of one of them how long its subnet is.
func (p *RouterPort) measure(a netip.Prefix) {
	differs := func(o netip.Prefix) bool { return o.Addr() == a.Addr() || o.Overlaps(a) && o.Bits() != a.Bits() }
	if slices.Contains(p.more, a.Addr()) && !slices.ContainsFunc(p.Addrs, differs) {
		p.Addrs = append(slices.Clone(p.Addrs), a)
	}
}

// measured says it of those that VPP has.
func (p *RouterPort) measured(found map[desiredstate.Key]desiredstate.Object) {
	for _, a := range p.more {
		for _, door := range []string{door(p.Net), p.sideDoor()} {
			for bits := a.BitLen(); bits > 0; bits-- {
				have, _ := found[l3.AddressKey(door, netip.PrefixFrom(a, bits))].(l3.Address)
				if have.Table == p.table() {
					p.measure(have.Prefix)
				}
			}
		}
	}
}

// left names what is not served: parts of the value, and addresses whose subnets nobody knows.
func (p RouterPort) left() error {
	var out lacks
	out.add(p.Lacks)
	for _, a := range p.more {
		if !slices.ContainsFunc(p.Addrs, func(o netip.Prefix) bool { return o.Addr() == a }) {
			out.add(fmt.Errorf("fixed_ips: nobody says how long the subnet of %s is, as the driver does of gateway_ip alone, so it is not served", a))
		}
	}
	return out.join()
}
