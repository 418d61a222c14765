// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip_types"
	"go.fd.io/govpp/binapi/vpe"
	"go.fd.io/govpp/binapi/vxlan"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func state(vpp *vpptest.Proxy) string { return vpp.State(layer3Dumps()...) }

// What is made has the handle by which it is found, and right after that nothing has
// drifted.
func TestNothingDriftsByItself(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		for _, table := range []string{"", "red"} {
			kindrig.Steady(t, engine(c), all(table)...)
			_, err := engine(c).Sync(t.Context())
			require.NoError(t, err)
		}
	})
}

func TestNothingIsLeft(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		kindrig.Abandoned(t, vpp, state, func() *desiredstate.Engine { return engine(c) }, all("red")...)
	})
}

// On a VPP that does not tell which table a proxy ARP range is in, nothing but such
// ranges is refused, before anything is sent.
func TestProxyARPOfAnOlderVPP(t *testing.T) {
	vpp := vpptest.New(t)
	range1 := l3.ProxyARPRange{Table: "red", Low: addr("10.0.0.1"), High: addr("10.0.0.9")}
	newer := kindrig.Dial(t, vpp.Socket(), "me")
	kinds := func(c *vppnet.Conn) *desiredstate.Engine {
		return desiredstate.New(vppnet.Loopbacks(c), l3.Tables(c), l3.ProxyARPRanges(c, l3.ClaimTables(func(name string) bool { return name == l3.DefaultTable })))
	}
	_, err := kinds(newer).Ensure(t.Context(), l3.Table{Name: "red"}, range1)
	require.NoError(t, err)
	vpptest.Handle(vpp, func(*vpptest.Call, *vpe.ShowVersion) *vpe.ShowVersionReply {
		return &vpe.ShowVersionReply{Program: "vpe", Version: "25.06-release"}
	})
	e := kinds(kindrig.Dial(t, vpp.Socket(), "me"))
	_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "unrelated"}, l3.ProxyARPRange{Low: addr("10.0.0.1"), High: addr("10.0.0.2")})
	require.NoError(t, err)
	e.Forget()
	before := vpp.Writes()
	_, err = e.Ensure(t.Context(), range1)
	require.ErrorIs(t, err, desiredstate.ErrInvalid)
	require.ErrorContains(t, err, "use VPP 25.10 or later")
	require.Equal(t, before, vpp.Writes())
	e.Forget()
	_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "another"})
	require.NoError(t, err)
}

// Two objects that say different things of one are told so: one of them is there, the
// other is refused, and neither is written again and again.
func TestTwoValidSpecsNeverFight(t *testing.T) {
	const interval = 40e9 // so that nobody becomes master meanwhile
	hostA, hostB := addr("10.1.0.2"), addr("10.2.0.2")
	own := l3.Address{Interface: "door", Prefix: prefix("10.7.0.1/24")}
	base := []desiredstate.Object{
		vppnet.Loopback{Name: "door"}, vppnet.Loopback{Name: "other"}, vppnet.LinkState{Interface: "door", Up: true}, own, l3.Table{Name: "red"}, nat.Plugin{Sessions: 1000},
	}
	router := func(id uint8, address string, accept bool) vrrp.Router {
		return vrrp.Router{Interface: "door", ID: id, Addresses: []netip.Addr{addr(address)}, Accept: accept, Interval: interval, After: []desiredstate.Key{own.Key()}}
	}
	pairs := map[string]struct {
		a, b    desiredstate.Object
		refused bool // one of them; else both can be there
	}{
		"an address, and a virtual router that lends it": {l3.Address{Interface: "door", Prefix: prefix("10.7.0.9/24")}, router(1, "10.7.0.9", true), true},
		"two virtual routers that lend one address":      {router(1, "10.7.0.9", true), router(2, "10.7.0.9", true), true},
		"an address, and addresses of another":           {l3.Address{Interface: "other", Prefix: prefix("10.8.0.1/24")}, l3.Unnumbered{Interface: "other", Lender: "door"}, true},
		"one address on two interfaces":                  {l3.Address{Interface: "other", Prefix: prefix("10.8.0.1/24")}, l3.Address{Interface: "door", Prefix: prefix("10.8.0.1/25")}, true},
		"a neighbour, and a route to it": {
			l3.Neighbour{Interface: "door", IP: addr("10.7.0.5"), MAC: kindrig.MAC(5)},
			l3.Route{Table: "red", Prefix: prefix("10.7.0.5/32"), Paths: []l3.Path{{Interface: "door", NextHop: addr("10.7.0.6")}}},
			false,
		},
		"a mapping, and an exemption of its host": {
			nat.Mapping{Name: "m", Local: hostA, External: addr("198.51.100.9")}, nat.Identity{Name: "i", Address: hostA}, true,
		},
		"a mapping, and an exemption of its address": {
			nat.Mapping{Name: "m", Local: hostA, External: addr("198.51.100.9")}, nat.Identity{Name: "i", Address: addr("198.51.100.9")}, true,
		},
		"two mappings of one address": {
			nat.Mapping{Name: "m", Local: hostA, External: addr("198.51.100.9")}, nat.Mapping{Name: "n", Local: hostB, External: addr("198.51.100.9")}, true,
		},
		"a mapping of an address, and one of its port": {
			nat.Mapping{Name: "m", Local: hostA, External: addr("198.51.100.9")},
			nat.Mapping{Name: "n", Local: hostB, External: addr("198.51.100.9"), Protocol: nat.TCP, LocalPort: 80, ExternalPort: 80, Pooled: false},
			false,
		},
		"two ranges that overlap": {
			l3.ProxyARPRange{Table: "red", Low: addr("10.0.0.1"), High: addr("10.0.0.9")}, l3.ProxyARPRange{Table: "red", Low: addr("10.0.0.5"), High: addr("10.0.0.20")}, false,
		},
		"two tables of one number": {l3.Table{Name: "x", ID: 9}, l3.Table{Name: "y", ID: 9}, true},
	}
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		make := func() *desiredstate.Engine {
			v := nat.EndpointDependent
			e := desiredstate.New(append(kinds(c), vrrp.Routers(c), nat.Plugins(c, v), nat.Addresses(c, v, prefix("198.51.100.0/28")), nat.Mappings(c, v), nat.Identities(c, v))...)
			e.MaxPrune = 1
			return e
		}
		for name, p := range pairs {
			for _, pair := range [][]desiredstate.Object{{p.a, p.b}, {p.b, p.a}} {
				t.Run(name, func(t *testing.T) {
					_, err := make().Sync(t.Context(), base...)
					require.NoError(t, err)
					e := make()
					_, err = e.Ensure(t.Context(), pair[0])
					require.NoError(t, err)
					all := append(append([]desiredstate.Object(nil), base...), pair...)
					_, err = e.Ensure(t.Context(), pair...)
					require.Equal(t, p.refused, err != nil, "%v", err)
					_, _ = make().Sync(t.Context(), all...)
					before := vpp.Writes()
					for range 2 {
						_, err = make().Sync(t.Context(), all...)
						require.Equal(t, p.refused, err != nil, "%v", err)
					}
					require.Equal(t, before, vpp.Writes(), "%v", vpp.Sent())
				})
			}
		}
	})
}

// VPP dies of the first adjacency on an overlay's own interface, so nothing is said of one,
// claimed or not.
func TestOverlaysOwnInterfacesAreLeftAlone(t *testing.T) {
	for _, name := range []string{"lisp_gpe0", "l2_lisp_gpe100"} {
		t.Run(name, func(t *testing.T) { leftAlone(t, name) })
	}
}

func leftAlone(t *testing.T, device string) {
	vpp := vpptest.New(t, vpptest.WithInterface(device))
	c := kindrig.Dial(t, vpp.Socket(), "me")
	name := vppnet.Foreign(device)
	e := desiredstate.New(l3.Addresses(c, vppnet.ClaimInterfaces(func(string) bool { return true })), l3.Tables(c), l3.Routes(c), l3.Neighbours(c))
	_, err := e.Ensure(t.Context(), l3.Table{Name: "red", ID: 7})
	require.NoError(t, err)
	before := vpp.Writes()
	for _, o := range []desiredstate.Object{
		l3.Address{Interface: name, Prefix: netip.MustParsePrefix("10.0.0.1/24")},
		l3.Neighbour{Interface: name, IP: netip.MustParseAddr("10.0.0.2"), MAC: kindrig.MAC(1)},
		l3.Route{Table: "red", Prefix: netip.MustParsePrefix("10.1.0.0/24"), Paths: []l3.Path{{Interface: name, NextHop: netip.MustParseAddr("10.0.0.2")}}},
	} {
		_, err := e.Ensure(t.Context(), o)
		require.ErrorIs(t, err, desiredstate.ErrForeign, "%T", o)
	}
	require.Equal(t, before, vpp.Writes())
}

// VPP dies when a table ends in which a tunnel follows its other end. A tunnel of somebody
// else keeps a table of ours.
func TestATableUnderATunnelStays(t *testing.T) {
	for name, socket := range map[string]func() string{
		"in memory": func() string { return vpptest.New(t).Socket() },
		"real":      func() string { return vpptest.Real(t).Socket() },
	} {
		t.Run(name, func(t *testing.T) {
			c := kindrig.Dial(t, socket(), "me")
			e := desiredstate.New(l3.Tables(c))
			_, err := e.Ensure(t.Context(), l3.Table{Name: "red", ID: 7})
			require.NoError(t, err)
			c.Uses(&vxlan.VxlanAddDelTunnelV3{})
			tunnel := &vxlan.VxlanAddDelTunnelV3{
				IsAdd: true, Instance: 1, SrcAddress: wireOf(t, "192.0.2.1"), DstAddress: wireOf(t, "192.0.2.2"), EncapVrfID: 7, Vni: 5, DecapNextIndex: ^uint32(0),
			}
			_, err = vxlan.NewServiceClient(c).VxlanAddDelTunnelV3(t.Context(), tunnel)
			require.NoError(t, err)
			_, err = e.Remove(t.Context(), l3.TableKey("red"))
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			require.ErrorContains(t, err, "follows 192.0.2.2/32 in ipv4 table 7")
			tunnel.IsAdd = false
			_, err = vxlan.NewServiceClient(c).VxlanAddDelTunnelV3(t.Context(), tunnel)
			require.NoError(t, err)
			_, err = e.Remove(t.Context(), l3.TableKey("red"))
			require.NoError(t, err)
		})
	}
}

func wireOf(t *testing.T, text string) ip_types.Address {
	a, err := ip_types.ParseAddress(text)
	require.NoError(t, err)
	return a
}
