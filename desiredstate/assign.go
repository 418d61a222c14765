// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// keyed is an object with its key, which costs something to make.
type keyed struct {
	Object
	key Key
}

// Put adds objects to what the source "" wants; one that it wants already, by
// its key, is changed. See Assign for the error.
func (s *Store) Put(objs ...Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.assign("", objs, false)
}

// Delete takes objects out of what the source "" wants. Each goes, once no
// other source wants it, and whether or not any ever did: it was deleted by name,
// so Run removes what the target has of it that is ours, even before Complete.
func (s *Store) Delete(keys ...Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.forgive("", k)
		if x := s.entries[k]; !s.drop("", x) && (x == nil || x.want == nil && !x.byName()) {
			s.order(k)
		}
	}
	s.notify()
}

// Assign says that a source wants exactly these objects from now on; without
// objects, that there is no such source any more. What it takes away was deleted by
// name. If another source wants something else by the same key, if two
// different objects have one, or if an object is nil or no plain data (ErrInvalid), that is an error and
// nothing is changed.
func (s *Store) Assign(source string, objs ...Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.assign(source, objs, true)
}

// Replace says what all sources want. A source that is mentioned gave an order,
// as by Assign, if only to want nothing. One that is not mentioned has vanished:
// what only such sources wanted is not removed if they are too many; see
// Engine.MaxPrune and Confirm.
//
// Fixed are sources that the caller wants whatever it was told. That they are there
// does not show that the answer is whole, so they are not counted.
//
// A source is in error if it wants two things by one key, or something else by it than a
// source before it by name, or an object that Assign would refuse. It goes on
// wanting what it did, or, if that is in conflict too, nothing. All others get
// what they want.
func (s *Store) Replace(all map[string][]Object, fixed ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fixed = make(map[string]struct{}, len(fixed))
	for _, source := range fixed {
		s.fixed[source] = struct{}{}
	}
	type claim struct {
		want Object
		by   string
	}
	claims := map[Key]claim{}
	wanted := make(map[string][]keyed, len(all))
	take := func(source string, objs []Object) error {
		list, err := s.keyed(objs)
		if err != nil {
			return err
		}
		for _, o := range list {
			if other, claimed := claims[o.key]; claimed && !same(other.want, o.Object) {
				return conflict(o.key, other.by)
			}
		}
		for _, o := range list {
			claims[o.key] = claim{o.Object, source}
		}
		wanted[source] = list
		return nil
	}
	var errs []error
	var wrong []string
	for _, source := range slices.Sorted(maps.Keys(all)) {
		if err := take(source, all[source]); err != nil {
			errs, wrong = append(errs, fmt.Errorf("%s: %w", source, err)), append(wrong, source)
		}
	}
	for _, source := range wrong {
		var old []Object
		for _, x := range s.wantedBy(source) {
			old = append(old, x.want)
		}
		if take(source, old) != nil {
			wanted[source] = nil
		}
	}

	// What changes is dropped by all who wanted it before any wants it anew.
	missing := map[string][]*entry{}
	for source := range s.sources {
		had, objs := s.wantedBy(source), wanted[source]
		if _, ok := wanted[source]; !ok {
			missing[source] = had
		}
		still := make(map[Key]bool, len(objs))
		for _, o := range objs {
			still[o.key] = same(s.entryWant(o.key), o.Object)
		}
		for _, x := range had {
			if !still[x.key] {
				s.drop(source, x)
			}
		}
	}
	for source, objs := range wanted {
		for _, o := range objs {
			s.add(source, o)
		}
		s.heard(source)
	}
	for source, had := range missing {
		s.miss(source, had)
	}
	s.notify()
	return errors.Join(errs...)
}

// keyed gives objects their keys, once each. The error is why none of them is taken.
func (s *Store) keyed(objs []Object) ([]keyed, error) {
	out := make([]keyed, 0, len(objs))
	at := make(map[Key]int, len(objs))
	for _, o := range objs {
		if err := s.refuse(o); err != nil {
			return nil, err
		}
		k := o.Key()
		if i, twice := at[k]; !twice {
			at[k] = len(out)
			out = append(out, keyed{o, k})
		} else if !same(out[i].Object, o) {
			return nil, &Error{Block, k, ErrDuplicate}
		}
	}
	return out, nil
}

func conflict(k Key, other string) error {
	return &Error{Block, k, fmt.Errorf("%w: %q wants another", ErrConflict, other)}
}

// assign gives a source these objects; if exactly, it loses all others.
func (s *Store) assign(source string, objs []Object, exactly bool) error {
	wanted, err := s.keyed(objs)
	if err != nil {
		return err
	}
	for _, o := range wanted {
		if x := s.entries[o.key]; x != nil && x.want != nil && !same(x.want, o.Object) {
			if i := slices.IndexFunc(x.by, func(w wanter) bool { return w.name != source }); i >= 0 {
				return conflict(o.key, x.by[i].name)
			}
		}
	}
	if exactly {
		still := make(map[Key]bool, len(wanted))
		for _, o := range wanted {
			still[o.key] = true
		}
		for _, x := range s.wantedBy(source) {
			if !still[x.key] {
				s.drop(source, x)
			}
		}
	}
	for _, o := range wanted {
		s.add(source, o)
	}
	if exactly {
		s.heard(source)
	}
	s.notify()
	return nil
}

// wantedBy lists what a source wants.
func (s *Store) wantedBy(name string) []*entry {
	if by := s.sources[name]; by != nil {
		return by.entries()
	}
	return nil
}

func (s *Store) add(name string, o keyed) {
	x := s.entries[o.key]
	if x == nil {
		x = s.enter(o.key)
	}
	by := s.sources[name]
	if by == nil {
		by = &source{name: name}
		s.sources[name] = by
	}
	if by.find(x) < 0 {
		by.want(x)
	}
	if x.want != nil && same(x.want, o.Object) {
		return
	}
	x.want, x.named = o.Object, false
	s.unmiss(x)
	s.release(o.key)
	s.revoke(o.key)
	s.put(x, Status{State: Pending, ID: x.stands.id})
	s.touch(s.runs, o.key)
}

// drop has a source want an entry no more, and says whether it did. What nobody wants then is to go.
func (s *Store) drop(name string, x *entry) bool {
	by := s.sources[name]
	if by == nil || x == nil {
		return false
	}
	at := by.find(x)
	if at < 0 {
		return false
	}
	if by.unwant(at); len(by.wants) == 0 {
		delete(s.sources, name)
	}
	if len(x.by) == 0 {
		x.want, x.named = nil, true
		s.put(x, Status{State: Pending, ID: x.stands.id})
		s.touch(s.runs, x.key)
	}
	return true
}

// refuse says what is wrong with an object before anybody asks it for its key.
func (s *Store) refuse(o Object) error {
	if isNil(o) {
		return errNil
	}
	t := reflect.TypeOf(o)
	err, known := s.types[t]
	if !known {
		err = plain(t)
		s.types[t] = err
	}
	return err
}

// same compares wanted objects.
func same(a, b Object) bool {
	if t := reflect.TypeOf(a); t == reflect.TypeOf(b) && t.Comparable() {
		return a == b
	}
	return reflect.DeepEqual(a, b)
}
