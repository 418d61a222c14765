// SPDX-License-Identifier: Apache-2.0

package classify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/classify"
	"github.com/vppkit/vppkit/vpptest"
)

// A table of ours that is asked after somebody else's stays, as it is: VPP would die of the next packet.
func TestTableThatIsTheNextOfOthers(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		us := kindrig.Engine(classify.Tables(kindrig.Dial(t, vpp.Socket(), "me")))
		them := kindrig.Engine(classify.Tables(kindrig.Dial(t, vpp.Socket(), "others")))
		mine := classify.Table{Name: "t", Mask: "\xff"}
		_, err := us.Ensure(t.Context(), mine)
		require.NoError(t, err)
		theirs := classify.Table{Name: "t", Mask: "\xff", Next: "me/t"}
		kindrig.Steady(t, them, theirs)
		before := state()
		us.Forget()
		_, err = us.Remove(t.Context(), mine.Key())
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		other := mine
		other.Mask = "\x0f"
		_, err = us.Ensure(t.Context(), other)
		require.ErrorIs(t, err, desiredstate.ErrInUse)
		require.Equal(t, before, state())

		_, err = them.Remove(t.Context(), theirs.Key())
		require.NoError(t, err)
		_, err = us.Remove(t.Context(), mine.Key())
		require.NoError(t, err)
	})
}
