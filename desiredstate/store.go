// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"iter"
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
	sources  map[string]*source // that want something
	unsure   int                // entries that are not applied, or are leaving
	counts   map[State]int
	complete bool
	settled  bool // the target was looked at as a whole since Run began
	since    time.Time
	runs     map[*subscription]struct{}
	watches  map[*subscription]struct{}
	waits    map[Key]map[*subscription]struct{}
	moved    chan struct{} // closed, and made anew, when a status changes

	leaves   map[*leave]struct{}         // of passes that have no plan yet
	fixed    map[string]struct{}         // sources that say nothing of the others
	vanished map[string]map[Key]struct{} // sources that Replace did not mention, and what went unwanted with them
	held     map[Key]struct{}            // what Run does not remove unconfirmed
	hold     Hold                        // of held, without the keys; no token: not yet asked for
	types    map[reflect.Type]error      // what is wrong with types of objects
}

// entry is one object: wanted, or (want is nil) on its way out.
type entry struct {
	key     Key
	want    Object
	by      []wanter // who wants it
	stands  standing
	named   bool     // somebody deleted it by name
	missing []string // the vanished sources that wanted it last
}

// NewStore returns an empty store that is not complete.
func NewStore() *Store {
	return &Store{
		entries: map[Key]*entry{},
		counts:  map[State]int{},
		sources: map[string]*source{},
		runs:    map[*subscription]struct{}{},
		watches: map[*subscription]struct{}{},
		waits:   map[Key]map[*subscription]struct{}{},

		vanished: map[string]map[Key]struct{}{},
		held:     map[Key]struct{}{},
		leaves:   map[*leave]struct{}{},
		types:    map[reflect.Type]error{},
	}
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
	return x.status(), true
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
		list = append(list, keyStatus{k, x.status()})
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
		return x.sources()
	}
	return nil
}

// Source sums up how the objects of a source stand: as the worst of them, so it
// is Applied when all are. False if there is no such source.
func (s *Store) Source(source string) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, of := Status{State: Applied}, Key{}
	by := s.sources[source]
	if by == nil {
		return sum, false
	}
	for _, x := range by.wants {
		k, st := x.key, x.status()
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
	return sum, true
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
