// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "fmt"

// doubt has a node that nobody is sure of read before the plan is trusted. If it cannot be,
// doubt says why.
func (b *planner) doubt(n *node) error {
	if !n.suspect {
		return nil
	}
	why := b.e.unread(func(k *kind) bool { return k.space == n.key.Space })
	if why == nil {
		why = b.e.blind(n)
	}
	if why != nil {
		b.blind = true
		return why
	}
	b.suspect = append(b.suspect, n)
	return nil
}

// unread says why nobody knows what the target has of a key: a kind of its space could not
// be read.
func (b *planner) unread(n *node) error {
	why := b.e.blind(n)
	if why == nil && (n.suspect || !n.exists()) {
		why = b.e.unread(func(x *kind) bool { return x.space == n.key.Space && x.create != nil })
	}
	if why != nil {
		why = fmt.Errorf("%w: %w", ErrUnread, why)
	}
	return why
}

// pinned says whether something that would have to go with a node, if it is there, could not be read, and
// so must not be touched.
func (b *planner) pinned(n *node) (Key, error) {
	if !b.e.partial.Load() {
		return Key{}, nil
	}
	seen := map[*node]bool{}
	var visit func(n *node) (Key, error)
	visit = func(n *node) (Key, error) {
		for _, x := range n.users {
			if seen[x] || !x.mayGo() {
				continue
			}
			seen[x] = true
			if why := b.doubt(x); why != nil {
				return x.key, why
			}
			if why := b.e.blind(x); why != nil {
				return x.key, why
			}
			if k, why := visit(x); why != nil {
				return k, why
			}
		}
		return Key{}, nil
	}
	return visit(n)
}
