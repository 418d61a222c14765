// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"iter"
	"reflect"
	"sync"
)

// View is what a kind's functions know of the other objects: names and the
// target's handles, as last read and as changed since. Safe for concurrent use.
type View struct {
	mu    sync.RWMutex
	ids   map[Key]handle
	names map[located]named
	read  map[reflect.Type]*listing // by type of object; nil outside of Dump
}

type handle struct {
	id      uint32
	foreign bool
}

type located struct {
	space string
	id    uint32
}

type named struct {
	name    string
	foreign bool
}

// listing is what one kind's Dump returned.
type listing struct {
	all  []actual
	byID map[uint32]int
}

func newView() *View {
	return &View{ids: map[Key]handle{}, names: map[located]named{}}
}

// ID returns the handle of the object with this key; ErrMissing if there is
// none.
func (v *View) ID(k Key) (uint32, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	h, ok := v.ids[k]
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrMissing, k)
	}
	return h.id, nil
}

// Name returns the name in space of what has this handle.
func (v *View) Name(space string, id uint32) (string, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	n, ok := v.names[located{space, id}]
	return n.name, ok
}

// Owned returns the name in space of what has this handle, and whether it is
// ours.
func (v *View) Owned(space string, id uint32) (string, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	n, ok := v.names[located{space, id}]
	return n.name, ok && !n.foreign
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
			if !yield(Actual[S]{Spec: a.spec.(S), ID: a.id, Foreign: a.foreign}) {
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
	i, ok := l.byID[id]
	if !ok {
		return Actual[S]{}, false
	}
	a := l.all[i]
	return Actual[S]{Spec: a.spec.(S), ID: a.id, Foreign: a.foreign}, true
}

func (v *View) listing(t reflect.Type) *listing {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.read[t]
}

// list keeps what a kind's Dump returned, and the names that it gives.
func (v *View) list(k *kind, all []actual) {
	l := &listing{all: all, byID: make(map[uint32]int, len(all))}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, a := range all {
		if _, dup := l.byID[a.id]; !dup {
			l.byID[a.id] = i
		}
		v.name(a.spec.Key(), a.id, a.foreign)
	}
	if v.read == nil {
		v.read = map[reflect.Type]*listing{}
	}
	v.read[k.typ] = l
}

// name makes a key and a handle known to each other. Of several things with one
// name the first keeps it, except that ours takes it from a foreign one.
func (v *View) name(k Key, id uint32, foreign bool) {
	v.names[located{k.Space, id}] = named{k.Name, foreign}
	if old, ok := v.ids[k]; !ok || old.foreign && !foreign {
		v.ids[k] = handle{id, foreign}
	}
}

// set makes k stand for this handle alone.
func (v *View) set(k Key, id uint32, foreign bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(k)
	v.ids[k] = handle{id, foreign}
	v.names[located{k.Space, id}] = named{k.Name, foreign}
}

// drop makes k unknown.
func (v *View) drop(k Key) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(k)
}

func (v *View) forget(k Key) {
	if old, ok := v.ids[k]; ok {
		if at := (located{k.Space, old.id}); v.names[at].name == k.Name {
			delete(v.names, at)
		}
		delete(v.ids, k)
	}
}
