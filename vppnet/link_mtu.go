// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
)

// WithMTU calls do while the interface with this index has an MTU, for what VPP keeps of it
// longer than that, and then gives it back what it had (sw_interface_set_mtu). LinkStates of
// this Conn change no MTU of it meanwhile: theirs would be undone.
func (c *Conn) WithMTU(ctx context.Context, id, mtu uint32, do func() error) error {
	done, err := c.mtuTurn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	index, vpp := interface_types.InterfaceIndex(id), interfaces.NewServiceClient(c)
	all, err := Collect(vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: index}))
	if err != nil {
		return err
	}
	for _, d := range all { // asked for index 0, VPP shows all
		if d.SwIfIndex != index {
			continue
		}
		if len(d.Mtu) == 0 || d.Mtu[0] == mtu {
			return do()
		}
		set := func(mtu []uint32) error {
			_, err := vpp.SwInterfaceSetMtu(ctx, &interfaces.SwInterfaceSetMtu{SwIfIndex: index, Mtu: mtu})
			return err
		}
		if err := set([]uint32{mtu, 0, 0, 0}); err != nil {
			return err
		}
		return errors.Join(do(), set(d.Mtu))
	}
	return fmt.Errorf("interface with index %d: %w", id, api.INVALID_SW_IF_INDEX)
}

// mtuTurn is that of who changes an interface's MTU.
func (c *Conn) mtuTurn(ctx context.Context, id uint32) (done func(), err error) {
	return c.Turn(ctx, desiredstate.Key{Space: "interface-mtu", Name: fmt.Sprint(id)})
}
