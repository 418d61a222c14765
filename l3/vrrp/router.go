// SPDX-License-Identifier: Apache-2.0

package vrrp

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

// Router is a router's part in one that several make together (VRRP
// version 3): whoever is master has its addresses, and when the master is not heard
// for a while, the next one takes over. VPP does that by itself.
//
// A standby that hears nothing takes over after three intervals and a skew of
// (256-Priority)/256 intervals; after a removal or a stop of the master, after the
// skew alone.
type Router struct {
	Interface string
	Table     string // of its Membership, in the family of the addresses; "": it has none

	ID        uint8        // 1 to 255, the same on all routers
	Addresses []netip.Addr // of one family, the same on all routers, 1 to 255

	Priority  uint8         // 1 to 254; 255: this router has the addresses as its own; 0: 100
	Interval  time.Duration // between adverts, 10 ms to 40.95 s, in steps of 10 ms; 0: 1 s
	NoPreempt bool          // leave a master of lower priority alone

	// Accept: the master answers what is sent to the addresses themselves, as in
	// ping. VPP gives them to the interface for that time.
	Accept bool

	// Peers are the other routers, if they are not all reached by multicast. Hosts
	// are then not told of a new master.
	Peers []netip.Addr

	// Track lowers the priority while other interfaces cannot send.
	Track []TrackedInterface

	Stopped bool // it takes no part

	// After lists what has to be there before it takes part, and outlives that: the
	// interface's own Address and LinkState, above all. VPP does not know of it, so
	// it is no difference by itself.
	After []desiredstate.Key
}

// TrackedInterface is one that a Router watches.
type TrackedInterface struct {
	Interface string
	Decrement uint8 // of the priority, 1 to 254, while the interface is down or has no address
}

const space = "virtual-router"

// RouterKey is the key of a Router of IPv4 or IPv6.
func RouterKey(iface string, id uint8, ipv6 bool) desiredstate.Key {
	return desiredstate.Key{Space: space, Name: fmt.Sprintf("%s %s %d", iface, inet.Family(ipv6), id)}
}

// Key is RouterKey of r's interface, ID and family.
func (r Router) Key() desiredstate.Key {
	return RouterKey(r.Interface, r.ID, r.is6())
}

func (r Router) is6() bool { return len(r.Addresses) > 0 && r.Addresses[0].Is6() }

// lends says whether VPP gives the addresses to the interface, and takes them back,
// even from who has given them too: then they can be nobody else's.
func (r Router) lends() bool { return r.Accept && r.Priority != owner }

// owner is the priority of the router whose own the addresses are.
const owner = 255

// MAC is the address that the virtual router has on the wire.
func (r Router) MAC() vppnet.MAC {
	m := vppnet.MAC{0, 0, 0x5e, 0, 1, r.ID}
	if r.is6() {
		m[4] = 2
	}
	return m
}

// Deps lists the interface, its Membership and table, what is tracked and, unless
// Stopped, After.
func (r Router) Deps() []desiredstate.Key {
	deps := place.Deps(r.Interface, r.Table)
	for _, t := range r.Track {
		deps = append(deps, vppnet.InterfaceKey(t.Interface))
	}
	if !r.Stopped {
		deps = append(deps, r.After...)
	}
	return deps
}

// Validate checks all that can be told without VPP.
func (r Router) Validate() error {
	if err := errors.Join(vppnet.CheckRef(place.InterfaceSpace, r.Interface), place.CheckTable(r.Table)); err != nil {
		return err
	}
	switch {
	case r.ID == 0:
		return errors.New("ID is not set, want 1 to 255")
	case r.Interval != 0 && (r.Interval < interval || r.Interval > 4095*interval || r.Interval%interval != 0):
		return fmt.Errorf("interval %v, want 10ms to 40.95s in steps of 10ms", r.Interval)
	case len(r.Addresses) == 0 || len(r.Addresses) > 255:
		return fmt.Errorf("%d addresses, want 1 to 255", len(r.Addresses))
	case len(r.Peers) > 255:
		return fmt.Errorf("%d peers, want at most 255", len(r.Peers))
	case len(r.Track) > 255:
		return fmt.Errorf("%d tracked interfaces, want at most 255", len(r.Track))
	case slices.Contains(r.After, r.Key()), slices.Contains(r.After, desiredstate.Key{}):
		return errors.New("comes after itself, or after an object without a name")
	}
	if err := r.checkAddrs("address", r.Addresses); err != nil {
		return err
	}
	if err := r.checkAddrs("peer", r.Peers); err != nil {
		return err
	}
	seen := map[string]bool{r.Interface: true}
	for _, t := range r.Track {
		if err := vppnet.CheckRef("tracked interface", t.Interface); err != nil {
			return err
		}
		if t.Decrement == 0 || t.Decrement == 255 {
			return fmt.Errorf("tracked interface %s: decrement %d, want 1 to 254", t.Interface, t.Decrement)
		}
		if seen[t.Interface] {
			return fmt.Errorf("tracked interface %s: twice, or its own", t.Interface)
		}
		seen[t.Interface] = true
	}
	return nil
}

// interval is VRRP's unit of time.
const interval = 10 * time.Millisecond

func (r Router) checkAddrs(what string, all []netip.Addr) error {
	seen := map[netip.Addr]bool{}
	for _, a := range all {
		if err := inet.CheckHost(what, a); err != nil {
			return err
		}
		if a.Is6() != r.is6() {
			return fmt.Errorf("%s %v is not of the family of %v", what, a, r.Addresses[0])
		}
		if seen[a] {
			return fmt.Errorf("%s %v: twice", what, a)
		}
		seen[a] = true
	}
	return nil
}

// filled is r with VPP's word where r has none, in one order.
func (r Router) filled() Router {
	r.Priority = cmp.Or(r.Priority, 100)
	r.Interval = cmp.Or(r.Interval, time.Second)
	r.Addresses = sorted(r.Addresses, netip.Addr.Compare)
	r.Peers = sorted(r.Peers, netip.Addr.Compare)
	r.Track = sorted(r.Track, func(a, b TrackedInterface) int { return cmp.Compare(a.Interface, b.Interface) })
	return r
}

// sorted is nil for nothing.
func sorted[T any](all []T, by func(a, b T) int) []T {
	if len(all) == 0 {
		return nil
	}
	all = slices.Clone(all)
	slices.SortFunc(all, by)
	return all
}

// fixed is all of r that does not change in place.
func (r Router) fixed() Router {
	r = r.filled()
	if r.Peers = r.Peers[:min(1, len(r.Peers))]; len(r.Peers) > 0 {
		r.Peers = []netip.Addr{{}} // that there are any
	}
	r.Track, r.Stopped, r.After = nil, false, nil
	return r
}
