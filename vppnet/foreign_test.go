// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestLinksOfOthersNeedAClaim(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface(nic), vpptest.WithInterface("GigabitEthernet0/9/0"))
	before := vpp.String()
	c := dialVPP(t, vpp.Socket())
	want := []desiredstate.Object{
		vppnet.LinkState{Interface: uplink, Up: true, MTU: 1500, MAC: vppnet.MAC{2, 2, 2, 2, 2, 2}},
		vppnet.SubInterface{Name: "sub", Parent: uplink, Outer: 5},
		vppnet.LinkState{Interface: "sub", Parent: uplink, Up: true},
	}
	_, err := layer2(c).Ensure(t.Context(), want[0])
	require.ErrorIs(t, err, desiredstate.ErrForeign)
	require.Equal(t, before, vpp.String())

	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == uplink })
	_, err = layer2(c, claim).Ensure(t.Context(), want[0])
	require.ErrorContains(t, err, `kind "link" cannot be shared with what uses it on this connection already`)
	e := layer2(dialVPP(t, vpp.Socket()), claim)
	_, err = e.Sync(t.Context(), want...)
	require.NoError(t, err)
	e.Forget()
	p, err := e.Plan(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, "3 as wanted\n", p.String())
	_, err = e.Ensure(t.Context(), vppnet.LinkState{Interface: "vpp:GigabitEthernet0/9/0", Up: true})
	require.ErrorIs(t, err, desiredstate.ErrForeign)

	require.Contains(t, vpp.String(), "mac 02:02:02:02:02:02 up link mtu 9000 [1500 0 0 0]")
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
	require.NotContains(t, vpp.String(), "[1500 0 0 0]")
	require.NotContains(t, vpp.String(), " up ")
}

func TestLinkStateThatIsNone(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		lo := vppnet.Loopback{Name: "lo"}
		_, err := layer2(c).Ensure(t.Context(), lo, vppnet.LinkState{Interface: "lo", MTU: 9000})
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "VPP's default MTU of 9000")
		converge(t, c)
	})
}

func TestSubInterfaceWaitsForItsParent(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		sub := vppnet.LinkState{Interface: "sub", Parent: "lo", Up: true}
		e := layer2(c)
		_, err := e.Ensure(t.Context(), vppnet.Loopback{Name: "lo"}, vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5}, sub)
		require.ErrorIs(t, err, desiredstate.ErrMissing)
		require.ErrorContains(t, err, "link/lo")
		_, err = e.Ensure(t.Context(), sub, vppnet.LinkState{Interface: "lo", Up: true})
		require.NoError(t, err)
		// To leave the parent out is allowed once it is up, and no change.
		r, err := e.Ensure(t.Context(), vppnet.LinkState{Interface: "sub", Up: true})
		require.NoError(t, err)
		require.Zero(t, r.Changed())
		e.Forget()
		r, err = e.Ensure(t.Context(), vppnet.LinkState{Interface: "sub", Up: true})
		require.NoError(t, err)
		require.Zero(t, r.Changed())
		converge(t, c)
	})
}

// Bridge domains of others can be joined by what is ours, and are not changed.
func TestBridgeDomainsOfOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		_, err := l2.NewServiceClient(o).BridgeDomainAddDelV2(t.Context(), &l2.BridgeDomainAddDelV2{
			BdID: 9, IsAdd: true, Learn: true, Forward: true, BdTag: "other/net",
		})
		require.NoError(t, err)
		lo, free := o.loopback(vppnet.MAC{}, 1), o.loopback(vppnet.MAC{}, 2)
		_, err = l2.NewServiceClient(o).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{
			RxSwIfIndex: lo, BdID: 9, PortType: l2.L2_API_PORT_TYPE_BVI, Enable: true,
		})
		require.NoError(t, err)
		mine := vppnet.Loopback{Name: "mine"}

		for _, want := range []desiredstate.Object{
			vppnet.BridgeDomain{Name: "net", ID: 9},                                          // the number is taken
			vppnet.BridgePort{Bridge: "other/net", Interface: "vpp:loop1"},                   // theirs
			vppnet.BridgePort{Bridge: "other/net", Interface: "vpp:loop2"},                   // neither is ours
			vppnet.BridgePort{Bridge: "other/net", Interface: "mine", BVI: true},             // it has one
			vppnet.FIBEntry{Bridge: "other/net", Interface: "vpp:loop1", MAC: vppnet.MAC{2}}, // its bridge domain is not ours
		} {
			_, err := layer2(c).Ensure(t.Context(), mine, want)
			require.ErrorIs(t, err, desiredstate.ErrForeign, "%+v", want)
		}
		converge(t, c, mine, vppnet.BridgePort{Bridge: "other/net", Interface: "mine"})
		converge(t, c, mine)
		net := vppnet.BridgeDomain{Name: "net"}
		converge(t, c, net, vppnet.BridgePort{Bridge: "net", Interface: "vpp:loop2"})
		converge(t, c)

		_, err = layer2(c).Ensure(t.Context(), vppnet.BridgePort{Bridge: "other/net", Interface: "vpp:loop1", BVI: true})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		o.bridge(lo, 0, false)
		o.remove(lo)
		o.remove(free)
		_, err = l2.NewServiceClient(o).BridgeDomainAddDelV2(t.Context(), &l2.BridgeDomainAddDelV2{BdID: 9})
		require.NoError(t, err)
	})
}

// VPP half-does what it refuses if a bridge domain has a BVI; no port is left
// in between.
func TestRefusedBVI(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		net, other := vppnet.BridgeDomain{Name: "net"}, vppnet.BridgeDomain{Name: "other"}
		lo := vppnet.Loopback{Name: "lo"}
		e := layer2(c)
		_, err := e.Ensure(t.Context(), net, other, lo, vppnet.BridgePort{Bridge: "other", Interface: "lo"})
		require.NoError(t, err)
		id, err := e.ID(net.Key())
		require.NoError(t, err)
		theirs := o.loopback(vppnet.MAC{})
		_, err = l2.NewServiceClient(o).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{
			RxSwIfIndex: theirs, BdID: id, PortType: l2.L2_API_PORT_TYPE_BVI, Enable: true,
		})
		require.NoError(t, err)

		_, err = e.Ensure(t.Context(), vppnet.BridgePort{Bridge: "net", Interface: "lo", BVI: true})
		require.ErrorIs(t, err, api.BD_ALREADY_HAS_BVI)
		_, err = e.Ensure(t.Context(), vppnet.BridgePort{Bridge: "net", Interface: "lo", BVI: true})
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		o.bridge(theirs, 0, false)
		o.remove(theirs)
		converge(t, c, net, lo, vppnet.BridgePort{Bridge: "net", Interface: "lo", BVI: true})
		converge(t, c)
	})
}

// What somebody else deleted meanwhile can still be removed.
func TestRemoveWhatIsGone(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := dialVPP(t, socket)
		want := []desiredstate.Object{
			vppnet.Loopback{Name: "lo"},
			vppnet.Loopback{Name: "bvi", BVI: true},
			vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5, Rewrite: vppnet.Rewrite{Op: vppnet.Pop1}},
			vppnet.LinkState{Interface: "lo", Up: true, MTU: 1400},
			vppnet.LinkState{Interface: "bvi", MTU: 1400},
			vppnet.LinkState{Interface: "sub", Up: true, MTU: 1400, Parent: "lo"},
			vppnet.BridgeDomain{Name: "net", ID: 5},
			vppnet.BridgePort{Bridge: "net", Interface: "sub"},
			vppnet.BridgePort{Bridge: "net", Interface: "bvi", BVI: true},
			vppnet.FIBEntry{Bridge: "net", Interface: "sub", MAC: vppnet.MAC{2, 1, 1, 1, 1, 9}},
			vppnet.HostInterface{Name: "host", Device: "vppkit1"},
		}
		e := layer2(c)
		_, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)

		b := dialVPP(t, socket) // on c itself, e would know
		behind := desiredstate.New(vppnet.Loopbacks(b), vppnet.HostInterfaces(b), vppnet.SubInterfaces(b),
			vppnet.BridgeDomains(b), vppnet.BridgePorts(b), vppnet.FIBEntries(b))
		behind.MaxPrune = 1
		_, err = behind.Sync(t.Context())
		require.NoError(t, err)
		var keys []desiredstate.Key
		for _, w := range want {
			keys = append(keys, w.Key())
		}
		r, err := e.Remove(t.Context(), keys...)
		require.NoError(t, err)
		require.Equal(t, len(want), r.Changed())
	}, "vppkit1")
}

// A sub-interface that another one's create would kill is left alone.
func TestVLANIsNeverProbed(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		o, c := somebody(t, socket), dialVPP(t, socket)
		lo := o.loopback(vppnet.MAC{}, 1)
		o.subInterface(lo, 4000, 100, interface_types.SUB_IF_API_FLAG_EXACT_MATCH)
		// Not in the way: any inner tag, and 802.1ad.
		_, err := o.CreateSubif(t.Context(), &interfaces.CreateSubif{
			SwIfIndex: lo, SubID: 4001, OuterVlanID: 200,
			SubIfFlags: interface_types.SUB_IF_API_FLAG_TWO_TAGS | interface_types.SUB_IF_API_FLAG_INNER_VLAN_ID_ANY,
		})
		require.NoError(t, err)
		_, err = layer2(c).Ensure(t.Context(), vppnet.SubInterface{Name: "s", Parent: "vpp:loop1", Outer: 100})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.ErrorContains(t, err, "interface/vpp:loop1.4000 holds vlan/vpp:loop1 dot1q 100.0")
		converge(t, c,
			vppnet.SubInterface{Name: "ad", Parent: "vpp:loop1", Outer: 100, Dot1ad: true},
			vppnet.SubInterface{Name: "inner", Parent: "vpp:loop1", Outer: 100, Inner: 1},
			vppnet.SubInterface{Name: "any", Parent: "vpp:loop1", Outer: 200},
		)
		_, err = layer2(c).Ensure(t.Context(), vppnet.SubInterface{Name: "again", Parent: "vpp:loop1", Outer: 200})
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		converge(t, c)
		o.remove(lo)
	})
}
