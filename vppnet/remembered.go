// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// Memory is what each VPP was told of objects that it cannot be asked for. It outlives the
// Conn, and is as mortal as the program. The zero Memory is empty. Safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	lives map[Identity]map[string]map[desiredstate.Key]told // by kind
	order []Identity
}

// told is an object as VPP was told of it, and the handles of what it depends on.
type told struct {
	spec desiredstate.Object
	id   uint32
	deps []uint32
	at   time.Time
}

// tell notes what was told just now.
func tell(v *desiredstate.View, spec desiredstate.Object, id uint32) told {
	x := told{spec: spec, id: id}
	for _, d := range spec.Deps() {
		on, err := v.ID(d)
		if err != nil {
			on = none
		}
		x.deps = append(x.deps, on)
	}
	return x
}

const none = ^uint32(0)

// holds says whether what it depends on still is what it was.
func (x told) holds(v *desiredstate.View) bool {
	return slices.Equal(x.deps, tell(v, x.spec, x.id).deps)
}

// lives is how many VPPs a Memory knows of; those that it met first are forgotten.
const lives = 16

// of is the memory of a kind of one VPP. The lock is held.
func (m *Memory) of(vpp Identity, kind string) map[desiredstate.Key]told {
	if m.lives == nil {
		m.lives = map[Identity]map[string]map[desiredstate.Key]told{}
	}
	if m.lives[vpp] == nil {
		m.lives[vpp] = map[string]map[desiredstate.Key]told{}
		if m.order = append(m.order, vpp); len(m.order) > lives {
			delete(m.lives, m.order[0])
			m.order = m.order[1:]
		}
	}
	if m.lives[vpp][kind] == nil {
		m.lives[vpp][kind] = map[desiredstate.Key]told{}
	}
	return m.lives[vpp][kind]
}

func (m *Memory) put(vpp Identity, kind string, k desiredstate.Key, x told) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.at = time.Now()
	m.of(vpp, kind)[k] = x
}

func (m *Memory) drop(vpp Identity, kind string, k desiredstate.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of(vpp, kind), k)
}

// Remembered completes a kind of objects that VPP cannot be asked for, and returns it:
// Dump, which may be nil, tells what m knows this VPP was told. So an object is applied
// once per life of a VPP, whatever path leads to it, again on a new VPP, and again after a
// restart of the program, which knows nothing; what another client takes away is not seen.
// An object that depends on something is gone with it: Requires has to list the kinds of
// all that is in Deps. Statuses and plans call such objects unverified.
//
// After a Create or an Update of which nobody knows whether VPP did it, it is sent again.
// So what the kind sends has to be harmless if VPP is told twice; the kind's doc says
// whether it is. After a Delete that failed the object counts as there.
func Remembered[S desiredstate.Object](c *Conn, m *Memory, k *desiredstate.Kind[S]) *desiredstate.Kind[S] {
	vpp, create, update, remove := c.VPP(), k.Create, k.Update, k.Delete
	k.Target, k.Unverified, k.Variant = c.Target(), true, [2]any{m, k.Variant}
	k.Dump = func(_ context.Context, v *desiredstate.View) (out []desiredstate.Actual[S], err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		known := m.of(vpp, k.Name)
		for _, key := range slices.SortedFunc(maps.Keys(known), desiredstate.Key.Compare) {
			switch x := known[key]; {
			case x.holds(v):
				out = append(out, desiredstate.Actual[S]{Spec: x.spec.(S), ID: x.id})
			case x.at.Before(v.Began()): // else this reading may be too old to know what it depends on
				delete(known, key)
			}
		}
		return out, nil
	}
	k.Create = func(ctx context.Context, v *desiredstate.View, want S) (uint32, error) {
		id, err := create(ctx, v, want)
		if err == nil {
			m.put(vpp, k.Name, want.Key(), tell(v, want, id))
		}
		return id, err
	}
	if update != nil {
		k.Update = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[S], want S) error {
			err := update(ctx, v, have, want)
			if err != nil { // nobody knows which of the two it is: it will be told once more
				m.drop(vpp, k.Name, want.Key())
				return err
			}
			m.put(vpp, k.Name, want.Key(), tell(v, want, have.ID))
			return nil
		}
	}
	k.Delete = func(ctx context.Context, v *desiredstate.View, have desiredstate.Actual[S]) error {
		err := remove(ctx, v, have)
		if err == nil {
			m.drop(vpp, k.Name, have.Spec.Key())
		}
		return err
	}
	return k
}
