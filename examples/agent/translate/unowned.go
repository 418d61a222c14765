// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"net/netip"
	"slices"
)

// What an agent serves it announces, so an address that nobody may have would be taken from all who
// use it as what it is.

var (
	thisNet  = netip.MustParsePrefix("0.0.0.0/8")
	reserved = netip.MustParsePrefix("240.0.0.0/4")
)

// isOne says whether an address can be that of one machine, as others on its link see it.
func isOne(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !thisNet.Contains(a) && !reserved.Contains(a)
}

// checkOwn says why an address can be nobody's own, wherever it is.
func checkOwn(a netip.Addr) error {
	if !isOne(a) || a.IsLinkLocalUnicast() && a.Is4() {
		return fmt.Errorf("%s is nobody's own: want a unicast address that others can reach", a)
	}
	return nil
}

// edge says whether an address is a subnet's own, or its broadcast.
func edge(of netip.Prefix, a netip.Addr) bool {
	return slices.Contains(edges(of), a)
}

// meaning is what an address is already, by what a router says.
type meaning struct {
	by   *router
	what string
}

// mean notes which addresses of the network are no hosts': those of subnets themselves, their broadcasts, and of
// whoever leads out.
func (x *external) mean() {
	x.meant = map[netip.Addr][]meaning{}
	mean := func(a netip.Addr, by *router, what string, args ...any) {
		x.meant[a] = append(x.meant[a], meaning{by, fmt.Sprintf(what, args...)})
	}
	for _, r := range x.exits {
		for _, p := range r.exit.Addrs {
			for _, a := range edges(p) {
				mean(a, r, "that of the subnet %s itself, or its broadcast", p.Masked())
			}
		}
		leads := slices.Clone(r.exit.Next)
		for _, e := range r.exit.Routes {
			if _, outside, _ := r.ways(e); outside {
				leads = append(leads, e.By...)
			}
		}
		for _, a := range leads {
			mean(a, r, "by whom router %s leads out", r.id)
		}
	}
}

// edges are a subnet's own address, and its broadcast.
func edges(of netip.Prefix) []netip.Addr {
	if !of.Addr().Is4() || of.Bits() >= 31 {
		return nil
	}
	last := of.Masked().Addr().As4()
	for i := of.Bits(); i < 32; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return []netip.Addr{of.Masked().Addr(), netip.AddrFrom4(last)}
}

// unowned says why no floating IP of the router r can have this address: it means something else there. One that
// is served keeps it, whatever other routers come to say.
func (x *external) unowned(f FloatingIP, r *router, served bool) error {
	for _, m := range x.meant[f.Floating] {
		if m.by == r || !served {
			return fmt.Errorf("floating_ip_address: %s is %s", f.Floating, m.what)
		}
	}
	return nil
}
