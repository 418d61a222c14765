// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"

	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vpptest"
)

func TestAnnounce(t *testing.T) {
	c := dialVPP(t, vpptest.New(t).Socket(), "me")
	good := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	require.NoError(t, l3.Announce(t.Context(), c, 0, good...))
	require.ErrorIs(t, l3.Announce(t.Context(), c, 99, good...), api.INVALID_SW_IF_INDEX)
	require.ErrorContains(t, l3.Announce(t.Context(), c, 0, netip.MustParseAddr("224.0.0.1")), "nobody's own")
	require.ErrorContains(t, l3.Announce(t.Context(), c, 0, netip.Addr{}), "not set")
}
