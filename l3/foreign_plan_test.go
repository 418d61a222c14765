// SPDX-License-Identifier: Apache-2.0

package l3

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A dry run refuses what is put into tables or on interfaces that are neither ours nor
// claimed; a table, or a membership in one, that is still to come makes them ours.
func TestADryRunKnowsWhoseThingsAre(t *testing.T) {
	vpp := vpptest.New(t, vpptest.WithInterface("eth0"))
	me, they := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "they")
	_, err := Tables(they).Ensure(t.Context(), Table{Name: "theirs", ID: 7})
	require.NoError(t, err)
	prefix := netip.MustParsePrefix
	e := desiredstate.New(Tables(me), Memberships(me), Addresses(me), Routes(me), ProxyARPRanges(me), DHCPRelays(me),
		CrossConnects(me))
	addr := netip.MustParseAddr
	for _, o := range []desiredstate.Object{
		Membership{Table: "they/theirs", Interface: vppnet.Foreign("eth0")},
		Address{Interface: vppnet.Foreign("eth0"), Prefix: prefix("10.0.0.1/24")},
		Route{Prefix: prefix("10.1.0.0/16")},
		Route{Table: "they/theirs", Prefix: prefix("10.1.0.0/16")},
		ProxyARPRange{Low: addr("10.0.0.1"), High: addr("10.0.0.9")},
		ProxyARPRange{Table: "they/theirs", Low: addr("10.0.0.1"), High: addr("10.0.0.9")},
		DHCPRelay{Table: "they/theirs", Source: addr("10.0.0.1"), Servers: []DHCPServer{{Addr: addr("10.0.0.2")}}},
		CrossConnect{Interface: vppnet.Foreign("eth0"), Paths: []Path{{Interface: vppnet.Foreign("eth0")}}},
	} {
		p, err := e.Plan(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, 1, p.Count(desiredstate.Block), "%s", p)
		require.ErrorIs(t, p.Steps[0].Err, desiredstate.ErrForeign)
	}
	p, err := e.Plan(t.Context(), Table{Name: "red"}, Membership{Table: "red", Interface: vppnet.Foreign("eth0")},
		Address{Table: "red", Interface: vppnet.Foreign("eth0"), Prefix: prefix("10.0.0.1/24")},
		Route{Table: "red", Prefix: prefix("10.1.0.0/16")})
	require.NoError(t, err)
	require.Equal(t, 4, p.Count(desiredstate.Create), "%s", p)
}
