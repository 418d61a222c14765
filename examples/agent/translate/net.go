// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"fmt"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Net is a network as this host can serve it.
type Net struct {
	Physnet string
	Uplink  string // what the library calls the interface of the physnet
	Type    string // "vlan", "flat" or "gpe"
	Segment uint32 // VLAN, 0 or VNI

	overlay Overlay // of "gpe"
	mtu     uint32  // of the uplink
}

const maxVNI = 1<<24 - 1

// net reads a network from members that are called so. What is missing is what the
// driver means by leaving it out.
func (s Site) net(f fields, physnet, kind, segment string) (n Net, err error) {
	var number int64
	for _, err := range []error{read(f, physnet, &n.Physnet), read(f, kind, &n.Type), read(f, segment, &number)} {
		if err != nil {
			return n, err
		}
	}
	switch {
	case n.Type == "gpe", n.Type == "vxlan":
		return s.overlaid(number, segment)
	case n.Type == "flat" && number == 0:
	case n.Type == "flat":
		return n, fmt.Errorf("%s: a flat network has no %d", segment, number)
	case n.Type == "vlan" && number >= 1 && number <= 4094:
		n.Segment = uint32(number)
	case n.Type == "vlan":
		return n, fmt.Errorf("%s: %d is no VLAN", segment, number)
	default:
		return n, fmt.Errorf("%s: %.40q is unknown", kind, n.Type)
	}
	if n.Uplink = s.uplink(n.Physnet); n.Uplink == "" {
		return n, fmt.Errorf("%s: this host has no %.40q", physnet, n.Physnet)
	}
	n.mtu = s.MTU[n.Physnet]
	if s.Overlay != nil && n.Type == "flat" && s.Overlay.Under().Physnet == n.Physnet {
		return n, fmt.Errorf("%s: overlays go by %.40q here, so nothing else does but VLANs", physnet, n.Physnet)
	}
	return n, nil
}

// overlaid is a network of an overlay, whose physical network the host chooses. Drivers called
// it "vxlan" once.
func (s Site) overlaid(vni int64, segment string) (Net, error) {
	switch {
	case vni < 1 || vni > maxVNI:
		return Net{}, fmt.Errorf("%s: %d is no VNI", segment, vni)
	case s.Overlay == nil:
		return Net{}, errors.New("gpe: this host has no address in an underlay, see --gpe-locator")
	}
	return Net{Physnet: s.Overlay.Under().Physnet, Type: "gpe", Segment: uint32(vni), overlay: s.Overlay}, nil
}

// overlayName names a network of an overlay on this host.
func overlayName(vni uint32) string { return fmt.Sprintf("gpe.%d", vni) }

// Name names the network on this host.
func (n Net) Name() string {
	switch n.Type {
	case "flat":
		return n.Physnet + ".flat"
	case "gpe":
		return overlayName(n.Segment)
	}
	return fmt.Sprintf("%s.%s.%d", n.Physnet, n.Type, n.Segment)
}

// Way is how frames of a network leave this host: by a VLAN of an interface, or by an overlay, with a
// VNI. Nothing else can go so.
type Way struct {
	Uplink string // "": by the overlay
	Number uint32
}

// Way is the network's.
func (n Net) Way() Way { return Way{n.Uplink, n.Segment} }

// member names the interface through which the network leaves this host; "": it does by an
// overlay.
func (n Net) member() string {
	switch n.Type {
	case "flat":
		return n.Uplink
	case "gpe":
		return ""
	}
	return n.Name()
}

// objects are a bridge domain with the uplink in it: a flat network has the
// physical network's interface to itself, a VLAN one of its sub-interfaces,
// which takes the tag off what comes in and puts it on what goes out. One of an overlay
// has what that joins to the bridge domain. Ports and
// routers want the same, so it is there as long as one of them does.
func (n Net) objects() []desiredstate.Object {
	bridge, member := n.Name(), n.member()
	if n.overlay != nil {
		return append([]desiredstate.Object{vppnet.BridgeDomain{Name: bridge, MACAge: macAge}}, n.overlay.Join(bridge, n.Segment)...)
	}
	objs := []desiredstate.Object{
		vppnet.BridgeDomain{Name: bridge, MACAge: macAge},
		vppnet.BridgePort{Bridge: bridge, Interface: member},
		vppnet.LinkState{Interface: n.Uplink, Up: true, MTU: n.mtu},
	}
	if n.Type == "vlan" {
		objs = append(objs,
			vppnet.SubInterface{
				Name: member, Parent: n.Uplink, Outer: uint16(n.Segment),
				Rewrite: vppnet.Rewrite{Op: vppnet.Pop1},
			},
			vppnet.LinkState{Interface: member, Up: true, Parent: n.Uplink, After: whole(member)},
		)
	}
	return objs
}

// here says that somebody in the network is behind this host.
func (n Net) here(mac vppnet.MAC) []desiredstate.Object {
	if n.overlay == nil {
		return nil
	}
	return n.overlay.Here(n.Segment, mac)
}

// macAge is networking-vpp's default.
const macAge = 3 * time.Minute
