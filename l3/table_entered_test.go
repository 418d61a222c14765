// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP keeps a table for who is in it, with our tag. Its half for multicast it keeps until it has been told twice to remove
// it, and dies of the next packet to a group on what is in there still. So a table stays until all have left it.
func TestATableStaysThatSomebodyIsIn(t *testing.T) {
	loop, in := vppnet.Loopback{Name: "b"}, l3.Membership{Interface: "b", Table: "me/red"}
	in4, in6 := in, in
	in4.NoIPv6, in6.NoIPv4 = true, true
	relay := l3.DHCPRelay{Table: "me/red", Source: netip.MustParseAddr("2001:db8::1"), Servers: []l3.DHCPServer{{Addr: netip.MustParseAddr("2001:db8::9"), Table: "me/red"}}}
	for name, x := range map[string]struct {
		theirs []desiredstate.Object
		says   string
	}{
		"an interface":       {[]desiredstate.Object{loop, in}, "interface they/b is in"},
		"an interface, IPv4": {[]desiredstate.Object{loop, in4}, "interface they/b is in ipv4 table 7"},
		"an interface, IPv6": {[]desiredstate.Object{loop, in6}, "interface they/b is in ipv6 table 7"},
		"a relay":            {[]desiredstate.Object{relay}, "a relay of DHCPv6 is in ipv6 table 7"},
	} {
		t.Run(name, func(t *testing.T) {
			kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, state func() string) {
				me, they := kindrig.Dial(t, vpp.Socket(), "me"), kindrig.Dial(t, vpp.Socket(), "they")
				e := kindrig.Engine(l3.Tables(me), l3.Routes(me))
				others := kindrig.Engine(vppnet.Loopbacks(they), l3.Tables(they), l3.Memberships(they), l3.DHCPRelays(they, vppnet.Claims(func(string) bool { return true })))
				mine := []desiredstate.Object{l3.Table{Name: "red", ID: 7}, l3.Route{Table: "red", Prefix: netip.MustParsePrefix("10.9.0.0/24")}}
				kindrig.Steady(t, e, mine...)
				kindrig.Steady(t, others, x.theirs...)
				for range 2 {
					_, err := e.Sync(t.Context())
					require.ErrorIs(t, err, desiredstate.ErrInUse)
					require.ErrorContains(t, err, x.says)
					e.Forget()
				}
				kindrig.Steady(t, e, mine...)
				kindrig.Steady(t, others, x.theirs...)

				_, err := others.Sync(t.Context())
				require.NoError(t, err)
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
				require.NotContains(t, state(), "red")
			})
		})
	}
}
