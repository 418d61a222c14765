// SPDX-License-Identifier: Apache-2.0

package vrrp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/vrrp"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// On an interface that is in a table by IPv6 alone, a router of IPv4 is in the default table.
func TestARouterOfAFamilyThatIsInNoTable(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		before := state()
		e := virtualEngine(kindrig.Dial(t, vpp.Socket(), "me"))
		place := []desiredstate.Object{
			vppnet.Loopback{Name: "door"}, l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "door", Table: "red", NoIPv4: true},
		}
		four := vrrp.Router{Interface: "door", ID: 3, Addresses: addrs("10.7.0.9"), Interval: interval, Stopped: true}
		six := vrrp.Router{Interface: "door", ID: 3, Table: "red", Addresses: addrs("fd00::9"), Interval: interval, Stopped: true}
		kindrig.Steady(t, e, append(place, four, six)...)
		_, err := e.Sync(t.Context(), place...)
		require.NoError(t, err)
		four.Table, six.Table = "red", ""
		_, err = e.Ensure(t.Context(), four)
		require.ErrorIs(t, err, desiredstate.ErrEarly)
		require.ErrorContains(t, err, "Router.Table says")
		_, err = e.Ensure(t.Context(), six)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "table-member/door holds")
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, state())
	})
}
