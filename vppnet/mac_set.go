// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/ethernet_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
)

// MACMessages are what SetMAC sends.
func MACMessages() []api.Message {
	return []api.Message{
		&interfaces.SwInterfaceSetMacAddress{}, &interfaces.SwInterfaceDump{}, &l2.BridgeDomainDump{}, &l2.L2FibTableDump{}, &l2.L2fibAddDel{}, &memclnt.ControlPing{},
	}
}

// SetMAC gives an interface another MAC (sw_interface_set_mac_address). Of a BVI, the entry in the L2 FIB
// goes along: VPP sees to that for loopbacks alone, and what is sent to any other one would not find it any
// more. A MAC that the bridge domain has another static entry for is refused (ErrConflict).
func (c *Conn) SetMAC(ctx context.Context, index uint32, mac MAC) error {
	done, err := c.macTurn(ctx, index)
	if err != nil {
		return err
	}
	defer done()
	bridges, err := c.bridgesOfBVIs.Join(ctx)
	if err != nil {
		return err
	}
	bridge, is := bridges[index]
	if !is {
		return c.setMAC(ctx, index, mac)
	}
	macs, err := c.macs(ctx, index)
	if err != nil {
		return err
	}
	if err := c.noEntry(ctx, bridge, mac); err != nil {
		return err
	}
	// The new entry comes first: who dies in between finds another MAC than is wanted, and does all of it again.
	if err := c.setBVI(ctx, bridge, index, mac, true); err != nil || macs[index] == mac {
		return err
	}
	ctx, cancel := shared.Outlive(ctx)
	defer cancel()
	if err := c.setMAC(ctx, index, mac); err != nil {
		return errors.Join(err, c.setBVI(ctx, bridge, index, mac, false))
	}
	return c.setBVI(ctx, bridge, index, macs[index], false)
}

// setMAC is SetMAC of what can be no BVI yet, as it has just been made.
func (c *Conn) setMAC(ctx context.Context, index uint32, mac MAC) error {
	_, err := interfaces.NewServiceClient(c).SwInterfaceSetMacAddress(ctx, &interfaces.SwInterfaceSetMacAddress{
		SwIfIndex: interface_types.InterfaceIndex(index), MacAddress: ethernet_types.MacAddress(mac),
	})
	return err
}

// setBVI makes or removes the entry of a BVI.
func (c *Conn) setBVI(ctx context.Context, bridge, index uint32, mac MAC, add bool) error {
	_, err := l2.NewServiceClient(c).L2fibAddDel(ctx, &l2.L2fibAddDel{
		Mac: ethernet_types.MacAddress(mac), BdID: bridge, SwIfIndex: interface_types.InterfaceIndex(index), IsAdd: add, StaticMac: add, BviMac: add,
	})
	if add {
		return err
	}
	return Gone(err, api.NO_SUCH_ENTRY) // VPP has seen to it
}

// askBVIs asks for the bridge domains that interfaces are the BVI of.
func (c *Conn) askBVIs(ctx context.Context) (map[uint32]uint32, error) {
	all, err := Collect(l2.NewServiceClient(c).BridgeDomainDump(ctx, &l2.BridgeDomainDump{BdID: ^uint32(0), SwIfIndex: allInterfaces}))
	of := map[uint32]uint32{}
	for _, d := range all {
		if d.BviSwIfIndex != allInterfaces {
			of[uint32(d.BviSwIfIndex)] = d.BdID
		}
	}
	return of, err
}

// macTurn is that of who changes an interface's MAC, or what it is to a bridge domain.
func (c *Conn) macTurn(ctx context.Context, id uint32) (done func(), err error) {
	return c.Turn(ctx, desiredstate.Key{Space: "interface-mac", Name: fmt.Sprint(id)})
}
