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
	var last *node
	var moved bool
	if e.on.users, last, moved = takeOut(e.on.users, e.at); len(e.on.users) == 0 {
		e.on.users = nil // it may have been large
	}
	if moved {
		i := slices.IndexFunc(last.deps, func(x edge) bool { return x.on == e.on })
		last.deps[i].at = e.at
	}
}

// takeOut takes an element out of a list in which each knows its place. The last one gets that place,
// if it is not the same, and has to be told.
func takeOut[T any](list []T, at int) (rest []T, last T, moved bool) {
	end := len(list) - 1
	var none T
	last, list[at] = list[end], list[end]
	list[end] = none
	return list[:end], last, at < end
}

// dependencies lists what a node depends on.
func (n *node) dependencies() []*node {
	out := make([]*node, len(n.deps))
	for i, e := range n.deps {
		out[i] = e.on
	}
	return out
}
