// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Whatever comes to share what, and gives it up: each resource knows who shares it, once each.
func TestSharersAreThoseWhoShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		nodes := make([]*node, 6)
		for i := range nodes {
			nodes[i] = w.node(Key{"node", strconv.Itoa(i)})
		}
		resources := []Key{{"resource", "a"}, {"resource", "b"}, {"resource", "c"}}
		shared := map[*node]map[Key]bool{}
		some := rapid.SliceOfN(rapid.SampledFrom(resources), 0, 4) // one may be named twice
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				n, shares := rapid.SampledFrom(nodes).Draw(t, "node"), some.Draw(t, "shares")
				none := func(Object) []Key { return nil }
				w.take(n, actual{kind: &kind{holds: none, shares: func(Object) []Key { return shares }}})
				for _, r := range shares {
					if shared[n] == nil {
						shared[n] = map[Key]bool{}
					}
					shared[n][r] = true
				}
			},
			"give up": func(t *rapid.T) {
				n := rapid.SampledFrom(nodes).Draw(t, "node")
				w.giveUp(n)
				delete(shared, n)
			},
			"": func(t *rapid.T) {
				for _, r := range resources {
					var want []*node
					for _, n := range nodes { // they are in order
						if shared[n][r] {
							want = append(want, n)
						}
					}
					if got := w.sharing(r); !slices.Equal(got, want) {
						t.Fatalf("%s is shared by %v, want %v", r, keysOf(got), keysOf(want))
					}
					for i, n := range w.sharers[r] {
						if at := n.takes.share(r).at; at != i {
							t.Fatalf("%s takes itself to be at %d of those who share %s, not %d", n.key, at, r, i)
						}
					}
					if _, known := w.sharers[r]; known && len(want) == 0 {
						t.Fatalf("%s is kept, which nobody shares", r)
					}
				}
			},
		})
	})
}
