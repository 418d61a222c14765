// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/fib_types"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip6_nd"
	"go.fd.io/govpp/binapi/ip_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// everywhere runs a test on both VPPs. It must leave nothing.
func everywhere(t *testing.T, test func(t *testing.T, socket string)) {
	t.Run("in memory", func(t *testing.T) {
		vpp := vpptest.New(t)
		before := vpp.String()
		test(t, vpp.Socket())
		if !t.Failed() && !t.Skipped() {
			require.Equal(t, before, vpp.String(), "all is as it was")
		}
	})
	t.Run("real", func(t *testing.T) {
		proxy := vpptest.NewProxy(t, vpptest.Real(t).Socket())
		before := proxy.State(layer3Dumps()...)
		test(t, proxy.Socket())
		if !t.Failed() && !t.Skipped() {
			require.Equal(t, before, proxy.State(layer3Dumps()...), "all is as it was")
		}
	})
}

// converge makes all of VPP's objects of ours be these, and sees that whoever
// reads them anew finds nothing to do.
func converge(t *testing.T, c *vppnet.Conn, want ...desiredstate.Object) {
	t.Helper()
	_, err := engine(c).Sync(t.Context(), want...)
	require.NoError(t, err)
	p, err := engine(c).Plan(t.Context(), want...)
	require.NoError(t, err)
	require.Empty(t, p.Steps, "%s", p)
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

// all is one of everything, the way a router has it.
func all(table string) []desiredstate.Object {
	out := []desiredstate.Object{
		vppnet.Loopback{Name: "up"},
		vppnet.Loopback{Name: "poor"},
		vppnet.BridgeDomain{Name: "net"},
		l3.Address{Interface: "up", Prefix: prefix("10.0.0.1/24"), Table: table},
		l3.Address{Interface: "up", Prefix: prefix("10.0.0.2/24"), Table: table},
		l3.Address{Interface: "up", Prefix: prefix("2001:db8::1/64"), Table: table},
		l3.Unnumbered{Interface: "poor", Lender: "up", Table: table},
		l3.Neighbour{Interface: "up", IP: addr("10.0.0.9"), MAC: kindrig.MAC(9)},
		l3.RouterAdvertisement{Interface: "up", Address: prefix("2001:db8::1/64"), Prefixes: []l3.AdvertisedPrefix{{Prefix: prefix("2001:db8::/64")}}},
		l3.ProxyARP{Interface: "up"},
	}
	if table != "" {
		out = append(out, l3.Table{Name: table}, l3.Membership{Interface: "up", Table: table}, l3.Membership{Interface: "poor", Table: table},
			l3.Route{Table: table, Prefix: prefix("0.0.0.0/0"), Paths: []l3.Path{{NextHop: addr("10.0.0.9"), Interface: "up"}}},
			l3.Route{Table: table, Prefix: prefix("::/0"), Paths: []l3.Path{{NextHop: addr("fe80::9"), Interface: "up"}}},
			l3.ProxyARPRange{Table: table, Low: addr("10.0.0.100"), High: addr("10.0.0.200")},
			l3.DHCPRelay{Table: table, Source: addr("10.0.0.1"), Servers: []l3.DHCPServer{{Addr: addr("10.9.0.1"), Table: table}}})
	}
	return append(out, l3.Gateway{Name: "gw", Bridge: "net", Table: table, Addresses: []netip.Prefix{prefix("10.1.0.1/24")}}.Objects()...)
}

// All of a router comes, moves from table to table, loses its table, and goes, each
// time at one go and in the right order.
func TestRouterComesMovesAndGoes(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		converge(t, c, all("red")...)
		converge(t, c, all("blue")...)
		// Into the default table, and out of it, it may take two passes: an address
		// there does not know of a Membership that comes or goes.
		for _, table := range []string{"", "red"} {
			_, _ = engine(c).Sync(t.Context(), all(table)...)
			converge(t, c, all(table)...)
		}
		// Another number: the table is another one, and all that is in it moves.
		moved := all("red")
		for i, o := range moved {
			if table, ok := o.(l3.Table); ok {
				table.ID = 70
				moved[i] = table
			}
		}
		converge(t, c, moved...)
		converge(t, c)
	})
}

// A table that goes takes with it what others put into it: VPP would hand it on to
// the next table.
func TestTableGoesWithItsRoutes(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, other := kindrig.Dial(t, socket, "me"), kindrig.Dial(t, socket, "other")
		table := l3.Table{Name: "red", ID: 70}
		e := engine(c)
		_, err := e.Ensure(t.Context(), table)
		require.NoError(t, err)
		other.Uses(&ip.IPRouteAddDelV2{}, &ip.IPRouteV2Dump{})
		vpp := ip.NewServiceClient(other)
		for _, p := range []string{"20.0.0.0/24", "2001:db8::/32"} {
			_, err = vpp.IPRouteAddDelV2(t.Context(), &ip.IPRouteAddDelV2{IsAdd: true, Route: ip.IPRouteV2{
				TableID: 70, Prefix: parse(t, p), Paths: []fib_types.FibPath{{SwIfIndex: ^uint32(0), Type: fib_types.FIB_API_PATH_TYPE_DROP}},
			}})
			require.NoError(t, err)
		}
		_, err = e.Remove(t.Context(), table.Key()) // by an engine that has not read the routes
		require.NoError(t, err)

		next := l3.Table{Name: "next", ID: 5}
		_, err = e.Ensure(t.Context(), next)
		require.NoError(t, err)
		for _, is6 := range []bool{false, true} {
			found, err := vppnet.Collect(vpp.IPRouteV2Dump(t.Context(), &ip.IPRouteV2Dump{Src: 8, Table: ip.IPTable{TableID: 5, IsIP6: is6}}))
			require.NoError(t, err)
			require.Empty(t, found)
		}
		converge(t, c)
	})
}

func parse(t *testing.T, s string) ip_types.Prefix {
	p, err := ip_types.ParsePrefix(s)
	require.NoError(t, err)
	return p
}

// What others have, an ID or a table, is not taken, and what they do in theirs is
// not ours.
func TestTablesOfOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		other, c := kindrig.Dial(t, socket, "other"), kindrig.Dial(t, socket, "me")
		theirs := []desiredstate.Object{
			l3.Table{Name: "red", ID: 70, NoIPv6: true},
			l3.Route{Table: "red", Prefix: prefix("20.0.0.0/24")},
		}
		converge(t, other, theirs...)
		e := engine(c)
		_, err := e.Ensure(t.Context(), l3.Table{Name: "mine", ID: 70})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = e.Ensure(t.Context(), l3.Route{Table: "other/red", Prefix: prefix("20.0.0.0/24")})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = e.Ensure(t.Context(), l3.Route{Prefix: prefix("20.0.0.0/24")})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = e.Ensure(t.Context(), l3.Address{Interface: "vpp:local0", Prefix: prefix("10.0.0.1/24")})
		require.ErrorIs(t, err, desiredstate.ErrForeign)

		// The other family of its number is free, and one is one's own.
		mine := []desiredstate.Object{
			l3.Table{Name: "red", ID: 70, NoIPv4: true},
			vppnet.Loopback{Name: "lo"},
			l3.Membership{Interface: "lo", Table: "red", NoIPv4: true},
			l3.Route{Table: "red", Prefix: prefix("2001:db8::/32"), Paths: []l3.Path{{Interface: "lo"}}},
		}
		converge(t, c, mine...)
		converge(t, other, theirs...)
		_, err = e.Ensure(t.Context(), l3.Table{Name: "red", ID: 70})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		converge(t, c)
		converge(t, other, theirs...)
		converge(t, other)
	})
}

// What hangs on its place in a table says so, and is refused where it does not fit,
// before VPP takes it for something else.
func TestTableThatIsNotTheInterfaces(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		base := []desiredstate.Object{
			vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, l3.Table{Name: "red"}, l3.Membership{Interface: "lo", Table: "red"},
		}
		converge(t, c, base...)
		e := engine(c)
		_, err := e.Ensure(t.Context(), l3.Address{Interface: "lo", Prefix: prefix("10.0.0.1/24")})
		require.ErrorContains(t, err, "Address.Table says 0")
		_, err = e.Ensure(t.Context(), l3.Unnumbered{Interface: "lo", Lender: "up"})
		require.ErrorContains(t, err, "say so in Unnumbered.Table")
		_, err = e.Ensure(t.Context(), l3.Address{Interface: "up", Prefix: prefix("10.0.0.1/24"), Table: "red"})
		require.ErrorIs(t, err, desiredstate.ErrMissing) // its Membership

		_, err = e.Ensure(t.Context(), l3.Address{Interface: "up", Prefix: prefix("10.0.0.1/24")})
		require.NoError(t, err)
		_, err = e.Ensure(t.Context(), l3.Membership{Interface: "up", Table: "red"})
		require.ErrorIs(t, err, api.ADDRESS_FOUND_FOR_INTERFACE)
		require.ErrorContains(t, err, "that are not said to be in table red go first")
		_, err = e.Ensure(t.Context(), l3.Address{Interface: "up", Prefix: prefix("10.0.0.2/25")})
		require.ErrorIs(t, err, api.ADDRESS_IN_USE)
		_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "poor"}, l3.Unnumbered{Interface: "poor", Lender: "up"})
		require.NoError(t, err)
		converge(t, c)
	})
}

// A route that an address of an interface stands for is not written again and
// again unseen.
func TestRouteToAConnectedPrefix(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		base := []desiredstate.Object{
			l3.Table{Name: "red"},
			vppnet.Loopback{Name: "lo"},
			l3.Membership{Interface: "lo", Table: "red"},
			l3.Address{Interface: "lo", Prefix: prefix("10.0.0.1/24"), Table: "red"},
		}
		hidden := l3.Route{Table: "red", Prefix: prefix("10.0.0.0/24")}
		converge(t, c, append(base, hidden)...)
		up := vppnet.LinkState{Interface: "lo", Up: true}
		e := engine(c)
		_, err := e.Ensure(t.Context(), up)
		require.NoError(t, err)
		e.Forget()
		_, err = e.Ensure(t.Context(), hidden)
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		converge(t, c) // and yet the hidden one does not stay
	})
}

// An interface's number is given again at once. Whoever gets it must find nothing.
func TestIndexIsGivenAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		first := all("red")
		converge(t, c, first...)
		second := []desiredstate.Object{vppnet.Loopback{Name: "next"}, vppnet.Loopback{Name: "after"}, vppnet.Loopback{Name: "last"}}
		converge(t, c, second...)
		c.Uses(&ip.IPUnnumberedDump{})
		lent, err := vppnet.Collect(ip.NewServiceClient(c).IPUnnumberedDump(t.Context(), &ip.IPUnnumberedDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}))
		require.NoError(t, err)
		require.Empty(t, lent)
		converge(t, c)
	})
}

// What somebody did behind our back is put right.
func TestDrift(t *testing.T) {
	everywhere(t, func(t *testing.T, socket string) {
		c, other := kindrig.Dial(t, socket, "me"), kindrig.Dial(t, socket, "other")
		want := all("red")
		e := engine(c)
		report, err := e.Sync(t.Context(), want...)
		require.NoError(t, err)
		up, _ := report.Of(vppnet.InterfaceKey("up"))
		red, _ := report.Of(l3.TableKey("red"))
		other.Uses(&interfaces.SwInterfaceAddDelAddress{}, &ip.IPRouteAddDelV2{})
		p := ip_types.AddressWithPrefix(parse(t, "10.66.0.1/24"))
		_, err = interfaces.NewServiceClient(other).SwInterfaceAddDelAddress(t.Context(), &interfaces.SwInterfaceAddDelAddress{
			SwIfIndex: interface_types.InterfaceIndex(up.ID), IsAdd: true, Prefix: p,
		})
		require.NoError(t, err)
		_, err = ip.NewServiceClient(other).IPRouteAddDelV2(t.Context(), &ip.IPRouteAddDelV2{Route: ip.IPRouteV2{
			TableID: red.ID, Prefix: parse(t, "0.0.0.0/0"),
		}})
		require.NoError(t, err)
		e.Forget()
		plan, err := e.Plan(t.Context(), want...)
		require.NoError(t, err)
		text := strings.Join(strings.Fields(plan.String()), " ")
		require.Contains(t, text, "+ route/red 0.0.0.0/0")
		require.Contains(t, text, "- address/up 10.66.0.1/24")
		converge(t, c, want...)
		converge(t, c)
	})
}

// A gateway advertises the MTU that its link has, though that comes up after its addresses;
// VPP keeps to what there was when IPv6 came on.
func TestAGatewayAdvertisesItsMTU(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		own := netip.MustParsePrefix("2001:db8::1/64")
		gateway := l3.Gateway{Name: "gw", Bridge: "net", Table: "red", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), own}, MTU: 1400}
		want := append(gateway.Objects(), l3.Table{Name: "red"}, vppnet.BridgeDomain{Name: "net"}, l3.RouterAdvertisement{Interface: "gw", Address: own})
		r, err := engine(c).Ensure(t.Context(), want...)
		require.NoError(t, err)
		gw, _ := r.Of(vppnet.InterfaceKey("gw"))
		dump, err := vppnet.AskEach[*ip6_nd.SwInterfaceIP6ndRaDetails](t.Context(), c, &ip6_nd.SwInterfaceIP6ndRaDump{SwIfIndex: interface_types.InterfaceIndex(gw.ID)})
		require.NoError(t, err)
		require.Len(t, dump, 1)
		require.Equal(t, uint32(1400), dump[0].AdvLinkMtu)
		p, err := engine(c).Plan(t.Context(), want...)
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}
