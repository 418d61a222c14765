// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "time"

// Prune says what Run may remove of what is ours and not wanted.
type Prune int

// What is not removed for want of leave is Left, and does not keep the store from
// converging. What a wanted object is in the way of goes in any case.
const (
	PruneAll   Prune = iota // all, once the store is complete
	PruneNamed              // only what was deleted by name
	PruneNone               // nothing
)

// Grace is for two processes of one owner: what the one has just made is not
// wanted by the other yet. Run removes what is ours, and was never wanted in its
// store, when it has been there unwanted for Age, and in as many Readings. The
// zero Grace is none. What was wanted once, or is deleted by name, gets none.
type Grace struct {
	Age      time.Duration
	Readings int
}

// sighting is since when, and how often, Run has seen something that nobody wants.
type sighting struct {
	since    time.Time
	readings int
}

// sight counts a reading for what is there and nobody has ever wanted.
func (r *runner) sight() {
	if r.e.Grace == (Grace{}) || !r.complete {
		return
	}
	_, _, unknown := r.s.unwanted(r.e.ours())
	before := r.sightings
	r.sightings = make(map[Key]sighting, len(unknown))
	now := time.Now() // for all, so that they are ripe, and counted by MaxPrune, together
	for _, k := range unknown {
		x, ok := before[k]
		if !ok {
			x.since = now
		}
		x.readings++
		r.sightings[k] = x
	}
}

// ripe returns those that have been unwanted long enough, and sees to it that the
// others are looked at again.
func (r *runner) ripe(unknown []Key) (out []Key) {
	if r.e.Grace == (Grace{}) {
		return unknown
	}
	now := time.Now()
	for _, k := range unknown {
		x, ok := r.sightings[k]
		if !ok { // it was read before the store was complete, or before it was forgotten
			x = sighting{now, 1}
			r.sightings[k] = x
		}
		at := x.since.Add(r.e.Grace.Age)
		switch {
		case x.readings < r.e.Grace.Readings:
			r.young[k] = struct{}{}
		case now.Before(at):
			r.young[k] = struct{}{}
			r.due.add(k, at)
		default:
			out = append(out, k)
		}
	}
	return out
}

// leave is what a pass may remove though nobody has deleted it by name. Who wants it meanwhile
// takes that back, for good. The store's lock guards it.
type leave struct {
	keys   map[Key]struct{}
	passes int // that have no plan yet
}

// grant gives a pass leave.
func (s *Store) grant(keys []Key) *leave {
	l := &leave{make(map[Key]struct{}, len(keys)), 1}
	for _, k := range keys {
		l.keys[k] = struct{}{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaves[l] = struct{}{}; len(keys) == 0 {
		delete(s.leaves, l)
	}
	return l
}

// granted says whether there still is leave to remove an object.
func (s *Store) granted(l *leave, k Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := l.keys[k]
	return is
}

// pass hands a leave on to more passes, or ends it for one.
func (s *Store) pass(l *leave, more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.passes += more; l.passes == 0 {
		delete(s.leaves, l)
	}
}

// revoke takes back all leave to remove what is wanted again. The store's lock is held.
func (s *Store) revoke(k Key) {
	for l := range s.leaves {
		delete(l.keys, k)
	}
}

// removable says which of these keys a pass may remove besides those that were deleted by
// name: what Engine.MaxPrune allows.
func (r *runner) removable(keys []Key) []Key {
	e := r.e
	if len(r.young) > 0 {
		for _, k := range keys {
			delete(r.young, k)
		}
	}
	named, missed, unknown := r.s.unwanted(keys)
	switch e.Prune {
	case PruneNone:
		r.s.left(e.present(append(named, missed...)))
		return nil
	case PruneNamed:
		r.s.left(e.present(missed))
		missed, unknown = nil, nil
	}
	if !r.complete {
		return nil
	}
	missed, unknown = e.present(missed), r.ripe(e.present(unknown))
	unknown, leftovers := e.leftovers(unknown)
	owned := 0
	if len(unknown) > 0 { // only these are counted against all that is ours
		owned = e.ownedCount()
	}
	free, back := r.s.restrain(e.share(), owned, missed, unknown)
	if back {
		if h, ok := r.s.Held(); ok && h.Token != r.told {
			r.told = h.Token
			e.observe(Event{Type: HeldBack, Token: h.Token, Err: h.Err})
		}
	}
	return append(free, leftovers...)
}

// share is MaxPrune, with what zero means.
func (e *Engine) share() float64 {
	if e.MaxPrune == 0 {
		return 0.5
	}
	return e.MaxPrune
}

// ours lists what is ours, or may be, and this engine's alone.
func (e *Engine) ours() (out []Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for k, n := range e.nodes {
		if e.minds(n) {
			out = append(out, k)
		}
	}
	return out
}

// present returns those of these keys under which the target has something of
// ours and this engine's alone, or may have.
func (e *Engine) present(keys []Key) (out []Key) {
	if len(keys) == 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		if e.minds(e.nodes[k]) {
			out = append(out, k)
		}
	}
	return out
}

// leftovers takes from these keys those of what nobody can want, which go without a
// question. Neither is what was adopted, which stays until a store is told of it.
func (e *Engine) leftovers(keys []Key) (rest, left []Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		_, adopted := e.adopted[k]
		switch {
		case e.nodes[k].leftover():
			left = append(left, k)
		case !adopted:
			rest = append(rest, k)
		}
	}
	return rest, left
}

func (e *Engine) ownedCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.owned()
}
