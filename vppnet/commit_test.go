// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What a commit made of which nobody heard, and which has no tag yet, goes with the commit; what an
// earlier program left is not the commit's.
func TestCommitLeavesNothingUntagged(t *testing.T) {
	test := func(t *testing.T, vpp vpptest.Target) {
		vpp.FailWrite(1, true)
		_, err := vppnet.Loopbacks(kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(100*time.Millisecond))).Ensure(t.Context(), vppnet.Loopback{Name: "earlier"})
		require.ErrorIs(t, err, vppnet.ErrTimeout)
		vpp.Heal()
		c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(100*time.Millisecond))
		e := kindrig.Engine(vppnet.Loopbacks(c), vppnet.SubInterfaces(c), vppnet.VXLANTunnels(c))
		count := func() int {
			all, err := desiredstate.List[vppnet.Interface](t.Context(), desiredstate.New(vppnet.Interfaces(dialVPP(t, vpp.Socket()))))
			require.NoError(t, err)
			return len(all)
		}
		_, err = e.Ensure(t.Context(), vppnet.Loopback{Name: "base"})
		require.NoError(t, err)
		before := count()
		for _, o := range []desiredstate.Object{
			vppnet.Loopback{Name: "lo"},
			vppnet.SubInterface{Name: "sub", Parent: "base", Outer: 5},
			vppnet.VXLANTunnel{Name: "tun", Src: netip.MustParseAddr("10.9.0.1"), Dst: netip.MustParseAddr("10.9.0.2"), VNI: 7},
		} {
			p, err := e.PlanEnsure(t.Context(), o)
			require.NoError(t, err)
			vpp.FailWrite(1, true)
			_, err = e.Commit(t.Context(), p)
			vpp.Heal()
			var failed *desiredstate.CommitError
			require.ErrorAs(t, err, &failed)
			require.Empty(t, failed.Differs)
			require.Empty(t, failed.Unknown)
			require.Equal(t, before, count(), "%+v", o)
		}
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t)) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.NewProxy(t, vpptest.Real(t).Socket())) })
}
