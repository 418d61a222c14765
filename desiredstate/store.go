// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Store holds what is wanted, and how each object stands. It outlives the
// target: give it to Engine.Run again when there is a new one.
//
// Each object is wanted by a source, such as the etcd key that asked for it. An
// object that several sources want is there while any of them wants it. The
// zero Store is not usable; see NewStore. Safe for concurrent use.
type Store struct {
	mu       sync.Mutex
	entries  map[Key]*entry
	sources  map[string]map[Key]mention // never empty ones
	unsure   int                        // entries that are not applied, or are leaving
	counts   map[State]int
	complete bool
	settled  bool // the target was looked at as a whole since Run began
	since    time.Time
	runs     map[*subscription]struct{}
	watches  map[*subscription]struct{}
	waits    map[Key]map[*subscription]struct{}
	moved    chan struct{} // closed, and made anew, when a status changes

	fixed    map[string]struct{}         // sources that say nothing of the others
	vanished map[string]map[Key]struct{} // sources that Replace did not mention, and what went unwanted with them
	held     map[Key]struct{}            // what Run does not remove unconfirmed
	hold     Hold                        // of held, without the keys; no token: not yet asked for
	types    map[reflect.Type]error      // what is wrong with types of objects
}

// entry is one object: wanted, or (want is nil) on its way out.
type entry struct {
	want    Object
	sources []string
	status  Status
	named   bool     // somebody deleted it by name
	missing []string // the vanished sources that wanted it last
}

// mention is an entry that a source wants, and where among the entry's sources that is.
type mention struct {
	*entry
	at int
}

// NewStore returns an empty store that is not complete.
func NewStore() *Store {
	return &Store{
		entries: map[Key]*entry{},
		counts:  map[State]int{},
		sources: map[string]map[Key]mention{},
		runs:    map[*subscription]struct{}{},
		watches: map[*subscription]struct{}{},
		waits:   map[Key]map[*subscription]struct{}{},

		vanished: map[string]map[Key]struct{}{},
		held:     map[Key]struct{}{},
		types:    map[reflect.Type]error{},
	}
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
		if _, ok := s.sources[""][k]; ok {
			s.drop("", k)
		} else if x := s.entries[k]; x == nil || x.want == nil && !x.named && len(x.missing) == 0 {
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
	wanted := map[Key]Object{}
	by := map[Key]string{}
	take := func(source string, objs []Object) error {
		mine := make(map[Key]Object, len(objs))
		for _, o := range objs {
			if err := s.refuse(o); err != nil {
				return err
			}
			k := o.Key()
			if mine[k] != nil && !same(mine[k], o) {
				return &Error{Block, k, ErrDuplicate}
			}
			mine[k] = o
			if other := wanted[k]; other != nil && !same(other, o) {
				return conflict(k, by[k])
			}
		}
		for _, o := range objs {
			k := o.Key()
			wanted[k], by[k] = o, source
		}
		return nil
	}
	var errs []error
	var wrong []string
	for _, source := range slices.Sorted(maps.Keys(all)) {
		if err := take(source, all[source]); err != nil {
			errs, wrong = append(errs, fmt.Errorf("%s: %w", source, err)), append(wrong, source)
		}
	}
	all = maps.Clone(all)
	for _, source := range wrong {
		old := make([]Object, 0, len(s.sources[source]))
		for _, x := range s.sources[source] {
			old = append(old, x.want)
		}
		if take(source, old) == nil {
			all[source] = old
		} else {
			all[source] = nil
		}
	}

	// What changes is dropped by all who wanted it before any wants it anew.
	missing := map[string][]Key{}
	for source, had := range s.sources {
		if _, ok := all[source]; !ok {
			missing[source] = slices.Collect(maps.Keys(had))
		}
		still := make(map[Key]bool, len(all[source]))
		for _, o := range all[source] {
			k := o.Key()
			still[k] = same(s.entryWant(k), o)
		}
		for k := range had {
			if !still[k] {
				s.drop(source, k)
			}
		}
	}
	for source, objs := range all {
		for _, o := range objs {
			s.add(source, o.Key(), o)
		}
		s.heard(source)
	}
	for source, had := range missing {
		s.miss(source, had)
	}
	s.notify()
	return errors.Join(errs...)
}

func conflict(k Key, other string) error {
	return &Error{Block, k, fmt.Errorf("%w: %q wants another", ErrConflict, other)}
}

// assign gives a source these objects; if exactly, it loses all others.
func (s *Store) assign(source string, objs []Object, exactly bool) error {
	wanted := make(map[Key]Object, len(objs))
	for _, o := range objs {
		if err := s.refuse(o); err != nil {
			return err
		}
		k := o.Key()
		if wanted[k] != nil && !same(wanted[k], o) {
			return &Error{Block, k, ErrDuplicate}
		}
		wanted[k] = o
		if x := s.entries[k]; x != nil && x.want != nil && !same(x.want, o) {
			if i := slices.IndexFunc(x.sources, func(s string) bool { return s != source }); i >= 0 {
				return conflict(k, x.sources[i])
			}
		}
	}
	if exactly {
		for k := range s.sources[source] {
			if _, still := wanted[k]; !still {
				s.drop(source, k)
			}
		}
	}
	for k, o := range wanted {
		s.add(source, k, o)
	}
	if exactly {
		s.heard(source)
	}
	s.notify()
	return nil
}

func (s *Store) add(source string, k Key, o Object) {
	x := s.entries[k]
	if x == nil {
		x = s.enter(k)
	}
	if _, ok := s.sources[source][k]; !ok {
		if s.sources[source] == nil {
			s.sources[source] = map[Key]mention{}
		}
		s.sources[source][k] = mention{x, len(x.sources)}
		x.sources = append(x.sources, source)
	}
	if x.want != nil && same(x.want, o) {
		return
	}
	x.want, x.named = o, false
	s.unmiss(k, x)
	s.release(k)
	s.put(k, x, Status{State: Pending, ID: x.status.ID})
	s.touch(s.runs, k)
}

func (s *Store) drop(source string, k Key) {
	gone := s.sources[source][k]
	x := gone.entry
	last := x.sources[len(x.sources)-1]
	x.sources[gone.at], x.sources = last, x.sources[:len(x.sources)-1]
	s.sources[last][k] = gone
	if delete(s.sources[source], k); len(s.sources[source]) == 0 {
		delete(s.sources, source)
	}
	if len(x.sources) > 0 {
		return
	}
	x.want, x.named = nil, true
	s.put(k, x, Status{State: Pending, ID: x.status.ID})
	s.touch(s.runs, k)
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

// Complete says that all that is wanted has been put in: from now on, what is
// ours and not wanted is removed. Before, only what was deleted by name is.
func (s *Store) Complete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complete, s.settled = true, false
	s.wakeRuns()
}

// Status returns how the object with this key stands; false if it is neither
// wanted nor on its way out.
func (s *Store) Status(k Key) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.entries[k]
	if x == nil {
		return Status{}, false
	}
	return x.status, true
}

// Count returns how many objects, wanted or on their way out, are in a state.
func (s *Store) Count(st State) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[st]
}

// Statuses ranges over all statuses as they were when it began, by key.
func (s *Store) Statuses() iter.Seq2[Key, Status] {
	s.mu.Lock()
	list := make([]keyStatus, 0, len(s.entries))
	for k, x := range s.entries {
		list = append(list, keyStatus{k, x.status})
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b keyStatus) int { return a.key.Compare(b.key) })
	return func(yield func(Key, Status) bool) {
		for _, x := range list {
			if !yield(x.key, x.status) {
				return
			}
		}
	}
}

type keyStatus struct {
	key    Key
	status Status
}

// Want returns the wanted object with this key.
func (s *Store) Want(k Key) (Object, bool) {
	o := s.want(k)
	return o, o != nil
}

// Sources lists who wants the object with this key.
func (s *Store) Sources(k Key) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.entries[k]; x != nil {
		return slices.Clone(x.sources)
	}
	return nil
}

// Source sums up how the objects of a source stand: as the worst of them, so it
// is Applied when all are. False if there is no such source.
func (s *Store) Source(source string) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, ok := s.sources[source]
	sum, of := Status{State: Applied}, Key{}
	for k, x := range all {
		st := x.status
		switch {
		case st.State.worse(sum.State):
			sum, of = st, k
			continue
		case st.State != sum.State:
			continue
		}
		since := sum.Since
		if st.Since.After(since) {
			since = st.Since
		}
		if of == (Key{}) || k.Compare(of) < 0 { // of several that are as bad, the first by name
			sum, of = st, k
		}
		sum.Since = since
	}
	return sum, ok
}

// Converged says since when all that is wanted is in the target, and nothing
// else of ours; false if that is not so now.
func (s *Store) Converged() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, s.converged()
}

func (s *Store) converged() bool { return s.settled && s.complete && s.unsure == 0 }

// Watch ranges over the statuses, first as they are, then as they change, until
// ctx ends. Of several changes to one object only the newest may be seen. An
// object that is gone comes with State "" as its last.
func (s *Store) Watch(ctx context.Context) iter.Seq2[Key, Status] {
	return func(yield func(Key, Status) bool) {
		w := s.subscribe(s.watches)
		defer s.unsubscribe(s.watches, w)
		for w.wait(ctx) {
			for _, k := range s.taken(w) {
				st, _ := s.Status(k)
				if !yield(k, st) {
					return
				}
			}
		}
	}
}
