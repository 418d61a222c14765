// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// An interface that is in a table by one family is in the default table by the other, and so
// are its addresses.
func TestAddressesOfAFamilyThatIsInNoTable(t *testing.T) {
	four, six := prefix("10.0.0.1/24"), prefix("2001:db8::1/64")
	for _, only4 := range []bool{true, false} {
		in, out := four, six
		if !only4 {
			in, out = six, four
		}
		kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
			before := state()
			e := engine(kindrig.Dial(t, vpp.Socket(), "me"))
			place := []desiredstate.Object{
				vppnet.Loopback{Name: "lo"},
				l3.Table{Name: "red", ID: 7},
				l3.Membership{Interface: "lo", Table: "red", NoIPv4: !only4, NoIPv6: only4},
			}
			kindrig.Steady(t, e, append(place, l3.Address{Interface: "lo", Table: "red", Prefix: in}, l3.Address{Interface: "lo", Prefix: out})...)
			_, err := e.Sync(t.Context(), place...)
			require.NoError(t, err)
			for _, a := range []l3.Address{{Interface: "lo", Table: "red", Prefix: out}, {Interface: "lo", Prefix: in}} {
				_, err := e.Ensure(t.Context(), a)
				require.ErrorIs(t, err, desiredstate.ErrEarly)
				require.ErrorContains(t, err, "say there what its Membership says of that family")
			}
			_, err = e.Sync(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, state())
		})
	}
}
