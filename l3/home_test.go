// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// An outside interface answers for the addresses of NAT by routes in the table that it is in. VPP takes them out of the table that
// it is in when it ceases to be one: so it does not leave the default table as one.
func TestAnOutsideInterfaceLeavesTheDefaultTableFirst(t *testing.T) {
	pool := netip.MustParsePrefix("192.0.2.0/28")
	outside := map[string]func(table string) (fixed, outside desiredstate.Object){
		"NAT44": func(table string) (desiredstate.Object, desiredstate.Object) {
			return nat.Plugin{Sessions: 1000}, nat.Interface{Interface: "ext", Table: table, Outside: true}
		},
		"NAT44, output": func(table string) (desiredstate.Object, desiredstate.Object) {
			return nat.Plugin{Sessions: 1000}, nat.Interface{Interface: "ext", Table: table, Output: true}
		},
		"NAT64": func(table string) (desiredstate.Object, desiredstate.Object) {
			return nat64.Address{Address: pool.Addr().Next()}, nat64.Interface{Interface: "ext", Table: table}
		},
	}
	for name, of := range outside {
		for _, v := range natVariants {
			t.Run(name+" "+v.String(), func(t *testing.T) {
				onBoth(t, func(t *testing.T, socket string) {
					c := kindrig.Dial(t, socket, "me")
					e := kindrig.Engine(vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), nat.Plugins(c, v), nat.Interfaces(c, v), nat.Addresses(c, v, pool),
						nat64.Addresses(c, pool), nat64.Interfaces(c, nat64.Sizes{}))
					routes := func() (all []netip.Prefix) {
						c.Uses(&ip.IPRouteV2Dump{})
						found, err := vppnet.Collect(ip.NewServiceClient(c).IPRouteV2Dump(t.Context(), &ip.IPRouteV2Dump{}))
						require.NoError(t, err)
						for _, d := range found {
							all = append(all, inet.ReadPrefix(d.Route.Prefix))
						}
						return all
					}
					fixed, home := of("")
					_, away := of("world")
					base := []desiredstate.Object{vppnet.Loopback{Name: "ext"}, l3.Table{Name: "world"}, fixed}
					if name != "NAT64" {
						base = append(base, nat.Address{Address: pool.Addr().Next(), AnyTable: true})
					}
					in := l3.Membership{Interface: "ext", Table: "world"}
					_, err := e.Sync(t.Context(), base...)
					require.NoError(t, err)
					before := routes()
					for range 5 { // whichever came first by chance
						_, err = e.Sync(t.Context(), append(base, home)...)
						require.NoError(t, err)
						require.NotEqual(t, before, routes())
						_, err = e.Ensure(t.Context(), in)
						require.ErrorIs(t, err, desiredstate.ErrConflict)
						require.ErrorContains(t, err, home.Key().String())
						_, err = e.Sync(t.Context(), append(base, in, away)...)
						require.NoError(t, err)
						require.Equal(t, before, routes())
						_, err = e.Sync(t.Context(), append(base, home)...)
						require.NoError(t, err)
						_, err = e.Sync(t.Context(), base...)
						require.NoError(t, err)
						require.Equal(t, before, routes())
					}
				})
			})
		}
	}
}

// Nor does one with a virtual router, of which VPP would leave the multicast route behind.
func TestAVirtualRouterLeavesTheDefaultTableFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		e := kindrig.Engine(vppnet.Loopbacks(c), vppnet.LinkStates(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c), vrrp.Routers(c))
		own := l3.Address{Interface: "lo", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
		r := vrrp.Router{Interface: "lo", ID: 7, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.5")}}
		in := l3.Membership{Interface: "lo", Table: "red"}
		_, err := e.Sync(t.Context(), vppnet.Loopback{Name: "lo"}, vppnet.LinkState{Interface: "lo", Up: true}, l3.Table{Name: "red"}, own)
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), r)
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), own.Key()) // with one, VPP refuses to move the interface
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), in)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, r.Key().String())
		_, err = e.Ensure(t.Context(), l3.Membership{Interface: "lo", Table: "red", NoIPv4: true})
		require.NoError(t, err, "of the other family there is none")
		_, err = e.Remove(t.Context(), r.Key())
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), in)
		require.NoError(t, err)
	})
}
