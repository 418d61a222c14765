// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/dhcp"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// VPP listens for DHCPv6 until the first relay goes: one that is left goes and comes again.
func TestRelayOutlivesAnother(t *testing.T) {
	relay := func(table string) l3.DHCPRelay {
		return l3.DHCPRelay{Table: table, Source: netip.MustParseAddr("2001:db8::1"), Servers: []l3.DHCPServer{
			{Addr: netip.MustParseAddr("2001:db8:1::1")}, {Addr: netip.MustParseAddr("ff05::1:3"), Table: table},
		}}
	}
	test := func(t *testing.T, vpp vpptest.Target, listens func(bool)) {
		c := kindrig.Dial(t, vpp.Socket(), "me", vppnet.WithLostAfter(20*time.Millisecond))
		e := func() *desiredstate.Engine { return kindrig.Engine(l3.Tables(c), l3.DHCPRelays(c)) }
		want := []desiredstate.Object{l3.Table{Name: "a", ID: 5}, l3.Table{Name: "b", ID: 6}, relay("a"), relay("b")}
		_, err := e().Sync(t.Context(), want...)
		require.NoError(t, err)
		listens(true)
		left := func() []*dhcp.DHCPProxyDetails {
			all, err := vppnet.Collect(dhcp.NewServiceClient(c).DHCPProxyDump(t.Context(), &dhcp.DHCPProxyDump{IsIP6: true}))
			require.NoError(t, err)
			return all
		}
		others := func() []*dhcp.DHCPProxyDetails {
			return slices.DeleteFunc(left(), func(d *dhcp.DHCPProxyDetails) bool { return d.RxVrfID == 5 })
		}
		before := others()
		require.Len(t, before, 1)
		_, err = e().Remove(t.Context(), want[2].Key())
		require.NoError(t, err)
		require.Equal(t, before, left())
		listens(true)

		// Nor does it matter of which message VPP's answer comes no more, as of a program that has died.
		for nth := range 6 {
			_, err := e().Ensure(t.Context(), want...)
			require.NoError(t, err)
			vpp.Inject(vpptest.Fault{Message: "dhcp_proxy_config", Nth: 1 + nth, Kind: vpptest.Drop})
			_, err = e().Remove(t.Context(), want[2].Key())
			require.Error(t, err, "message %d", 1+nth)
			vpp.Heal()
			require.Equal(t, before, others(), "message %d", 1+nth)
			listens(true)
		}
		_, err = e().Sync(t.Context())
		require.NoError(t, err)
		require.Empty(t, left())
		listens(false)
	}
	t.Run("in memory", func(t *testing.T) { test(t, vpptest.New(t), func(bool) {}) })
	t.Run("real", func(t *testing.T) {
		vpp := vpptest.Real(t)
		test(t, vpptest.NewProxy(t, vpp.Socket()), func(want bool) {
			t.Helper()
			out, err := vpp.CLI("show udp ports")
			require.NoError(t, err)
			require.Equal(t, want, strings.Contains(out, "dhcpv6"), out)
		})
	})
}
