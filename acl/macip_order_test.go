// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/vppnet"
)

// What is found by tables is what is found by comparing each rule with each.
func TestCheckOrderIsReference(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) MACIPRule {
		r := MACIPRule{Action: Action(rapid.IntRange(0, 1).Draw(t, "action")), Family: IPv4}
		r.Mask = rapid.SampledFrom([]vppnet.MAC{{}, {0xff}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0, 0, 3}}).Draw(t, "mask")
		r.MAC = and(vppnet.MAC{2, 5: byte(rapid.IntRange(0, 3).Draw(t, "MAC"))}, r.Mask)
		if bits := rapid.SampledFrom([]int{0, 0, 24, 30, 31, 32}).Draw(t, "bits"); bits > 0 {
			r.Src, _ = netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 7).Draw(t, "host"))}).Prefix(bits)
		}
		return r
	})
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		s := MACIPSet{Name: "s", Rules: rapid.SliceOfN(draw, 1, 8).Draw(t, "rules")}
		count := map[table]int{}
		for _, r := range s.Rules {
			count[r.table()]++
		}
		want := s.contradiction(func(t table) int { return t.weight(count[t]) })
		require.Equal(t, want, s.checkOrder())
		if want != nil {
			refused++
		}
	})
	require.NotZero(t, refused)
}
