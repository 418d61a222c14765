// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP keeps the tables of NAT for good, under our name. What we have let go is not ours any more: it
// is not found again, and who wants one of that name gets the same.
func TestATableThatVPPKeepsIsLetGoOnce(t *testing.T) {
	red := l3.Table{Name: "red"}
	prefix := nat64.Prefix{Table: "red", Prefix: netip.MustParsePrefix("2001:db8::/32")}
	for name, want := range map[string][]desiredstate.Object{
		"nat":             {red, nat.Plugin{InsideTable: "red"}},
		"nat, a number":   {l3.Table{Name: "red", ID: 7}, nat.Plugin{OutsideTable: "red"}},
		"nat64":           {red, prefix},
		"nat, IPv4 alone": {l3.Table{Name: "red", NoIPv6: true}, nat.Plugin{InsideTable: "red"}},
	} {
		t.Run(name, func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
				engine := func() *desiredstate.Engine {
					c := kindrig.Dial(t, vpp.Socket(), "me")
					return kindrig.Engine(l3.Tables(c), nat.Plugins(c, nat.EndpointDependent), nat64.Prefixes(c))
				}
				e := engine()
				first, err := e.Ensure(t.Context(), want...)
				require.NoError(t, err)
				for range 2 {
					_, err = e.Sync(t.Context())
					require.NoError(t, err)
					kindrig.Steady(t, e)
					p, err := engine().Plan(t.Context())
					require.NoError(t, err)
					require.Empty(t, p.Steps, "another engine finds nothing to do")
					again, err := e.Sync(t.Context(), want...)
					require.NoError(t, err)
					kindrig.Steady(t, e, want...)
					was, _ := first.Of(red.Key())
					is, _ := again.Of(red.Key())
					require.Equal(t, was.ID, is.ID, "number of the table")
				}
			})
		})
	}
}

// A table of another name does not get what VPP keeps by the first one's.
func TestATableThatVPPKeepsIsOfItsName(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		c := kindrig.Dial(t, vpp.Socket(), "me")
		e := kindrig.Engine(l3.Tables(c), nat.Plugins(c, nat.EndpointDependent))
		_, err := e.Sync(t.Context(), l3.Table{Name: "red", ID: 7}, nat.Plugin{InsideTable: "red"})
		require.NoError(t, err)
		_, err = e.Sync(t.Context())
		require.NoError(t, err)
		_, err = e.Sync(t.Context(), l3.Table{Name: "blue", ID: 7})
		require.ErrorIs(t, err, desiredstate.ErrForeign)
		kindrig.Steady(t, e, l3.Table{Name: "blue"})
	})
}
