// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// reading is what one round of dumps found, by key.
type reading struct {
	have map[Key][]actual
	ref  map[Key]handle
}

// dump reads the given kinds and all that they require.
func (e *Engine) dump(ctx context.Context, kinds []*kind) (*reading, error) {
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

	v := newView()
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
			v.list(k, all)
			close(done[k])
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}

	r := &reading{have: map[Key][]actual{}, ref: map[Key]handle{}}
	for _, k := range e.kinds {
		if !needed[k] {
			continue
		}
		for _, a := range v.listing(k.typ).all {
			key := a.spec.Key()
			if k.create != nil {
				r.have[key] = append(r.have[key], a)
				continue
			}
			if old, ok := r.ref[key]; !ok || old.foreign && !a.foreign {
				r.ref[key] = handle{a.id, a.foreign}
			}
		}
	}
	return r, nil
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
		r, err := e.dump(ctx, e.kinds)
		e.mu.Lock()
		e.reading = false
		e.change.Broadcast()
		if err != nil {
			return err
		}
		e.merge(r, since)
		e.fresh = !e.forgot // something was forgotten meanwhile: once more
	}
	return nil
}

// merge takes over a reading of all kinds that began at version since. What
// changed since then, or is changing, is known better already.
func (e *Engine) merge(r *reading, since uint64) {
	first := e.version == 0
	keys := maps.Clone(r.have)
	for k := range r.ref {
		keys[k] = nil
	}
	for k, n := range e.nodes {
		if n.exists() || n.suspect {
			keys[k] = nil
		}
	}
	order := slices.SortedFunc(maps.Keys(keys), Key.Compare)
	for _, k := range order {
		n := e.node(k)
		if n.writers > 0 || n.touched > since {
			continue
		}
		drift := e.take(n, r)
		n.suspect = false
		if drift && !first {
			e.observe(Event{Type: Drift, Key: k})
		}
		e.tidy(n)
	}
	if first {
		e.version++
	}
}

// take gives n what the reading found of it, and says whether that is news.
func (e *Engine) take(n *node, r *reading) bool {
	have := r.have[n.key]
	var ref *handle
	if h, ok := r.ref[n.key]; ok {
		ref = &h
	}
	same := len(have) == len(n.have) && (ref == nil) == (n.ref == nil) && (ref == nil || *ref == *n.ref)
	chosen := false
	for i := 0; same && i < len(have); i++ {
		a, b := have[i], n.have[i]
		same = a.kind == b.kind && a.id == b.id && a.foreign == b.foreign
		if same && !a.kind.equal(a.spec, b.spec) {
			same, chosen = a.kind.equal(a.spec, a.kind.fill(a.spec, b.spec)), true
		}
	}
	var told []Key
	if len(have) > 0 {
		told = n.told()
	}
	if same {
		if chosen || n.suspect { // as made, but now with what the target chose
			e.set(n, have, told)
		}
		return false
	}
	ours := n.ours()
	n.ref = ref
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
	r, err := e.dump(ctx, slices.Collect(maps.Keys(kinds)))
	e.mu.Lock()
	if err != nil {
		return err
	}
	for _, n := range suspects {
		e.take(n, r)
		n.suspect = false
	}
	return nil
}
