// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"fmt"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

// VPP's device classes of the interfaces of overlays, which it puts into their tables and
// bridge domains itself, and takes out again.
const (
	deviceOverlayL2 = "L2_LISP_GPE"
	deviceOverlayL3 = "LISP_GPE"
)

// CheckNoOverlay reports why no frame can be sent by an interface that a spec refers to: VPP
// made it for an overlay. It dies of the first adjacency on one, be it of an address, a
// neighbour, a route, a router advertisement, a multicast group or a sub-interface, of one as
// a BVI, and of one as a bond's member. As one that is no more is another overlay's later,
// and keeps its device class, either name counts; so does the class, where v shows it.
func CheckNoOverlay(v *desiredstate.View, id uint32, iface string) error {
	own := strings.HasPrefix(iface, Foreign("lisp_gpe")) || strings.HasPrefix(iface, Foreign("l2_lisp_gpe"))
	if i, ok := desiredstate.At[Interface](v, id); ok {
		own = own || i.Spec.Device == deviceOverlayL2 || i.Spec.Device == deviceOverlayL3
	}
	if !own {
		return nil
	}
	return fmt.Errorf("%w: interface %s is an overlay's own, and VPP would die of it; use the overlay's EIDs", desiredstate.ErrForeign, iface)
}
