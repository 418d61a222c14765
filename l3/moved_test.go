// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
)

// moved is a stranger's interface that was in a table of ours, with what is ours on it, and that he has taken into a table of
// his since, and put the same on it.
func moved(t *testing.T, socket string, mine, theirs []desiredstate.Object) (me *desiredstate.Engine, untouched func()) {
	open := func(owner string) *desiredstate.Engine {
		return kindrig.Engine(placedKinds(kindrig.Dial(t, socket, owner))...)
	}
	me, they := open("me"), open("stranger")
	base := append(placedBase(), vppnet.Loopback{Name: "b"}, l3.Table{Name: "theirs"})
	_, err := they.Sync(t.Context(), base...)
	require.NoError(t, err)
	mine = append(append(placedBase(), l3.Table{Name: "mine"}, l3.Membership{Interface: "stranger/b", Table: "mine"}), mine...)
	_, err = me.Sync(t.Context(), mine...)
	require.NoError(t, err)
	all := append(append(base, l3.Membership{Interface: "b", Table: "theirs"}), theirs...)
	require.Eventually(t, func() bool { // an interface with addresses moves in several passes
		they.Forget()
		_, err := they.Sync(t.Context(), all...)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return me, func() {
		t.Helper()
		p, err := open("stranger").Plan(t.Context(), all...)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%s", p)
	}
}

// What is on a stranger's interface is ours while that is in a table of ours. Once its owner has moved it to another, what he
// has on it is his, though it is called as ours was.
func TestWhatAStrangerHasMovedIsHis(t *testing.T) {
	inEachFamily(t, func(t *testing.T, socket, what string, is6 bool) {
		mine := placedOn("stranger/b", "mine", is6)[what]
		me, untouched := moved(t, socket, mine, placedOn("b", "theirs", is6)[what])
		_, err := me.Remove(t.Context(), keysOf(mine)...)
		require.NoError(t, err)
		untouched()
		_, err = me.Remove(t.Context(), l3.MembershipKey("stranger/b"))
		require.NoError(t, err)
		untouched()
	})
}

// Nor is it changed.
func TestWhatAStrangerHasMovedIsNotChanged(t *testing.T) {
	address := netip.MustParsePrefix("2001:db8::1/64")
	on := func(name, table string) map[string][2][]desiredstate.Object { // as it is, and as we want it then
		fixed := l3.Address{Interface: name, Table: table, Prefix: address}
		return map[string][2][]desiredstate.Object{
			"a neighbour": {
				{l3.Neighbour{Interface: name, IP: hop(false, 9), MAC: kindrig.MAC(9)}},
				{l3.Neighbour{Interface: name, IP: hop(false, 9), MAC: kindrig.MAC(8)}},
			},
			"an advertisement": {
				{fixed, l3.RouterAdvertisement{Interface: name, Address: address}},
				{fixed, l3.RouterAdvertisement{Interface: name, Address: address, Managed: true}},
			},
			"a clamp": {
				{l3.MSSClamp{Interface: name, IPv4: l3.Clamp{MSS: 1380}}},
				{l3.MSSClamp{Interface: name, IPv4: l3.Clamp{MSS: 1280}}},
			},
			"an interface of NAT44": {
				{nat.Interface{Interface: name, Table: table, Outside: true}},
				{nat.Interface{Interface: name, Table: table, Outside: true, Inside: true}},
			},
			"a virtual router": {
				{vrrp.Router{Interface: name, Table: table, ID: 7, Addresses: []netip.Addr{hop(false, 5)}, Stopped: true}},
				{vrrp.Router{Interface: name, Table: table, ID: 7, Addresses: []netip.Addr{hop(false, 5)}, Stopped: true, Track: []vrrp.TrackedInterface{{Interface: "up", Decrement: 7}}}},
			},
			"an interface that borrows": {
				{l3.Membership{Interface: "up", Table: table}, l3.Unnumbered{Interface: name, Table: table, Lender: "up"}},
				{vppnet.Loopback{Name: "more"}, l3.Membership{Interface: "more", Table: table}, l3.Unnumbered{Interface: name, Table: table, Lender: "more"}},
			},
		}
	}
	for what, mine := range on("stranger/b", "mine") {
		t.Run(what, func(t *testing.T) {
			onBoth(t, func(t *testing.T, socket string) {
				me, untouched := moved(t, socket, mine[0], on("b", "theirs")[what][0])
				_, err := me.Ensure(t.Context(), mine[1]...)
				require.ErrorIs(t, err, desiredstate.ErrForeign) // as it is found to be now
				untouched()
			})
		})
	}
}
