// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Whatever comes to depend on what, and ceases to: each node knows its users, once each.
func TestUsersAreThoseWhoDepend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		nodes := make([]*node, 6)
		for i := range nodes {
			nodes[i] = w.node(Key{"node", strconv.Itoa(i)})
		}
		one := rapid.IntRange(0, len(nodes)-1)
		t.Repeat(map[string]func(*rapid.T){
			"depend": func(t *rapid.T) {
				n, on := nodes[one.Draw(t, "node")], nodes[one.Draw(t, "on")]
				w.depend(n, on.key, nil)
			},
			"leave one": func(t *rapid.T) {
				n := nodes[one.Draw(t, "node")]
				if len(n.deps) > 0 {
					i := rapid.IntRange(0, len(n.deps)-1).Draw(t, "edge")
					n.leave(n.deps[i])
					n.deps = slices.Delete(n.deps, i, i+1)
				}
			},
			"have nothing": func(t *rapid.T) { w.set(nodes[one.Draw(t, "node")], nil, nil) },
			"": func(t *rapid.T) {
				for i, n := range nodes {
					if n.dropped { // it meant nothing
						nodes[i] = w.node(n.key)
					}
				}
				for _, on := range nodes {
					for _, n := range nodes {
						users, deps := count(on.users, n), count(n.dependencies(), on)
						if users != deps || users > 1 {
							t.Fatalf("%s has %s %d times among its users, which depends on it %d times", on.key, n.key, users, deps)
						}
					}
				}
				for _, n := range nodes {
					for _, e := range n.deps {
						if e.on.users[e.at] != n {
							t.Fatalf("%s is not where it takes itself to be among those of %s", n.key, e.on.key)
						}
					}
				}
			},
		})
	})
}

func count(nodes []*node, n *node) (times int) {
	for _, x := range nodes {
		if x == n {
			times++
		}
	}
	return times
}
