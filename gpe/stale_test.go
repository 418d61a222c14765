// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ethernet_types"
	"go.fd.io/govpp/binapi/lisp_types"
	"go.fd.io/govpp/binapi/one"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
)

// A MAC that somebody says is here, since we looked, is not said to be elsewhere: VPP would give where
// that is to the locator set that it is in, whosever that is, with all EIDs that are in it.
func TestRemoteEIDThatHasBecomeLocal(t *testing.T) {
	both(t, func(t *testing.T, socket string) {
		mover := gpe.MACEID(kindrig.MAC(11))
		ours := []desiredstate.Object{gpe.Overlay{}, vppnet.BridgeDomain{Name: "net"}, gpe.VNI{ID: 100, Bridge: "net"}}
		theirs := []desiredstate.Object{
			gpe.Overlay{}, vppnet.Loopback{Name: "lo"}, gpe.LocatorSet{Name: "here", Locators: []gpe.Locator{{Interface: "lo"}}},
		}
		e := everything(kindrig.Dial(t, socket, "me"))
		_, err := e.Ensure(t.Context(), ours...)
		require.NoError(t, err)
		c := kindrig.Dial(t, socket, "other")
		_, err = everything(c).Ensure(t.Context(), theirs...)
		require.NoError(t, err)
		c.Uses(&one.OneAddDelLocalEid{})
		_, err = one.NewServiceClient(c).OneAddDelLocalEid(t.Context(), &one.OneAddDelLocalEid{
			IsAdd: true, Vni: 100, Eid: lisp_types.Eid{Type: lisp_types.EID_TYPE_API_MAC, Address: lisp_types.EidAddressUnionMac(ethernet_types.MacAddress(mover.MAC))},
			LocatorSetName: "other/here", Key: lisp_types.HmacKey{Key: make([]byte, 64)},
		})
		require.NoError(t, err)

		remote := gpe.RemoteEID{VNI: 100, EID: mover, Locators: []gpe.RemoteLocator{{Address: netip.MustParseAddr("192.0.2.2")}}}
		_, err = e.Ensure(t.Context(), remote)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "by now somebody says that 02:00:00:00:00:0b is here")
		kindrig.Steady(t, everything(kindrig.Dial(t, socket, "other")), theirs...)
	})
}
