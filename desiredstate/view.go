// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"iter"
	"reflect"
	"sync"
	"time"
)

// View is what a kind's functions know of the other objects: names and the
// target's handles, as last read and as changed since. Safe for concurrent use.
type View struct {
	born time.Time
	dump *reading   // during a Dump: what was found so far, in place of the maps
	last *catalogue // during a Dump: what the kind last found, with just what it requires
	kept any        // during a Dump: for the next one

	base  *View            // during a Check or a Foresee: what it shows all else of
	known func(Key) Object // see Known

	mu     sync.RWMutex // who changes nodes, or what they show but for belief, has the world's lock too
	nodes  map[Key]*node
	names  map[string]map[uint32]*node // by handle, of the spaces in which somebody looked for one
	passes uint64
}

type handle struct {
	id      uint32
	foreign bool
}

// shown is what a View shows of a node.
type shown struct {
	handle
	there   bool
	renewed bool // somebody sees to it that the handle needs no proof for longer
	// In which pass, and until when in the View's life, the handle needs no proof.
	pass  uint64
	until time.Duration
}

type named struct {
	name    string
	foreign bool
}

// reading is what one round of dumps found, so far.
type reading struct {
	began   time.Time
	mu      sync.RWMutex
	byType  map[reflect.Type]*listing
	bySpace map[string][]*listing
}

// listing is what became of one kind's Dump.
type listing struct {
	kind *kind
	err  error // it could not be read
	took time.Duration
	*catalogue
	again bool // it is that of the last Dump
}

// catalogue is what a Dump found. It is indexed when that is asked for: most never are.
// It does not change once it was delivered, since the next Dump may find just the same.
type catalogue struct {
	all   []actual
	byID  func() map[uint32]int
	byKey func() map[Key]int

	kept any          // by the Dump, for the next one
	with []*catalogue // what was found of the kinds that this one requires, in their order
}

func newCatalogue(all []actual) *catalogue {
	c := &catalogue{all: all}
	// Of several things with one handle, or one name, the first has it, but ours before others.
	c.byID = sync.OnceValue(func() map[uint32]int {
		m := make(map[uint32]int, len(all))
		for i, a := range all {
			if first, dup := m[a.id]; !dup || all[first].foreign && !a.foreign {
				m[a.id] = i
			}
		}
		return m
	})
	c.byKey = sync.OnceValue(func() map[Key]int {
		m := make(map[Key]int, len(all))
		for i, a := range all {
			key := a.spec.Key()
			if first, dup := m[key]; !dup || all[first].foreign && !a.foreign {
				m[key] = i
			}
		}
		return m
	})
	return c
}

func newReading() *reading {
	return &reading{began: time.Now(), byType: map[reflect.Type]*listing{}, bySpace: map[string][]*listing{}}
}

func (r *reading) add(l *listing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byType[l.kind.typ] = l
	r.bySpace[l.kind.space] = append(r.bySpace[l.kind.space], l)
}

func (r *reading) of(t reflect.Type) *listing {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byType[t]
}

// find looks in all that is listed in a space, for ours first.
func (r *reading) find(space string, in func(*listing) (int, bool)) (a actual, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, l := range r.bySpace[space] {
		if i, has := in(l); has && (!ok || a.foreign && !l.all[i].foreign) {
			a, ok = l.all[i], true
		}
	}
	return a, ok
}

func newView() *View {
	return &View{born: time.Now(), nodes: map[Key]*node{}, names: map[string]map[uint32]*node{}}
}

// newPass returns the number of a pass: what one believes, the next does not.
func (v *View) newPass() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.passes++
	return v.passes
}

// believe has a pass believe handles for some time from now: they have just been given, or
// verified.
func (v *View) believe(pass uint64, now time.Time, long time.Duration, held ...Held) {
	until := now.Sub(v.born) + long
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range held {
		if n := v.nodes[h.Key]; n != nil && n.shown.there && n.shown.id == h.ID {
			n.shown.pass, n.shown.until, n.shown.renewed = pass, until, false
		}
	}
}

// believes says whether a handle needs no proof now. It is true for all who ask but one,
// when the time is soon up: that one proves it, and the others need not wait for that.
func (v *View) believes(pass uint64, now time.Time, h Held) bool {
	v.mu.RLock()
	n := v.nodes[h.Key]
	left, old := time.Duration(0), false
	if n != nil && n.shown.there && n.shown.id == h.ID && n.shown.pass == pass {
		left = n.shown.until - now.Sub(v.born)
		old = left < breath/2 && !n.shown.renewed
	}
	v.mu.RUnlock()
	if left > 0 && old {
		v.mu.Lock()
		defer v.mu.Unlock()
		mine := !n.shown.renewed
		n.shown.renewed = true
		return !mine
	}
	return left > 0
}

// Keep is for a Dump: what it was answered, or whatever else its kind's next Dump may find
// by Kept to tell that nothing has changed.
func (v *View) Keep(x any) { v.kept = x }

// Kept returns what the kind's last successful Dump gave to Keep. It is nil if that was
// nothing, and if not all that the kind requires has been found just as it was then.
// Only a Dump for which it is not nil may return ErrUnchanged.
func (v *View) Kept() any {
	if v.last == nil {
		return nil
	}
	return v.last.kept
}

// Began is for a Dump: when the reading began that it is part of. What has been done since, the others
// of this reading may not have seen. Outside of a Dump it is zero.
func (v *View) Began() time.Time {
	if v.dump == nil {
		return time.Time{}
	}
	return v.dump.began
}

// ID returns the handle of the object with this key; ErrMissing if there is
// none.
func (v *View) ID(k Key) (uint32, error) {
	h, ok := v.handle(k)
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrMissing, k)
	}
	return h.id, nil
}

func (v *View) handle(k Key) (h handle, ok bool) {
	if v.base != nil {
		return v.base.handle(k)
	}
	if v.dump != nil {
		a, ok := v.dump.find(k.Space, func(l *listing) (int, bool) { i, ok := l.byKey()[k]; return i, ok })
		return handle{a.id, a.foreign}, ok
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	n := v.nodes[k]
	if n == nil || !n.shown.there {
		return handle{}, false
	}
	return n.shown.handle, true
}

// Name returns the name in space of what has this handle.
func (v *View) Name(space string, id uint32) (string, bool) {
	n, ok := v.name(space, id)
	return n.name, ok
}

// Owned returns the name in space of what has this handle, and whether it is
// ours.
func (v *View) Owned(space string, id uint32) (string, bool) {
	n, ok := v.name(space, id)
	return n.name, ok && !n.foreign
}

func (v *View) name(space string, id uint32) (n named, ok bool) {
	if v.base != nil {
		return v.base.name(space, id)
	}
	if v.dump != nil {
		a, ok := v.dump.find(space, func(l *listing) (int, bool) { i, ok := l.byID()[id]; return i, ok })
		if !ok {
			return named{}, false
		}
		return named{a.spec.Key().Name, a.foreign}, true
	}
	v.mu.RLock()
	names := v.names[space]
	if names == nil {
		v.mu.RUnlock()
		v.index(space)
		v.mu.RLock()
		names = v.names[space]
	}
	defer v.mu.RUnlock()
	x := names[id]
	if x == nil {
		return named{}, false
	}
	return named{x.key.Name, x.shown.foreign}, true
}

// index makes the things of a space be found by their handles from now on: of most spaces
// nobody ever asks.
func (v *View) index(space string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.names[space] != nil {
		return
	}
	names := map[uint32]*node{}
	for k, n := range v.nodes {
		if k.Space == space && n.shown.there {
			names[n.shown.id] = names[n.shown.id].with(n)
		}
	}
	v.names[space] = names
}

// with adds x to the nodes of one handle. There can be several for a while: a reading that is
// slow finds what was not yet marked as ours when it began. Ours goes first, then what changed last.
func (n *node) with(x *node) *node {
	ahead := n == nil || x.touched >= n.touched
	if n != nil && x.shown.foreign != n.shown.foreign {
		ahead = n.shown.foreign
	}
	if ahead {
		x.alike = n
		return x
	}
	n.alike = n.alike.with(x)
	return n
}

// without takes x out of the nodes of one handle.
func (n *node) without(x *node) *node {
	if n == x {
		n, x.alike = x.alike, nil
	} else if n != nil {
		n.alike = n.alike.without(x)
	}
	return n
}

// All ranges over what the kind of S found in this reading, during the Dump of
// a kind that requires it. Outside of a Dump there is nothing to range over.
func All[S Object](v *View) iter.Seq[Actual[S]] {
	l := v.listing(reflect.TypeFor[S]())
	return func(yield func(Actual[S]) bool) {
		if l == nil {
			return
		}
		for _, a := range l.all {
			if !yield(typed[S](a)) {
				return
			}
		}
	}
}

// At returns what the kind of S found with this handle; see All for when.
func At[S Object](v *View, id uint32) (Actual[S], bool) {
	l := v.listing(reflect.TypeFor[S]())
	if l == nil {
		return Actual[S]{}, false
	}
	i, ok := l.byID()[id]
	if !ok {
		return Actual[S]{}, false
	}
	a := l.all[i]
	return typed[S](a), true
}

func (v *View) listing(t reflect.Type) *listing {
	if v.dump == nil {
		return nil
	}
	return v.dump.of(t)
}

// add makes a node known.
func (v *View) add(n *node) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.nodes[n.key] = n
}

// touch says that a node is what it is since a version of the world, and shows the same of it.
func (v *View) touch(n *node, version uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n.touched = version
}

// drop makes a node unknown, of which nothing is shown any more.
func (v *View) drop(n *node) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.nodes, n.key)
}

// show makes a node stand for what it is since a version of the world.
func (v *View) show(n *node, now shown, version uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	names := v.names[n.key.Space]
	if was := n.shown; names != nil && was.there {
		if names[was.id] = names[was.id].without(n); names[was.id] == nil {
			delete(names, was.id)
		}
	}
	n.shown, n.touched = now, version
	if names != nil && now.there {
		names[now.id] = names[now.id].with(n)
	}
}
