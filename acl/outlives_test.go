// SPDX-License-Identifier: Apache-2.0

package acl_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP takes a filter's effect when its interface leaves L2. Filters that stay, and are After nothing, have it again when
// the same pass is done, so they do when the interface comes to L2 again, before anything is read.
func TestFiltersOutliveTheirPort(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		anew := func() *desiredstate.Engine {
			c := kindrig.Dial(t, vpp.Socket(), "me")
			e := kindrig.Engine(append(kinds(c), vppnet.CrossConnects(c))...)
			e.MaxPrune = 1
			return e
		}
		filters := []desiredstate.Object{
			vppnet.Loopback{Name: "vm"},
			vppnet.Loopback{Name: "other"},
			vppnet.BridgeDomain{Name: "net"},
			vppnet.BridgeDomain{Name: "net2"},
			acl.Set{Name: "s", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}},
			acl.Binding{Interface: "vm", Input: []string{"s"}},
			acl.MACIPSet{Name: "m", Rules: []acl.MACIPRule{{Action: acl.Permit, MAC: kindrig.MAC(1), Src: netip.MustParsePrefix("10.0.0.5/32")}}},
			acl.MACIPBinding{Interface: "vm", Set: "m"},
		}
		e := anew()
		for what, place := range map[string]desiredstate.Object{
			"in a bridge": vppnet.BridgePort{Bridge: "net", Interface: "vm"}, "in another": vppnet.BridgePort{Bridge: "net2", Interface: "vm"},
			"cross-connected": vppnet.CrossConnect{From: "vm", To: "other"},
		} {
			for _, next := range []desiredstate.Object{place, nil, place, vppnet.BridgePort{Bridge: "net", Interface: "vm"}} {
				want := filters
				if next != nil {
					want = append(filters[:len(filters):len(filters)], next)
				}
				_, err := e.Sync(t.Context(), want...)
				require.NoError(t, err)
				p, err := anew().Plan(t.Context(), want...)
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s: %v", what, p)
			}
		}
	})
}

// So they do when a call takes the interface out of its place, or to another, and says nothing of the filters.
func TestFiltersOutliveACallForTheirPort(t *testing.T) {
	onBoth(t, func(t *testing.T, vpp vpptest.Target) {
		c := dial(t, vpp.Socket(), "me")
		e, ports := kindrig.Engine(append(kinds(c), vppnet.CrossConnects(c))...), vppnet.BridgePorts(c)
		port := vppnet.BridgePort{Bridge: "net", Interface: "port"}
		cross := vppnet.CrossConnect{From: "port", To: "lo"}
		want := append(filtered(), acl.Binding{Interface: "port", Input: []string{"x"}}, acl.MACIPBinding{Interface: "port", Set: "x"})
		id := ensure(t, e, want...)[vppnet.InterfaceKey("port")]
		lit := features(t, c, id)
		isLit := func(_ desiredstate.Report, err error) {
			t.Helper()
			require.NoError(t, err)
			require.Equal(t, lit, features(t, c, id))
		}
		for range 2 {
			_, err := e.Remove(t.Context(), port.Key())
			require.NoError(t, err)
			isLit(e.Ensure(t.Context(), port))
			_, err = ports.Remove(t.Context(), port)
			require.NoError(t, err)
			isLit(ports.Ensure(t.Context(), port))
			_, err = e.Remove(t.Context(), port.Key())
			require.NoError(t, err)
			_, err = e.Ensure(t.Context(), cross)
			require.NoError(t, err)
			_, err = e.Remove(t.Context(), cross.Key())
			require.NoError(t, err)
			isLit(e.Ensure(t.Context(), port))
		}
		vpp.ResetLog()
		p, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, p.String())
		e.Forget()
		p, err = e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, p.String())
		require.Zero(t, vpp.Writes())
	})
}
