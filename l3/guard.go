// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// VPP believes what it is told, and dies of some of it. What no call of this package
// may say is kept from it here.

// local0 is the index of what VPP has in place of no interface. It takes addresses,
// neighbours and virtual routers, of which none can work, and dies of packets.
const local0 = 0

var errLocal0 = fmt.Errorf("%w: interface vpp:local0 is VPP's word for none, nothing can be reached by it; name another one", desiredstate.ErrForeign)

// errOverlay is of the interfaces that VPP makes for overlays of tables. It dies of the first
// adjacency on one: of an address, a neighbour, a route, a router advertisement.
var errOverlay = fmt.Errorf("%w: it is an overlay's own interface, and VPP would die of it; route by the overlay's EIDs", desiredstate.ErrForeign)

// interfaceID is the index of an interface that a spec refers to.
func interfaceID(v *desiredstate.View, name string) (uint32, error) {
	id, err := v.ID(vppnet.InterfaceKey(name))
	switch {
	case err != nil:
	case id == local0:
		err = errLocal0
	case strings.HasPrefix(name, vppnet.Foreign("lisp_gpe")):
		err = errOverlay
	}
	return id, err
}

// checkEthernet reports why no frame can be sent by the interface with this index. VPP
// takes the sender's MAC from where it would be, whether there is one or not.
func checkEthernet(ctx context.Context, c *vppnet.Conn, index uint32) error {
	c.Uses(&interfaces.SwInterfaceDump{})
	vpp := interfaces.NewServiceClient(c)
	for at := index; ; {
		switch at {
		case local0:
			return errLocal0
		case noInterface:
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

// checkSessions reports why NAT cannot be asked for sessions. VPP looks for them in
// tables that it has only while it keeps any.
func checkSessions(ctx context.Context, vpp natAPI) error {
	s, err := vpp.settings(ctx)
	switch {
	case err != nil:
		return err
	case s.sessions == 0:
		return fmt.Errorf("%w: %s NAT is off, so there are no sessions; turn it on with a NAT, or ask the other variant", desiredstate.ErrMissing, vpp.variant())
	case s.stateless:
		return errors.New("somebody has turned NAT on for static mappings alone, of which it keeps no sessions; turn it off and on with a NAT")
	}
	return nil
}
