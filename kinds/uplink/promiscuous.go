// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/iface"
	"github.com/vppkit/vppkit/vppnet"
)

// Promiscuous has a device take all frames, also those that are for others. No member of a bond: what that takes is its
// bond's to say, all frames where the bond is bridged.
type Promiscuous struct {
	Interface string
}

// PromiscuousKey is the key of a Promiscuous.
func PromiscuousKey(iface string) desiredstate.Key {
	return desiredstate.Key{Space: "promiscuous", Name: iface}
}

// Key is PromiscuousKey(p.Interface).
func (p Promiscuous) Key() desiredstate.Key { return PromiscuousKey(p.Interface) }

// Deps lists the interface.
func (p Promiscuous) Deps() []desiredstate.Key {
	return []desiredstate.Key{vppnet.InterfaceKey(p.Interface)}
}

// Validate checks the name.
func (p Promiscuous) Validate() error { return vppnet.CheckRef("interface", p.Interface) }

// Promiscuouses manages which devices take all frames (sw_interface_set_promisc). It is
// write-only: VPP shows none of it, and m remembers what it was told. To be told twice is
// harmless.
//
// VPP itself has a device take all frames that is bridged, or a sub-interface of it, and no longer when the last of them
// leaves its bridge domain, whatever was said here; and one that is told to take only its own while it is bridged
// does so. So a device is one or the other. What does not look at MACs refuses: loopbacks,
// vhost-user, af_packet, whose device of Linux has a mode of its own.
func Promiscuouses(c *vppnet.Conn, m *Memory, claims ...vppnet.Claim) *desiredstate.Kind[Promiscuous] {
	vpp := interfaces.NewServiceClient(c)
	set := func(ctx context.Context, id uint32, on bool) error {
		_, err := vpp.SwInterfaceSetPromisc(ctx, &interfaces.SwInterfaceSetPromisc{SwIfIndex: interface_types.InterfaceIndex(id), PromiscOn: on})
		return err
	}
	return vppnet.Remembered(c, &m.told, iface.On(c, claims, &desiredstate.Kind[Promiscuous]{
		Name:     "promiscuous",
		Messages: c.Uses(&interfaces.SwInterfaceSetPromisc{}),
		Delete: func(ctx context.Context, _ *desiredstate.View, have desiredstate.Actual[Promiscuous]) error {
			return vppnet.Gone(set(ctx, have.ID, false), api.INVALID_SW_IF_INDEX)
		},
	}, func(ctx context.Context, _ *desiredstate.View, id uint32, _ Promiscuous) error {
		return set(ctx, id, true)
	}))
}
