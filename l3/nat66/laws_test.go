// SPDX-License-Identifier: Apache-2.0

package nat66_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	binding "go.fd.io/govpp/binapi/nat66"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Both kinds keep the laws, on both VPPs.

var addr = netip.MustParseAddr

func TestLawsOfInterfaces(t *testing.T) {
	base := []desiredstate.Object{vppnet.Loopback{Name: "lo"}, vppnet.Loopback{Name: "up"}, vppnet.SubInterface{Name: "sub", Parent: "up", Outer: 100}}
	kind := func(c *vppnet.Conn) *desiredstate.Kind[nat66.Interface] { return nat66.Interfaces(c) }
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) nat66.Interface {
		return nat66.Interface{Interface: kindrig.Pick(t, "interface", "lo", "sub"), Inside: kindrig.Pick(t, "inside", false, true)}
	}))
}

// ours is claimed; what the stranger has is beside it.
var ours = netip.MustParsePrefix("2001:db8:1::/64")

func TestLawsOfMappings(t *testing.T) {
	base := []desiredstate.Object{l3.Table{Name: "red", ID: 7}, l3.Table{Name: "blue", ID: 8}}
	kind := func(c *vppnet.Conn) *desiredstate.Kind[nat66.Mapping] { return nat66.Mappings(c, ours) }
	laws(t, kind, base, rapid.Custom(func(t *rapid.T) nat66.Mapping {
		m := nat66.Mapping{
			Table: kindrig.Pick(t, "table", "", "red", "blue"), Local: addr(kindrig.Pick(t, "local", "fd00::1", "fd00::2")),
			External: addr(kindrig.Pick(t, "external", "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3")),
		}
		if m.Table == "blue" { // what is of another host is refused
			m.External = addr(kindrig.Pick(t, "blue's", "2001:db8:2::1", "2001:db8:2::2"))
		}
		return m
	}))
}

func kinds(c *vppnet.Conn, claim netip.Prefix) []desiredstate.AnyKind {
	return []desiredstate.AnyKind{vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.LinkStates(c), l3.Tables(c), nat66.Interfaces(c), nat66.Mappings(c, claim)}
}

func laws[S desiredstate.Object](t *testing.T, kind func(*vppnet.Conn) *desiredstate.Kind[S], base []desiredstate.Object, gen *rapid.Generator[S]) {
	run := func(t *testing.T, checks int, vpp vpptest.Target, state func() string) {
		kindrig.Laws(t, kindtest.Suite[S]{Gen: gen, Checks: checks, Open: func(t testing.TB) kindtest.World[S] {
			c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
			return kindrig.World(vpp, state, kind(c), base, kinds(c, ours))
		}})
	}
	kindrig.OnEachVPP(t, 8, strangers, state, run)
}

func state(p *vpptest.Proxy) string {
	return p.State(&interfaces.SwInterfaceDump{SwIfIndex: ^interface_types.InterfaceIndex(0)}, &binding.Nat66InterfaceDump{}, &binding.Nat66StaticMappingDump{})
}

// strangers make what is not ours.
func strangers(t *testing.T, socket string) {
	_, err := kindrig.Engine(kinds(kindrig.Dial(t, socket, "stranger"), netip.MustParsePrefix("2001:db8:9::/64"))...).Ensure(t.Context(),
		vppnet.Loopback{Name: "lo"}, nat66.Interface{Interface: "lo", Inside: true}, nat66.Mapping{Local: addr("fd00::9"), External: addr("2001:db8:9::9")})
	require.NoError(t, err)
}

// What an interface left behind is put into effect where it is wanted, and goes where it is not.
func TestLeftBehind(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		lo, inside := vppnet.Loopback{Name: "lo"}, nat66.Interface{Interface: "lo", Inside: true}
		with, without := kindrig.Engine(vppnet.Loopbacks(c), nat66.Interfaces(c)), kindrig.Engine(vppnet.Loopbacks(kindrig.Dial(t, vpp.Socket(), "me")))
		_, err := with.Ensure(t.Context(), lo, inside)
		require.NoError(t, err)
		for range 2 { // it goes by a program that knows nothing of NAT66, and comes back
			_, err = without.Remove(t.Context(), lo.Key())
			require.NoError(t, err)
			_, err = without.Ensure(t.Context(), lo)
			require.NoError(t, err)
			with.Forget()
			p, err := with.Plan(t.Context(), lo, inside)
			require.NoError(t, err)
			require.Contains(t, p.String(), "no effect")
			_, err = with.Apply(t.Context(), p)
			require.NoError(t, err)
			kindrig.Steady(t, with, lo, inside)
		}
		_, err = with.Sync(t.Context(), lo)
		require.NoError(t, err)
		left, err := vppnet.Ask(t.Context(), c, &binding.Nat66InterfaceDump{})
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// VPP would give another's external address to whoever asks next.
func TestRefused(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("nic"))
	strangers(t, vpp.Socket())
	before := vpp.String()
	c := kindrig.Dial(t, vpp.Socket(), "me")
	all := nat66.Mappings(c, netip.MustParsePrefix("2001:db8::/32"))
	for why, m := range map[string]nat66.Mapping{
		"2001:db8:9::9":                   {Local: addr("fd00::1"), External: addr("2001:db8:9::9")},
		"local address 10.0.0.1 is not":   {Local: addr("10.0.0.1"), External: addr("2001:db8::1")},
		"in none of the claimed prefixes": {Local: addr("fd00::1"), External: addr("2002::1")},
		`table "vpp:0": leave`:            {Table: l3.DefaultTable, Local: addr("fd00::1"), External: addr("2001:db8::1")},
	} {
		_, err := all.Ensure(t.Context(), m)
		require.ErrorContains(t, err, why)
	}
	_, err := nat66.Interfaces(c).Ensure(t.Context(), nat66.Interface{Interface: vppnet.Foreign("nic")})
	require.ErrorIs(t, err, desiredstate.ErrForeign)
	require.Equal(t, before, vpp.String())
}
