// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// A stranger's interface that is in a table of ours by one family is his by the other: what he has on it there stays, and
// we put nothing there.
func TestAnInterfaceIsOursInTheFamilyOfOurTable(t *testing.T) {
	inEachFamily(t, func(t *testing.T, socket, what string, is6 bool) {
		mine, theirs := kindrig.Dial(t, socket, "me"), kindrig.Dial(t, socket, "stranger")
		me := func() *desiredstate.Engine { return kindrig.Engine(placedKinds(mine)...) }
		they := func() *desiredstate.Engine { return kindrig.Engine(placedKinds(theirs)...) }
		base, his := append(placedBase(), vppnet.Loopback{Name: "b"}), placedOn("b", "", is6)[what]
		_, err := they().Ensure(t.Context(), append(base, his...)...)
		require.NoError(t, err)
		untouched := func(his ...desiredstate.Object) { // that his interface is in our table is his to undo
			t.Helper()
			p, err := they().Plan(t.Context(), append(append(base, l3.Membership{Interface: "b", Table: "me/mine", NoIPv4: !is6, NoIPv6: is6}), his...)...)
			require.NoError(t, err)
			require.Empty(t, p.Steps, "%s", p)
		}

		place := append(placedBase(), l3.Table{Name: "mine"}, l3.Membership{Interface: "stranger/b", Table: "mine", NoIPv4: !is6, NoIPv6: is6})
		wanted := func(want ...desiredstate.Object) {
			t.Helper()
			_, err = me().Sync(t.Context(), want...)
			require.NoError(t, err)
			p, err := me().Plan(t.Context(), want...)
			require.NoError(t, err)
			require.Empty(t, p.Steps, "%s", p)
		}
		wanted(place...)
		untouched(his...)
		if what != "an interface of NAT64" { // there is one for both families
			wanted(append(place, placedOn("stranger/b", "mine", !is6)[what]...)...)
			wanted(place...)
			untouched(his...)
		}

		_, err = they().Remove(t.Context(), keysOf(his)...)
		require.NoError(t, err)
		_, err = me().Ensure(t.Context(), placedOn("stranger/b", "", is6)[what]...)
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		untouched()
	})
}

// An interface can be in a table of ours by one family, and in another's by the other. What is ours there is found, and
// what is in the other's table is in that, and ours if the interface is claimed.
func TestAnInterfaceInTwoTables(t *testing.T) {
	for _, only4 := range []bool{false, true} { // in ours
		for _, claims := range [][]vppnet.Claim{nil, {vppnet.ClaimInterfaces(func(name string) bool { return name == "stranger/b" })}} {
			t.Run(fmt.Sprintf("IPv4 in ours: %v, %d claims", only4, len(claims)), func(t *testing.T) {
				onBoth(t, func(t *testing.T, socket string) {
					they, c := kindrig.Dial(t, socket, "stranger"), kindrig.Dial(t, socket, "me")
					me := func() *desiredstate.Engine {
						return kindrig.Engine(l3.Tables(c), l3.Memberships(c), l3.Addresses(c, claims...))
					}
					_, err := kindrig.Engine(vppnet.Loopbacks(they), l3.Tables(they)).Sync(t.Context(), vppnet.Loopback{Name: "b"}, l3.Table{Name: "theirs", ID: 5})
					require.NoError(t, err)
					want := []desiredstate.Object{
						l3.Table{Name: "mine"},
						l3.Membership{Interface: "stranger/b", Table: "mine", NoIPv4: !only4, NoIPv6: only4},
						l3.Address{Interface: "stranger/b", Table: "mine", Prefix: netip.PrefixFrom(hop(!only4, 1), 24)},
					}
					r, err := me().Sync(t.Context(), want...)
					require.NoError(t, err)
					m, _ := r.Of(l3.MembershipKey("stranger/b"))
					_, err = interfaces.NewServiceClient(c).SwInterfaceSetTable(t.Context(), &interfaces.SwInterfaceSetTable{
						SwIfIndex: interface_types.InterfaceIndex(m.ID), IsIPv6: only4, VrfID: 5,
					})
					require.NoError(t, err)
					p, err := me().Plan(t.Context(), want...)
					require.NoError(t, err)
					require.Empty(t, p.Steps, "%s", p)
					there := l3.Address{Interface: "stranger/b", Table: "stranger/theirs", Prefix: netip.PrefixFrom(hop(only4, 1), 24)}
					if len(claims) > 0 {
						kindrig.Steady(t, me(), append(want, there)...)
						return
					}
					_, err = me().Ensure(t.Context(), there)
					require.ErrorIs(t, err, desiredstate.ErrForeign)
				})
			})
		}
	}
}

// So is NAT44 that is there for nothing but such an interface.
func TestNATOfAnInterfaceInTwoTables(t *testing.T) {
	onBoth(t, func(t *testing.T, socket string) {
		engine := func(owner string) *desiredstate.Engine {
			return kindrig.Engine(placedKinds(kindrig.Dial(t, socket, owner))...)
		}
		_, err := engine("stranger").Ensure(t.Context(), vppnet.Loopback{Name: "b"}, nat.Plugin{}, nat.Interface{Interface: "b", Outside: true})
		require.NoError(t, err)
		want := []desiredstate.Object{l3.Table{Name: "mine"}, l3.Membership{Interface: "stranger/b", Table: "mine", NoIPv4: true}}
		_, err = engine("me").Sync(t.Context(), want...)
		require.NoError(t, err)
		p, err := engine("me").Plan(t.Context(), want...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%s", p)
	})
}

func keysOf(all []desiredstate.Object) (keys []desiredstate.Key) {
	for _, o := range all {
		keys = append(keys, o.Key())
	}
	return keys
}

// What is ours on a stranger's interface goes before the Membership that makes it ours: it would be nobody's to remove.
func TestAMembershipOutlivesWhatIsOursByIt(t *testing.T) {
	inEachFamily(t, func(t *testing.T, socket, what string, is6 bool) {
		they, c := kindrig.Dial(t, socket, "stranger"), kindrig.Dial(t, socket, "me")
		me := func() *desiredstate.Engine { return kindrig.Engine(placedKinds(c)...) }
		his := append(placedBase(), vppnet.Loopback{Name: "b"})
		_, err := kindrig.Engine(placedKinds(they)...).Sync(t.Context(), his...)
		require.NoError(t, err)
		in := l3.Membership{Interface: "stranger/b", Table: "mine"}
		mine := append(placedBase(), l3.Table{Name: "mine"}, in)
		all := append(mine, placedOn("stranger/b", "mine", is6)[what]...)
		for _, e := range []*desiredstate.Engine{me(), nil} { // one that has made it, and one that has found it
			_, err = me().Sync(t.Context(), all...)
			require.NoError(t, err, "in one pass")
			if e == nil {
				e = me()
			}
			_, err = e.Remove(t.Context(), in.Key())
			require.ErrorIs(t, err, desiredstate.ErrInUse)
			_, err = e.Sync(t.Context(), placedBase()...)
			require.NoError(t, err)
			p, err := kindrig.Engine(placedKinds(kindrig.Dial(t, socket, "stranger"))...).Plan(t.Context(), his...)
			require.NoError(t, err)
			require.Empty(t, p.Steps, "%s", p)
		}
	})
}
