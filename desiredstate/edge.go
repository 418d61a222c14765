// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// edge is that a node depends on another, and the place that it has among that one's users.
// There can be very many of them, and they come and go one by one.
type edge struct {
	on *node
	at int
}

// depend has n depend on what has a key, whose node it may be given.
func (w *world) depend(n *node, k Key, on *node) {
	if n.dependsOn(k) {
		return
	}
	if on == nil || on.dropped {
		on = w.node(k)
	}
	n.deps = append(n.deps, edge{on, len(on.users)})
	on.users = append(on.users, n)
}

func (n *node) dependsOn(k Key) bool {
	return slices.ContainsFunc(n.deps, func(e edge) bool { return e.on.key == k })
}

// leave takes a node from the users of what it depends on. The last of these gets its place.
func (n *node) leave(e edge) {
	users := e.on.users
	last := users[len(users)-1]
	users[e.at], users[len(users)-1] = last, nil
	if e.on.users = users[:len(users)-1]; len(e.on.users) == 0 {
		e.on.users = nil // it may have been large
	}
	if last != n {
		i := slices.IndexFunc(last.deps, func(x edge) bool { return x.on == e.on })
		last.deps[i].at = e.at
	}
}

// dependencies lists what a node depends on.
func (n *node) dependencies() []*node {
	out := make([]*node, len(n.deps))
	for i, e := range n.deps {
		out[i] = e.on
	}
	return out
}
