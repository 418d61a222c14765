// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	binding "go.fd.io/govpp/binapi/acl"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An interface of ours that is born with a list of ethertypes is rid of it.
func TestInheritedEtherTypes(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		id := ensure(t, e, vppnet.Loopback{Name: "old"})[vppnet.InterfaceKey("old")]
		c.Uses(&binding.ACLInterfaceSetEtypeWhitelist{})
		_, err := binding.NewServiceClient(c).ACLInterfaceSetEtypeWhitelist(t.Context(), &binding.ACLInterfaceSetEtypeWhitelist{
			SwIfIndex: interface_types.InterfaceIndex(id), Count: 1, NInput: 1, Whitelist: []uint16{0x88cc},
		})
		require.NoError(t, err)
		_, err = vppnet.Loopbacks(c).Remove(t.Context(), vppnet.Loopback{Name: "old"}) // by one who knows nothing of lists
		require.NoError(t, err)
		e.Forget()
		require.Equal(t, id, ensure(t, e, vppnet.Loopback{Name: "new"})[vppnet.InterfaceKey("new")])
		e.Forget()
		p, err := e.Plan(t.Context(), vppnet.Loopback{Name: "new"})
		require.NoError(t, err)
		require.Equal(t, 1, p.Count(desiredstate.Delete), "%s", p)
		_, err = e.Sync(t.Context(), vppnet.Loopback{Name: "new"})
		require.NoError(t, err)
		p, err = e.Plan(t.Context(), vppnet.Loopback{Name: "new"})
		require.NoError(t, err)
		require.Empty(t, p.Steps)
	})
}

// An interface that left its bridge domain and comes back has no filter, though
// VPP lists it. It is found, and mended in one message.
func TestLostFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		want := append(filtered(), acl.Binding{Interface: "port", Input: []string{"x"}, Output: []string{"y"}},
			acl.MACIPBinding{Interface: "port", Set: "x"}, acl.EtherTypes{Interface: "port", Input: []uint16{0x806, 0x88cc}, Output: []uint16{0x806}})
		r := ensure(t, e, filtered()...)
		id := r[vppnet.InterfaceKey("port")]
		bare := features(t, c, id)
		ensure(t, e, want...)
		lit := features(t, c, id)
		require.Equal(t, 2, bits.OnesCount32(lit&^bare))

		c.Uses(&l2.SwInterfaceSetL2Bridge{})
		for _, on := range []bool{false, true} {
			_, err := l2.NewServiceClient(c).SwInterfaceSetL2Bridge(t.Context(), &l2.SwInterfaceSetL2Bridge{
				RxSwIfIndex: interface_types.InterfaceIndex(id), BdID: r[vppnet.BridgeKey("net")], Enable: on,
			})
			require.NoError(t, err)
		}
		require.Equal(t, bare, features(t, c, id))
		e.Forget()
		vpp.ResetLog()
		plan, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, 2, plan.Count(desiredstate.Update), "%s", plan)
		_, err = e.Apply(t.Context(), plan)
		require.NoError(t, err)
		require.Equal(t, lit, features(t, c, id))
		require.Equal(t, 3, vpp.Writes(), "the lists again, to no effect; the ethertypes again; the MACIP set again: %v", vpp.Sent())
		e.Forget()
		plan, err = e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, plan.Steps, "%s", plan)
	})
}

// With After, what this library does itself does not get that far: the binding
// goes before the port leaves, the link before both.
func TestAfter(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e := engine(c)
		port := vppnet.BridgePortKey("port")
		bind := acl.Binding{Interface: "port", Input: []string{"x"}, After: []desiredstate.Key{port}}
		macip := acl.MACIPBinding{Interface: "port", Set: "x", After: []desiredstate.Key{port}}
		link := vppnet.LinkState{Interface: "port", Up: true, After: []desiredstate.Key{port, bind.Key(), macip.Key()}}
		want := append(filtered(), bind, macip, link)
		id := ensure(t, e, want...)[vppnet.InterfaceKey("port")]
		lit := features(t, c, id)

		vpp.ResetLog()
		r, err := e.Remove(t.Context(), link.Key(), bind.Key(), macip.Key(), port)
		require.NoError(t, err)
		require.Len(t, r, 4)
		sent := vpp.Sent()
		at := func(name string) int {
			for i, s := range sent {
				if s == name {
					return i
				}
			}
			t.Fatalf("%s is not in %v", name, sent)
			return 0
		}
		require.Less(t, at("sw_interface_set_flags"), at("acl_interface_set_acl_list"))
		require.Less(t, at("sw_interface_set_flags"), at("macip_acl_interface_add_del"))
		require.Less(t, at("acl_interface_set_acl_list"), at("sw_interface_set_l2_bridge"))
		require.Less(t, at("macip_acl_interface_add_del"), at("sw_interface_set_l2_bridge"))

		vpp.ResetLog()
		ensure(t, e, want...)
		sent = vpp.Sent()
		require.Less(t, at("acl_interface_set_acl_list"), at("sw_interface_set_flags"))
		require.Equal(t, lit, features(t, c, id))
	})
}

// A duplicate that a foreign hand made, or a lost answer, does not lead to a
// second set.
func TestLostAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
		e := engine(c)
		vpp.Inject(vpptest.Fault{Message: "acl_add_replace", Kind: vpptest.Drop})
		_, err := e.Ensure(t.Context(), acl.Set{Name: "a"})
		require.ErrorIs(t, err, vppnet.ErrTimeout)
		vpp.Heal()
		ensure(t, e, acl.Set{Name: "a", Rules: []acl.Rule{{Src: ten}}})
		c.Uses(&binding.ACLDump{})
		sets, err := vppnet.Collect(binding.NewServiceClient(c).ACLDump(t.Context(), &binding.ACLDump{ACLIndex: ^uint32(0)}))
		require.NoError(t, err)
		require.Len(t, sets, 1)
	})
}
