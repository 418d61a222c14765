// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"maps"
	"slices"
	"time"
)

// subscription collects, for one subscriber, the keys that changed.
type subscription struct {
	keys map[Key]struct{} // guarded by the store's lock
	wake chan struct{}
}

func (s *Store) subscribe(to map[*subscription]struct{}) *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &subscription{keys: make(map[Key]struct{}, len(s.entries)), wake: make(chan struct{}, 1)}
	for k := range s.entries {
		w.keys[k] = struct{}{}
	}
	to[w] = struct{}{}
	w.wake <- struct{}{}
	return w
}

func (s *Store) unsubscribe(from map[*subscription]struct{}, w *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(from, w)
}

// taken returns the changed keys, in order, and forgets them.
func (s *Store) taken(w *subscription) []Key {
	return slices.SortedFunc(maps.Keys(s.take(w)), Key.Compare)
}

func (s *Store) take(w *subscription) map[Key]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := w.keys
	w.keys = map[Key]struct{}{} // a map that was large once stays slow to range over
	return keys
}

func (w *subscription) wait(ctx context.Context) bool {
	select {
	case <-w.wake:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (w *subscription) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// touch notes a changed key for all subscribers. The store's lock is held, as
// for all below; notify wakes them, once for many keys.
func (s *Store) touch(of map[*subscription]struct{}, k Key) {
	for w := range of {
		w.keys[k] = struct{}{}
	}
}

// tell notes a changed status for those who watch, and wakes those who wait for
// it.
func (s *Store) tell(k Key) {
	s.touch(s.watches, k)
	s.touch(s.waits[k], k)
	for w := range s.waits[k] {
		w.ring()
	}
}

func (s *Store) notify() {
	s.wakeRuns()
	s.wakeWatches()
}

func (s *Store) wakeRuns() {
	for w := range s.runs {
		w.ring()
	}
}

func (s *Store) wakeWatches() {
	for w := range s.watches {
		w.ring()
	}
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// enter makes an entry, which nobody wants yet.
func (s *Store) enter(k Key) *entry {
	x := &entry{key: k, stands: Status{State: Pending, Since: time.Now(), Leaving: true}.brief()}
	s.entries[k] = x
	s.counts[Pending]++
	s.unsure++
	return x
}

// put gives an entry a new status.
func (s *Store) put(x *entry, st Status) {
	old := x.status()
	st.Leaving = x.want == nil
	st.Since = time.Now()
	if st.State == old.State && !old.Since.IsZero() {
		st.Since = old.Since
	}
	if was, is := old.sure(), st.sure(); was && !is {
		s.unsure++
	} else if is && !was {
		s.unsure--
	}
	s.counts[old.State]--
	s.counts[st.State]++
	x.stands = st.brief()
	s.tell(x.key)
}

func (s Status) sure() bool { return s.State == Applied && !s.Leaving || s.State == Left }

// want returns the wanted object with this key, or nil.
func (s *Store) want(k Key) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entryWant(k)
}

func (s *Store) entryWant(k Key) Object {
	if x := s.entries[k]; x != nil {
		return x.want
	}
	return nil
}

// report sets the status of an object, wanted as seen or, if seen is nil, on its
// way out. A status for an object that was changed meanwhile is dropped.
func (s *Store) report(k Key, seen Object, st Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.note(k, seen, st) {
		s.wakeWatches()
	}
}

// applied reports that all of these are as they were seen to be wanted, and returns those of which that is news.
func (s *Store) applied(e *Engine, all []Result, saw outlook) (news []Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range all {
		want := saw.seen(r.Key)
		if s.note(r.Key, want, Status{State: Applied, ID: r.ID, Unverified: e.unverified(want)}) {
			news = append(news, r.Key)
		}
	}
	if len(news) > 0 {
		s.wakeWatches()
	}
	return news
}

// reopen reports that these are not as they were seen to be wanted any more, until the steps
// are done: somebody changed them, or what they hang on is made anew.
func (s *Store) reopen(steps []*Step, saw outlook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := false
	for _, st := range steps {
		x, seen := s.entries[st.Key], saw.seen(st.Key)
		if x == nil || x.want == nil || x.stands.state != Applied || seen == nil || !same(x.want, seen) {
			continue
		}
		s.put(x, Status{State: Pending, ID: x.stands.id})
		news = true
	}
	if news {
		s.wakeWatches()
	}
}

// note is report, without waking those who watch; it says whether there is news.
func (s *Store) note(k Key, seen Object, st Status) bool {
	x := s.entries[k]
	if x == nil && seen == nil && st.Err != nil { // ours, never wanted here, and it would not go
		x = s.enter(k)
	}
	if x == nil || (x.want == nil) != (seen == nil) || seen != nil && !same(x.want, seen) {
		return false
	}
	if st.sure() && x.status().sure() && st.ID == x.stands.id {
		return false
	}
	s.put(x, st)
	return true
}

// renumbered reports the handle of what nobody wants, which stands as it did.
func (s *Store) renumbered(k Key, id uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.entries[k]; x != nil && x.want == nil && x.stands.id != id {
		st := x.status()
		st.ID = id
		s.put(x, st)
		s.wakeWatches()
	}
}

// gone forgets an object that was on its way out.
func (s *Store) gone(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.entries[k]
	if x == nil || x.want != nil {
		return
	}
	if !x.status().sure() {
		s.unsure--
	}
	s.counts[x.stands.state]--
	s.unmiss(x)
	s.release(k)
	delete(s.entries, k)
	s.tell(k)
	s.wakeWatches()
}

// wantOr returns the wanted object with this key, or nil and whether somebody deleted it by name.
func (s *Store) wantOr(k Key) (want Object, byName bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.entries[k]
	return s.entryWant(k), x != nil && x.byName()
}

// settle notes whether the target has been brought to what is wanted, as far as
// that goes.
func (s *Store) settle(done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled != done {
		s.settled = done
		s.wakeWatches()
	}
}

// leave makes all statuses pending: there may be no target any more.
func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled = false
	for _, x := range s.entries {
		if x.stands.state != Invalid {
			s.put(x, Status{State: Pending})
		}
	}
	s.wakeWatches()
}

// check says whether the store has converged, and notes since when.
func (s *Store) check(was bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := s.converged()
	if is && !was {
		s.since = time.Now()
		s.wakeWatches()
	}
	return is
}

// keys lists what is wanted or on its way out, in no order.
func (s *Store) keys() []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.entries))
}

func (s *Store) isComplete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete
}
