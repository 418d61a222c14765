// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/abf"
	"go.fd.io/govpp/binapi/arp"
	"go.fd.io/govpp/binapi/dhcp"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/ip"
	"go.fd.io/govpp/binapi/ip6_nd"
	"go.fd.io/govpp/binapi/ip_neighbor"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/l3xc"
	"go.fd.io/govpp/binapi/mss_clamp"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// laws runs them for one kind.
func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S], more ...func(*vppnet.Conn) desiredstate.AnyKind) {
	all := func(c *vppnet.Conn) []desiredstate.AnyKind {
		out := kinds(c)
		for _, m := range more {
			out = append(out, m(c))
		}
		return out
	}
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		if strings.HasSuffix(t.Name(), hidesTables) && kind(nil).Name == ranges {
			t.Skipf("VPP %s does not tell which table a range is in", hidesTables)
		}
		kindrig.Laws(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: kindrig.Owners(vpp, state, base, kind, all)})
	}
	kindrig.OnEachVPP(t, 4, func(t *testing.T, socket string) { strangers(t, socket) }, func(vpp *vpptest.Proxy) string { return vpp.State(layer3Dumps()...) }, run)
}

// kinds are all that the tests of this package need at least.
func kinds(c *vppnet.Conn, claims ...vppnet.Claim) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{
		vppnet.Loopbacks(c), vppnet.LinkStates(c), vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.HostInterfaces(c),
		l3.Tables(c), l3.Memberships(c), l3.Addresses(c, claims...), l3.Unnumbereds(c), l3.Routes(c), l3.Neighbours(c),
		l3.RouterAdvertisements(c), l3.ProxyARPRanges(c), l3.ProxyARPs(c), l3.DHCPRelays(c),
	}
}

func engine(c *vppnet.Conn) *desiredstate.Engine { return kindrig.Engine(kinds(c)...) }

// Names of what strangers make.
const (
	theirLoopback = "stranger/a"
	theirOther    = "stranger/b"
	theirTable    = "stranger/theirs"
)

// claimsOf are those of who the laws are about: what one claims, nobody else may manage.
func claimsOf(c *vppnet.Conn) []vppnet.Claim {
	if c != nil && c.Owner() == "namesake" {
		return nil
	}
	return []vppnet.Claim{claim}
}

// claim takes one of them.
var claim = vppnet.ClaimInterfaces(func(name string) bool { return name == theirLoopback })

// strangers makes what is not ours.
func strangers(t testing.TB, socket string) {
	c := kindrig.Dial(t, socket, "stranger")
	e := desiredstate.New(kinds(c)...)
	prefix := netip.MustParsePrefix
	for _, o := range []desiredstate.Object{ // in order, so that the first is loop0
		vppnet.Loopback{Name: "a"},
		vppnet.Loopback{Name: "b"},
		vppnet.Loopback{Name: "c"},
		l3.Table{Name: "theirs", ID: 99},
		vppnet.LinkState{Interface: "b", Up: true},
		vppnet.LinkState{Interface: "c", Up: true},
		l3.Membership{Interface: "c", Table: "theirs"},
		l3.Address{Interface: "b", Prefix: prefix("10.99.0.1/24")},
		l3.Address{Interface: "c", Prefix: prefix("10.0.0.1/24"), Table: "theirs"},
		l3.Address{Interface: "c", Prefix: prefix("2001:db8::1/64"), Table: "theirs"},
		l3.Route{Table: "theirs", Prefix: prefix("20.0.0.0/24"), Paths: []l3.Path{{Interface: "c", NextHop: netip.MustParseAddr("10.0.0.9")}}},
		l3.Neighbour{Interface: "b", IP: netip.MustParseAddr("10.0.0.2"), MAC: kindrig.MAC(9)},
		l3.RouterAdvertisement{Interface: "c", Address: prefix("2001:db8::1/64"), Prefixes: []l3.AdvertisedPrefix{{Prefix: prefix("2001:db8::/64")}}},
		l3.ProxyARPRange{Table: "theirs", Low: netip.MustParseAddr("10.0.0.10"), High: netip.MustParseAddr("10.0.0.10")},
		l3.ProxyARP{Interface: "b"},
		l3.DHCPRelay{Table: "theirs", Source: netip.MustParseAddr("10.0.0.1"), Servers: []l3.DHCPServer{{Addr: netip.MustParseAddr("10.1.0.1")}}},
	} {
		_, err := e.Ensure(t.Context(), o)
		if _, is := o.(l3.ProxyARPRange); is && c.VPP().Version == hidesTables+"-release" {
			require.ErrorIs(t, err, desiredstate.ErrInvalid)
			continue
		}
		require.NoError(t, err)
	}
	claims := l3.Routes(kindrig.Dial(t, socket, "stranger"), func(string, netip.Prefix) bool { return true })
	_, err := claims.Ensure(t.Context(), l3.Route{Prefix: prefix("30.0.0.0/24")})
	require.NoError(t, err)
}

// layer3Dumps show all that the kinds of this package can change.
func layer3Dumps() []api.Message {
	const all = ^interface_types.InterfaceIndex(0)
	dumps := []api.Message{
		&interfaces.SwInterfaceDump{SwIfIndex: all}, &ip.IPTableDump{}, &ip.IPUnnumberedDump{SwIfIndex: all},
		&ip_neighbor.IPNeighborDump{SwIfIndex: all}, &ip_neighbor.IPNeighborDump{SwIfIndex: all, Af: ip_types.ADDRESS_IP6},
		&ip6_nd.SwInterfaceIP6ndRaDump{SwIfIndex: all}, &arp.ProxyArpDump{}, &arp.ProxyArpIntfcDump{},
		&dhcp.DHCPProxyDump{}, &dhcp.DHCPProxyDump{IsIP6: true}, &abf.AbfPolicyDump{}, &abf.AbfItfAttachDump{}, &l3xc.L3xcDump{SwIfIndex: all},
	}
	dumps = append(dumps, &mss_clamp.MssClampGet{SwIfIndex: all})
	for i := range interface_types.InterfaceIndex(10) {
		for _, is6 := range []bool{false, true} {
			dumps = append(dumps, &interfaces.SwInterfaceGetTable{SwIfIndex: i, IsIPv6: is6}, &ip.IPAddressDump{SwIfIndex: i, IsIPv6: is6})
		}
	}
	for _, id := range []uint32{0, 5, 70, 71, 72, 99} {
		for _, is6 := range []bool{false, true} {
			dumps = append(dumps, &ip.IPRouteV2Dump{Table: ip.IPTable{TableID: id, IsIP6: is6}})
		}
	}
	return dumps
}
