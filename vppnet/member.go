// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/bond"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
)

// A member of a bond has no life of its own: VPP takes all of its frames for the bond's
// before anything else looks at them, and gives it the bond's MAC. So whatever hangs on
// an interface must know: what is put on a member would never see a frame.

const memberSpace = "bond-member"

// MemberKey is the key of what makes an interface a member of a bond, which it can be of
// one only.
func MemberKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: memberSpace, Name: iface}
}

const deviceBond = "bond"

// OwnMAC is the interface's MAC, and whether a bond hides it (desiredstate.Actual.Covered): then it is
// zero. It is what the interface gets back when it leaves the bond, and VPP does not show it.
func (i Interface) OwnMAC() (mac MAC, hidden bool) {
	if i.Bond != "" {
		return MAC{}, true
	}
	return i.MAC, false
}

// bonds reads which of these interfaces are members of which bond, by index.
func (c *Conn) bonds(ctx context.Context, all []*interfaces.SwInterfaceDetails) (map[uint32]uint32, error) {
	var there []uint32
	for _, d := range all {
		if d.InterfaceDevType == deviceBond && d.SupSwIfIndex == uint32(d.SwIfIndex) {
			there = append(there, uint32(d.SwIfIndex))
		}
	}
	found, err := BondMembers(ctx, c, there...)
	in := map[uint32]uint32{}
	for b, members := range found {
		for _, m := range members {
			in[uint32(m.SwIfIndex)] = b
		}
	}
	return in, err
}

// BondMembers reads the members of the bonds with these indexes, all in one round trip;
// members do not say whose they are, so each bond is asked for right before its own.
func BondMembers(ctx context.Context, c *Conn, bonds ...uint32) (map[uint32][]*bond.SwMemberInterfaceDetails, error) {
	var requests []api.Message
	for _, b := range bonds {
		index := interface_types.InterfaceIndex(b)
		requests = append(requests, &bond.SwBondInterfaceDump{SwIfIndex: index}, &bond.SwMemberInterfaceDump{SwIfIndex: index})
	}
	answers, err := Ask(ctx, c, requests...)
	out := make(map[uint32][]*bond.SwMemberInterfaceDetails, len(bonds))
	of := none
	for _, m := range answers {
		switch d := m.(type) {
		case *bond.SwBondInterfaceDetails:
			of = uint32(d.SwIfIndex)
			out[of] = nil
		case *bond.SwMemberInterfaceDetails:
			if of != none { // else of a bond that has come since
				out[of] = append(out[of], d)
			}
		}
	}
	return out, err
}

// InBond is what InUse says of a member of a bond.
const InBond = "it is a member of a bond"

// InUse says what the interface with this index is used for, as far as VPP shows that:
// "it has an address"; "" if for nothing. It costs some dumps of all that there is.
func InUse(ctx context.Context, c *Conn, id uint32) (string, error) {
	usage.messages(c)
	used, err := usage.of(ctx, c, id)
	return used[id], err
}

// UseKeys are what all that is put on these interfaces shares (desiredstate.Kind.Shares), and
// what a bond has of its members for itself: addresses, filters, tables, sub-interfaces, mirrors. Not
// LLDP, nor how queues are read, which are a device's own. They are no object's.
func UseKeys(ifaces ...string) []desiredstate.Key {
	keys := make([]desiredstate.Key, len(ifaces))
	for i, name := range ifaces {
		keys[i] = desiredstate.Key{Space: "interface-use", Name: name}
	}
	return keys
}

// FrameKey is what only one thing can have of an interface: the frames that come in. A
// bridge domain takes all of them, and so do a cross-connect and a bond. It is no object's;
// see desiredstate.Kind.Holds.
func FrameKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "interface-frames", Name: iface}
}
