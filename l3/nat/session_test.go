// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	nat_ei "go.fd.io/govpp/binapi/nat44_ei"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What would end a VPP is refused with words that say what to do.
func TestSessionsOfNATThatIsOff(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		for _, v := range natVariants {
			_, err := nat.Sessions(t.Context(), c, v, hostA, 0)
			require.ErrorIs(t, err, desiredstate.ErrMissing)
			require.ErrorContains(t, err, "turn it on")
			_, err = nat.EndSessions(t.Context(), c, v, hostA, 10, func(nat.Session) bool { return true })
			require.ErrorIs(t, err, desiredstate.ErrMissing)

			e := natEngine(kindrig.Dial(t, socket, "me"), v)
			_, err = e.Ensure(t.Context(), nat.Plugin{Sessions: 1000})
			require.NoError(t, err)
			for _, table := range []uint32{0, 10} {
				all, err := nat.Sessions(t.Context(), c, v, hostA, table)
				require.NoError(t, err)
				require.Empty(t, all)
			}
			_, err = e.Remove(t.Context(), nat.PluginKey())
			require.NoError(t, err)
			_, err = nat.Sessions(t.Context(), c, v, hostA, 0)
			require.ErrorIs(t, err, desiredstate.ErrMissing, "it is off again")
		}
		// NAT that somebody has turned on to keep no sessions.
		c.Uses(&nat_ei.Nat44EiPluginEnableDisable{})
		toggle := func(on bool) {
			_, err := nat_ei.NewServiceClient(c).Nat44EiPluginEnableDisable(t.Context(), &nat_ei.Nat44EiPluginEnableDisable{Enable: on, Flags: nat_ei.NAT44_EI_STATIC_MAPPING_ONLY})
			require.NoError(t, err)
		}
		toggle(true)
		_, _ = nat.Sessions(t.Context(), c, nat.EndpointIndependent, hostA, 0) // VPP says that it is so only if it is real
		toggle(false)
		_, err := vppnet.Loopbacks(c).Ensure(t.Context(), vppnet.Loopback{Name: "alive"})
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}
