// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"fmt"
	"slices"

	"go.fd.io/govpp/binapi/bond"
	interfaces "go.fd.io/govpp/binapi/interface"

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

// CheckNoMember reports why nothing can be put on an interface, as far as v knows: it is
// a member of a bond.
func CheckNoMember(v *desiredstate.View, iface string) error {
	if _, err := v.ID(MemberKey(iface)); err != nil {
		return nil
	}
	return fmt.Errorf("%w: %w: interface %s is a member of a bond, which takes all of its frames; name the bond instead",
		desiredstate.ErrEarly, desiredstate.ErrConflict, iface)
}

const deviceBond = "bond"

// bonds reads which of these interfaces are members of which bond, by index.
func (c *Conn) bonds(ctx context.Context, all []*interfaces.SwInterfaceDetails) (map[uint32]uint32, error) {
	if !slices.ContainsFunc(all, func(d *interfaces.SwInterfaceDetails) bool { return d.InterfaceDevType == deviceBond }) {
		return nil, nil
	}
	vpp := bond.NewServiceClient(c)
	found, err := Collect(vpp.SwBondInterfaceDump(ctx, &bond.SwBondInterfaceDump{SwIfIndex: allInterfaces}))
	if err != nil {
		return nil, err
	}
	in := map[uint32]uint32{}
	for _, b := range found {
		if b.Members == 0 {
			continue
		}
		members, err := Collect(vpp.SwMemberInterfaceDump(ctx, &bond.SwMemberInterfaceDump{SwIfIndex: b.SwIfIndex}))
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			in[uint32(m.SwIfIndex)] = uint32(b.SwIfIndex)
		}
	}
	return in, nil
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
