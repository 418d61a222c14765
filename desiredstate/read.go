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
// require it; the error is that of ctx. The engine's lock is held before and after, not during
// the dumps.
func (e *Engine) dump(ctx context.Context, kinds []*kind) ([]*listing, error) {
	requires := map[*kind][]*kind{}
	last := map[*kind]*catalogue{}
	var need func(k *kind)
	need = func(k *kind) {
		if _, ok := requires[k]; !ok {
			requires[k], last[k] = slices.Clone(k.requires), k.last
			for _, r := range k.requires {
				need(r)
			}
		}
	}
	for _, k := range kinds {
		need(k)
	}
	e.flying++
	e.mu.Unlock()
	read := dumpAll(ctx, requires, last)
	e.mu.Lock()
	e.flying--
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	var out []*listing
	var order func(k *kind) // each after those that it requires
	order = func(k *kind) {
		if l := read[k]; l != nil {
			delete(read, k)
			for _, r := range requires[k] {
				order(r)
			}
			out = append(out, l)
		}
	}
	for _, k := range kinds {
		order(k)
	}
	return out, nil
}

// dumpAll reads kinds, each after those that it requires, and given what it last found.
func dumpAll(ctx context.Context, requires map[*kind][]*kind, last map[*kind]*catalogue) map[*kind]*listing {
	so := newReading()
	read := map[*kind]*listing{}
	done := map[*kind]chan struct{}{}
	for k := range requires {
		read[k], done[k] = &listing{kind: k}, make(chan struct{})
	}
	var all sync.WaitGroup
	for k := range requires {
		all.Go(func() {
			defer close(done[k])
			l := read[k]
			with := make([]*catalogue, len(requires[k]))
			for i, r := range requires[k] {
				<-done[r]
				if l.err == nil {
					l.err = read[r].err
				}
				with[i] = read[r].catalogue
			}
			if l.err != nil {
				return
			}
			v := &View{dump: so}
			if was := last[k]; was != nil && slices.Equal(was.with, with) {
				v.last = was
			}
			start := time.Now()
			found, err := k.dump(ctx, v)
			l.took = time.Since(start)
			switch {
			case err == nil:
				l.catalogue = newCatalogue(found)
				l.kept, l.with = v.kept, with
			case errors.Is(err, ErrUnchanged) && v.Kept() != nil:
				l.catalogue, l.again = v.last, true
			default:
				l.err = fmt.Errorf("read %s: %w", k.name, err)
				return
			}
			so.add(l)
		})
	}
	all.Wait()
	return read
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
	e.partial.Store(slices.ContainsFunc(e.world.kinds, unreadable))
	e.readings++
}

// unread says why some kinds could not be read when that was last tried; nil if all could.
func (w *world) unread(which func(*kind) bool) error {
	if !w.partial.Load() {
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

// cannotRead says whether kinds of the engine could not be read when that was last tried.
func (e *Engine) cannotRead() bool {
	if !e.partial.Load() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.kinds, unreadable)
}

// blind says whether what the engine knows of a node comes from kinds that could not be
// read since. The engine's lock is held.
func (w *world) blind(n *node) error {
	if !w.partial.Load() || !n.exists() {
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

// hides says why it is not known whether the target has something by a key that is this engine's to remove: a kind
// that may have it could not be read, or one without which a doubt remains. The lock is held.
func (e *Engine) hides(k Key) error {
	n := e.nodes[k]
	switch {
	case n != nil && n.suspect:
		return e.unread(func(x *kind) bool { return x.space == k.Space })
	case n != nil && (len(n.have) > 0 || n.ref != nil && n.ref.foreign):
		return e.blind(n)
	}
	return e.unread(func(x *kind) bool { return x.create != nil && x.space == k.Space && e.claimed(x, k) })
}

// needs says whether the engine goes by a reading of a kind: of its own, and of those of others that
// have never been read or could not be, as what they know of may depend on what this engine changes.
func (e *Engine) needs(k *kind) bool { return e.uses(k) || !k.seen || k.unread != nil }

// forget makes some of the kinds that the engine needs be read anew before it plans again, and says
// whether there are any. The lock is held.
func (e *Engine) forget(which func(*kind) bool) (some bool) {
	for _, k := range e.world.kinds {
		if e.needs(k) && which(k) {
			k.fresh, k.forgot, some = false, true, true
		}
	}
	return some
}

// tryAgain has what could not be read be read once more, unless something was read since: whether it could be
// matters to a plan. The lock is held.
func (e *Engine) tryAgain(r request, p *Plan, since int) bool {
	matters := p.blind || r.all && p.Unread != nil
	return r.again && matters && e.readings == since && e.forget(unreadable)
}

// stale are the kinds to be read before the engine can plan.
func (e *Engine) stale() (out []*kind) {
	for _, k := range e.world.kinds {
		if !k.fresh && e.needs(k) {
			out = append(out, k)
		}
	}
	return out
}

// remembers says whether the engine has read all of its kinds, and not been told to forget that.
func (e *Engine) remembers() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !slices.ContainsFunc(e.kinds, func(k *kind) bool { return !k.fresh })
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
		if err := e.read(ctx, stale); err != nil {
			return err
		}
	}
}

// refresh reads anew what the engine goes by. Others go by what is known meanwhile, if it was not forgotten.
func (e *Engine) refresh(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = true
	busy := func(k *kind) bool { return k.reading && e.needs(k) }
	if err := e.wait(ctx, func() bool { return !slices.ContainsFunc(e.world.kinds, busy) }); err != nil {
		return err
	}
	return e.read(ctx, slices.DeleteFunc(slices.Clone(e.world.kinds), func(k *kind) bool { return !e.needs(k) }))
}

// read reads kinds, which nobody else reads just now, and takes over what they found. The lock is held before and
// after, not during the dumps.
func (e *Engine) read(ctx context.Context, kinds []*kind) error {
	for _, k := range kinds {
		k.reading, k.forgot = true, false
	}
	since := e.version
	listings, err := e.dump(ctx, kinds)
	for _, k := range kinds {
		k.reading = false
	}
	e.change.Broadcast()
	if err != nil {
		return err
	}
	e.note(listings)
	e.merge(e.deliver(listings), since)
	for _, k := range kinds {
		k.fresh = !k.forgot // something was forgotten meanwhile: once more
	}
	for _, l := range listings {
		l.kind.seen = true
	}
	return nil
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
	listings, err := e.dump(ctx, slices.Collect(maps.Keys(kinds)))
	if err != nil {
		return err
	}
	e.note(listings)
	told := e.deliver(listings)
	for _, n := range suspects {
		if e.looked(n) { // else it may be there all the same
			e.accept(n)
		}
	}
	e.merge(told, since)
	return nil
}
