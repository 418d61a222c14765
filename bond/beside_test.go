// SPDX-License-Identifier: Apache-2.0

package bond_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/dhcp"
	"github.com/vppkit/vppkit/kinds/lldp"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/kinds/uplink"
	"github.com/vppkit/vppkit/kinds/urpf"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var told uplink.Memory // whichever engine told it

// everything is an engine that knows all that can be on an interface.
func everything(c *vppnet.Conn) *desiredstate.Engine {
	return desiredstate.New(append(kinds(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Unnumbereds(c), l3.Neighbours(c),
		l3.ProxyARPs(c), l3.MSSClamps(c), l3.CrossConnects(c), acl.Sets(c), acl.Bindings(c), acl.MACIPSets(c),
		acl.MACIPBindings(c), acl.EtherTypeLists(c), vppnet.CrossConnects(c), vppnet.Mirrors(c), vppnet.VXLANTunnels(c),
		qos.Records(c), urpf.Checks(c), dhcp.Clients(c), uplink.Promiscuouses(c, &told))...)
}

// ground is what stands on no interface, and an interface beside the one that is contended for.
func ground() []desiredstate.Object {
	return []desiredstate.Object{
		bond.Bond{Name: "up", Mode: bond.XOR},
		vppnet.Loopback{Name: "other"},
		vppnet.BridgeDomain{Name: "net"},
		l3.Table{Name: "red"},
		acl.Set{Name: "all", Rules: []acl.Rule{{Action: acl.Permit, Family: acl.IPv4}}},
		acl.MACIPSet{Name: "macs", Rules: []acl.MACIPRule{{Action: acl.Permit, Src: netip.MustParsePrefix("10.0.0.1/32")}}},
	}
}

var member = bond.Member{Bond: "up", Interface: "lo"}

// besides is all that can be on an interface, and on none that is a member of a bond.
func besides() []desiredstate.Object {
	return []desiredstate.Object{
		vppnet.BridgePort{Bridge: "net", Interface: "lo"},
		vppnet.CrossConnect{From: "lo", To: "other"},
		vppnet.CrossConnect{From: "other", To: "lo"},
		vppnet.Mirror{From: "lo", To: "other"},
		vppnet.Mirror{From: "other", To: "lo"},
		vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 100},
		acl.Binding{Interface: "lo", Input: []string{"all"}},
		acl.MACIPBinding{Interface: "lo", Set: "macs"},
		acl.EtherTypes{Interface: "lo", Input: []uint16{0x0806}},
		l3.Address{Interface: "lo", Prefix: netip.MustParsePrefix("10.0.0.1/24")},
		l3.Membership{Interface: "lo", Table: "red"},
		l3.Unnumbered{Interface: "lo", Lender: "other"},
		l3.Unnumbered{Interface: "other", Lender: "lo"},
		l3.Neighbour{Interface: "lo", IP: netip.MustParseAddr("10.0.0.9"), MAC: kindrig.MAC(9)},
		l3.ProxyARP{Interface: "lo"},
		l3.MSSClamp{Interface: "lo", IPv4: l3.Clamp{MSS: 1200}},
		l3.CrossConnect{Interface: "lo", Paths: []l3.Path{{NextHop: netip.MustParseAddr("10.0.0.7"), Interface: "other"}}},
		qos.Record{Interface: "lo", Source: qos.IP},
		urpf.Check{Interface: "lo"},
		dhcp.Client{Interface: "lo"},
	}
}

// A member has nothing beside it: of two wanted the first by name gets there, of which the plan
// tells; who is there stays, what goes in the same plan is no obstacle; and nothing is sent for
// whom is refused.
func TestBesideAMember(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		e := everything(kindrig.Dial(t, vpp.Socket(), "me"))
		base := append(ground(), vppnet.Loopback{Name: "lo"})
		for _, own := range besides() {
			contend(t, vpp, e, base, own)
		}
		e.MaxPrune = 1
		_, err := e.Sync(t.Context())
		require.NoError(t, err)
	})
}

// Nor has one that is no loopback.
func TestMembersOfOtherSorts(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		e := everything(kindrig.Dial(t, vpp.Socket(), "me"))
		base := append(ground(), vppnet.VXLANTunnel{Name: "lo", Src: netip.MustParseAddr("10.9.0.1"), Dst: netip.MustParseAddr("10.9.0.2"), VNI: 7})
		for _, own := range append(besides()[:7], uplink.Promiscuous{Interface: "lo"}) { // which a loopback cannot be
			contend(t, vpp, e, base, own)
		}
		e.MaxPrune = 1
		_, err := e.Sync(t.Context())
		require.NoError(t, err)
	})
}

// How a device is read, and who it says that it is, is below what a bond takes of it.
func TestBelowAMember(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := kindrig.Engine(append(kinds(c), lldp.Ports(c, new(vppnet.Memory)))...)
		want := append(ground()[:1], vppnet.Loopback{Name: "lo"}, member, lldp.Port{Interface: "lo"})
		_, err := e.Sync(t.Context(), want[:3]...)
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), want...)
		require.NoError(t, err, "though it is a member")
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
	})
}

// contend has a member and something beside it wanted in all orders.
func contend(t *testing.T, vpp vpptest.Target, e *desiredstate.Engine, base []desiredstate.Object, own desiredstate.Object) {
	t.Helper()
	first, second := own, desiredstate.Object(member)
	if first.Key().Compare(second.Key()) > 0 {
		first, second = second, first
	}
	with := func(more ...desiredstate.Object) []desiredstate.Object {
		return append(base[:len(base):len(base)], more...)
	}
	refused := func(err error, whom, by desiredstate.Object) {
		t.Helper()
		require.ErrorIs(t, err, desiredstate.ErrConflict, "%+v", own)
		require.ErrorContains(t, err, "blocked "+whom.Key().String()+": conflict: "+by.Key().String())
		require.ErrorContains(t, err, "/lo")
	}
	e.MaxPrune = 1
	_, err := e.Sync(t.Context(), with()...)
	require.NoError(t, err)

	plan, err := e.Plan(t.Context(), with(own, member)...)
	require.NoError(t, err)
	require.Equal(t, 1, plan.Count(desiredstate.Block), plan.String())
	_, err = e.Apply(t.Context(), plan)
	refused(err, second, first)
	before := vpp.Writes()
	_, err = e.Sync(t.Context(), with(own, member)...)
	refused(err, second, first)
	require.Equal(t, before, vpp.Writes(), "and so it stays")

	for _, x := range [][2]desiredstate.Object{{second, first}, {first, second}} { // the one goes, the other comes
		_, err = e.Sync(t.Context(), with(x[0])...)
		require.NoError(t, err, "%+v", own)
		before = vpp.Writes()
		_, err = e.Ensure(t.Context(), x[1])
		refused(err, x[1], x[0])
		require.Equal(t, before, vpp.Writes(), "nothing was sent")
	}
	_, err = e.Sync(t.Context(), with()...)
	require.NoError(t, err)
	e.Forget()
	plan, err = e.Plan(t.Context(), with()...)
	require.NoError(t, err)
	require.True(t, plan.Empty(), plan.String())
}
