// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3/internal/place"
	"github.com/vppkit/vppkit/vppnet"
)

// checkEthernet reports why no frame can be sent by the interface with this index. VPP
// takes the sender's MAC from where it would be, whether there is one or not.
func checkEthernet(ctx context.Context, c *vppnet.Conn, index uint32) error {
	c.Uses(&interfaces.SwInterfaceDump{})
	vpp := interfaces.NewServiceClient(c)
	for at := index; ; {
		switch at {
		case place.Local0:
			return place.ErrLocal0
		case place.None:
			return fmt.Errorf("%w: index %d is VPP's word for none: %w", desiredstate.ErrInvalid, at, api.INVALID_SW_IF_INDEX)
		}
		all, err := vppnet.Collect(vpp.SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{SwIfIndex: interface_types.InterfaceIndex(at)}))
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return fmt.Errorf("there is no interface with index %d: %w", at, api.INVALID_SW_IF_INDEX)
		}
		d := all[0]
		switch mac := vppnet.MAC(d.L2Address); {
		case !mac.IsZero():
			return nil
		case d.SupSwIfIndex == at || at != index:
			return fmt.Errorf("%w: interface %s has no MAC, so nothing can be announced by it", desiredstate.ErrInvalid, d.InterfaceName)
		}
		at = d.SupSwIfIndex // a sub-interface has its parent's
	}
}
