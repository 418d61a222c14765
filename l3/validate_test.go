// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What VPP would refuse, or take and mean otherwise, is refused before it is sent.
func TestInvalid(t *testing.T) {
	long := strings.Repeat("x", 64)
	hop := addr("10.0.0.2")
	route := func(paths ...l3.Path) l3.Route { return l3.Route{Prefix: prefix("20.0.0.0/24"), Paths: paths} }
	route6 := func(paths ...l3.Path) l3.Route { return l3.Route{Prefix: prefix("2001:db8::/32"), Paths: paths} }
	ra := func(f func(*l3.RouterAdvertisement)) l3.RouterAdvertisement {
		r := l3.RouterAdvertisement{Interface: "lo", Address: prefix("2001:db8::1/64")}
		f(&r)
		return r
	}
	advertised := func(p l3.AdvertisedPrefix) l3.RouterAdvertisement {
		return ra(func(r *l3.RouterAdvertisement) { r.Prefixes = []l3.AdvertisedPrefix{p} })
	}
	relay := func(source string, servers ...l3.DHCPServer) l3.DHCPRelay {
		return l3.DHCPRelay{Source: addr(source), Servers: servers}
	}
	for _, tc := range []struct {
		o   desiredstate.Object
		err string
	}{
		{l3.Table{}, "name is empty"},
		{l3.Table{Name: "#7"}, "stands before a number"},
		{l3.Table{Name: "a", ID: 1<<32 - 1}, "VPP's word for none"},
		{l3.Table{Name: "a", NoIPv4: true, NoIPv6: true}, "no table at all"},
		{l3.Membership{Interface: "lo"}, "is in the default table"},
		{l3.Membership{Interface: "lo", Table: l3.DefaultTable}, "is in the default table"},
		{l3.Membership{Table: "a"}, "interface"},
		{l3.Membership{Interface: "lo", Table: "a b"}, "table"},
		{l3.Membership{Interface: "lo", Table: "a", NoIPv4: true, NoIPv6: true}, "no membership at all"},
		{l3.Address{Interface: "lo"}, "prefix is not set"},
		{l3.Address{Interface: long, Prefix: prefix("10.0.0.1/24")}, "interface"},
		{l3.Address{Interface: "lo", Prefix: prefix("10.0.0.1/24"), Table: l3.DefaultTable}, "leave the name open"},
		{l3.Address{Interface: "lo", Prefix: prefix("10.0.0.1/0")}, "length 1 or more"},
		{l3.Address{Interface: "lo", Prefix: prefix("::ffff:10.0.0.1/120")}, "write an IPv4 prefix as one"},
		{l3.Address{Interface: "lo", Prefix: prefix("10.0.0.0/24")}, "its subnet's own"},
		{l3.Address{Interface: "lo", Prefix: prefix("10.0.0.255/24")}, "or its broadcast"},
		{l3.Address{Interface: "lo", Prefix: prefix("255.255.255.255/32")}, "nobody's own"},
		{l3.Address{Interface: "lo", Prefix: prefix("224.0.0.1/24")}, "nobody's own"},
		{l3.Address{Interface: "lo", Prefix: prefix("0.0.0.0/24")}, "nobody's own"},
		{l3.Address{Interface: "lo", Prefix: prefix("fe80::1/64")}, "link-local"},
		{l3.Address{Interface: "lo", Prefix: prefix("10.0.0.1/24"), LinkMTU: 67}, "link MTU 67"},
		{l3.Address{Interface: "lo", Prefix: prefix("10.0.0.1/24"), LinkMTU: 65536}, "link MTU 65536"},
		{l3.Unnumbered{Interface: "lo"}, "lender"},
		{l3.Unnumbered{Interface: "lo", Lender: "lo"}, "from itself"},
		{l3.Route{}, "prefix is not set"},
		{l3.Route{Prefix: prefix("20.0.0.1/24")}, "host bits, want 20.0.0.0/24"},
		{l3.Route{Prefix: prefix("224.0.0.0/4")}, "VPP's own"},
		{l3.Route{Prefix: prefix("20.0.0.0/24"), Table: l3.DefaultTable}, "leave the name open"},
		{route(l3.Path{}), "path 0: a path leads to"},
		{route(l3.Path{NextHop: hop}, l3.Path{NextHop: hop, Weight: 2}), "path 1 is there already"},
		{l3.Route{Prefix: prefix("20.0.0.1/32"), Paths: []l3.Path{{Interface: "lo"}, {Interface: "lo", NextHop: addr("20.0.0.1")}}}, "path 1 is there already"},
		{route(l3.Path{NextHop: addr("20.0.0.0"), Table: "red"}), "VPP would drop"},
		{route(l3.Path{Local: true}, l3.Path{NextHop: hop}), "stands alone"},
		{route(l3.Path{Local: true, NextHop: hop}), "neither next hop nor interface"},
		{route(l3.Path{Interface: "lo", Table: "red"}), "by an interface has no table"},
		{route(l3.Path{NextHop: addr("2001:db8::2")}), "needs its interface"},
		{route(l3.Path{NextHop: hop, Table: l3.DefaultTable}), "the route's own"},
		{route(l3.Path{NextHop: hop, Table: " "}), "table"},
		{l3.Route{Table: "red", Prefix: prefix("20.0.0.0/24"), Paths: []l3.Path{{Table: "red"}}}, "the route's own"},
		{route6(l3.Path{NextHop: hop, Interface: "lo"}), "no IPv4 next hop"},
		{route6(l3.Path{NextHop: addr("fe80::2")}), "link-local next hop needs its interface"},
		{route6(l3.Path{NextHop: addr("fe80::2%eth0"), Interface: "lo"}), "has a zone"},
		{route(make([]l3.Path, 256)...), "256 paths"},
		{l3.Neighbour{Interface: "lo", MAC: kindrig.MAC(1)}, "IP is not set"},
		{l3.Neighbour{Interface: "lo", IP: hop}, "MAC is not set"},
		{l3.Neighbour{Interface: "lo", IP: hop, MAC: vppnet.MAC{1}}, "multicast"},
		{l3.Neighbour{Interface: "lo", IP: addr("ff02::1"), MAC: kindrig.MAC(1)}, "nobody's own"},
		{l3.ProxyARPRange{Low: hop}, "two IPv4 addresses"},
		{l3.ProxyARPRange{Low: hop, High: addr("10.0.0.1")}, "below"},
		{l3.ProxyARPRange{Low: addr("2001:db8::1"), High: addr("2001:db8::2")}, "two IPv4 addresses"},
		{l3.ProxyARP{}, "interface"},
		{l3.RouterAdvertisement{Interface: "lo"}, "want an IPv6 address"},
		{ra(func(r *l3.RouterAdvertisement) { r.MaxInterval = 3 * time.Second }), "longest interval"},
		{ra(func(r *l3.RouterAdvertisement) { r.MaxInterval = 1801 * time.Second }), "longest interval"},
		{ra(func(r *l3.RouterAdvertisement) { r.MaxInterval = 1500 * time.Millisecond }), "whole seconds"},
		{ra(func(r *l3.RouterAdvertisement) { r.MinInterval = 151 * time.Second }), "shortest interval"},
		{ra(func(r *l3.RouterAdvertisement) { r.MinInterval = 2 * time.Second }), "shortest interval"},
		{ra(func(r *l3.RouterAdvertisement) { r.Lifetime = 200 * time.Second }), "lifetime"},
		{ra(func(r *l3.RouterAdvertisement) { r.Lifetime = 9001 * time.Second }), "lifetime"},
		{ra(func(r *l3.RouterAdvertisement) { r.Lifetime, r.NoDefaultRouter = 600*time.Second, true }), "no default router"},
		{advertised(l3.AdvertisedPrefix{}), "prefix is not set"},
		{advertised(l3.AdvertisedPrefix{Prefix: prefix("10.0.0.0/24")}), "want IPv6"},
		{advertised(l3.AdvertisedPrefix{Prefix: prefix("2001:db8::1/64")}), "host bits"},
		{advertised(l3.AdvertisedPrefix{Prefix: prefix("fe80::/64")}), "cannot make addresses"},
		{advertised(l3.AdvertisedPrefix{Prefix: prefix("2001:db8::/64"), Valid: time.Hour}), "or none"},
		{advertised(l3.AdvertisedPrefix{Prefix: prefix("2001:db8::/64"), Valid: time.Hour, Preferred: 2 * time.Hour}), "longer than it is valid"},
		{advertised(l3.AdvertisedPrefix{Prefix: prefix("2001:db8::/64"), Valid: time.Millisecond}), "whole seconds"},
		{ra(func(r *l3.RouterAdvertisement) {
			r.Prefixes = []l3.AdvertisedPrefix{{Prefix: prefix("2001:db8::/64")}, {Prefix: prefix("2001:db8::/65")}}
		}), "have one address"},
		{relay("10.0.0.1"), "0 servers"},
		{relay("10.0.0.1", l3.DHCPServer{Addr: addr("2001:db8::1")}), "two families"},
		{relay("10.0.0.1", l3.DHCPServer{Addr: hop}, l3.DHCPServer{Addr: hop}), "twice"},
		{relay("0.0.0.0", l3.DHCPServer{Addr: hop}), "source"},
		{relay("10.0.0.1", l3.DHCPServer{}), "server is not set"},
		{relay("10.0.0.1", l3.DHCPServer{Addr: hop, Table: l3.DefaultTable}), "leave the name open"},
	} {
		err := tc.o.Validate()
		require.ErrorContains(t, err, tc.err, "%+v", tc.o)
	}
}

// An invalid object costs no message but those of the reading.
func TestInvalidIsNotSent(t *testing.T) {
	vpp := vpptest.New(t)
	e := engine(kindrig.Dial(t, vpp.Socket(), "me"))
	for _, o := range []desiredstate.Object{
		l3.Table{Name: "#1"}, l3.Address{Interface: "vpp:local0", Prefix: prefix("10.0.0.0/24")}, l3.Route{Prefix: prefix("224.0.0.0/4")},
	} {
		_, err := e.Ensure(t.Context(), o)
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
	}
	require.Zero(t, vpp.Writes())
}

// What a gateway is made of is in order, whatever it has.
func TestGatewayObjects(t *testing.T) {
	keys := func(g l3.Gateway) (out []string) {
		for _, o := range g.Objects() {
			require.NoError(t, o.Validate())
			out = append(out, o.Key().String())
		}
		return out
	}
	g := l3.Gateway{Name: "gw", Bridge: "net", Table: "red", Addresses: []netip.Prefix{prefix("10.0.0.1/24")}}
	require.Equal(t, []string{"interface/gw", "bridge-port/gw", "table-member/gw", "address/gw 10.0.0.1/24", "link/gw"}, keys(g))
	require.Equal(t, l3.Membership{Interface: "gw", Table: "red", NoIPv6: true}, g.Objects()[2])
	g.Down = true
	require.Equal(t, []string{"interface/gw", "table-member/gw", "address/gw 10.0.0.1/24"}, keys(g))
	require.Equal(t, []string{"interface/gw", "bridge-port/gw", "link/gw"}, keys(l3.Gateway{Name: "gw", Bridge: "net", Table: "red"}))
	link := l3.Gateway{Name: "gw", Bridge: "net", Addresses: []netip.Prefix{prefix("2001:db8::1/64")}}.Objects()[3].(vppnet.LinkState)
	require.Equal(t, []desiredstate.Key{vppnet.BridgePortKey("gw"), l3.AddressKey("gw", prefix("2001:db8::1/64"))}, link.After)
}
