// SPDX-License-Identifier: Apache-2.0

package nat64_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// The table of a side is that of its family: IPv6 inside, IPv4 outside.
func TestASideThatIsInATableByTheOtherFamily(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"), ours, ours6)...)
		for _, inside := range []bool{false, true} {
			place := []desiredstate.Object{
				vppnet.Loopback{Name: "lo"}, l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "lo", Table: "red", NoIPv4: !inside, NoIPv6: inside},
			}
			side := nat64.Interface{Interface: "lo", Inside: inside}
			kindrig.Steady(t, e, append(place, side)...)
			_, err := e.Sync(t.Context(), place...)
			require.NoError(t, err)
			side.Table = "red"
			_, err = e.Ensure(t.Context(), side)
			require.ErrorIs(t, err, desiredstate.ErrEarly)
			require.ErrorContains(t, err, "table 0, and Interface.Table says 7")
			_, err = e.Sync(t.Context(), vppnet.Loopback{Name: "lo"})
			require.NoError(t, err)
		}
	})
}
