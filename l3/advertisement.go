// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// RouterAdvertisement tells the IPv6 hosts on an interface's link of this router.
// The zero value says, every 150 to 200 seconds, that it is a default router.
type RouterAdvertisement struct {
	Interface string

	// Address is an IPv6 address of the interface. VPP forgets the advertisement
	// when the interface loses its last one, so this one's Address is a
	// dependency. VPP does not show it: it is no difference by itself.
	Address netip.Prefix

	Managed         bool // addresses are to be had by DHCPv6
	Other           bool // other things are to be had by DHCPv6
	NoDefaultRouter bool // it is not a default router
	NoLinkAddress   bool // do not tell the router's MAC
	Unicast         bool // answer solicitations to the one who asks, not to all

	// Lifetime is how long hosts keep it as a default router: whole seconds, more
	// than MaxInterval, up to 9000. 0: three times MaxInterval.
	Lifetime time.Duration

	// MaxInterval is the longest time between two: whole seconds from 4 to 1800.
	// 0: 200 seconds.
	MaxInterval time.Duration

	// MinInterval is the shortest: whole seconds from 3 to three quarters of
	// MaxInterval. 0: just that.
	MinInterval time.Duration

	Prefixes []AdvertisedPrefix // in any order
}

// AdvertisedPrefix tells hosts what their link's addresses begin with. They make
// addresses of it for themselves, unless NoAutonomous says otherwise.
type AdvertisedPrefix struct {
	Prefix       netip.Prefix // IPv6, without host bits; of one address only one length
	NoAutonomous bool         // hosts do not make addresses of it
	OffLink      bool         // its addresses are not to be taken for neighbours

	// Valid and Preferred are how long addresses made of it can be used, and
	// should be, in whole seconds. Both 0: for ever. VPP counts others down from
	// when they were set, to nothing: they are set anew when a reading finds less
	// than half of one left, so read from time to time.
	Valid, Preferred time.Duration

	hidden bool // as read: it is not advertised
}

const forever = 1<<32 - 1 // seconds

// AdvertisementKey is the key of an interface's RouterAdvertisement.
func AdvertisementKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "router-advertisement", Name: iface}
}

// Key is AdvertisementKey(r.Interface).
func (r RouterAdvertisement) Key() desiredstate.Key { return AdvertisementKey(r.Interface) }

// Deps lists the interface and the address.
func (r RouterAdvertisement) Deps() []desiredstate.Key {
	deps := place.Deps(r.Interface, "")
	if r.Address.IsValid() {
		deps = append(deps, AddressKey(r.Interface, r.Address))
	}
	return deps
}

// Validate checks names, times and prefixes; VPP would cut a lifetime of more than
// 9000 seconds without a word.
func (r RouterAdvertisement) Validate() error {
	if err := vppnet.CheckRef(place.InterfaceSpace, r.Interface); err != nil {
		return err
	}
	for _, t := range []time.Duration{r.Lifetime, r.MaxInterval, r.MinInterval} {
		if t < 0 || t%time.Second != 0 {
			return fmt.Errorf("%v, want whole seconds", t)
		}
	}
	full := r.normal()
	switch {
	case !r.Address.IsValid() || !r.Address.Addr().Is6() || r.Address.Addr().Is4In6():
		return errors.New("want an IPv6 address of the interface, without which VPP does not advertise")
	case full.MaxInterval < 4*time.Second || full.MaxInterval > 1800*time.Second:
		return fmt.Errorf("longest interval %v, want 4 s to 1800 s", full.MaxInterval)
	case full.MinInterval < 3*time.Second || 4*full.MinInterval > 3*full.MaxInterval:
		return fmt.Errorf("shortest interval %v, want 3 s to three quarters of %v", full.MinInterval, full.MaxInterval)
	case r.NoDefaultRouter && r.Lifetime != 0:
		return errors.New("no default router, but a lifetime as one")
	case !r.NoDefaultRouter && (full.Lifetime <= full.MaxInterval || full.Lifetime > 9000*time.Second):
		return fmt.Errorf("lifetime %v, want more than %v, up to 9000 s", full.Lifetime, full.MaxInterval)
	}
	seen := make(map[netip.Addr]netip.Prefix, len(r.Prefixes))
	for _, p := range r.Prefixes {
		if err := p.validate(); err != nil {
			return fmt.Errorf("prefix %v: %w", p.Prefix, err)
		}
		if other, dup := seen[p.Prefix.Addr()]; dup {
			return fmt.Errorf("prefixes %v and %v have one address", other, p.Prefix)
		}
		seen[p.Prefix.Addr()] = p.Prefix
	}
	return nil
}

func (p AdvertisedPrefix) validate() error {
	if err := inet.CheckPrefix(p.Prefix); err != nil {
		return err
	}
	switch {
	case !p.Prefix.Addr().Is6():
		return errors.New("want IPv6")
	case p.Prefix != p.Prefix.Masked():
		return fmt.Errorf("it has host bits, want %v", p.Prefix.Masked())
	case p.Prefix.Addr().IsLinkLocalUnicast(), p.Prefix.Addr().IsMulticast():
		return errors.New("hosts cannot make addresses of it")
	case p.Valid < 0 || p.Preferred < 0 || p.Valid%time.Second != 0 || p.Preferred%time.Second != 0 || p.Valid >= forever*time.Second:
		return fmt.Errorf("lifetimes %v and %v, want whole seconds", p.Valid, p.Preferred)
	case p.Preferred > p.Valid:
		return fmt.Errorf("preferred for %v, longer than it is valid, %v", p.Preferred, p.Valid)
	case (p.Valid == 0) != (p.Preferred == 0):
		return errors.New("VPP makes both lifetimes last for ever, or none")
	}
	return nil
}

// normal is r with the defaults filled in, and its prefixes in order.
func (r RouterAdvertisement) normal() RouterAdvertisement {
	r.MaxInterval = cmp.Or(r.MaxInterval, 200*time.Second)
	r.MinInterval = cmp.Or(r.MinInterval, (r.MaxInterval * 3 / 4).Truncate(time.Second))
	if !r.NoDefaultRouter {
		r.Lifetime = cmp.Or(r.Lifetime, 3*r.MaxInterval)
	}
	r.Prefixes = slices.SortedFunc(slices.Values(r.Prefixes), func(a, b AdvertisedPrefix) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
	return r
}

// over is r where have, as read, is not just that: what r leaves open filled in,
// and lifetimes that have been running for a while taken from have.
func (r RouterAdvertisement) over(have RouterAdvertisement) RouterAdvertisement {
	r = r.normal()
	running := make(map[netip.Prefix]AdvertisedPrefix, len(have.Prefixes))
	for _, h := range have.Prefixes {
		running[h.Prefix] = h
	}
	for i, p := range r.Prefixes {
		if h, ok := running[p.Prefix]; ok && fresh(h.Valid, p.Valid) && fresh(h.Preferred, p.Preferred) {
			r.Prefixes[i].Valid, r.Prefixes[i].Preferred = h.Valid, h.Preferred
		}
	}
	r.Address = have.Address
	return r
}

// fresh says whether enough is left of a lifetime.
func fresh(left, full time.Duration) bool { return left <= full && left >= full/2 }
