// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// Overlay spans networks that have a VNI over hosts. It meets everything else by nothing
// but a bridge domain, so another one needs no change here or in the library. An
// Underlay is a part of each.
type Overlay interface {
	// Under is what other hosts reach this one by.
	Under() Underlay

	// Kinds are those of the objects, beside bridge domains, their ports, and what the
	// underlay is made of.
	Kinds(c *vppnet.Conn) []desiredstate.AnyKind

	// Base is what the host needs, whatever networks it is in.
	Base() []desiredstate.Object

	// Join makes a bridge domain that of a network.
	Join(bridge string, vni uint32) []desiredstate.Object

	// Here says that somebody in the network is behind this host.
	Here(vni uint32, mac vppnet.MAC) []desiredstate.Object

	// There says that somebody in the network is behind another one.
	There(bridge string, vni uint32, r Remote) []desiredstate.Object
}

// Remote is somebody behind another host.
type Remote struct {
	MAC   vppnet.MAC
	Addrs []netip.Addr // not those that somebody else has by now
	At    netip.Addr   // the host, in the underlay
}

// Underlay is what other hosts reach this one by: an address on the interface of a physical
// network, whose VLANs are left to others. All addresses on it are the agent's.
type Underlay struct {
	Physnet string
	Uplink  string // what the library calls its interface
	Address netip.Prefix
}

// Underlay is that of a host, by a physical network of it.
func (s Site) Underlay(physnet string, address netip.Prefix) Underlay {
	return Underlay{physnet, s.uplink(physnet), address}
}

// Under is u.
func (u Underlay) Under() Underlay { return u }

func (u Underlay) address() l3.Address { return l3.Address{Interface: u.Uplink, Prefix: u.Address} }

// GPE is the overlay of VPP's lisp plugin, as networking-vpp has it. Nothing is flooded:
// hosts say who is behind them, and ARP is answered where it is asked.
type GPE struct{ Underlay }

// locators names the host's locator set.
const locators = "underlay"

// Kinds are those of package gpe.
func (GPE) Kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{gpe.Overlays(c), gpe.LocatorSets(c), gpe.VNIs(c), gpe.LocalEIDs(c), gpe.RemoteEIDs(c), gpe.ARPEntries(c)}
}

// Base turns the overlay on.
func (o GPE) Base() []desiredstate.Object {
	return []desiredstate.Object{gpe.Overlay{}, gpe.LocatorSet{
		Name: locators, Locators: []gpe.Locator{{Interface: o.Uplink, Priority: 1, Weight: 1}},
		After: []desiredstate.Key{o.address().Key()},
	}}
}

// Join is the VNI.
func (GPE) Join(bridge string, vni uint32) []desiredstate.Object {
	return []desiredstate.Object{gpe.VNI{ID: vni, Bridge: bridge}}
}

// Here is a local EID.
func (GPE) Here(vni uint32, mac vppnet.MAC) []desiredstate.Object {
	return []desiredstate.Object{gpe.LocalEID{VNI: vni, EID: gpe.MACEID(mac), LocatorSet: locators}}
}

// There is a remote EID, and an answer to who asks for one of its addresses.
func (GPE) There(bridge string, vni uint32, r Remote) []desiredstate.Object {
	objs := []desiredstate.Object{gpe.RemoteEID{
		VNI: vni, EID: gpe.MACEID(r.MAC), Locators: []gpe.RemoteLocator{{Address: r.At, Priority: 1, Weight: 1}},
	}}
	for _, a := range r.Addrs {
		objs = append(objs, gpe.ARPEntry{Bridge: bridge, Address: a, MAC: r.MAC})
	}
	return objs
}

// VXLAN has a tunnel to each host that has somebody in a network, and floods into all of
// them; bridge domains learn who is behind which. It needs nothing of VPP's lisp plugin.
type VXLAN struct{ Underlay }

// Kinds are the tunnels.
func (VXLAN) Kinds(c *vppnet.Conn) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{vppnet.VXLANTunnels(c)}
}

// Base is nothing.
func (VXLAN) Base() []desiredstate.Object { return nil }

// Join is nothing: the network is its tunnels.
func (VXLAN) Join(string, uint32) []desiredstate.Object { return nil }

// Here is nothing: others learn it.
func (VXLAN) Here(uint32, vppnet.MAC) []desiredstate.Object { return nil }

// There is the tunnel to the host.
func (o VXLAN) There(bridge string, vni uint32, r Remote) []desiredstate.Object {
	name := TunnelName(vni, r.At)
	return append(InTunnel(bridge, name), vppnet.VXLANTunnel{Name: name, Src: o.Address.Addr(), Dst: r.At, VNI: vni})
}

// TunnelName names the interface of a tunnel to a host.
func TunnelName(vni uint32, to netip.Addr) string { return fmt.Sprintf("tunnel-%d-%s", vni, to) }

// tunnels is the split horizon group of all tunnels: what comes by one leaves by no other, as
// there is one between any two hosts.
const tunnels = 1

// InTunnel puts a tunnel into a bridge domain, and up.
func InTunnel(bridge, name string) []desiredstate.Object {
	port := vppnet.BridgePort{Bridge: bridge, Interface: name, SplitHorizonGroup: tunnels}
	return []desiredstate.Object{port, vppnet.LinkState{Interface: name, Up: true, After: []desiredstate.Key{port.Key()}}}
}

// UnderlayObjects are what VPP shall hold to be found by other hosts, with or without
// ports; nil: there is no overlay.
func (s Site) UnderlayObjects() []desiredstate.Object {
	if s.Overlay == nil {
		return nil
	}
	u := s.Overlay.Under()
	return append(append(s.UplinkObjects(u.Physnet), u.address()), s.Overlay.Base()...)
}

// validateOverlay reports what no other host could reach this one by.
func (s Site) validateOverlay() error {
	if s.Overlay == nil {
		return nil
	}
	u := s.Overlay.Under()
	if s.Physnets[u.Physnet] == "" {
		return fmt.Errorf("overlay: this host has no physical network %q", u.Physnet)
	}
	for _, o := range s.UnderlayObjects() {
		if err := o.Validate(); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
	}
	return nil
}
