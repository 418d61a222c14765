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

// VPP hides the addresses of an interface that borrows others. So of the two only one is
// wanted, said before anything is sent, and one makes room for the other in one pass.
func TestBorrowedAndOwnAddressesExcludeEachOther(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		before := state()
		e := engine(kindrig.Dial(t, vpp.Socket(), "me"))
		layer2 := kindrig.Dial(t, vpp.Socket(), "me")
		unaware := kindrig.Engine(vppnet.Loopbacks(layer2), l3.Unnumbereds(layer2))
		base := []desiredstate.Object{vppnet.Loopback{Name: "a"}, vppnet.Loopback{Name: "b"}}
		own, second := l3.Address{Interface: "a", Prefix: prefix("10.0.0.1/24")}, l3.Address{Interface: "a", Prefix: prefix("2001:db8::1/64")}
		borrows := l3.Unnumbered{Interface: "a", Lender: "b"}
		with := func(more ...desiredstate.Object) []desiredstate.Object { return append(base[:2:2], more...) }
		_, err := e.Sync(t.Context(), with(own, borrows)...)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "wants own-addresses/a too: want one of the two")
		for range 2 {
			_, err = e.Sync(t.Context(), with(own, second)...)
			require.NoError(t, err)
			_, err = e.Ensure(t.Context(), borrows)
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			_, err = unaware.Ensure(t.Context(), borrows) // it knows no addresses
			require.ErrorContains(t, err, "has addresses of its own")
			_, err = e.Sync(t.Context(), with(borrows)...)
			require.NoError(t, err)
			_, err = e.Ensure(t.Context(), own)
			require.ErrorIs(t, err, desiredstate.ErrConflict)
			kindrig.Steady(t, e, with(borrows)...)
		}
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, state())
	})
}
