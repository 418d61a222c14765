// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var (
	shared   = netip.MustParseAddr("203.0.113.101")
	floating = netip.MustParseAddr("203.0.113.102")
	other    = netip.MustParseAddr("203.0.113.103")
	outside  = netip.MustParseAddr("203.0.113.254")
	hostA    = netip.MustParseAddr("10.1.0.2")
	hostB    = netip.MustParseAddr("10.2.0.2")
)

func natEngine(c *vppnet.Conn, v nat.Variant) *desiredstate.Engine {
	return kindrig.Engine(append(natKinds(c, v, natClaim), nat.Plugins(c, v))...)
}

func eachNAT(t *testing.T, test func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v nat.Variant)) {
	for _, v := range natVariants {
		t.Run(v.String(), func(t *testing.T) {
			vpp := vpptest.New(t)
			test(t, vpp, kindrig.Dial(t, vpp.Socket(), "me"), v)
		})
	}
}

// What is fixed changes only by a restart, which has to be asked for, and takes all
// that is in NAT down and up again.
func TestNATRestart(t *testing.T) {
	eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v nat.Variant) {
		e := natEngine(c, v)
		fip := nat.Mapping{Name: "a", Local: hostA, External: floating}
		_, err := e.Ensure(t.Context(), nat.Plugin{Sessions: 1000}, fip)
		require.NoError(t, err)
		before := vpp.String()
		vpp.ResetLog()
		_, err = e.Ensure(t.Context(), nat.Plugin{Sessions: 2000}, fip)
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "Restart")
		require.Equal(t, before, vpp.String())
		require.Zero(t, vpp.Writes())

		_, err = e.Ensure(t.Context(), nat.Plugin{Sessions: 1000, UDP: time.Minute, Forwarding: true}, fip)
		require.NoError(t, err)
		require.Equal(t, 2, vpp.Writes(), "all else changes in place: %v", vpp.Sent())

		_, err = e.Ensure(t.Context(), nat.Plugin{Sessions: 2000, Restart: true}, fip)
		require.NoError(t, err)
		p, err := natEngine(c, v).Plan(t.Context(), nat.Plugin{Sessions: 2000}, fip)
		require.NoError(t, err)
		require.Equal(t, 2, p.Count(desiredstate.Keep))
	})
}

// NAT stays on while others have something in it.
func TestNATOfOthers(t *testing.T) {
	eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v nat.Variant) {
		natStrangers(t, vpp.Socket(), v)
		before := vpp.String()
		_, err := natEngine(c, v).Remove(t.Context(), nat.PluginKey())
		require.NoError(t, err)
		require.Equal(t, before, vpp.String())

		only := desiredstate.New(natKinds(kindrig.Dial(t, vpp.Socket(), "me"), v, natClaim)...)
		_, err = only.Ensure(t.Context(), nat.Address{Address: netip.MustParseAddr("192.0.2.1")})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = only.Ensure(t.Context(), nat.Interface{Interface: "stranger/a", Output: true})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = only.Ensure(t.Context(), nat.Mapping{Name: "x", Local: hostA, External: netip.MustParseAddr("203.0.113.9")})
		require.ErrorIs(t, err, desiredstate.ErrForeign, "the address is mapped already")
		_, err = only.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, vpp.String())
	})
}

// What a program that died left in NAT, by its claims alone, goes with NAT in one pass.
func TestNATLeft(t *testing.T) {
	claim := vppnet.ClaimInterfaces(func(name string) bool { return name == "other/a" })
	left := map[string]desiredstate.Object{
		"an address":   nat.Address{Address: netip.MustParseAddr("203.0.113.7"), AnyTable: true},
		"an interface": nat.Interface{Interface: "other/a", Outside: true},
	}
	for name, o := range left {
		t.Run(name, func(t *testing.T) {
			eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v nat.Variant) {
				_, err := kindrig.Engine(vppnet.Loopbacks(kindrig.Dial(t, vpp.Socket(), "other"))).Ensure(t.Context(), vppnet.Loopback{Name: "a"})
				require.NoError(t, err)
				before := vpp.String()
				open := func(claims ...nat.Claims) *desiredstate.Engine {
					c := kindrig.Dial(t, vpp.Socket(), "me")
					return kindrig.Engine(l3.Tables(c), nat.Plugins(c, v, claims...), nat.Interfaces(c, v, claim), nat.Addresses(c, v, leftPrefix))
				}
				ours := nat.Claims{Interfaces: []vppnet.Claim{claim}, Addresses: []netip.Prefix{leftPrefix}}
				_, err = open(ours).Ensure(t.Context(), nat.Plugin{}, o)
				require.NoError(t, err)
				p, err := open().Plan(t.Context())
				require.NoError(t, err)
				require.Equal(t, 1, len(p.Steps), "of whom else it may be, it stays: %s", p)

				e := open(ours)
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
				require.Equal(t, before, vpp.String())
				p, err = e.Plan(t.Context())
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s", p)
			})
		})
	}
}

var leftPrefix = netip.MustParsePrefix("203.0.113.0/24")

// What a variant cannot do is refused before anything is sent.
func TestVariantCannot(t *testing.T) {
	eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v nat.Variant) {
		e := natEngine(c, v)
		_, err := e.Ensure(t.Context(), nat.Plugin{})
		require.NoError(t, err)
		bad := []desiredstate.Object{nat.Plugin{Users: 5}}
		if v == nat.EndpointIndependent {
			m := nat.Mapping{Name: "a", Local: hostA, External: floating, Protocol: nat.TCP, LocalPort: 1, ExternalPort: 2}
			twice, oneWay := m, m
			twice.TwiceNAT, oneWay.OneWay = true, true
			bad = []desiredstate.Object{
				m, twice, oneWay,
				nat.Address{Address: natClaim.Addr().Next(), Twice: true},
				nat.Identity{Name: "a", Address: floating, Protocol: nat.UDP, Port: 1},
			}
		}
		for _, o := range bad {
			vpp.ResetLog()
			_, err := e.Ensure(t.Context(), o)
			require.ErrorIs(t, err, desiredstate.ErrInvalid, "%+v", o)
			require.Zero(t, vpp.Writes())
		}
	})
}

func TestNATInvalid(t *testing.T) {
	m := nat.Mapping{Name: "a", Local: hostA, External: floating}
	with := func(f func(*nat.Mapping)) nat.Mapping { x := m; f(&x); return x }
	six := netip.MustParseAddr("fd00::1")
	for _, o := range []desiredstate.Object{
		nat.Plugin{Sessions: nat.MaxSessions + 1},
		nat.Plugin{UDP: time.Millisecond},
		nat.Plugin{ICMP: -time.Second},
		nat.Plugin{InsideTable: "vpp:0"},
		nat.Interface{Interface: "a"},
		nat.Interface{Interface: "a", Inside: true, Output: true},
		nat.Interface{Inside: true},
		nat.Address{},
		nat.Address{Address: six},
		nat.Address{Address: floating, AnyTable: true, Table: "red"},
		nat.Mapping{Local: hostA, External: floating},
		with(func(m *nat.Mapping) { m.Name = "#a" }),
		with(func(m *nat.Mapping) { m.Local = six }),
		with(func(m *nat.Mapping) { m.External = netip.Addr{} }),
		with(func(m *nat.Mapping) { m.External = m.Local }),
		with(func(m *nat.Mapping) { m.LocalPort = 1 }),
		with(func(m *nat.Mapping) { m.Protocol, m.LocalPort = nat.TCP, 1 }),
		with(func(m *nat.Mapping) { m.Protocol, m.LocalPort, m.ExternalPort = 47, 1, 1 }),
		with(func(m *nat.Mapping) { m.TwiceNAT = true }),
		nat.Identity{Name: "a", Address: floating, Protocol: nat.TCP},
		nat.Identity{Name: "a", Address: floating, Port: 1},
	} {
		require.Error(t, o.Validate(), "%+v", o)
	}
}

func TestNATRange(t *testing.T) {
	all := nat.Range(netip.MustParseAddr("203.0.113.254"), netip.MustParseAddr("203.0.114.1"), nat.Address{AnyTable: true})
	require.Len(t, all, 4)
	require.Equal(t, nat.Address{Address: netip.MustParseAddr("203.0.114.1"), AnyTable: true}, all[3])
	require.Empty(t, nat.Range(floating, shared, nat.Address{}))
}

// What Interfaces says of VPP: the routes of all outside interfaces of a table go with
// one of them.
func TestOutsideInterfacesOfOneTableShareRoutes(t *testing.T) {
	check := func(t *testing.T, vpp interface{ Socket() string }) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		c.Uses(&ip.IPRouteV2Dump{})
		e := desiredstate.New(append(natKinds(c, nat.EndpointDependent, natClaim), nat.Plugins(c, nat.EndpointDependent))...)
		routed := func() bool {
			all, err := vppnet.Collect(ip.NewServiceClient(c).IPRouteV2Dump(t.Context(), &ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 7}}))
			require.NoError(t, err)
			return slices.ContainsFunc(all, func(d *ip.IPRouteV2Details) bool { return d.Route.Prefix.String() == "198.51.100.1/32" })
		}
		_, err := e.Ensure(t.Context(), nat.Plugin{}, l3.Table{Name: "red", ID: 7}, nat.Address{Address: netip.MustParseAddr("198.51.100.1"), AnyTable: true},
			vppnet.Loopback{Name: "a"}, l3.Membership{Interface: "a", Table: "red"}, nat.Interface{Interface: "a", Table: "red", Outside: true},
			vppnet.Loopback{Name: "b"}, l3.Membership{Interface: "b", Table: "red"}, nat.Interface{Interface: "b", Table: "red", Outside: true})
		require.NoError(t, err)
		require.True(t, routed())
		_, err = e.Remove(t.Context(), nat.InterfaceKey("b"))
		require.NoError(t, err)
		require.False(t, routed(), "VPP has learnt better: Interfaces need not warn")
	}
	t.Run("in memory", func(t *testing.T) { check(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { check(t, vpptest.Real(t)) })
}
