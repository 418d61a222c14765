// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"fmt"

	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/shared"
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
	d, err := c.detailsAt(ctx, id)
	if err != nil {
		return err
	}
	if len(d.Mtu) == 0 || d.Mtu[0] == mtu {
		return do()
	}
	set := func(ctx context.Context, mtu []uint32) error {
		_, err := interfaces.NewServiceClient(c).SwInterfaceSetMtu(ctx, &interfaces.SwInterfaceSetMtu{SwIfIndex: d.SwIfIndex, Mtu: mtu})
		return err
	}
	err = set(ctx, []uint32{mtu, 0, 0, 0})
	if err == nil {
		err = do()
	}
	// Even if setting it failed: its reply may be what was lost.
	ctx, cancel := shared.Outlive(ctx)
	defer cancel()
	return errors.Join(err, set(ctx, d.Mtu))
}

// mtuTurn is that of who changes an interface's MTU.
func (c *Conn) mtuTurn(ctx context.Context, id uint32) (done func(), err error) {
	return c.Turn(ctx, desiredstate.Key{Space: "interface-mtu", Name: fmt.Sprint(id)})
}
