// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/qos"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A map of ours by which somebody else marks stays: the next map that is made would be theirs. What an interface of theirs
// left behind does not hold it.
func TestMapThatOthersMarkBy(t *testing.T) {
	both(t, func(t *testing.T, vpp vpptest.Target, state func() string) {
		_, e := open(t, vpp.Socket())
		them := kindrig.Dial(t, vpp.Socket(), "others")
		theirs := kindrig.Engine(vppnet.Loopbacks(them), qos.Marks(them, qos.EgressMaps(them)))
		lo, mark := vppnet.Loopback{Name: "lo"}, qos.Mark{Interface: "lo", Source: qos.IP, Map: 5}
		_, err := e.Ensure(t.Context(), qos.EgressMap{ID: 5, IP: qos.Same()})
		require.NoError(t, err)
		_, err = theirs.Ensure(t.Context(), lo, mark)
		require.NoError(t, err)
		before := state()
		_, err = e.Remove(t.Context(), qos.EgressMapKey(5))
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.Equal(t, before, state())

		// Their interface goes by another program, and another one of theirs has the index.
		loops := kindrig.Engine(vppnet.Loopbacks(kindrig.Dial(t, vpp.Socket(), "others")))
		_, err = loops.Remove(t.Context(), lo.Key())
		require.NoError(t, err)
		_, err = loops.Ensure(t.Context(), lo)
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), qos.EgressMapKey(5))
		require.NoError(t, err)
	})
}
