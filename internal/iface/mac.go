// SPDX-License-Identifier: Apache-2.0

package iface

import (
	"context"
	"fmt"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// CheckMAC reports why no frame can be sent by the interface with this index: it has no MAC, nor, if
// it is a sub-interface, has its parent. VPP takes the sender's MAC from where it would be, whether
// there is one or not, and dies of some that there is not. It costs a round trip
// (sw_interface_dump, which the caller has declared), of a sub-interface two.
func CheckMAC(ctx context.Context, c *vppnet.Conn, index uint32) error {
	vpp := interfaces.NewServiceClient(c)
	for at := index; ; {
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
			return fmt.Errorf("%w: interface %s has no MAC, so no frame can be sent by it: name one that is Ethernet", desiredstate.ErrInvalid, d.InterfaceName)
		}
		at = d.SupSwIfIndex // a sub-interface has its parent's
	}
}
