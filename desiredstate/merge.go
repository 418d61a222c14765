// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"iter"
	"maps"
	"reflect"
	"slices"
)

// found is what a reading has for one key.
type found struct {
	have  []actual
	ref   handle
	known bool // ref is one
}

// deliver gives nodes what was found of them: most, and that costs little, that
// they are as they were, the others what they are, until they accept or forget it.
// It returns those nodes for which the reading has anything to tell: all, if something
// that was there was not found. The engine's lock is held.
func (w *world) deliver(listings []*listing) (told iter.Seq[*node]) {
	w.round++
	var founds slab[found]
	var others []*node
	known, still := 0, 0 // how much was there, and how much of it is as it was
	spaces := map[string]bool{}
	for _, l := range listings {
		if l.err != nil || l.kind.heir != nil {
			continue
		}
		if l.kind.round = w.round; l.kind.create == nil {
			w.refs[l.kind.space] = w.round
			if !spaces[l.kind.space] {
				spaces[l.kind.space] = true
				known += w.referred[l.kind.space]
			}
		}
		known += l.kind.held
		if l.kind.last = nil; l.kept != nil {
			l.kind.last = l.catalogue
		}
		nodes, managed := l.kind.nodes.sized(len(l.all)), l.kind.create != nil
		for i, a := range l.all {
			n := nodes[i]
			if managed && n.still(a, w.round) { // which also says that its key is the same
				still++
				l.share(i, n)
				continue
			}
			if k := a.spec.Key(); n == nil || n.dropped || n.key != k {
				n = w.node(k)
				nodes[i] = n
			}
			h := handle{a.id, a.foreign}
			switch {
			case n.found != nil:
			case managed && n.still(a, w.round):
				still++
				l.share(i, n)
				continue
			case !managed && n.seenRef != w.round && n.ref != nil && *n.ref == h:
				n.seenRef = w.round
				still++
				continue
			default:
				f := founds.one()
				*f = w.found(n)
				n.found = f
				others = append(others, n)
			}
			f := n.found
			switch {
			case managed && f.have == nil:
				f.have = l.all[i : i+1 : i+1]
			case managed:
				f.have = append(f.have, a)
			case !f.known || f.ref.foreign && !a.foreign:
				f.ref, f.known = h, true
			}
		}
	}
	if still == known && w.doubts == 0 {
		return slices.Values(others)
	}
	return maps.Values(w.nodes)
}

// share has a new listing hold what a node holds, which is equal, so that memory does not hold
// it twice for as long as the listing is kept.
func (l *listing) share(i int, n *node) {
	if !l.again {
		l.all[i].spec = n.have[0].spec
	}
}

// still says whether a node is as a managing kind finds it again, and notes that.
func (n *node) still(a actual, round uint64) bool {
	if n == nil || n.found != nil || n.seen == round || len(n.have) != 1 || !n.have[0].same(a) {
		return false
	}
	n.seen, n.unseen = round, false
	return true
}

// places are the nodes of a list, by position: what a target lists, and what a caller
// wants, mostly comes in the same order again, and its nodes need not be looked for then.
type places []*node

// sized makes room for a list of this size.
func (p *places) sized(size int) []*node {
	if size > len(*p) {
		*p = append(*p, make([]*node, size-len(*p))...)
	}
	clear((*p)[size:])
	*p = (*p)[:size]
	return *p
}

// found is what the reading that is being taken over has for a node.
func (w *world) found(n *node) (f found) {
	if n.found != nil {
		return *n.found
	}
	if n.seen == w.round {
		f.have = slices.Clip(n.have)
	}
	if n.seenRef == w.round {
		f.ref, f.known = *n.ref, true
	}
	return f
}

// merge takes over what deliver told nodes of a reading that began at version since.
// What changed since then, or is changing, is known better already.
func (e *Engine) merge(told iter.Seq[*node], since uint64) {
	first := e.version == 0
	var firsts, news []*node // those that are no news come as they were listed
	for n := range told {
		if n.writers == 0 && n.touched <= since && e.blind(n) == nil {
			if same, chosen := e.asFound(n); n.suspect && e.looked(n) || !n.suspect && (!same || chosen) {
				if n.known() {
					news = append(news, n)
					continue
				}
				firsts = append(firsts, n)
				continue
			}
		}
		n.found = nil
		e.tidy(n)
	}
	for _, n := range firsts {
		e.accept(n)
		e.revealed(n)
		e.tidy(n)
	}
	slices.SortFunc(news, byKey)
	for _, n := range news {
		was, ours := n.have, n.ours()
		if e.accept(n) {
			if ours || n.ours() {
				e.observe(drift(n, was))
			}
			e.news(n.key, nil) // of what is another's, too: ours may wait for it, or for its end
		}
		e.tidy(n)
	}
	e.takeBack()
	if first {
		e.version++
	}
}

// drift is that what was had of a node is other by now.
func drift(n *node, was []actual) Event {
	ev := Event{Type: Drift, Key: n.key}
	if len(was) == 1 && len(n.have) == 1 && was[0].kind == n.have[0].kind {
		ev.Changes = diff(was[0].spec, n.have[0].spec)
		ev.Changes = append(ev.Changes, brokenness(was[0].broken(), n.have[0].broken())...)
	}
	return ev
}

// revealed tells the Runs that have read the target without the kinds which have just found a node. The others have
// yet to take in what they read.
func (w *world) revealed(n *node) {
	for r := range w.runs {
		if slices.ContainsFunc(n.have, func(a actual) bool { return !r.e.uses(a.kind) }) {
			r.hear(n.key)
		}
	}
}

// looked says whether all kinds that may have something of a node were read in this round.
func (w *world) looked(n *node) bool {
	return !slices.ContainsFunc(n.have, w.unlooked) &&
		!slices.ContainsFunc(w.kinds, func(k *kind) bool { return k.space == n.key.Space && k.round != w.round })
}

// known says whether what is found of a node can be news: the kinds that found it have
// been read before.
func (n *node) known() bool {
	if n.found == nil {
		return true
	}
	for _, a := range n.found.have {
		if !a.kind.seen {
			return false
		}
	}
	return true
}

// asFound says whether a node is as it was found by those kinds that this round of
// reading has read, and whether only but for what the target chose.
func (w *world) asFound(n *node) (same, chosen bool) {
	looked := w.refs[n.key.Space] == w.round // at the references
	if n.found == nil {
		for _, a := range n.have {
			if n.seen != w.round && a.kind.round == w.round {
				return false, false
			}
		}
		return n.ref == nil || n.seenRef == w.round || !looked, false
	}
	f, have := n.found, n.have
	if slices.ContainsFunc(have, w.unlooked) {
		have = slices.DeleteFunc(slices.Clone(have), w.unlooked)
	}
	switch {
	case len(f.have) != len(have):
		return false, false
	case !looked && !f.known:
	case f.known && n.ref == nil && len(n.have) > 0: // made since a reference kind last looked
		if f.ref != (handle{n.have[0].id, n.have[0].foreign}) {
			return false, false
		}
		chosen = true
	case f.known != (n.ref != nil) || f.known && f.ref != *n.ref:
		return false, false
	}
	for i, a := range f.have {
		b := have[i]
		switch {
		case b.same(a):
		case a.kind == b.kind && a.id == b.id && a.foreign == b.foreign && a.broken() == b.broken() && a.asGoodAs(b):
			chosen = true
		default:
			return false, false
		}
	}
	return true, chosen
}

// asGoodAs says whether what was found differs from what was known only in what want leaves
// to the target, or in what was hidden or chosen while the kind noted something else of it.
func (a actual) asGoodAs(b actual) bool {
	return a.kind.equal(a.spec, a.kind.fill(a, b.spec)) ||
		(a.covered != b.covered || !reflect.DeepEqual(a.note(), b.note())) && a.kind.equal(b.spec, a.kind.fill(b, a.spec))
}

// unlooked says that an actual's kind was not read in this round.
func (w *world) unlooked(a actual) bool { return a.kind.round != w.round }

func (a actual) same(b actual) bool {
	return a.id == b.id && a.foreign == b.foreign && a.left == b.left && a.covered == b.covered && a.kind == b.kind && a.kind.equal(a.spec, b.spec) &&
		(a.extra == b.extra || reflect.DeepEqual(a.extra, b.extra))
}

// accept makes a node what was found of it, and says whether that is other than what was known.
func (w *world) accept(n *node) bool {
	same, chosen := w.asFound(n)
	f := w.found(n)
	n.found, n.unseen = nil, false
	have := slices.Clone(f.have) // or the node would keep all of the listing
	if n.seen != w.round {
		for _, a := range n.have {
			if w.unlooked(a) {
				have = append(have, a)
			}
		}
	}
	var told []*node
	if len(have) > 0 {
		told = n.hiddenDeps()
	}
	doubt := n.suspect
	w.suspect(n, false)
	if f.known {
		w.refer(n, &handle{f.ref.id, f.ref.foreign})
	} else if w.refs[n.key.Space] == w.round {
		w.refer(n, nil)
	}
	if same {
		if chosen || doubt { // as made, but now with what the target chose
			want := n.asWanted
			if w.set(n, have, told); n.isGoodAs(want) {
				n.asWanted = want
			}
		}
		return false
	}
	w.set(n, have, told)
	return true
}

// isGoodAs says whether just what is there of a node is as wanted.
func (n *node) isGoodAs(want Object) bool {
	if want == nil || len(n.have) != 1 || n.have[0].kind.typ != reflect.TypeOf(want) {
		return false
	}
	a := n.have[0]
	return a.kind.turns(a, a.kind.fill(a, want)) == Keep
}
