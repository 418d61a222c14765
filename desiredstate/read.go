// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// dump reads the given kinds and all that they require, and returns what each
// of them found. One that cannot be read says why in its listing, and so do those that
// require it; the error is that of ctx.
func (e *Engine) dump(ctx context.Context, kinds []*kind) ([]*listing, error) {
	needed := map[*kind]bool{}
	var need func(k *kind)
	need = func(k *kind) {
		if !needed[k] {
			needed[k] = true
			for _, r := range k.requires {
				need(r)
			}
		}
	}
	for _, k := range kinds {
		need(k)
	}

	v := &View{dump: newReading()}
	read := map[*kind]*listing{}
	done := map[*kind]chan struct{}{}
	for k := range needed {
		read[k], done[k] = &listing{kind: k}, make(chan struct{})
	}
	var all sync.WaitGroup
	for k := range needed {
		all.Go(func() {
			defer close(done[k])
			l := read[k]
			for _, r := range k.requires {
				<-done[r]
				if l.err == nil {
					l.err = read[r].err
				}
			}
			if l.err != nil {
				return
			}
			start := time.Now()
			found, err := k.dump(ctx, v)
			l.took = time.Since(start)
			if err != nil {
				l.err = fmt.Errorf("read %s: %w", k.name, err)
				return
			}
			l.take(found)
			v.dump.add(l)
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	var out []*listing
	var order func(k *kind) // each after those that it requires
	order = func(k *kind) {
		if needed[k] {
			delete(needed, k)
			for _, r := range k.requires {
				order(r)
			}
			out = append(out, read[k])
		}
	}
	for _, k := range kinds {
		order(k)
	}
	return out, nil
}

// note takes note of which kinds could be read, and tells the observer of those that could
// not. The engine's lock is held.
func (e *Engine) note(listings []*listing) {
	for _, l := range listings {
		if l.kind.unread = l.err; l.err != nil {
			e.observe(Event{Type: ReadFailed, Kind: l.kind.name, Err: l.err, Took: l.took})
		} else {
			e.observe(Event{Type: Read, Kind: l.kind.name, Count: len(l.all), Took: l.took})
		}
	}
	e.partial = slices.ContainsFunc(e.world.kinds, func(k *kind) bool { return k.unread != nil })
	e.readings++
}

// unread says why some kinds could not be read when that was last tried; nil if all could.
func (w *world) unread(which func(*kind) bool) error {
	if !w.partial {
		return nil
	}
	var errs []error
	seen := map[string]bool{} // what many require fails for all of them
	for _, k := range w.kinds {
		if k.unread != nil && which(k) && !seen[k.unread.Error()] {
			seen[k.unread.Error()] = true
			errs = append(errs, k.unread)
		}
	}
	return errors.Join(errs...)
}

func anyKind(*kind) bool      { return true }
func unreadable(k *kind) bool { return k.unread != nil }

// uses says whether the engine has a kind.
func (e *Engine) uses(k *kind) bool {
	_, own := e.claims[k]
	return own
}

// blind says whether what the engine knows of a node comes from kinds that could not be
// read since. The engine's lock is held.
func (w *world) blind(n *node) error {
	if !w.partial || !n.exists() {
		return nil
	}
	for _, a := range n.have {
		if a.kind.unread != nil {
			return a.kind.unread
		}
	}
	if len(n.have) > 0 {
		return nil
	}
	return w.unread(func(k *kind) bool { return k.create == nil && k.space == n.key.Space })
}

// found is what a reading has for one key.
type found struct {
	have  []actual
	ref   handle
	known bool // ref is one
}

// deliver gives nodes what was found of them: most, and that costs little, that
// they are as they were, the others what they are, until they accept or forget it.
// The engine's lock is held.
func (w *world) deliver(listings []*listing) {
	w.round++
	var slab []found // few allocations for many
	for _, l := range listings {
		if l.err != nil {
			continue
		}
		if l.kind.round = w.round; l.kind.create == nil {
			w.refs[l.kind.space] = w.round
		}
		nodes, managed := l.kind.nodesFor(len(l.all)), l.kind.create != nil
		for i, a := range l.all {
			n, k := nodes[i], a.spec.Key()
			if n == nil || n.dropped || n.key != k {
				n = w.node(k)
				nodes[i] = n
			}
			h := handle{a.id, a.foreign}
			switch {
			case n.found != nil:
			case managed && n.seen != w.round && len(n.have) == 1 && n.have[0].same(a):
				n.seen = w.round
				continue
			case !managed && n.seenRef != w.round && n.ref != nil && *n.ref == h:
				n.seenRef = w.round
				continue
			default:
				if len(slab) == cap(slab) {
					slab = make([]found, 0, 256)
				}
				slab = append(slab, w.found(n))
				n.found = &slab[len(slab)-1]
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
}

// nodesFor returns the nodes of the kind's last listing, by position: a target
// mostly lists in the same order again, and its nodes need not be looked for then.
func (k *kind) nodesFor(size int) []*node {
	if size > len(k.nodes) {
		k.nodes = append(k.nodes, make([]*node, size-len(k.nodes))...)
	}
	clear(k.nodes[size:])
	k.nodes = k.nodes[:size]
	return k.nodes
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

// forget makes some of the engine's kinds be read anew before it plans again. The lock is
// held.
func (e *Engine) forget(which func(*kind) bool) {
	for _, k := range e.kinds {
		if which(k) {
			k.fresh, k.forgot = false, true
		}
	}
}

// stale are the kinds to be read before the engine can plan: its own, and those of others
// that have never been, as what they know of may depend on what this engine changes.
func (e *Engine) stale() (out []*kind) {
	for _, k := range e.world.kinds {
		if !k.fresh && (e.uses(k) || !k.seen) {
			out = append(out, k)
		}
	}
	return out
}

// load makes sure that there is a reading. The lock is held before and after, not during
// the dumps.
func (e *Engine) load(ctx context.Context) error {
	if !e.begun {
		e.begun = true
		e.forget(anyKind)
	}
	for {
		stale := e.stale()
		if len(stale) == 0 {
			return nil
		}
		if slices.ContainsFunc(stale, func(k *kind) bool { return k.reading }) {
			busy := func(k *kind) bool { return k.reading }
			if err := e.wait(ctx, func() bool { return !slices.ContainsFunc(stale, busy) }); err != nil {
				return err
			}
			continue
		}
		for _, k := range stale {
			k.reading, k.forgot = true, false
		}
		e.flying++
		since := e.version
		e.mu.Unlock()
		listings, err := e.dump(ctx, stale)
		e.mu.Lock()
		e.flying--
		for _, k := range stale {
			k.reading = false
		}
		e.change.Broadcast()
		if err != nil {
			return err
		}
		e.note(listings)
		e.deliver(listings)
		e.merge(since)
		for _, k := range stale {
			k.fresh = !k.forgot // something was forgotten meanwhile: once more
		}
		for _, l := range listings {
			l.kind.seen = true
		}
	}
}

// merge takes over what deliver gave the nodes of a reading that began at version since.
// What changed since then, or is changing, is known better already.
func (e *Engine) merge(since uint64) {
	first := e.version == 0
	var news []*node
	for _, n := range e.nodes {
		if n.writers == 0 && n.touched <= since && e.blind(n) == nil {
			if same, chosen := e.asFound(n); n.suspect && e.looked(n) || !n.suspect && (!same || chosen) {
				news = append(news, n)
				continue
			}
		}
		n.found = nil
		e.tidy(n)
	}
	slices.SortFunc(news, func(a, b *node) int { return a.key.Compare(b.key) })
	for _, n := range news {
		known, was := n.known(), n.have
		if drift := e.accept(n); drift && known {
			ev := Event{Type: Drift, Key: n.key}
			if len(was) == 1 && len(n.have) == 1 && was[0].kind == n.have[0].kind {
				ev.Changes = diff(was[0].spec, n.have[0].spec)
			}
			e.observe(ev)
			e.news(n.key, nil)
		}
		e.tidy(n)
	}
	if first {
		e.version++
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
		case a.kind == b.kind && a.id == b.id && a.foreign == b.foreign && a.kind.equal(a.spec, a.kind.fill(a.spec, b.spec)):
			chosen = true
		default:
			return false, false
		}
	}
	return true, chosen
}

// unlooked says that an actual's kind was not read in this round.
func (w *world) unlooked(a actual) bool { return a.kind.round != w.round }

func (a actual) same(b actual) bool {
	return a.id == b.id && a.foreign == b.foreign && a.left == b.left && a.kind == b.kind && a.kind.equal(a.spec, b.spec)
}

// accept makes a node what was found of it, and says whether that is news.
func (w *world) accept(n *node) bool {
	same, chosen := w.asFound(n)
	f := w.found(n)
	n.found = nil
	have := slices.Clone(f.have) // or the node would keep all of the listing
	if n.seen != w.round {
		for _, a := range n.have {
			if w.unlooked(a) {
				have = append(have, a)
			}
		}
	}
	var told []Key
	if len(have) > 0 {
		told = n.told()
	}
	doubt, ours := n.suspect, n.ours()
	n.suspect = false
	if f.known {
		n.ref = &handle{f.ref.id, f.ref.foreign}
	} else if w.refs[n.key.Space] == w.round {
		n.ref = nil
	}
	if same {
		if chosen || doubt { // as made, but now with what the target chose
			w.set(n, have, told)
		}
		return false
	}
	w.set(n, have, told)
	return ours || n.ours()
}

// reread reads anew the suspects among these nodes, which the caller has
// claimed, and believes of the others that it comes to see what load would: one may have
// what a suspect lost. The lock is held before and after, not during the dumps.
func (e *Engine) reread(ctx context.Context, suspects []*node) error {
	kinds, spaces := map[*kind]bool{}, map[string]bool{}
	for _, n := range suspects {
		spaces[n.key.Space] = true
		for _, a := range n.have {
			kinds[a.kind] = true
		}
	}
	for _, k := range e.world.kinds {
		if spaces[k.space] {
			kinds[k] = true
		}
	}
	since := e.version
	e.flying++
	e.mu.Unlock()
	listings, err := e.dump(ctx, slices.Collect(maps.Keys(kinds)))
	e.mu.Lock()
	e.flying--
	if err != nil {
		return err
	}
	e.note(listings)
	e.deliver(listings)
	for _, n := range suspects {
		if e.blind(n) == nil {
			e.accept(n)
		}
	}
	e.merge(since)
	return nil
}
