// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// component is a part of a program with an engine and wants of its own.
func component(t *testing.T, resync time.Duration, kinds ...desiredstate.AnyKind) (*desiredstate.Store, *desiredstate.Engine) {
	e, s := desiredstate.New(kinds...), desiredstate.NewStore()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, s, resync) }()
	t.Cleanup(func() { cancel(); require.ErrorIs(t, <-done, context.Canceled) })
	return s, e
}

func waitFor(t *testing.T, s *desiredstate.Store, keys ...desiredstate.Key) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.Wait(ctx, keys...))
}

// A firewall binds to interfaces that another component makes, takes away, and makes again,
// on one Conn. Nobody reads VPP meanwhile.
func TestFirewallBindsToAnotherComponentsInterfaces(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		firewall, _ := component(t, time.Hour, acl.Sets(c), acl.Bindings(c))
		interfaces, _ := component(t, time.Hour, vppnet.Loopbacks(c))
		require.NoError(t, firewall.Put(acl.Set{Name: "s"}, acl.Binding{Interface: "lan", Input: []string{"s"}}))
		waitFor(t, firewall, acl.SetKey("s"))
		firewall.Complete()
		interfaces.Complete()
		lan := vppnet.Loopback{Name: "lan"}
		require.NoError(t, interfaces.Put(lan))
		waitFor(t, firewall, acl.BindingKey("lan"))
		require.NoError(t, interfaces.Put(vppnet.Loopback{Name: "lan", BVI: true})) // another interface
		waitFor(t, interfaces, lan.Key())
		waitFor(t, firewall, acl.BindingKey("lan"))
		interfaces.Delete(lan.Key())
		require.Eventually(t, func() bool {
			st, _ := firewall.Status(acl.BindingKey("lan"))
			return st.State == desiredstate.Blocked
		}, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, interfaces.Put(lan))
		waitFor(t, firewall, acl.BindingKey("lan"))
	})
}

// Two components that both use sets leave each other's alone, claimed or not.
func TestComponentsDivideAKind(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		for _, claimed := range []bool{false, true} {
			c := dial(t, vpp.Socket(), "me")
			kind := func(prefix string) *desiredstate.Kind[acl.Set] {
				k := acl.Sets(c)
				if claimed {
					k.Claims = func(k desiredstate.Key) bool { return strings.HasPrefix(k.Name, prefix) }
				}
				return k
			}
			if claimed { // what nobody runs any more is not taken for a leftover of another one's
				_, err := acl.Sets(c).Ensure(t.Context(), acl.Set{Name: "nat.old"})
				require.NoError(t, err)
			}
			policy, engine := component(t, 20*time.Millisecond, kind("policy."))
			nat, _ := component(t, time.Hour, kind("nat."))
			require.NoError(t, policy.Put(acl.Set{Name: "policy.a"}))
			require.NoError(t, nat.Put(acl.Set{Name: "nat.b"}))
			waitFor(t, policy, acl.SetKey("policy.a"))
			waitFor(t, nat, acl.SetKey("nat.b"))
			policy.Complete()
			time.Sleep(100 * time.Millisecond) // some readings
			found, err := engine.Found(t.Context())
			require.NoError(t, err)
			var names []string
			for _, f := range found {
				names = append(names, f.Key.Name)
			}
			want := []string{"nat.b", "policy.a"}
			if claimed {
				want = []string{"nat.b", "nat.old", "policy.a"}
				require.NoError(t, policy.Put(acl.Set{Name: "nat.c"}))
				require.Eventually(t, func() bool {
					st, _ := policy.Status(acl.SetKey("nat.c"))
					return st.State == desiredstate.Blocked && strings.Contains(st.Err.Error(), "another component's")
				}, 10*time.Second, 5*time.Millisecond)
			}
			require.Equal(t, want, names)
			require.NoError(t, c.Close())
			all := dial(t, vpp.Socket(), "me")
			e := desiredstate.New(acl.Sets(all))
			e.MaxPrune = 1
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
		}
	})
}

// What two components want alike is there as long as one of them wants it; what they want
// otherwise, the first one has.
func TestComponentsWantOneThing(t *testing.T) {
	c := dial(t, vpptest.New(t).Socket(), "me")
	one, e := component(t, 10*time.Millisecond, vppnet.BridgeDomains(c))
	two, _ := component(t, 10*time.Millisecond, vppnet.BridgeDomains(c))
	net := vppnet.BridgeDomain{Name: "net"}
	require.NoError(t, one.Put(net))
	waitFor(t, one, net.Key())
	require.NoError(t, two.Put(net))
	waitFor(t, two, net.Key())
	require.NoError(t, two.Put(vppnet.BridgeDomain{Name: "net", NoLearn: true}))
	require.Eventually(t, func() bool {
		st, _ := two.Status(net.Key())
		return st.State == desiredstate.Blocked
	}, 10*time.Second, time.Millisecond)
	one.Delete(net.Key())
	waitFor(t, two, net.Key())
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	require.True(t, found[0].Spec.(vppnet.BridgeDomain).NoLearn)
	two.Delete(net.Key())
	require.Eventually(t, func() bool {
		found, err := e.Found(t.Context())
		return err == nil && len(found) == 0
	}, 10*time.Second, time.Millisecond)
}

// Kinds as primitives, each by itself, know what the others of the Conn did, and do not
// take apart what the others made.
func TestPrimitivesOfOneConn(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		loops, bridges, ports, links := vppnet.Loopbacks(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c)
		for _, name := range []string{"a", "b"} {
			_, err := loops.Ensure(t.Context(), vppnet.Loopback{Name: name})
			require.NoError(t, err)
			_, err = bridges.Ensure(t.Context(), vppnet.BridgeDomain{Name: name})
			require.NoError(t, err)
			_, err = ports.Ensure(t.Context(), vppnet.BridgePort{Bridge: name, Interface: name})
			require.NoError(t, err)
			_, err = links.Ensure(t.Context(), vppnet.LinkState{Interface: name, Up: true})
			require.NoError(t, err)
		}
		_, err := loops.Remove(t.Context(), vppnet.Loopback{Name: "a"})
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.ErrorContains(t, err, "bridge-port/a")
		r, err := loops.Ensure(t.Context(), vppnet.Loopback{Name: "a", BVI: true}) // a new interface
		require.NoError(t, err)
		port, _ := r.Of(vppnet.BridgePortKey("a"))
		require.Equal(t, desiredstate.Replace, port.Action, "it is in its bridge domain again")
		p, err := desiredstate.New(loops, bridges, ports, links).Plan(t.Context(),
			vppnet.Loopback{Name: "a", BVI: true}, vppnet.BridgeDomain{Name: "a"}, vppnet.BridgePort{Bridge: "a", Interface: "a"}, vppnet.LinkState{Interface: "a", Up: true},
			vppnet.Loopback{Name: "b"}, vppnet.BridgeDomain{Name: "b"}, vppnet.BridgePort{Bridge: "b", Interface: "b"}, vppnet.LinkState{Interface: "b", Up: true})
		require.NoError(t, err)
		require.Equal(t, "8 as wanted\n", p.String())
	})
}
