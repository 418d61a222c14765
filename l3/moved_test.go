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
	"github.com/vppkit/vppkit/vppnet"
)

// What is on a stranger's interface is ours while that is in a table of ours. Once its owner has moved it to another, what he
// has on it is his, though it is called as ours was.
func TestWhatAStrangerHasMovedIsHis(t *testing.T) {
	const iface = "stranger/b"
	on := func(name string, table string) map[string][]desiredstate.Object {
		address := l3.Address{Interface: name, Table: table, Prefix: netip.MustParsePrefix("10.0.0.1/24")}
		return map[string][]desiredstate.Object{
			"a membership": {l3.Membership{Interface: name, Table: table}},
			"an address":   {l3.Membership{Interface: name, Table: table}, address},
			"a neighbour": {
				l3.Membership{Interface: name, Table: table},
				l3.Neighbour{Interface: name, IP: netip.MustParseAddr("10.0.0.9"), MAC: kindrig.MAC(9)},
			},
			"proxy ARP": {l3.Membership{Interface: name, Table: table}, l3.ProxyARP{Interface: name}},
		}
	}
	for name, mine := range on(iface, "mine") {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, socket string) {
				open := func(owner string) *desiredstate.Engine {
					c := kindrig.Dial(t, socket, owner)
					return kindrig.Engine(vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.Addresses(c), l3.Neighbours(c), l3.ProxyARPs(c))
				}
				me, they := open("me"), open("stranger")
				theirs := []desiredstate.Object{vppnet.Loopback{Name: "b"}, l3.Table{Name: "theirs"}}
				_, err := they.Sync(t.Context(), theirs...)
				require.NoError(t, err)
				require.Eventually(t, func() bool { // what names no table waits for the membership
					_, err := me.Sync(t.Context(), append(mine, l3.Table{Name: "mine"})...)
					return err == nil
				}, 10*time.Second, 10*time.Millisecond)

				theirs = append(theirs, on("b", "theirs")[name]...)
				require.Eventually(t, func() bool { // an interface with addresses moves in several passes
					they.Forget()
					_, err := they.Sync(t.Context(), theirs...)
					return err == nil
				}, 10*time.Second, 10*time.Millisecond)
				var keys []desiredstate.Key
				for _, o := range mine {
					keys = append(keys, o.Key())
				}
				_, err = me.Remove(t.Context(), keys...)
				require.NoError(t, err)
				p, err := open("stranger").Plan(t.Context(), theirs...)
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%s", p)
			})
		})
	}
}
