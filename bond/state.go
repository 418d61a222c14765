// SPDX-License-Identifier: Apache-2.0

package bond

import (
	"cmp"
	"context"
	"slices"

	"go.fd.io/govpp/binapi/bond"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/lacp"

	"github.com/vppkit/vppkit/vppnet"
)

// A State is how a member of a bond, anybody's, is at the moment.
type State struct {
	Bond, Interface string // as vppnet.Interfaces calls them
	Index           uint32 // sw_if_index of Interface

	// Active says that the bond uses the member: it is up and, in mode LACP, the other end
	// agrees. In mode ActiveBackup one of the active ones carries the frames, and VPP does
	// not show which.
	Active bool

	// Actor is this end, and Partner the other one. Both are zero in any mode but LACP.
	Actor, Partner LACPEnd
}

// LACPEnd is what LACP tells of one end of a link.
type LACPEnd struct {
	SystemPriority uint16
	System         vppnet.MAC // zero: not heard of yet
	Key            uint16
	PortPriority   uint16
	Port           uint16
	State          LACPState
}

// States reads how all members of all bonds are (sw_member_interface_dump, and
// sw_interface_lacp_dump where VPP has it), in order of bond and interface.
func States(ctx context.Context, c *vppnet.Conn) ([]State, error) {
	ends, err := lacpEnds(ctx, c)
	if err != nil {
		return nil, err
	}
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: noInterface}))
	if err != nil {
		return nil, err
	}
	marks, up := make([]vppnet.Named, len(all)), map[uint32]bool{}
	for i, d := range all {
		marks[i] = vppnet.Named{Tag: d.Tag, VPP: d.InterfaceName}
		const both = interface_types.IF_STATUS_API_FLAG_ADMIN_UP | interface_types.IF_STATUS_API_FLAG_LINK_UP
		up[uint32(d.SwIfIndex)] = d.Flags&both == both
	}
	names := map[uint32]string{}
	for i, n := range c.Names(marks...) {
		names[uint32(all[i].SwIfIndex)] = n.Name
	}
	found, err := bonds{c, bond.NewServiceClient(c)}.all(ctx)
	if err != nil {
		return nil, err
	}
	there := make([]uint32, len(found))
	for i, b := range found {
		there[i] = uint32(b.SwIfIndex)
	}
	in, err := vppnet.BondMembers(ctx, c, there...)
	if err != nil {
		return nil, err
	}
	var out []State
	for _, b := range found {
		for _, m := range in[uint32(b.SwIfIndex)] {
			id := uint32(m.SwIfIndex)
			s := State{Bond: names[uint32(b.SwIfIndex)], Interface: names[id], Index: id, Active: up[id]}
			if Mode(b.Mode) == LACP {
				e := ends[id]
				s.Actor, s.Partner = e[0], e[1]
				s.Active = s.Actor.State&Distributing != 0
			}
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Bond, b.Bond), cmp.Compare(a.Interface, b.Interface))
	})
	return out, nil
}

// lacpEnds reads both ends of the members that speak LACP, ours first, by index.
func lacpEnds(ctx context.Context, c *vppnet.Conn) (map[uint32][2]LACPEnd, error) {
	c.Uses(&bond.SwBondInterfaceDump{}, &bond.SwMemberInterfaceDump{}, &interfaces.SwInterfaceDump{})
	dump := &lacp.SwInterfaceLacpDump{}
	if !c.Has(dump.GetMessageName() + "_" + dump.GetCrcString()) {
		return nil, nil // without the plugin there are no such bonds
	}
	c.Uses(dump)
	all, err := vppnet.Collect(lacp.NewServiceClient(c).SwInterfaceLacpDump(ctx, dump))
	out := make(map[uint32][2]LACPEnd, len(all))
	for _, d := range all {
		out[uint32(d.SwIfIndex)] = [2]LACPEnd{
			{d.ActorSystemPriority, vppnet.MAC(d.ActorSystem), d.ActorKey, d.ActorPortPriority, d.ActorPortNumber, LACPState(d.ActorState)},
			{d.PartnerSystemPriority, vppnet.MAC(d.PartnerSystem), d.PartnerKey, d.PartnerPortPriority, d.PartnerPortNumber, LACPState(d.PartnerState)},
		}
	}
	return out, err
}
