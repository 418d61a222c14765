// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/vlib"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/inet"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A leftWorld is an interface in a table, which somebody deletes by hand.
type leftWorld struct {
	vpp  vpptest.Target
	hand *vppnet.Conn
	e    *desiredstate.Engine
	want []desiredstate.Object
}

var linkPrefix = netip.MustParsePrefix("10.9.0.0/24")

func eachLeft(t *testing.T, test func(t *testing.T, w leftWorld)) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		w := leftWorld{
			vpp: vpp, hand: kindrig.Dial(t, vpp.Socket(), "hand"),
			e: kindrig.Engine(vppnet.Loopbacks(c), vppnet.LinkStates(c), l3.Tables(c), l3.Memberships(c),
				l3.Routes(c, func(_ string, p netip.Prefix) bool { return p == linkPrefix })),
			want: []desiredstate.Object{
				vppnet.Loopback{Name: "lo"}, vppnet.LinkState{Interface: "lo", Up: true}, l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "lo", Table: "red"},
			},
		}
		w.hand.Uses(&interfaces.DeleteLoopback{}, &ip.IPRouteAddDelV2{}, &vlib.CliInband{})
		kindrig.Steady(t, w.e, w.want...)
		test(t, w)
	})
}

func (w leftWorld) deleteByHand(t *testing.T) {
	_, err := interfaces.NewServiceClient(w.hand).DeleteLoopback(t.Context(), &interfaces.DeleteLoopback{SwIfIndex: 1})
	require.NoError(t, err)
}

func (w leftWorld) route(t *testing.T, add bool) {
	r := ip.IPRouteV2{Prefix: inet.Prefix(linkPrefix)} // VPP removes none with a path that leads nowhere
	if add {
		r.Paths = []fib_types.FibPath{{SwIfIndex: 1, Weight: 1}}
	}
	_, err := ip.NewServiceClient(w.hand).IPRouteAddDelV2(t.Context(), &ip.IPRouteAddDelV2{IsAdd: add, Route: r})
	require.NoError(t, err)
}

// VPP dies of the end of a table that a route of another one follows, to the link of an
// interface that is gone. Such a table stays until the route goes.
func TestATableStaysWhoseInterfaceARouteFollows(t *testing.T) {
	eachLeft(t, func(t *testing.T, w leftWorld) {
		w.route(t, true)
		w.deleteByHand(t)
		e := kindrig.Engine(l3.Tables(kindrig.Dial(t, w.vpp.Socket(), "me")))
		_, err := e.Sync(t.Context())
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.ErrorContains(t, err, "10.9.0.0/24 in ipv4 table 0")
		w.route(t, false)
		kindrig.Steady(t, e)
	})
}

// A route in a table of IPv6 to the link of an interface of another one has the hosts of that link. VPP tells the table
// of them when it has ended, too, and dies of the next. The API's routes go before their table, others' keep it.
func TestATableStaysThatHasTheHostsOfAnothersLink(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c, hand := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "hand")
		hand.Uses(&ip.IPRouteAddDelV2{})
		e := kindrig.Engine(vppnet.Loopbacks(c), vppnet.LinkStates(c), l3.Addresses(c), l3.Tables(c))
		link, stays := netip.MustParsePrefix("2001:db8:9::1/64"), []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.LinkState{Interface: "lo", Up: true}}
		stays = append(stays, l3.Address{Interface: "lo", Prefix: link})
		route := func(add bool, src uint8) {
			r := ip.IPRouteV2{TableID: 7, Src: src, Prefix: inet.Prefix(link.Masked())}
			if add {
				r.Paths = []fib_types.FibPath{{SwIfIndex: 1, Weight: 1, Proto: fib_types.FIB_API_PATH_NH_PROTO_IP6}}
			}
			_, err := ip.NewServiceClient(hand).IPRouteAddDelV2(t.Context(), &ip.IPRouteAddDelV2{IsAdd: add, Route: r})
			require.NoError(t, err)
		}
		const api, another = 0, 10
		all := append(slices.Clone(stays), l3.Table{Name: "red", ID: 7})
		kindrig.Steady(t, e, all...)
		route(true, another)
		_, err := e.Sync(t.Context(), stays...)
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.ErrorContains(t, err, "2001:db8:9::/64 in ipv6 table 7 leads to the link of an interface of table 0")
		route(false, another)
		kindrig.Steady(t, e, stays...)

		kindrig.Steady(t, e, all...)
		route(true, api)
		kindrig.Steady(t, e, stays...)
		kindrig.Steady(t, e, append(stays, l3.Address{Interface: "lo", Prefix: netip.MustParsePrefix("2001:db8:9::2/64")})...)
	})
}

// What is all ours goes, whatever the order is that it goes in.
func TestATableGoesWithTheRouteThatFollowsIt(t *testing.T) {
	eachLeft(t, func(t *testing.T, w leftWorld) {
		kindrig.Steady(t, w.e, append(w.want, l3.Route{Prefix: linkPrefix, Paths: []l3.Path{{Interface: "lo"}}})...)
		w.deleteByHand(t)
		w.e.Forget()
		if _, err := w.e.Sync(t.Context()); err != nil { // the table came first
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			_, err = w.e.Sync(t.Context())
			require.NoError(t, err)
		}
		kindrig.Steady(t, w.e)
	})
}

// A route by an interface that was deleted by hand leads to the link of the new one, which has
// its index, and no longer follows the table when that leaves it.
func TestARouteByAnInterfaceThatComesBackWorks(t *testing.T) {
	eachLeft(t, func(t *testing.T, w leftWorld) {
		want := append(w.want, l3.Route{Prefix: linkPrefix, Paths: []l3.Path{{Interface: "lo"}}})
		kindrig.Steady(t, w.e, want...)
		w.deleteByHand(t)
		w.e.Forget()
		p, err := w.e.Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Equal(t, 1, p.Count(desiredstate.Replace), "%s", p)
		_, err = w.e.Apply(t.Context(), p)
		require.NoError(t, err)
		kindrig.Steady(t, w.e, want...)
		if strings.HasSuffix(t.Name(), "/real") {
			r, err := vlib.NewServiceClient(w.hand).CliInband(t.Context(), &vlib.CliInband{Cmd: "show ip fib 10.9.0.0/24"})
			require.NoError(t, err)
			require.Contains(t, r.Reply, "oper-flags:resolved")
		}
		kindrig.Steady(t, w.e, want[0], want[1], want[4])
	})
}
