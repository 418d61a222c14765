// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestAnnounce(t *testing.T) {
	test := func(t *testing.T, socket string) {
		c := kindrig.Dial(t, socket, "me")
		good := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
		r, err := vppnet.Loopbacks(c).Ensure(t.Context(), vppnet.Loopback{Name: "lo"})
		require.NoError(t, err)
		lo, _ := r.Of(vppnet.InterfaceKey("lo"))
		require.NoError(t, l3.Announce(t.Context(), c, lo.ID, good...))
		require.ErrorContains(t, l3.Announce(t.Context(), c, lo.ID, netip.MustParseAddr("224.0.0.1")), "nobody's own")
		require.ErrorContains(t, l3.Announce(t.Context(), c, lo.ID, netip.Addr{}), "not set")
		r, err = vppnet.SubInterfaces(c).Ensure(t.Context(), vppnet.SubInterface{Name: "sub", Parent: "lo", Outer: 5})
		require.NoError(t, err)
		sub, _ := r.Of(vppnet.InterfaceKey("sub"))
		require.NoError(t, l3.Announce(t.Context(), c, sub.ID, good...), "it has its parent's MAC")
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t).Socket()) })
	t.Run("real", func(t *testing.T) { test(t, vpptest.Real(t).Socket()) })
}
