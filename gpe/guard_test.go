// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// What VPP would die of on an interface that it made for an overlay is refused by each kind, as
// long as the interface is a VNI's and when it is no more.
func TestNothingGoesOnAnOverlaysInterface(t *testing.T) {
	both(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		e := desiredstate.New(append(kinds(c), gpe.Overlays(c), l3.Memberships(c), vppnet.SubInterfaces(c),
			vppnet.VXLANTunnels(c), bond.Bonds(c), bond.Members(c))...)
		vnis := []desiredstate.Object{gpe.VNI{ID: 5, Table: "red"}, gpe.VNI{ID: 6, Bridge: "net"}}
		_, err := e.Ensure(t.Context(), append(vnis, gpe.Overlay{}, l3.Table{Name: "red"}, vppnet.BridgeDomain{Name: "net"},
			vppnet.BridgeDomain{Name: "other"}, bond.Bond{Name: "b", Mode: bond.XOR})...)
		require.NoError(t, err)
		made := func() (names []string) {
			all, err := desiredstate.List[vppnet.Interface](t.Context(), desiredstate.New(vppnet.Interfaces(c)))
			require.NoError(t, err)
			for _, i := range all {
				if i.Spec.Device == "LISP_GPE" || i.Spec.Device == "L2_LISP_GPE" {
					names = append(names, i.Spec.Name)
				}
			}
			return names
		}
		refused := func(says string) {
			t.Helper()
			e.Forget() // VPP made them unasked
			names := made()
			require.GreaterOrEqual(t, len(names), 2)
			for _, name := range names {
				for what, o := range map[string]desiredstate.Object{
					"sub-interface": vppnet.SubInterface{Name: "sub", Parent: name, Outer: 7},
					"BVI":           vppnet.BridgePort{Bridge: "other", Interface: name, BVI: true},
					"member":        bond.Member{Bond: "b", Interface: name},
					"group": vppnet.VXLANTunnel{
						Name: "tun", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("239.0.0.1"), Group: name, VNI: 9,
					},
				} {
					_, err := e.Ensure(t.Context(), o)
					require.ErrorIs(t, err, desiredstate.ErrForeign)
					require.ErrorContains(t, err, says, "%s on %s", what, name)
				}
			}
			require.Equal(t, names, made(), "VPP lives, and has what it had")
		}
		refused("") // or because the bridge domain has it
		_, err = e.Remove(t.Context(), gpe.TableVNIKey(5), gpe.BridgeVNIKey(6))
		require.NoError(t, err)
		refused("is an overlay's own, and VPP would die of it")
	})
}
