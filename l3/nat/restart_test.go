// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vpptest"
)

// NAT that others use is not turned off, so a restart is refused before anything of ours goes.
func TestRestartBesideOthers(t *testing.T) {
	kindrig.Both(t, natState, func(t *testing.T, vpp vpptest.Target, state func() string) {
		for _, v := range natVariants {
			t.Run(v.String(), func(t *testing.T) {
				strangers := natStrangers(t, vpp.Socket(), v)
				e := natRouter(kindrig.Dial(t, vpp.Socket(), "me"), v)
				want := natAll(v)
				_, err := e.Sync(t.Context(), want...)
				require.NoError(t, err)
				before := state()

				want[0] = nat.Plugin{Sessions: 2000, Restart: true}
				_, err = e.Sync(t.Context(), want...)
				require.ErrorIs(t, err, desiredstate.ErrForeign)
				require.Equal(t, before, state())

				_, err = strangers.Sync(t.Context())
				require.NoError(t, err)
				_, err = e.Sync(t.Context(), want...)
				require.NoError(t, err)
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
			})
		}
	})
}
