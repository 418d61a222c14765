// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// Election is how hosts that have the same routers agree which of them serves these:
// by one virtual router (VRRP) of their VPPs, on a VLAN that is for nothing else. Who
// is its master serves all routers, so none is torn between two hosts.
//
// A virtual router on each router's own interfaces would need addresses for each host
// there, which nobody assigns, and does not know of floating IPs.
type Election struct {
	Physnet  string
	VLAN     uint16        // 1 to 4094
	Address  netip.Prefix  // the host's own, IPv4; not the first one of the subnet, for which they compete
	ID       uint8         // of the virtual router, the same on all hosts; 0: 1
	Priority uint8         // the highest one wins when they begin together, 1 to 254; 0: 100
	Interval time.Duration // between adverts, the same on all hosts; 0: 1 s
}

// ElectionInterface is the name of the interface by which hosts compete.
const ElectionInterface = "ha-election"

// virtual is the router that is competed for. Who serves is left alone: a host that
// comes back may have a better priority, but has nothing ready yet.
func (e Election) virtual() vrrp.Router {
	return vrrp.Router{
		Interface: ElectionInterface, Table: ElectionInterface, ID: cmp.Or(e.ID, 1), Priority: e.Priority, Interval: e.Interval,
		Addresses: []netip.Addr{e.Address.Masked().Addr().Next()}, NoPreempt: true,
		// VPP does nothing else for most of a second when NAT is turned on. Who competed
		// already would miss the adverts of the one who serves, and win.
		After: []desiredstate.Key{vppnet.LinkKey(ElectionInterface), l3.AddressKey(ElectionInterface, e.Address), nat.PluginKey()},
	}
}

// ElectionObjects lists what VPP shall hold to take part, if the host does.
func (s Site) ElectionObjects() []desiredstate.Object {
	e := s.Election
	if e == nil {
		return nil
	}
	name, uplink := ElectionInterface, s.uplink(e.Physnet)
	sum := sha256.Sum256([]byte(name))
	return []desiredstate.Object{
		s.up(e.Physnet),
		vppnet.SubInterface{Name: name, Parent: uplink, Outer: e.VLAN},
		l3.Table{Name: name, ID: binary.BigEndian.Uint32(sum[:])&(maxVRF>>1) | (maxVRF + 1), NoIPv6: true},
		l3.Membership{Interface: name, Table: name, NoIPv6: true},
		l3.Address{Interface: name, Prefix: e.Address, Table: name},
		vppnet.LinkState{Interface: name, Up: true, Parent: uplink},
		nat.Plugin{},
		e.virtual(),
	}
}

// validateElection reports what the host could not take part with.
func (s Site) validateElection() error {
	e := s.Election
	switch {
	case e == nil:
		return nil
	case !s.HA:
		return errors.New("an election, but no HA")
	case s.Physnets[e.Physnet] == "":
		return fmt.Errorf("election: this host has no physical network %q", e.Physnet)
	case e.VLAN < 1 || e.VLAN > 4094:
		return fmt.Errorf("election: %d is no VLAN", e.VLAN)
	case !e.Address.IsValid() || !e.Address.Addr().Is4():
		return errors.New("election: want an IPv4 address with the length of its subnet")
	case e.Address.Bits() > 29 || e.Address.Addr() == e.Address.Masked().Addr().Next():
		return fmt.Errorf("election: the first address of %s is what hosts compete for, so it is nobody's own", e.Address.Masked())
	}
	for _, o := range s.ElectionObjects() {
		if err := o.Validate(); err != nil {
			return fmt.Errorf("election: %w", err)
		}
	}
	return nil
}

// HAKey is the name of the key, below Site.Routers, by which a host is told whether it
// serves its routers.
const HAKey = "ha"

// Serves reads the key that says whether the host serves its routers.
func Serves(value []byte) (bool, error) {
	switch text := strings.TrimSpace(string(value)); text {
	case "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	default:
		return false, fmt.Errorf("%.40q, want 1 or 0", text)
	}
}
