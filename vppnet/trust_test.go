// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An interface of ours and a foreign one that VPP happens to call the same are two: what we
// do to ours is not done to the foreign one.
func TestForeignNamesake(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { namesake(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { namesake(t, vpptest.Real(t).Socket()) })
}

func namesake(t *testing.T, socket string) {
	o, c := somebody(t, socket), dialVPP(t, socket)
	e := layer2(c)
	_, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "x"}) // VPP: index 1, loop0
	require.NoError(t, err)
	r, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "loop0"}, vppnet.BridgeDomain{Name: "net"}) // index 2, loop1
	require.NoError(t, err)
	mine, _ := r.Of(vppnet.InterfaceKey("loop0"))
	_, err = e.Remove(t.Context(), vppnet.InterfaceKey("x"))
	require.NoError(t, err)
	theirs := o.loopback(vppnet.MAC{2, 9, 9, 9, 9, 9}) // somebody's; VPP calls it loop0, index 1
	require.Less(t, uint32(theirs), mine.ID)
	o.up(theirs, true) // in use: nobody's orphan
	require.Contains(t, o.list(), "loop0 []\nloop1 [me/loop0]")

	e.Forget()
	_, err = e.Ensure(t.Context(), vppnet.BridgePort{Bridge: "net", Interface: "loop0"})
	require.NoError(t, err)
	for b := range ports(t, c) {
		require.Equal(t, mine.ID, b, "somebody else's interface is in our bridge domain now")
	}
}

func ports(t *testing.T, c *vppnet.Conn) map[uint32]bool {
	all := map[uint32]bool{}
	found, err := layer2(c).Found(t.Context())
	require.NoError(t, err)
	for _, f := range found {
		if f.Kind == "bridge-port" {
			all[f.ID] = true
		}
	}
	return all
}

// An untagged sub-interface that somebody gave an address, not up yet, is taken for
// an orphan of ours.
func TestInUseIsNotAdopted(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { adopts(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { adopts(t, vpptest.Real(t).Socket()) })
}

func adopts(t *testing.T, socket string) {
	o, c := somebody(t, socket), dialVPP(t, socket)
	_, err := layer2(c).Ensure(t.Context(), vppnet.Loopback{Name: "parent"})
	require.NoError(t, err)
	sub := o.subInterface(1, 100, 100, interface_types.SUB_IF_API_FLAG_EXACT_MATCH)
	o.Uses(&interfaces.SwInterfaceAddDelAddress{})
	_, err = o.SwInterfaceAddDelAddress(t.Context(), &interfaces.SwInterfaceAddDelAddress{
		SwIfIndex: sub, IsAdd: true, Prefix: ip_types.AddressWithPrefix{Address: ip_types.Address{Un: ip_types.AddressUnionIP4(ip_types.IP4Address{192, 0, 2, 1})}, Len: 24},
	})
	require.NoError(t, err)
	_, err = layer2(c).Ensure(t.Context(), vppnet.SubInterface{Name: "mine", Parent: "parent", Outer: 100})
	require.ErrorIs(t, err, desiredstate.ErrForeign, "it has somebody's address:\n"+o.list())
}

// A remembered index is no proof: what has the number by then is not deleted.
func TestAnIndexOfOldProvesNothing(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { byNumber(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { byNumber(t, vpptest.Real(t).Socket()) })
}

func byNumber(t *testing.T, socket string) {
	o, c := somebody(t, socket), dialVPP(t, socket)
	e := layer2(c)
	r, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "mine"})
	require.NoError(t, err)
	o.remove(interface_types.InterfaceIndex(r[0].ID)) // an operator's mistake, mended at once
	theirs := o.loopback(vppnet.MAC{2, 9, 9, 9, 9, 9})
	require.Equal(t, r[0].ID, uint32(theirs))
	_, err = o.SwInterfaceTagAddDel(t.Context(), &interfaces.SwInterfaceTagAddDel{IsAdd: true, SwIfIndex: theirs, Tag: "operator/mgmt"})
	require.NoError(t, err)
	o.up(theirs, true)
	_, err = e.Remove(t.Context(), vppnet.InterfaceKey("mine"))
	require.Contains(t, o.list(), "operator/mgmt", "tagged by another, and deleted: %v", err)
}
