// SPDX-License-Identifier: Apache-2.0

package wireguard_test

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/kinds/wireguard"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// behind is a peer of the interface wg, by the number of its key.
func behind(t testing.TB, n byte, allowed ...string) wireguard.Peer {
	p := wireguard.Peer{Interface: "wg", PublicKey: public(t, n)}
	for _, a := range allowed {
		p.AllowedIPs = append(p.AllowedIPs, netip.MustParsePrefix(a))
	}
	return p
}

// What is sent to a prefix goes to one peer, so only one of an interface has it; another takes it once the first gives it up.
func TestOnePeerHasAPrefix(t *testing.T) {
	kindrig.Both(t, state, func(t *testing.T, vpp vpptest.Target, _ func() string) {
		e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"))...)
		wg := wireguard.Interface{Name: "wg", PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820}
		other := wg
		other.Name, other.Port = "other", 51821
		one, two, elsewhere := behind(t, 4, "10.1.0.0/16", "10.2.0.0/16"), behind(t, 5, "10.2.0.0/16"), behind(t, 2, "10.2.0.0/16")
		elsewhere.Interface = "other"
		_, err := e.Ensure(t.Context(), wg, other, one, elsewhere)
		require.NoError(t, err)
		writes := vpp.Writes()
		_, err = e.Ensure(t.Context(), two)
		require.ErrorIs(t, err, desiredstate.ErrConflict)
		require.ErrorContains(t, err, "10.2.0.0/16 behind wg")
		require.Equal(t, writes, vpp.Writes())
		_, err = e.Ensure(t.Context(), behind(t, 4, "10.1.0.0/16"), two)
		require.NoError(t, err)
		kindrig.Steady(t, e, wg, other, behind(t, 4, "10.1.0.0/16"), two, elsewhere)
	})
}

// Where prefixes of two peers overlap, VPP does what the doc of AllowedIPs says.
func TestOverlappingPrefixes(t *testing.T) {
	for order, goes := range map[string]string{ // r: a route comes, f and s: the first and the second peer do; F and S: they go
		"rfs":  "1", // the last one
		"rsf":  "1",
		"fsr":  "0", // the one that is found first
		"sfr":  "0",
		"rfsS": "-1", // nobody, though the first is left
		"rfsF": "-1", // nobody, though the second had it
	} {
		t.Run(order, func(t *testing.T) {
			vpp := vpptest.Real(t)
			e := kindrig.Engine(kinds(kindrig.Dial(t, vpp.Socket(), "me"))...)
			_, err := e.Ensure(t.Context(), vppnet.LinkState{Interface: "wg", Up: true},
				wireguard.Interface{Name: "wg", PrivateKey: private(1), Src: netip.MustParseAddr("10.0.0.1"), Port: 51820})
			require.NoError(t, err)
			cli := func(q string) string {
				t.Helper()
				out, err := vpp.CLI(q)
				require.NoError(t, err)
				return out
			}
			cli("set interface ip address wg0 10.9.9.1/32")
			all, host := behind(t, 4, "0.0.0.0/0"), behind(t, 5, "10.1.0.2/32")
			for _, do := range order {
				switch do {
				case 'f':
					_, err = e.Ensure(t.Context(), all)
				case 's':
					_, err = e.Ensure(t.Context(), host)
				case 'F':
					_, err = e.Remove(t.Context(), all.Key())
				case 'S':
					_, err = e.Remove(t.Context(), host.Key())
				case 'r':
					cli("ip route add 10.1.0.0/24 via 10.1.0.2 wg0")
				}
				require.NoError(t, err)
			}
			cli("packet-generator new { name x limit 1 node ip4-lookup size 64-64 data { UDP: 10.9.9.1 -> 10.1.0.5 UDP: 1 -> 2 incrementing 8 } }")
			cli("trace add pg-input 1")
			cli("packet-generator enable")
			var to []string
			require.Eventually(t, func() bool {
				to = regexp.MustCompile(`peer: (-?\d+)`).FindStringSubmatch(cli("show trace"))
				return to != nil
			}, 20*time.Second, 20*time.Millisecond)
			require.Equal(t, goes, to[1], "%s", cli("show wireguard peer"))
		})
	}
}
