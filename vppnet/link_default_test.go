// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ipsec"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An MTU that is left open is not touched, of whichever device: VPP's default is not always the link's.
func TestOpenMTUIsVPPsDefault(t *testing.T) {
	test := func(t *testing.T, socket string) {
		before := given(t, socket)
		var want []desiredstate.Object
		for name := range before {
			want = append(want, vppnet.LinkState{Interface: name, Up: true})
		}
		claim := vppnet.ClaimInterfaces(func(name string) bool { return before[name] != 0 })
		e := layer2(dialVPP(t, socket), claim)
		r, err := e.Sync(t.Context())
		require.NoError(t, err)
		require.Zero(t, r.Changed(), "nobody said anything of them:\n%s", r)
		for range 2 {
			_, err = e.Sync(t.Context(), want...)
			require.NoError(t, err)
			require.Equal(t, before, given(t, socket))
			e.Forget()
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, given(t, socket))
			e.Forget()
		}
		for name, was := range before { // what was said of an MTU is taken back
			said := vppnet.LinkState{Interface: name, MTU: 1300}
			_, err = e.Ensure(t.Context(), said)
			require.NoError(t, err)
			require.EqualValues(t, 1300, given(t, socket)[name])
			e.Forget()
			p, err := e.Plan(t.Context(), said)
			require.NoError(t, err)
			require.True(t, p.Empty(), p.String())
			_, err = e.Remove(t.Context(), said.Key())
			require.NoError(t, err)
			if name == "vpp:nic" {
				was = 9000 // below its link's it goes back to that
			}
			require.Equal(t, was, given(t, socket)[name])
		}
	}
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		devices := []vpptest.NewInterface{
			{Name: "vhost", DevType: "vhost-user"},
			{Name: "gre", DevType: "GRE tunnel device", NotEthernet: true},
			{Name: "ipip", DevType: "IPIP tunnel device", NotEthernet: true},
			{Name: "ipsec", DevType: "IPSEC Tunnel", NotEthernet: true},
			{Name: "mpls", DevType: "MPLS tunnel device", NotEthernet: true},
			{Name: "nic", DevType: "iavf"},
		}
		vpptest.Handle(vpp, func(c *vpptest.Call, q *ipsec.IpsecItfCreate) *ipsec.IpsecItfCreateReply {
			return &ipsec.IpsecItfCreateReply{SwIfIndex: interface_types.InterfaceIndex(c.AddInterface(devices[q.Itf.UserInstance]))}
		})
		c := dialAs(t, "somebody", vpp.Socket())
		c.Uses(&ipsec.IpsecItfCreate{}, &interfaces.SwInterfaceSetMtu{})
		for n, d := range devices {
			made, err := ipsec.NewServiceClient(c).IpsecItfCreate(t.Context(), &ipsec.IpsecItfCreate{Itf: ipsec.IpsecItf{UserInstance: uint32(n)}})
			require.NoError(t, err)
			mtu := uint32(9000)
			if d.DevType == "iavf" {
				mtu = 9500 // above its link's
			}
			_, err = interfaces.NewServiceClient(c).SwInterfaceSetMtu(t.Context(), &interfaces.SwInterfaceSetMtu{SwIfIndex: made.SwIfIndex, Mtu: []uint32{mtu, 0, 0, 0}})
			require.NoError(t, err)
		}
		test(t, vpp.Socket())
	})
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t, vpptest.WithStartup("ethernet { default-mtu 1500 }"))
		for _, command := range []string{
			"create loopback interface", "create vhost-user socket " + vpp.Dir() + "/vhost server", "create ipip tunnel src 10.0.0.1 dst 10.0.0.2",
			"ipsec itf create", "mpls tunnel via 10.0.0.1 loop0 out-labels 33", "create gre tunnel src 10.0.0.1 dst 10.0.0.2 teb",
			"create 6rd tunnel ip6-pfx 2002::/16 ip4-pfx 10.0.0.0/8 ip4-src 10.0.0.1", "set interface state ip6ip-6rd1 down",
		} {
			out, err := vpp.CLI(command)
			require.NoError(t, err, out)
		}
		require.Len(t, given(t, vpp.Socket()), 7)
		test(t, vpp.Socket())
	})
}

// given are the L3 MTUs of all but local0.
func given(t *testing.T, socket string) map[string]uint32 {
	c := dialAs(t, "reader", socket)
	c.Uses(&interfaces.SwInterfaceDump{})
	all, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
	require.NoError(t, err)
	out := map[string]uint32{}
	for _, d := range all {
		if d.InterfaceName != "local0" {
			out[vppnet.Foreign(d.InterfaceName)] = d.Mtu[0]
		}
	}
	return out
}
