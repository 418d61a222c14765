// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/ip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vpptest"
)

// IPv6 of a table of ours becomes somebody else's, and stays theirs whatever becomes of
// ours: it goes without, and does not come to have that family again.
func TestAFamilyThatSomebodyHasByNowIsLeftAlone(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		c, hand := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "hand")
		hand.Uses(&ip.IPTableAddDelV2{})
		before := state()
		six := func(add bool, tag string) {
			_, err := ip.NewServiceClient(hand).IPTableAddDelV2(t.Context(), &ip.IPTableAddDelV2{
				IsAdd: add, CreateMfib: true, Table: ip.IPTable{TableID: 5, IsIP6: true, Name: tag},
			})
			require.NoError(t, err)
		}
		theirs := l3.Table{Name: "stranger/theirs", ID: 5, NoIPv4: true}

		e := engine(c)
		both := l3.Table{Name: "mine", ID: 5}
		_, err := e.Ensure(t.Context(), both)
		require.NoError(t, err)
		six(false, "")
		six(true, theirs.Name)
		_, err = e.Remove(t.Context(), both.Key()) // it remembers both
		require.NoError(t, err)
		requireTables(t, vpp, theirs)
		six(false, "")

		four := l3.Table{Name: "mine", ID: 5, NoIPv6: true}
		_, err = e.Ensure(t.Context(), four)
		require.NoError(t, err)
		p, err := e.Plan(t.Context(), both)
		require.NoError(t, err)
		six(true, theirs.Name)
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.ErrorContains(t, err, "take another number")
		_, err = e.Remove(t.Context(), four.Key())
		require.NoError(t, err)
		requireTables(t, vpp, theirs)
		six(false, "")
		require.Equal(t, before, state())
	})
}

// requireTables sees that who has just come finds these, and VPP's own.
func requireTables(t *testing.T, vpp vpptest.Target, want ...l3.Table) {
	t.Helper()
	found, err := engine(kindrig.Dial(t, vpp.Socket(), "me")).Found(t.Context())
	require.NoError(t, err)
	var have []l3.Table
	for _, f := range found {
		if table, ok := f.Spec.(l3.Table); ok && table.ID != 0 {
			have = append(have, table)
		}
	}
	require.Equal(t, want, have)
}

// VPP shows the families of a number together, so two tables of ours cannot have one each:
// all would then be found as one of the two.
func TestTwoTablesOfOneNumberAreRefused(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		before := state()
		e := engine(kindrig.Dial(t, vpp.Socket(), "me"))
		y, z := l3.Table{Name: "y", ID: 1, NoIPv4: true}, l3.Table{Name: "z", ID: 1, NoIPv6: true}
		_, err := e.Sync(t.Context(), y, z)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "want one of the two")
		requireTables(t, vpp, y)
		kindrig.Steady(t, e, y)
		_, err = e.Sync(t.Context(), z) // one makes room for the other
		require.NoError(t, err)
		requireTables(t, vpp, z)
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, state())
	})
}
