// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "slices"

// node is what the engine knows of one key. It is there while something in the
// target has the key, or depends on it, or a pass works on it.
type node struct {
	key   Key
	have  []actual // what managing kinds found or made
	ref   *handle  // what reference kinds found
	deps  []edge   // of have
	users []*node  // who depends on this one
	takes *taken   // what have hold or share; nil: nothing

	found   *found // while a reading is taken over
	seen    uint64 // the round of the reading that found have just so
	seenRef uint64 // and ref
	wanted  uint64 // the round of the plan that was asked for it

	// asWanted is a valid wanted object that have is known to be as good as.
	asWanted Object

	shown   shown  // the first of have that is ours, or the first, or ref, as Views see it
	alike   *node  // the next of the space with the same handle, if Views look for handles there
	touched uint64 // the engine's version when have last changed

	writers int32    // passes that change it: 0 or 1
	readers int32    // passes that rely on it
	waiting *turns   // of passes that wait for it; nil: none does
	plan    *planned // while a plan is made that has to do with it

	unseen  bool // have was made and not read since: what the target chose of it is not known
	suspect bool // its last change failed: read it again before the next
	dropped bool // the engine does not know it any more
}

func byKey(a, b *node) int { return a.key.Compare(b.key) }

func keysOf(nodes []*node) []Key {
	keys := make([]Key, len(nodes))
	for i, n := range nodes {
		keys[i] = n.key
	}
	return keys
}

// exists says whether the target has something of this key.
func (n *node) exists() bool { return n != nil && (len(n.have) > 0 || n.ref != nil) }

// ours says whether the target has something of this key that an engine may
// change.
func (n *node) ours() bool {
	return n != nil && slices.ContainsFunc(n.have, func(a actual) bool { return !a.foreign })
}

// leftover says whether all that the target has of this key is what nobody can want.
func (n *node) leftover() bool {
	return n != nil && len(n.have) > 0 && !slices.ContainsFunc(n.have, func(a actual) bool { return !a.left })
}

// mayGo says whether a node may have to be removed: it is ours, or may be.
func (n *node) mayGo() bool { return n.ours() || n != nil && n.suspect }

// of is what is known by now of one of have; zero if that is there no more.
func (n *node) of(was actual) (now actual) {
	for _, a := range n.have {
		if a.kind == was.kind && a.id == was.id {
			return a
		}
	}
	return now
}

// owned returns those of have that are ours.
func (n *node) owned() []actual {
	if n == nil {
		return nil
	}
	if !slices.ContainsFunc(n.have, func(a actual) bool { return a.foreign }) {
		return n.have
	}
	return slices.DeleteFunc(slices.Clone(n.have), func(a actual) bool { return a.foreign })
}

// hiddenDeps returns the dependencies of what is there that it does not show.
func (n *node) hiddenDeps() []*node {
	out := n.dependencies()
	for _, a := range n.have {
		for _, d := range a.kind.depsOf(a.spec) {
			out = slices.DeleteFunc(out, func(x *node) bool { return x.key == d })
		}
	}
	return out
}

// node returns the node of k, made if need be.
func (w *world) node(k Key) *node {
	n := w.nodes[k]
	if n == nil {
		n = &node{key: k}
		w.view.add(n)
	}
	return n
}

// tidy drops a node that means nothing any more. During a reading none is
// dropped: it tells that what the reading still found is gone.
func (w *world) tidy(n *node) {
	switch {
	case n.dropped || n.exists() || n.found != nil || len(n.users) > 0 || n.suspect || n.writers > 0 || n.readers > 0 || n.waiting != nil || w.lent[n] != nil:
	case w.flying > 0:
		w.idle = append(w.idle, n)
	default:
		n.dropped = true
		w.view.drop(n)
	}
}

// sweep drops what the last plan made and nothing needs, if it can be dropped now.
func (w *world) sweep() {
	if w.flying > 0 {
		return
	}
	for _, n := range w.idle {
		w.tidy(n)
	}
	clear(w.idle)
	w.idle = w.idle[:0]
}

// set gives n what the target has of it, with what it may depend on beyond what can be
// read from that, because only the wanted object tells; and what it may have besides, because
// nobody knows what became of it.
func (w *world) set(n *node, have []actual, more []*node, besides ...actual) {
	have = current(have)
	before := n.deps
	for _, d := range before {
		n.leave(d)
	}
	w.giveUp(n)
	w.cover(n, false)
	had := n.have
	delete(w.lent, n)
	n.count(-1)
	n.have, n.deps, n.asWanted, n.unseen = have, nil, nil, false
	for _, d := range more {
		w.depend(n, d.key, d)
	}
	for _, a := range have {
		deps := a.kind.depsOf(a.spec)
		n.deps = slices.Grow(n.deps, len(deps))
		for _, d := range deps {
			w.depend(n, d, nil)
		}
	}
	for _, d := range before {
		w.tidy(d.on)
	}
	for _, a := range have {
		w.take(n, a)
	}
	for _, a := range besides {
		w.take(n, a)
	}
	w.cover(n, true)
	w.uncover(had)
	n.count(1)
	var now shown
	for _, a := range have { // ours first, as in a reading
		if !now.there || now.foreign && !a.foreign {
			now.handle, now.there = handle{a.id, a.foreign}, true
		}
	}
	if !now.there && n.ref != nil {
		now.handle, now.there = *n.ref, true
	}
	w.version++
	w.view.show(n, now, w.version)
}

// refer makes a node stand for what reference kinds found; nil: nothing.
func (w *world) refer(n *node, h *handle) {
	if n.ref != nil {
		w.referred[n.key.Space]--
	}
	if n.ref = h; h != nil {
		w.referred[n.key.Space]++
	}
}

// suspect makes a node be read again before its next change, or not.
func (w *world) suspect(n *node, is bool) {
	if n.suspect == is {
		return
	}
	if n.suspect = is; is {
		w.doubts++
	} else {
		w.doubts--
	}
}

// count adds what a node has to what its kinds count.
func (n *node) count(by int) {
	for _, a := range n.have {
		a.kind.held += by
		if !a.foreign {
			a.kind.owned += by
		}
	}
}
