// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// NAT44 is of IPv4: an interface that is in a table by IPv6 alone is in the default table for it.
func TestAnInterfaceThatIsInATableByTheOtherFamily(t *testing.T) {
	kindrig.Both(t, natState, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		for _, v := range natVariants {
			e := natRouter(kindrig.Dial(t, vpp.Socket(), "me"), v)
			place := []desiredstate.Object{
				nat.Plugin{Sessions: 1000}, vppnet.Loopback{Name: "leg"}, l3.Table{Name: "nat", ID: 55}, l3.Membership{Interface: "leg", Table: "nat", NoIPv4: true},
			}
			kindrig.Steady(t, e, append(place, nat.Interface{Interface: "leg", Inside: true})...)
			_, err := e.Sync(t.Context(), place...)
			require.NoError(t, err)
			_, err = e.Ensure(t.Context(), nat.Interface{Interface: "leg", Table: "nat", Inside: true})
			require.ErrorIs(t, err, desiredstate.ErrEarly)
			require.ErrorContains(t, err, "interface leg is in ipv4 table 0, and Interface.Table says 55")
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
		}
	})
}
