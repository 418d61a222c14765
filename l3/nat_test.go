// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
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

func natEngine(c *vppnet.Conn, v l3.NATVariant) *desiredstate.Engine {
	e := desiredstate.New(append(natKinds(c, v, natClaim), l3.NATs(c, v))...)
	e.MaxPrune = 1
	return e
}

func eachNAT(t *testing.T, test func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v l3.NATVariant)) {
	for _, v := range natVariants {
		t.Run(v.String(), func(t *testing.T) {
			vpp := vpptest.New(t)
			test(t, vpp, dialVPP(t, vpp.Socket(), "me"), v)
		})
	}
}

// What is fixed changes only by a restart, which has to be asked for, and takes all
// that is in NAT down and up again.
func TestNATRestart(t *testing.T) {
	eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v l3.NATVariant) {
		e := natEngine(c, v)
		fip := l3.NATMapping{Name: "a", Local: hostA, External: floating}
		_, err := e.Ensure(t.Context(), l3.NAT{Sessions: 1000}, fip)
		require.NoError(t, err)
		before := vpp.String()
		vpp.ResetLog()
		_, err = e.Ensure(t.Context(), l3.NAT{Sessions: 2000}, fip)
		require.ErrorIs(t, err, desiredstate.ErrInvalid)
		require.ErrorContains(t, err, "Restart")
		require.Equal(t, before, vpp.String())
		require.Zero(t, vpp.Writes())

		_, err = e.Ensure(t.Context(), l3.NAT{Sessions: 1000, UDP: time.Minute, Forwarding: true}, fip)
		require.NoError(t, err)
		require.Equal(t, 2, vpp.Writes(), "all else changes in place: %v", vpp.Sent())

		_, err = e.Ensure(t.Context(), l3.NAT{Sessions: 2000, Restart: true}, fip)
		require.NoError(t, err)
		p, err := natEngine(c, v).Plan(t.Context(), l3.NAT{Sessions: 2000}, fip)
		require.NoError(t, err)
		require.Equal(t, 2, p.Count(desiredstate.Keep))
	})
}

// NAT stays on while others have something in it.
func TestNATOfOthers(t *testing.T) {
	eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v l3.NATVariant) {
		natStrangers(t, vpp.Socket(), v)
		before := vpp.String()
		_, err := natEngine(c, v).Remove(t.Context(), l3.NATKey())
		require.NoError(t, err)
		require.Equal(t, before, vpp.String())

		only := desiredstate.New(natKinds(dialVPP(t, vpp.Socket(), "me"), v, natClaim)...)
		_, err = only.Ensure(t.Context(), l3.NATAddress{Address: netip.MustParseAddr("192.0.2.1")})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = only.Ensure(t.Context(), l3.NATInterface{Interface: "stranger/a", Output: true})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		_, err = only.Ensure(t.Context(), l3.NATMapping{Name: "x", Local: hostA, External: netip.MustParseAddr("203.0.113.9")})
		require.ErrorIs(t, err, desiredstate.ErrForeign, "the address is mapped already")
		_, err = only.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, vpp.String())
	})
}

// What a variant cannot do is refused before anything is sent.
func TestNATVariantCannot(t *testing.T) {
	eachNAT(t, func(t *testing.T, vpp *vpptest.VPP, c *vppnet.Conn, v l3.NATVariant) {
		e := natEngine(c, v)
		_, err := e.Ensure(t.Context(), l3.NAT{})
		require.NoError(t, err)
		bad := []desiredstate.Object{l3.NAT{Users: 5}}
		if v == l3.EndpointIndependent {
			m := l3.NATMapping{Name: "a", Local: hostA, External: floating, Protocol: l3.TCP, LocalPort: 1, ExternalPort: 2}
			twice, oneWay := m, m
			twice.TwiceNAT, oneWay.OneWay = true, true
			bad = []desiredstate.Object{
				m, twice, oneWay,
				l3.NATAddress{Address: natClaim.Addr().Next(), Twice: true},
				l3.NATIdentity{Name: "a", Address: floating, Protocol: l3.UDP, Port: 1},
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
	m := l3.NATMapping{Name: "a", Local: hostA, External: floating}
	with := func(f func(*l3.NATMapping)) l3.NATMapping { x := m; f(&x); return x }
	six := netip.MustParseAddr("fd00::1")
	for _, o := range []desiredstate.Object{
		l3.NAT{Sessions: l3.MaxNATSessions + 1},
		l3.NAT{UDP: time.Millisecond},
		l3.NAT{ICMP: -time.Second},
		l3.NAT{InsideTable: "vpp:0"},
		l3.NATInterface{Interface: "a"},
		l3.NATInterface{Interface: "a", Inside: true, Output: true},
		l3.NATInterface{Inside: true},
		l3.NATAddress{},
		l3.NATAddress{Address: six},
		l3.NATAddress{Address: floating, AnyTable: true, Table: "red"},
		l3.NATMapping{Local: hostA, External: floating},
		with(func(m *l3.NATMapping) { m.Name = "#a" }),
		with(func(m *l3.NATMapping) { m.Local = six }),
		with(func(m *l3.NATMapping) { m.External = netip.Addr{} }),
		with(func(m *l3.NATMapping) { m.External = m.Local }),
		with(func(m *l3.NATMapping) { m.LocalPort = 1 }),
		with(func(m *l3.NATMapping) { m.Protocol, m.LocalPort = l3.TCP, 1 }),
		with(func(m *l3.NATMapping) { m.Protocol, m.LocalPort, m.ExternalPort = 47, 1, 1 }),
		with(func(m *l3.NATMapping) { m.TwiceNAT = true }),
		l3.NATIdentity{Name: "a", Address: floating, Protocol: l3.TCP},
		l3.NATIdentity{Name: "a", Address: floating, Port: 1},
		l3.VirtualRouter{Interface: "a", ID: 1},
		l3.VirtualRouter{Interface: "a", Addresses: addrs("10.0.0.1")},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1", "fd00::1")},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1", "10.0.0.1")},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Interval: 15 * time.Millisecond},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Interval: 41 * time.Second},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Track: []l3.TrackedInterface{{Interface: "a", Decrement: 1}}},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Track: []l3.TrackedInterface{{Interface: "b"}}},
		l3.VirtualRouter{Interface: "a", ID: 1, Addresses: addrs("10.0.0.1"), Peers: addrs("fd00::2")},
	} {
		require.Error(t, o.Validate(), "%+v", o)
	}
}

func TestNATRange(t *testing.T) {
	all := l3.NATRange(netip.MustParseAddr("203.0.113.254"), netip.MustParseAddr("203.0.114.1"), l3.NATAddress{AnyTable: true})
	require.Len(t, all, 4)
	require.Equal(t, l3.NATAddress{Address: netip.MustParseAddr("203.0.114.1"), AnyTable: true}, all[3])
	require.Empty(t, l3.NATRange(floating, shared, l3.NATAddress{}))
}

// What NATInterfaces says of VPP: the routes of all outside interfaces of a table go with
// one of them.
func TestOutsideInterfacesOfOneTableShareRoutes(t *testing.T) {
	check := func(t *testing.T, vpp interface{ Socket() string }) {
		c := dialVPP(t, vpp.Socket(), "me")
		c.Uses(&ip.IPRouteV2Dump{})
		e := desiredstate.New(append(natKinds(c, l3.EndpointDependent, natClaim), l3.NATs(c, l3.EndpointDependent))...)
		routed := func() bool {
			all, err := vppnet.Collect(ip.NewServiceClient(c).IPRouteV2Dump(t.Context(), &ip.IPRouteV2Dump{Table: ip.IPTable{TableID: 7}}))
			require.NoError(t, err)
			return slices.ContainsFunc(all, func(d *ip.IPRouteV2Details) bool { return d.Route.Prefix.String() == "198.51.100.1/32" })
		}
		_, err := e.Ensure(t.Context(), l3.NAT{}, l3.Table{Name: "red", ID: 7}, l3.NATAddress{Address: netip.MustParseAddr("198.51.100.1"), AnyTable: true},
			vppnet.Loopback{Name: "a"}, l3.Membership{Interface: "a", Table: "red"}, l3.NATInterface{Interface: "a", Table: "red", Outside: true},
			vppnet.Loopback{Name: "b"}, l3.Membership{Interface: "b", Table: "red"}, l3.NATInterface{Interface: "b", Table: "red", Outside: true})
		require.NoError(t, err)
		require.True(t, routed())
		_, err = e.Remove(t.Context(), l3.NATInterfaceKey("b"))
		require.NoError(t, err)
		require.False(t, routed(), "VPP has learnt better: NATInterfaces need not warn")
	}
	t.Run("in memory", func(t *testing.T) { check(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { check(t, vpptest.Real(t)) })
}
