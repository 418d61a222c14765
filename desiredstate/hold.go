// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Hold is what Run does not remove before somebody confirms it, because nobody
// deleted it by name and it is more than Engine.MaxPrune allows.
type Hold struct {
	Token string    // names just these keys, for Store.Confirm
	Keys  []Key     // in order
	Since time.Time // when the first of them was held back
	Err   error     // ErrMassDelete, and how much is missing
}

// Held tells what is held back now; false if nothing is. What is once held back
// stays so until it is confirmed, wanted again, deleted by name, or gone by
// another hand.
func (s *Store) Held() (Hold, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == 0 {
		return Hold{}, false
	}
	return s.theHold(), true
}

// Confirm orders the removals that are held back under this token, as if each
// object had been deleted by name, and nothing else: what is held back later has
// another token. ErrStale is returned, and nothing done, if that is not what is
// held back now.
func (s *Store) Confirm(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.held) == 0:
		return fmt.Errorf("%w: nothing is held back", ErrStale)
	case token == "" || token != s.hold.Token:
		return fmt.Errorf("%w: something else is held back by now; look at it, then confirm that", ErrStale)
	}
	for k := range maps.Clone(s.held) {
		s.order(k)
	}
	s.notify()
	return nil
}

// theHold is what is held back. The store's lock is held, as for all below.
func (s *Store) theHold() Hold {
	if s.hold.Token == "" {
		s.hold.Token = strings.ToLower(rand.Text()[:8])
	}
	h := s.hold
	h.Keys = slices.SortedFunc(maps.Keys(s.held), Key.Compare)
	return h
}

// order takes note that an object is to go because somebody said so by its name.
func (s *Store) order(k Key) {
	x := s.entries[k]
	if x == nil {
		x = s.enter(k)
	}
	x.want, x.named = nil, true
	s.unmiss(x)
	s.release(k)
	st := x.status()
	if st.State == Blocked || st.State == Left {
		st = Status{State: Pending, ID: st.ID}
	}
	s.put(x, st)
	s.touch(s.runs, k)
}

// release takes an object from what is held back, which thereby is another hold.
func (s *Store) release(k Key) {
	if _, ok := s.held[k]; !ok {
		return
	}
	delete(s.held, k)
	s.hold.Token = ""
	if len(s.held) == 0 {
		s.hold = Hold{}
	}
}

// miss takes note that a source is not mentioned any more, and what went unwanted
// with it.
func (s *Store) miss(source string, had []*entry) {
	for _, x := range had {
		if x.want != nil {
			continue
		}
		if s.vanished[source] == nil {
			s.vanished[source] = map[Key]struct{}{}
		}
		s.vanished[source][x.key] = struct{}{}
		x.missing = append(x.missing, source)
	}
}

// heard takes note that a source says by itself what it wants: what else it wanted
// when it vanished was deleted by name.
func (s *Store) heard(source string) {
	for k := range s.vanished[source] {
		s.forgive(source, k)
	}
}

// forgive is heard, for one object.
func (s *Store) forgive(source string, k Key) {
	x := s.entries[k]
	if x == nil || !slices.Contains(x.missing, source) {
		return
	}
	x.missing = slices.DeleteFunc(x.missing, func(m string) bool { return m == source })
	if delete(s.vanished[source], k); len(s.vanished[source]) == 0 {
		delete(s.vanished, source)
	}
	if len(x.missing) == 0 && x.want == nil {
		s.order(k)
	}
}

// unmiss takes note that no vanished source matters to an object any more.
func (s *Store) unmiss(x *entry) {
	for _, source := range x.missing {
		if delete(s.vanished[source], x.key); len(s.vanished[source]) == 0 {
			delete(s.vanished, source)
		}
	}
	x.missing = nil
}

// unwanted sorts out those of these keys that nobody wants: by name, with a source
// that vanished, or never.
func (s *Store) unwanted(keys []Key) (named, missed, unknown []Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		switch x := s.entries[k]; {
		case x == nil:
			unknown = append(unknown, k)
		case x.want != nil:
		case x.byName():
			named = append(named, k)
		case len(x.missing) > 0:
			missed = append(missed, k)
		default:
			unknown = append(unknown, k)
		}
	}
	return named, missed, unknown
}

// restrain holds back those of these keys, all of them in the target, that would go
// by omission and be too many; it returns the others, and what is held back. Owned
// is how many objects in the target are ours.
func (s *Store) restrain(limit float64, owned int, missed, unknown []Key) (free []Key, back bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(missed)+len(unknown) == 0 {
		return nil, false
	}
	var lost, left error
	if sources, n := s.answering(), len(s.vanished); tooMany(limit, n, n+sources) {
		lost = fmt.Errorf("%w: %d of %d sources are mentioned no more", ErrMassDelete, n, n+sources)
	}
	n := 0
	for _, k := range unknown {
		if _, ok := s.held[k]; !ok {
			n++
		}
	}
	for k := range s.held {
		if len(s.entries[k].missing) == 0 {
			n++
		}
	}
	switch {
	case tooMany(limit, n, owned):
		left = fmt.Errorf("%w: %d of our %d objects are there and nobody here has wanted them", ErrMassDelete, n, owned)
	case limit < 1 && s.answering() == 0:
		left = fmt.Errorf("%w: nothing is wanted", ErrMassDelete)
	}
	hold := func(keys []Key, why error) {
		for _, k := range keys {
			_, held := s.held[k]
			if limit >= 1 || !held && why == nil {
				s.release(k)
				free = append(free, k)
				continue
			}
			back = true
			x := s.entries[k]
			if x == nil {
				x = s.enter(k)
			}
			if !held {
				if len(s.held) == 0 {
					s.hold.Since = time.Now()
				}
				s.held[k] = struct{}{}
				s.hold.Token, s.hold.Err = "", why
			}
			if !errors.Is(x.status().Err, ErrMassDelete) {
				s.put(x, Status{State: Blocked, ID: x.stands.id, Err: s.hold.Err})
			}
		}
	}
	hold(missed, lost)
	hold(unknown, left)
	s.wakeWatches()
	return free, back
}

// byName says whether an object is to go, and somebody said so by its name.
func (x *entry) byName() bool { return x.want == nil && x.named && len(x.missing) == 0 }

func tooMany(limit float64, n, of int) bool { return limit < 1 && float64(n) > limit*float64(of) }

// answering counts the sources that want something and could have failed to.
func (s *Store) answering() int {
	n := len(s.sources)
	for source := range s.fixed {
		if _, ok := s.sources[source]; ok {
			n--
		}
	}
	return n
}

// left reports that what nobody wants stays in the target.
func (s *Store) left(keys []Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if x := s.entries[k]; x != nil && x.want == nil && x.stands.state != Left {
			s.put(x, Status{State: Left, ID: x.stands.id})
		}
	}
	s.wakeWatches()
}
