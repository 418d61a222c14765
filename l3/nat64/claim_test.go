// SPDX-License-Identifier: Apache-2.0

package nat64_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vpptest"
)

// A prefix is in one that is claimed if all of it is: what somebody else has may begin there, and be wider.
func TestPrefixBeyondTheClaim(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
		wide := nat64.Prefix{Prefix: netip.MustParsePrefix("2001:db8::/32")}
		theirs := kindrig.Engine(nat64.Prefixes(kindrig.Dial(t, vpp.Socket(), "other"), wide.Prefix))
		_, err := theirs.Ensure(t.Context(), wide)
		require.NoError(t, err)
		before := state()
		us := kindrig.Engine(nat64.Prefixes(kindrig.Dial(t, vpp.Socket(), "me"), netip.MustParsePrefix("2001:db8::/96")))
		_, err = us.Sync(t.Context())
		require.NoError(t, err)
		_, err = us.Ensure(t.Context(), wide)
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		require.ErrorContains(t, err, "claimed prefixes [2001:db8::/96]")
		require.Equal(t, before, state())
	})
}
