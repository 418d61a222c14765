// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// target is a model of what an engine works on: things with handles that are
// reused at once, that hang on each other by handle, and that may have a slot: a box
// alone, balls together. It refuses nothing that an engine should not
// have asked for: it notes it as a violation.
type target struct {
	mu         sync.Mutex
	items      map[uint32]*item
	free       []uint32
	next       uint32
	writes     int
	dumps      int
	violations []string
	active     int
	maxActive  int
	delay      time.Duration
	blind      bool // nothing can be read
	fickle     bool // it picks another shape each time

	// fail decides what happens to the n-th write: nothing, an error instead of
	// the write, or an error after it (a lost outcome).
	fail func(n int, op string) outcome
}

type outcome int

const (
	works outcome = iota
	refused
	lost
)

var errTarget = errors.New("target says no")

type item struct {
	kind    string
	name    string
	color   int
	shape   int
	slot    string
	needs   []uint32
	foreign bool
}

func newTarget() *target { return &target{items: map[uint32]*item{}, next: 1} }

// Box and Ball are two kinds of things in one space. Color changes in place,
// the rest does not. Shape 0 is the target's choice (it picks 7).
type Box struct {
	Name, Slot   string
	Color, Shape int
	Needs        string // names of things, by comma
}

type Ball Box

func thingKey(name string) ds.Key { return ds.Key{Space: "thing", Name: name} }

func (b Box) Key() ds.Key { return thingKey(b.Name) }
func (b Box) Deps() []ds.Key {
	if b.Needs == "" {
		return nil
	}
	var keys []ds.Key
	for n := range strings.SplitSeq(b.Needs, ",") {
		keys = append(keys, thingKey(n))
	}
	return keys
}

func (b Box) Validate() error {
	if b.Color < 0 {
		return errors.New("color: want 0 or more")
	}
	return nil
}

func (b Ball) Key() ds.Key     { return Box(b).Key() }
func (b Ball) Deps() []ds.Key  { return Box(b).Deps() }
func (b Ball) Validate() error { return Box(b).Validate() }

// Thing is the reference kind that names them all.
type Thing struct{ Name string }

func (t Thing) Key() ds.Key     { return thingKey(t.Name) }
func (t Thing) Deps() []ds.Key  { return nil }
func (t Thing) Validate() error { return nil }

func things(t *target) *ds.Kind[Thing] {
	return &ds.Kind[Thing]{Name: "thing", Dump: func(context.Context, *ds.View) ([]ds.Actual[Thing], error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.dumps++
		var out []ds.Actual[Thing]
		for _, id := range t.ids() {
			out = append(out, ds.Actual[Thing]{Spec: Thing{t.items[id].name}, ID: id, Foreign: t.items[id].foreign})
		}
		return out, nil
	}}
}

func boxes(t *target) *ds.Kind[Box] {
	return kindOf(t, "box", func(b Box) Box { return b }, func(b Box) Box { return b })
}

func balls(t *target) *ds.Kind[Ball] {
	return kindOf(t, "ball", func(b Ball) Box { return Box(b) }, func(b Box) Ball { return Ball(b) })
}

func kindOf[S ds.Object](t *target, kind string, box func(S) Box, of func(Box) S) *ds.Kind[S] {
	slots := func(s S) []ds.Key {
		if box(s).Slot == "" {
			return nil
		}
		return []ds.Key{{Space: "slot", Name: box(s).Slot}}
	}
	k := &ds.Kind[S]{
		Name:     kind,
		Requires: []ds.AnyKind{things(t)},
		Dump: func(_ context.Context, v *ds.View) ([]ds.Actual[S], error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.dumps++
			if t.blind {
				return nil, errTarget
			}
			var out []ds.Actual[S]
			for _, id := range t.ids() {
				i := t.items[id]
				if i.kind != kind {
					continue
				}
				var needs []string
				for _, n := range i.needs {
					name, _ := v.Name("thing", n)
					needs = append(needs, name)
				}
				slices.Sort(needs)
				out = append(out, ds.Actual[S]{
					Spec: of(Box{i.name, i.slot, i.color, i.shape, strings.Join(needs, ",")}), ID: id, Foreign: i.foreign,
				})
			}
			return out, nil
		},
		Create: func(_ context.Context, v *ds.View, want S) (uint32, error) {
			b := box(want)
			var id uint32
			err := t.write("create "+b.Name, func() {
				i := &item{kind: kind, name: b.Name, color: b.Color, shape: b.Shape, slot: b.Slot}
				if i.shape == 0 {
					i.shape = 7
					if t.fickle {
						i.shape = 100 + t.writes
					}
				}
				for _, d := range want.Deps() {
					n, err := v.ID(d)
					if err != nil || t.items[n] == nil || t.items[n].name != d.Name {
						t.violate("create %s: %s is not there", b.Name, d)
						continue
					}
					i.needs = append(i.needs, n)
				}
				for _, o := range t.items {
					if o.slot == b.Slot && o.slot != "" && (kind == "box" || o.kind == "box") {
						t.violate("create %s: slot %s is taken by %s", b.Name, b.Slot, o.name)
					}
				}
				id = t.add(i)
			})
			return id, err
		},
		Update: func(_ context.Context, v *ds.View, have ds.Actual[S], want S) error {
			return t.write("update "+want.Key().Name, func() {
				i := t.items[have.ID]
				switch {
				case i == nil:
					t.violate("update %s: not there", want.Key())
				case i.foreign:
					t.violate("update %s: foreign", want.Key())
				default:
					i.color = box(want).Color
					i.needs = nil
					for _, d := range want.Deps() {
						n, err := v.ID(d)
						if err != nil || t.items[n] == nil {
							t.violate("update %s: %s is not there", want.Key(), d)
						}
						i.needs = append(i.needs, n)
					}
				}
			})
		},
		Delete: func(_ context.Context, _ *ds.View, have ds.Actual[S]) error {
			return t.write("delete "+have.Spec.Key().Name, func() {
				i := t.items[have.ID]
				if i == nil {
					return
				}
				if i.foreign {
					t.violate("delete %s: foreign", i.name)
				}
				for _, o := range t.items {
					if !o.foreign && slices.Contains(o.needs, have.ID) {
						t.violate("delete %s: %s hangs on it", i.name, o.name)
					}
				}
				t.lose(have.ID)
			})
		},
		Fill: func(have ds.Actual[S], want S) S {
			w := box(want)
			if w.Shape == 0 {
				w.Shape = box(have.Spec).Shape
			}
			return of(w)
		},
		InPlace: func(have ds.Actual[S], want S) bool {
			h, w := box(have.Spec), box(want)
			h.Color, h.Needs = w.Color, w.Needs
			return h == w
		},
		Holds: slots,
	}
	if kind == "ball" {
		k.Holds, k.Shares = nil, slots
	}
	return k
}

func (t *target) ids() []uint32 { return slices.Sorted(maps.Keys(t.items)) }

func (t *target) add(i *item) uint32 {
	id := t.next
	if n := len(t.free); n > 0 {
		id, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.next++
	}
	t.items[id] = i
	return id
}

func (t *target) violate(format string, args ...any) {
	t.violations = append(t.violations, fmt.Sprintf(format, args...))
}

func (t *target) write(op string, do func()) error {
	t.mu.Lock()
	t.writes++
	t.active++
	t.maxActive = max(t.maxActive, t.active)
	delay, what := t.delay, works
	if t.fail != nil {
		what = t.fail(t.writes, op)
	}
	t.mu.Unlock()
	time.Sleep(delay)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active--
	if what == refused {
		return errTarget
	}
	do()
	if what == lost {
		return errTarget
	}
	return nil
}

// String lists the things, by name.
func (t *target) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, i := range t.items {
		s := fmt.Sprintf("%s %s color=%d shape=%d", i.kind, i.name, i.color, i.shape)
		if i.slot != "" {
			s += " slot=" + i.slot
		}
		for _, n := range i.needs {
			if t.items[n] == nil {
				s += " needs=GONE"
			} else {
				s += " needs=" + t.items[n].name
			}
		}
		if i.foreign {
			s += " foreign"
		}
		lines = append(lines, s+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// by runs f with the target's lock held: somebody else's hand.
func (t *target) by(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// lose takes an item away; its number may be another's next. The lock is held.
func (t *target) lose(id uint32) {
	delete(t.items, id)
	t.free = append(t.free, id)
}

func (t *target) heal() { t.by(func() { t.fail = nil }) }

func (t *target) written() (n int) { t.by(func() { n = t.writes }); return n }
func (t *target) dumped() (n int)  { t.by(func() { n = t.dumps }); return n }
func (t *target) size() (n int)    { t.by(func() { n = len(t.items) }); return n }
