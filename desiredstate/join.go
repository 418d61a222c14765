// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// join makes kinds known in the world, and returns those that stand for them there: a
// kind that is there already stands for one that is the same. Kinds that were given go
// before those that are merely required, because they may have been made with other claims.
func (w *world) join(given []*kind) (all []*kind, err error) {
	byName := map[string]*kind{}
	for _, k := range given {
		if byName[k.name] != nil {
			return nil, fmt.Errorf("two kinds are named %q", k.name)
		}
		byName[k.name] = k
	}
	slices.SortFunc(given, func(a, b *kind) int { return Key{Name: a.name}.Compare(Key{Name: b.name}) })
	w.mu.Lock()
	defer w.mu.Unlock()
	var news []*kind
	heirs := map[*kind]*kind{}
	var add func(k *kind) *kind
	add = func(k *kind) *kind {
		required := byName[k.name] == nil
		if named := byName[k.name]; named != nil {
			k = named
		} else {
			byName[k.name] = k
		}
		if slices.Contains(all, k) {
			return k
		}
		if k.misuse != nil {
			err = errors.Join(err, fmt.Errorf("kind %q: %w", k.name, k.misuse))
		}
		shared := false
		if at := slices.IndexFunc(w.kinds, func(x *kind) bool { return x.name == k.name }); at >= 0 {
			old := w.kinds[at]
			what, why := w.place(old, k, required)
			switch err = errors.Join(err, why); what {
			case inherits:
				heirs[old] = k
			case replaces:
				k.users = old.users
				*old = *k
			}
			if what != inherits {
				if k.unavailable != nil {
					old.unavailable = k.unavailable
				}
				old.asked = old.asked || !required
				byName[k.name], k, shared = old, old, what == shares
			}
		}
		k.asked = k.asked || !required
		for i, r := range k.requires {
			if x := add(r); x != r && !shared { // a kind that is shared may be in use: it is only read
				k.requires[i] = x
			}
		}
		if !slices.Contains(all, k) {
			all = append(all, k)
		}
		if !slices.Contains(w.kinds, k) && !slices.Contains(news, k) {
			news = append(news, k)
		}
		return k
	}
	for _, k := range given {
		add(k)
	}
	kinds := slices.DeleteFunc(slices.Concat(w.kinds, news), func(k *kind) bool { return heirs[k] != nil })
	for i, k := range kinds {
		for _, x := range kinds[:i] {
			if x.typ == k.typ {
				err = errors.Join(err, fmt.Errorf("kinds %q and %q are both of %v", x.name, k.name, k.typ))
			}
		}
	}
	if err != nil {
		return nil, err
	}
	w.kinds = kinds
	w.inherit(heirs)
	for _, k := range news {
		if k.verify != nil && w.provers[k.space] == nil {
			w.provers[k.space] = newProver(k.verify)
		}
	}
	for _, k := range all {
		k.users++
	}
	return all, nil
}

// place is what a kind is to become that has the name of one in the world.
type place int

const (
	shares   place = iota // that one stands for it
	replaces              // nobody has used that one: it becomes what this one is
	inherits              // all that had that one were closed: this one stands for it
)

func (w *world) place(old, k *kind, required bool) (place, error) {
	why := old.unlike(k)
	used := old.asked || old.seen || w.flying > 0 // a reading reads what was never read
	switch {
	case why == nil || required && old.typ == k.typ:
		return shares, nil
	case old.users == 0:
		return inherits, nil
	case !required && !used && old.typ == k.typ:
		return replaces, nil
	}
	return shares, fmt.Errorf("kind %q cannot be shared with what uses it on this connection already: %w; "+
		"or close what uses it (Engine.Close, Kind.Close)", k.name, why)
}

// inherit has kinds take the place of others, that nobody uses any more. What was known of
// theirs is forgotten, as it is to be read by the heirs; a pass that relies on it has its handle
// until they were. The lock is held.
func (w *world) inherit(heirs map[*kind]*kind) {
	if len(heirs) == 0 {
		return
	}
	for old, k := range heirs {
		if old.heir = k; old.verify != nil {
			delete(w.provers, old.space)
		}
	}
	for _, k := range w.kinds {
		for i, r := range k.requires {
			if h := heirs[r]; h != nil {
				k.requires[i] = h
			}
		}
	}
	for _, n := range slices.Collect(maps.Values(w.nodes)) {
		i := slices.IndexFunc(n.have, outlived)
		if i < 0 {
			continue
		}
		was, shows := n.have[i].kind, n.shown.handle
		w.set(n, n.have, nil)
		if n.readers > 0 && !n.exists() {
			w.view.show(n, shown{handle: shows, there: true}, w.version)
			w.lent[n] = was
		}
		w.tidy(n)
	}
}

// takeBack has nodes show nothing of which the heirs of who had them find nothing. The lock is held.
func (w *world) takeBack() {
	for n, k := range w.lent {
		if k.today().round == w.round && n.writers == 0 {
			w.set(n, n.have, nil)
			w.tidy(n)
		}
	}
}

// today returns the kind that stands for one by now.
func (k *kind) today() *kind {
	for k.heir != nil {
		k = k.heir
	}
	return k
}

// outlived says that another kind has taken the place of an actual's.
func outlived(a actual) bool { return a.kind.heir != nil }

// current leaves out what was found or made by kinds that others have taken the place of. If that
// was just now, by a pass that was under way, the heirs look again.
func current(have []actual) []actual {
	if !slices.ContainsFunc(have, outlived) {
		return have
	}
	for _, a := range have {
		k := a.kind.today()
		k.fresh, k.forgot = false, true
	}
	return slices.DeleteFunc(slices.Clone(have), outlived)
}

// unlike says why one kind cannot stand for another of its name.
func (k *kind) unlike(o *kind) error {
	switch {
	case k.typ != o.typ:
		return fmt.Errorf("its objects are %v, not %v", k.typ, o.typ)
	case k.variant != o.variant:
		return errors.New("it was made with other options or claims; share the kind, or divide its objects by Kind.Claims")
	case !slices.Equal(k.code, o.code):
		return errors.New("it does something else; give one of them another name")
	}
	return nil
}

// codeOf tells functions apart by where they were written.
func codeOf(fs ...any) []uintptr {
	out := make([]uintptr, len(fs))
	for i, f := range fs {
		if v := reflect.ValueOf(f); !v.IsNil() {
			out[i] = v.Pointer()
		}
	}
	return out
}
