// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// dump reads the given kinds and all that they require, and returns what each
// of them found.
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
	done := map[*kind]chan struct{}{}
	for k := range needed {
		done[k] = make(chan struct{})
	}
	g, ctx := errgroup.WithContext(ctx)
	for k := range needed {
		g.Go(func() error {
			for _, r := range k.requires {
				select {
				case <-done[r]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			all, err := k.dump(ctx, v)
			if err != nil {
				return fmt.Errorf("read %s: %w", k.name, err)
			}
			v.dump.add(newListing(k, all))
			close(done[k])
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}

	var out []*listing
	for _, k := range e.kinds {
		if needed[k] {
			out = append(out, v.dump.of(k.typ))
		}
	}
	return out, nil
}

// found is what a reading has for one key.
type found struct {
	have  []actual
	ref   handle
	known bool // ref is one
}

// deliver gives nodes what was found of them, until they take or forget it. The
// engine's lock is held.
func (e *Engine) deliver(listings []*listing) {
	size := 0
	for _, l := range listings {
		size += len(l.all)
	}
	all := make([]found, 0, size) // one allocation for all
	for _, l := range listings {
		for i, a := range l.all {
			n := e.node(a.spec.Key())
			if n.found == nil {
				all = append(all, found{})
				n.found = &all[len(all)-1]
			}
			f := n.found
			switch {
			case l.kind.create != nil && f.have == nil:
				f.have = l.all[i : i+1 : i+1]
			case l.kind.create != nil:
				f.have = append(f.have, a)
			case !f.known || f.ref.foreign && !a.foreign:
				f.ref, f.known = handle{a.id, a.foreign}, true
			}
		}
	}
}

// load makes sure that there is a reading. The engine's lock is held before and
// after, not during the dumps.
func (e *Engine) load(ctx context.Context) error {
	for !e.fresh {
		if e.reading {
			if err := e.wait(ctx); err != nil {
				return err
			}
			continue
		}
		e.reading, e.forgot = true, false
		since := e.version
		e.mu.Unlock()
		listings, err := e.dump(ctx, e.kinds)
		e.mu.Lock()
		e.reading = false
		e.change.Broadcast()
		if err != nil {
			return err
		}
		e.merge(listings, since)
		e.fresh = !e.forgot // something was forgotten meanwhile: once more
	}
	return nil
}

// merge takes over a reading of all kinds that began at version since. What
// changed since then, or is changing, is known better already.
func (e *Engine) merge(listings []*listing, since uint64) {
	first := e.version == 0
	e.deliver(listings)
	var news []*node
	for _, n := range e.nodes {
		if n.writers == 0 && n.touched <= since {
			if same, chosen := n.asFound(); n.suspect || !same || chosen {
				news = append(news, n)
				continue
			}
		}
		n.found = nil
		e.tidy(n)
	}
	slices.SortFunc(news, func(a, b *node) int { return a.key.Compare(b.key) })
	for _, n := range news {
		if drift := e.take(n); drift && !first {
			e.observe(Event{Type: Drift, Key: n.key})
		}
		e.tidy(n)
	}
	if first {
		e.version++
	}
}

// asFound says whether a node is as it was found, and whether only but for what
// the target chose.
func (n *node) asFound() (same, chosen bool) {
	f := n.found
	if f == nil {
		return !n.exists(), false
	}
	if len(f.have) != len(n.have) || f.known != (n.ref != nil) || f.known && f.ref != *n.ref {
		return false, false
	}
	for i, a := range f.have {
		b := n.have[i]
		switch {
		case a.kind != b.kind || a.id != b.id || a.foreign != b.foreign:
			return false, false
		case a.kind.equal(a.spec, b.spec):
		case a.kind.equal(a.spec, a.kind.fill(a.spec, b.spec)):
			chosen = true
		default:
			return false, false
		}
	}
	return true, chosen
}

// take makes a node what was found of it, and says whether that is news.
func (e *Engine) take(n *node) bool {
	same, chosen := n.asFound()
	f := n.found
	if f == nil {
		f = new(found)
	}
	n.found = nil
	have := slices.Clone(f.have) // or the node would keep all of the listing
	var told []Key
	if len(have) > 0 {
		told = n.told()
	}
	doubt := n.suspect
	n.suspect = false
	if same {
		if chosen || doubt { // as made, but now with what the target chose
			e.set(n, have, told)
		}
		return false
	}
	ours := n.ours()
	n.ref = nil
	if f.known {
		n.ref = &handle{f.ref.id, f.ref.foreign}
	}
	e.set(n, have, told)
	return ours || n.ours()
}

// reread reads anew the suspects among these nodes, which the caller has
// claimed. The engine's lock is held before and after, not during the dumps.
func (e *Engine) reread(ctx context.Context, suspects []*node) error {
	kinds := map[*kind]bool{}
	for _, n := range suspects {
		for _, a := range n.have {
			kinds[a.kind] = true
		}
		for _, k := range e.kinds {
			if k.space == n.key.Space {
				kinds[k] = true
			}
		}
	}
	e.mu.Unlock()
	listings, err := e.dump(ctx, slices.Collect(maps.Keys(kinds)))
	e.mu.Lock()
	if err != nil {
		return err
	}
	e.deliver(listings)
	for _, n := range suspects {
		e.take(n)
	}
	for _, l := range listings { // the rest is not claimed
		for _, a := range l.all {
			if n := e.nodes[a.spec.Key()]; n != nil {
				n.found = nil
				e.tidy(n)
			}
		}
	}
	return nil
}
