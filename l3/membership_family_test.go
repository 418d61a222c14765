// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

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

// By the family that is in no table of ours, somebody else's interface stays where he put it.
func TestAMembershipThatGrowsLeavesOthersTables(t *testing.T) {
	for _, only4 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv4 first: %v", only4), func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
				they, c := kindrig.Dial(t, vpp.Socket(), "stranger"), kindrig.Dial(t, vpp.Socket(), "me")
				report, err := kindrig.Engine(vppnet.Loopbacks(they), l3.Tables(they)).Sync(t.Context(), vppnet.Loopback{Name: "b"}, l3.Table{Name: "theirs", ID: 5})
				require.NoError(t, err)
				b, _ := report.Of(vppnet.InterfaceKey("b"))
				e := kindrig.Engine(l3.Tables(c), l3.Memberships(c))
				table, half := l3.Table{Name: "red", ID: 7}, l3.Membership{Interface: "stranger/b", Table: "red", NoIPv4: !only4, NoIPv6: only4}
				kindrig.Steady(t, e, table, half)
				they.Uses(&interfaces.SwInterfaceSetTable{})
				_, err = interfaces.NewServiceClient(they).SwInterfaceSetTable(t.Context(), &interfaces.SwInterfaceSetTable{
					SwIfIndex: interface_types.InterfaceIndex(b.ID), IsIPv6: only4, VrfID: 5,
				})
				require.NoError(t, err)
				e.Forget()
				before := state()

				_, err = e.Sync(t.Context(), table, l3.Membership{Interface: "stranger/b", Table: "red"})
				require.ErrorIs(t, err, desiredstate.ErrForeign)
				require.ErrorContains(t, err, "table number 5")
				require.Equal(t, before, state())
				kindrig.Steady(t, e, table, half)
			})
		})
	}
}
