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

// checkOwn says why an address can be nobody's own, wherever it is.
func checkOwn(a netip.Addr) error {
	switch {
	case a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast() && a.Is4(), thisNet.Contains(a), reserved.Contains(a):
		return fmt.Errorf("%s is nobody's own: want a unicast address that others can reach", a)
	}
	return nil
}

// edge says whether an address is a subnet's own, or its broadcast.
func edge(of netip.Prefix, a netip.Addr) bool {
	return a.Is4() && of.Bits() < 31 && of.Contains(a) && (a == of.Masked().Addr() || !of.Contains(a.Next()))
}

// unowned says why no floating IP of the router r can have this address: it means something else there, or
// is whoever leads out. One that is served keeps it, whatever other routers come to say.
func (x *external) unowned(f FloatingIP, r *router, served bool) error {
	for _, o := range x.exits {
		if o != r && served {
			continue
		}
		for _, a := range o.exit.Addrs {
			if edge(a, f.Floating) {
				return fmt.Errorf("floating_ip_address: %s is that of the subnet %s itself, or its broadcast", f.Floating, a.Masked())
			}
		}
		leads := slices.Contains(o.exit.Next, f.Floating)
		for _, e := range o.exit.Routes {
			_, outside, _ := o.ways(e)
			leads = leads || outside && slices.Contains(e.By, f.Floating)
		}
		if leads {
			return fmt.Errorf("floating_ip_address: %s is by whom router %s leads out", f.Floating, o.id)
		}
	}
	return nil
}
