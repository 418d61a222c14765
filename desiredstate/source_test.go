// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is wanted by whom, and is no more: both lists tell the same, and each knows its places.
func TestSourcesAreThoseWhoWant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sources, entries := make([]*source, 5), make([]*entry, 5)
		for i := range sources {
			sources[i] = &source{name: strconv.Itoa(i)}
			entries[i] = &entry{key: Key{"entry", strconv.Itoa(i)}}
		}
		wants := map[*source]map[*entry]bool{}
		for _, s := range sources {
			wants[s] = map[*entry]bool{}
		}
		one := rapid.IntRange(0, 4)
		t.Repeat(map[string]func(*rapid.T){
			"want or not": func(t *rapid.T) {
				s, x := sources[one.Draw(t, "source")], entries[one.Draw(t, "entry")]
				if at := s.find(x); at < 0 {
					s.want(x)
				} else {
					s.unwant(at)
				}
				wants[s][x] = !wants[s][x]
			},
			"": func(t *rapid.T) {
				for _, s := range sources {
					for _, x := range entries {
						if wants[s][x] != (s.find(x) >= 0) {
							t.Fatalf("%s wants %s: %t", s.name, x.key, wants[s][x])
						}
					}
					for i, m := range s.wants {
						if w := m.by[m.at]; w.source != s || w.at != i || !wants[s][m.entry] {
							t.Fatalf("%s has %s at %d, which takes it to be at %d of %s", s.name, m.key, i, w.at, w.name)
						}
					}
				}
				for _, x := range entries {
					for i, w := range x.by {
						if m := w.wants[w.at]; m.entry != x || m.at != i {
							t.Fatalf("%s has %s at %d, which takes it to be at %d of %s", x.key, w.name, i, m.at, m.key)
						}
					}
				}
			},
		})
	})
}
