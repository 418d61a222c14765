// SPDX-License-Identifier: Apache-2.0

package acl

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What an effect says of filters holds on a VPP with any numbering: nothing that is in
// effect is lost; what has lost its effect is, once a filter was bound by us.
func TestEffect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bit := uint32(1) << rapid.IntRange(10, 31).Draw(t, "bit")
		ports := rapid.SliceOfN(rapid.Map(rapid.Uint32(), func(others uint32) uint32 { return others &^ bit }), 1, 6).Draw(t, "other features")
		filter, on := make([]bool, len(ports)), make([]bool, len(ports))
		features := func(i int) uint32 {
			if on[i] {
				return ports[i] | bit
			}
			return ports[i]
		}
		port := func(t *rapid.T) int { return rapid.IntRange(0, len(ports)-1).Draw(t, "port") }
		var e effect
		learned := false
		t.Repeat(map[string]func(*rapid.T){
			"bind": func(t *rapid.T) {
				i := port(t)
				first, before := !filter[i], features(i)
				learned = learned || first && !on[i]
				filter[i], on[i] = true, true
				e.bound(before, features(i), first)
			},
			"lose":   func(t *rapid.T) { on[port(t)] = false },
			"unbind": func(t *rapid.T) { filter[port(t)] = false }, // it can stay on
			"read": func(*rapid.T) {
				for i := range ports {
					if filter[i] {
						require.False(t, on[i] && e.lost(features(i)), "in effect")
						require.False(t, !on[i] && learned && !e.lost(features(i)), "lost")
					}
				}
			},
		})
	})
}

// Whatever VPP shows, also what cannot be true, a binding that is made again whenever it
// is found lost is not for ever: after a few readings nothing is written any more.
func TestEffectCannotFlap(t *testing.T) {
	type port struct {
		others uint32
		on     bool
	}
	rapid.Check(t, func(t *rapid.T) {
		bit := uint32(1) << rapid.IntRange(0, 31).Draw(t, "bit")
		ports := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *port {
			return &port{rapid.Uint32().Draw(t, "others") &^ bit, rapid.Bool().Draw(t, "on")}
		}), 1, 6).Draw(t, "ports")
		features := func(p *port) uint32 {
			if p.on {
				return p.others | bit
			}
			return p.others
		}
		var e effect
		for range rapid.IntRange(0, 5).Draw(t, "lies") {
			e.bound(rapid.Uint32().Draw(t, "before"), rapid.Uint32().Draw(t, "after"), rapid.Bool().Draw(t, "first"))
		}
		pass := func() (writes int) {
			var lost []*port // as a reading finds them; they are mended after it
			for _, p := range ports {
				if e.lost(features(p)) {
					lost = append(lost, p)
				}
			}
			for _, p := range lost {
				before := features(p)
				p.on = true
				e.bound(before, features(p), false)
			}
			return len(lost)
		}
		for passes := 0; pass() > 0; passes++ {
			require.LessOrEqual(t, passes, 10)
		}
	})
}
