// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// Net is a network as this host can serve it.
type Net struct {
	Physnet string
	Uplink  string // what the library calls the interface of the physnet
	Type    string // "vlan" or "flat"
	Segment uint16 // VLAN; 0 if flat
}

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
		return n, fmt.Errorf("%s %s: %w", kind, n.Type, ErrNotBuilt)
	case n.Type == "flat" && number == 0:
	case n.Type == "flat":
		return n, fmt.Errorf("%s: a flat network has no %d", segment, number)
	case n.Type == "vlan" && number >= 1 && number <= 4094:
		n.Segment = uint16(number)
	case n.Type == "vlan":
		return n, fmt.Errorf("%s: %d is no VLAN", segment, number)
	default:
		return n, fmt.Errorf("%s: %.40q is unknown", kind, n.Type)
	}
	if n.Uplink = s.uplink(n.Physnet); n.Uplink == "" {
		return n, fmt.Errorf("%s: this host has no %.40q", physnet, n.Physnet)
	}
	return n, nil
}

// Name names the network on this host.
func (n Net) Name() string {
	if n.Type == "flat" {
		return n.Physnet + ".flat"
	}
	return fmt.Sprintf("%s.%s.%d", n.Physnet, n.Type, n.Segment)
}

// member names the interface through which the network leaves this host.
func (n Net) member() string {
	if n.Type == "flat" {
		return n.Uplink
	}
	return n.Name()
}

// objects are a bridge domain with the uplink in it: a flat network has the
// physical network's interface to itself, a VLAN one of its sub-interfaces,
// which takes the tag off what comes in and puts it on what goes out. Ports and
// routers want the same, so it is there as long as one of them does.
func (n Net) objects() []desiredstate.Object {
	bridge, member := n.Name(), n.member()
	objs := []desiredstate.Object{
		vppnet.BridgeDomain{Name: bridge, MACAge: macAge},
		vppnet.BridgePort{Bridge: bridge, Interface: member},
		up(n.Uplink),
	}
	if n.Type == "vlan" {
		objs = append(objs,
			vppnet.SubInterface{
				Name: member, Parent: n.Uplink, Outer: n.Segment,
				Rewrite: vppnet.Rewrite{Op: vppnet.Pop1},
			},
			vppnet.LinkState{Interface: member, Up: true, Parent: n.Uplink, After: whole(member)},
		)
	}
	return objs
}

// macAge is networking-vpp's default.
const macAge = 3 * time.Minute
