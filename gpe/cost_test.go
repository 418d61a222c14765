// SPDX-License-Identifier: Apache-2.0

package gpe_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vpptest"
)

// A MAC that moves costs the same whatever else is elsewhere: in messages to VPP, which are those
// that look where it is and put it elsewhere, and in what the engine allocates.
func TestOneMovedCostsTheSame(t *testing.T) {
	cost := func(many int) (messages uint64, allocs float64) {
		c, e, base := network(t, vpptest.New(t).Socket())
		all := remotes(many)
		_, err := e.Sync(t.Context(), append(base, all...)...)
		require.NoError(t, err)
		moved, n := all[0].(gpe.RemoteEID), byte(0)
		move := func() {
			n++
			moved.Locators = []gpe.RemoteLocator{{Address: netip.AddrFrom4([4]byte{203, 0, 114, n})}}
			r, err := e.Ensure(t.Context(), moved)
			require.NoError(t, err)
			require.Equal(t, 1, r.Changed())
		}
		move()
		before := c.Stats().Sent
		move()
		messages = c.Stats().Sent - before
		return messages, testing.AllocsPerRun(20, move)
	}
	few, fewAllocs := cost(50)
	many, manyAllocs := cost(5000)
	require.Equal(t, few, many)
	require.LessOrEqual(t, few, uint64(12))
	require.Less(t, manyAllocs, 2*fewAllocs)
}
