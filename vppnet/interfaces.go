// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/bond"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
)

// Interface is an interface of VPP as sw_interface_dump shows it: a reading that
// other kinds share, never wanted. A kind that requires [Interfaces] finds all
// of them with desiredstate.All[Interface] and At[Interface] while it dumps.
type Interface struct {
	Name    string // ours: what we call it; else by whose tag, "owner/name", or by VPPName, "vpp:loop0"
	VPPName string // "loop0", "VirtualEthernet0/0/3", "GigabitEthernet0/8/0.100"
	Device  string // VPP's device class: "Loopback", "BVI", "vhost-user", "af-packet" …; that of the parent for a sub-interface
	Tag     string // whoever's it is, as it is

	MAC     MAC    // zero for a sub-interface, and for what is not Ethernet
	Up      bool   // administratively
	LinkUp  bool   // operationally
	MTU     uint32 // L3 packet, bytes; 0: inherited from the parent
	LinkMTU uint32 // bytes; the parent's for a sub-interface

	// Of a sub-interface only; Parent is "" for all others.
	Parent       string
	SubID        uint32
	Tags         uint8  // of its frames
	Outer, Inner uint16 // VLANs; 0: any, if there is such a tag
	Dot1ad       bool   // the outer tag is 802.1ad, not 802.1Q
	Exact        bool   // the frame has exactly these tags
	inner        uint16 // as VPP has it, also where there is no inner tag
	pipeEnd      bool   // Parent is a pipe, and SubID says which end this is

	// Bond is, of a member, the bond whose frames it carries; its MAC is the bond's then.
	Bond string

	Rewrite Rewrite
}

// InterfaceKey is the key of any interface, whatever made it.
func InterfaceKey(name string) desiredstate.Key {
	return desiredstate.Key{Space: "interface", Name: name}
}

// Key is InterfaceKey(i.Name).
func (i Interface) Key() desiredstate.Key { return InterfaceKey(i.Name) }

// Deps is empty.
func (i Interface) Deps() []desiredstate.Key { return nil }

// Validate always fails: an Interface is found, not made.
func (i Interface) Validate() error { return errors.New("interfaces are made by kinds of their own") }

// Interfaces knows all of VPP's interfaces by name: those with our tag, of
// whatever kind, by ours, all others as foreign ones, "vpp:local0" included; see
// Conn.Names. It costs one sw_interface_dump per reading, which all kinds share, and, where
// there are bonds, two more for each of them, all in one round trip.
func Interfaces(c *Conn) *desiredstate.Kind[Interface] {
	vpp := interfaces.NewServiceClient(c)
	return &desiredstate.Kind[Interface]{
		Target: c.Target(),
		Name:   "interface",
		Messages: c.Uses(&interfaces.SwInterfaceDump{}, &bond.SwBondInterfaceDump{}, &bond.SwMemberInterfaceDump{},
			&memclnt.ControlPing{}),
		Verify: verifyInterfaces(c),
		Dump: Reread(c, func(ctx context.Context, _ *desiredstate.View) ([]desiredstate.Actual[Interface], error) {
			all, err := Collect(vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: allInterfaces}))
			if err != nil {
				return nil, err
			}
			out := make([]desiredstate.Actual[Interface], len(all))
			marks := make([]Named, len(all))
			at := make(map[uint32]int, len(all))
			for n, d := range all {
				i := describe(d)
				out[n] = desiredstate.Actual[Interface]{Spec: i, ID: uint32(d.SwIfIndex)}
				marks[n], at[uint32(d.SwIfIndex)] = Named{i.Tag, i.VPPName}, n
			}
			names := c.Names(marks...)
			bonds, err := c.bonds(ctx, all)
			if err != nil {
				return nil, err
			}
			for member, bond := range bonds {
				m, found := at[member]
				if b, there := at[bond]; found && there {
					out[m].Spec.Bond = names[b].Name
				}
			}
			for n, d := range all {
				out[n].Spec.Name, out[n].Foreign, out[n].Leftover = names[n].Name, !names[n].Ours, names[n].Surplus
				if parent, ok := at[d.SupSwIfIndex]; ok && parent != n {
					out[n].Spec.Parent = names[parent].Name
				}
			}
			return out, nil
		}),
	}
}

// allInterfaces asks a dump for all that there is.
const allInterfaces = ^interface_types.InterfaceIndex(0)

// describe turns details into an Interface without a name, whose parent has VPP's.
func describe(d *interfaces.SwInterfaceDetails) Interface {
	i := Interface{
		VPPName: d.InterfaceName,
		Device:  d.InterfaceDevType,
		Tag:     strings.TrimRight(d.Tag, "\x00"),
		MAC:     MAC(d.L2Address),
		Up:      d.Flags&interface_types.IF_STATUS_API_FLAG_ADMIN_UP != 0,
		LinkUp:  d.Flags&interface_types.IF_STATUS_API_FLAG_LINK_UP != 0,
		LinkMTU: uint32(d.LinkMtu),
		Rewrite: readRewrite(d),
	}
	if len(d.Mtu) > 0 {
		i.MTU = d.Mtu[0]
	}
	if d.SupSwIfIndex != uint32(d.SwIfIndex) {
		i.Parent = i.VPPName[:max(0, strings.LastIndexByte(i.VPPName, '.'))]
		i.SubID, i.Tags, i.Outer, i.inner = d.SubID, d.SubNumberOfTags, d.SubOuterVlanID, d.SubInnerVlanID
		if i.Tags == 2 {
			i.Inner = i.inner
		}
		i.Dot1ad = d.SubIfFlags&interface_types.SUB_IF_API_FLAG_DOT1AD != 0
		i.Exact = d.SubIfFlags&interface_types.SUB_IF_API_FLAG_EXACT_MATCH != 0
		i.pipeEnd = d.Type == interface_types.IF_API_TYPE_PIPE
	}
	return i
}

// defaultMTU is the L3 MTU that VPP gave the interface when it was made. 0: a
// sub-interface inherits its parent's.
func (i Interface) defaultMTU() uint32 {
	switch given, ok := givenMTU[i.Device]; {
	case i.Parent != "":
		return 0
	case ok:
		return given
	case slices.Contains(devDrivers, i.Device):
		return max(i.MTU, i.LinkMTU)
	}
	return i.LinkMTU
}

// givenMTU is the L3 MTU of devices that get one whatever their link's is, which may be no Ethernet's.
var givenMTU = map[string]uint32{
	"vhost-user": 9000, "GRE tunnel device": 9000, "IPIP tunnel device": 9000, "IPSEC Tunnel": 9000, "MPLS tunnel device": 9000,
	"ip6ip-6rd": 1480,
}

// devDrivers are those of VPP's dev API. Their links take 1492 bytes, and their L3 MTU is startup.conf's
// (ethernet { default-mtu }), 9000 if it says nothing. VPP does not tell, so what is above the link's is taken for it.
var devDrivers = []string{"iavf", "ena", "octeon", "mvpp2", "ige", "atlantic"}

// untouched says whether nobody has tagged or used the interface since it was
// made, up or not, as far as the interface itself tells.
func (i Interface) untouched(up bool) bool {
	return i.Tag == "" && i.Bond == "" && i.Up == up && i.MTU == i.defaultMTU()
}
