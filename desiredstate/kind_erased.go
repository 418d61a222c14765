// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// kind is a Kind without its type parameter: what the engine works with.
type kind struct {
	name     string
	zero     Object
	space    string // of the zero object's key
	typ      reflect.Type
	requires []*kind

	goesFirst   bool
	unavailable error // why nothing is done about its objects; nil: it is

	dump       func(context.Context, *View) ([]actual, error)
	create     func(context.Context, *View, Object) (uint32, error) // nil: reference
	update     func(context.Context, *View, actual, Object) error   // nil: replace
	delete     func(context.Context, *View, actual) error
	fill       func(have actual, want Object) Object
	equal      func(a, b Object) bool
	inPlace    func(have actual, want Object) bool
	deps       func(Object) []Key // beside the object's own: see depsOf
	holds      func(Object) []Key
	shares     func(Object) []Key
	covers     func(Object) []Key
	undoes     func(Object) []Key
	verify     func(context.Context, []Held) ([]bool, error)
	check      func(*View, Object) error                           // nil: never
	foresee    func(context.Context, *View, uint32, Object) error  // nil: never
	disturbs   func(a Action, have actual, want Object) Disruption // nil: no more than implied
	unverified bool
	adopt      func(context.Context, *View, actual, Object) error // nil: cannot
	decode     func([]byte) (Object, error)

	misuse error // what is wrong with the Kind itself

	target  *Target
	variant any
	claims  func(Key) bool // of the engine that it was erased for
	code    []uintptr

	// The world's lock guards these.
	asked   bool       // an engine was given it, not merely one that requires it
	users   int        // engines that have it, given or required, and are not closed
	heir    *kind      // what has taken its place; nil: nothing has
	nodes   places     // that its last listing was of
	last    *catalogue // if it may be found again; nil: read all anew
	unread  error      // why it could not be read when that was last tried
	fresh   bool       // what is known of it is a reading, and what has changed since
	seen    bool       // it has been read before
	reading bool       // it is being read
	forgot  bool       // and Forget was called meanwhile
	round   uint64     // in which it was last read
	owned   int        // how many objects of it are ours
	held    int        // how many nodes have, of anybody's
}

// actual is an Actual without its type parameter.
type actual struct {
	kind    *kind
	spec    Object
	id      uint32
	foreign bool
	left    bool   // Actual.Leftover
	covered bool   // Actual.Covered
	extra   *extra // nil: there is none
}

// extra is what few actuals have.
type extra struct {
	broken string
	note   any
}

func (a actual) broken() string {
	if a.extra == nil {
		return ""
	}
	return a.extra.broken
}

func (a actual) note() any {
	if a.extra == nil {
		return nil
	}
	return a.extra.note
}

// mended is an actual that was changed to be as wanted.
func (a actual) mended(k *kind, spec Object) actual {
	out := actual{kind: k, spec: spec, id: a.id, covered: a.covered}
	if note := a.note(); note != nil {
		out.extra = &extra{note: note}
	}
	return out
}

// made is what the target has when it was told to make an object: want itself, which is in
// memory already, if Fill adds nothing.
func (k *kind) made(want Object) Object {
	filled := k.fill(actual{kind: k, spec: k.zero}, want)
	if k.equal(filled, want) {
		return want
	}
	return filled
}

func (k *Kind[S]) erase() *kind {
	var zero S
	out := &kind{
		name: k.Name, zero: zero, typ: reflect.TypeFor[S](), goesFirst: k.GoesFirst,
		unverified: k.Unverified, target: k.Target, variant: k.Variant, claims: k.Claims,
		code: codeOf(k.Dump, k.Create, k.Update, k.Delete, k.Adopt, k.Fill, k.InPlace, k.Verify, k.Deps, k.Holds, k.Shares, k.Covers, k.Undoes, k.Check, k.Foresee, k.Disturbs),
	}
	if out.misuse = k.wrong(); out.misuse != nil {
		return out
	}
	out.space = zero.Key().Space
	for _, r := range k.Requires {
		out.requires = append(out.requires, r.erase())
	}
	k.does(out)
	k.tells(out)
	return out
}

// does erases the functions that work with the target. Their panic is an error.
func (k *Kind[S]) does(out *kind) {
	out.dump = func(ctx context.Context, v *View) (list []actual, err error) {
		defer caught(&err)
		found, err := k.Dump(ctx, v)
		list = make([]actual, len(found))
		for i, a := range found {
			list[i] = actual{kind: out, spec: a.Spec, id: a.ID, foreign: a.Foreign, left: a.Leftover, covered: a.Covered}
			if a.Broken != "" || a.Note != nil {
				list[i].extra = &extra{a.Broken, a.Note}
			}
		}
		return list, err
	}
	if k.Create != nil {
		out.create = func(ctx context.Context, v *View, want Object) (id uint32, err error) {
			defer caught(&err)
			return k.Create(ctx, v, want.(S))
		}
	}
	if k.Update != nil {
		out.update = func(ctx context.Context, v *View, have actual, want Object) (err error) {
			defer caught(&err)
			return k.Update(ctx, v, typed[S](have), want.(S))
		}
	}
	if k.Delete != nil {
		out.delete = func(ctx context.Context, v *View, have actual) (err error) {
			defer caught(&err)
			return k.Delete(ctx, v, typed[S](have))
		}
	}
	if k.Adopt != nil {
		out.adopt = func(ctx context.Context, v *View, have actual, want Object) (err error) {
			defer caught(&err)
			return k.Adopt(ctx, v, typed[S](have), want.(S))
		}
	}
	if k.Verify != nil {
		out.verify = func(ctx context.Context, held []Held) (ok []bool, err error) {
			defer caught(&err)
			return k.Verify(ctx, held)
		}
	}
	if k.Check != nil {
		out.check = func(v *View, want Object) (err error) {
			defer caught(&err)
			return k.Check(v, want.(S))
		}
	}
	if k.Foresee != nil {
		out.foresee = func(ctx context.Context, v *View, have uint32, want Object) (err error) {
			defer caught(&err)
			return k.Foresee(ctx, v, have, want.(S))
		}
	}
}

// tells erases the functions that work with objects alone.
func (k *Kind[S]) tells(out *kind) {
	zero := out.zero
	out.fill = func(_ actual, want Object) Object { return want }
	if k.Fill != nil {
		out.fill = func(have actual, want Object) Object { return k.Fill(typed[S](have), want.(S)) }
	}
	switch _, own := any(zero).(interface{ Equal(S) bool }); {
	case own:
		out.equal = func(a, b Object) bool { return a.(interface{ Equal(S) bool }).Equal(b.(S)) }
	case out.typ.Comparable():
		out.equal = func(a, b Object) bool { return a == b }
	default:
		out.equal = func(a, b Object) bool { return reflect.DeepEqual(a, b) }
	}
	out.inPlace = func(have actual, want Object) bool {
		return k.Update != nil && (k.InPlace == nil || k.InPlace(typed[S](have), want.(S)))
	}
	out.holds, out.shares, out.covers = resources(k.Holds), resources(k.Shares), resources(k.Covers)
	out.undoes = resources(k.Undoes)
	out.deps = resources(k.Deps)
	if k.Disturbs != nil {
		out.disturbs = func(a Action, have actual, want Object) Disruption {
			w, _ := want.(S)
			return k.Disturbs(a, typed[S](have), w)
		}
	}
	out.decode = func(data []byte) (Object, error) {
		var s S
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return nil, err
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, errors.New("something follows the value")
		}
		return s, nil
	}
}

// depsOf are all that an object depends on.
func (k *kind) depsOf(o Object) []Key {
	deps := o.Deps()
	if more := k.deps(o); len(more) > 0 {
		deps = slices.Concat(deps, more)
	}
	return deps
}

// resources is a Kind.Deps, Holds, Shares, Covers or Undoes.
func resources[S Object](of func(S) []Key) func(Object) []Key {
	if of == nil {
		return func(Object) []Key { return nil }
	}
	return func(o Object) []Key { return of(o.(S)) }
}

// typed is an actual as its kind knows it.
func typed[S Object](a actual) Actual[S] {
	out := Actual[S]{Spec: a.spec.(S), ID: a.id, Foreign: a.foreign, Leftover: a.left, Covered: a.covered}
	if a.extra != nil {
		out.Broken, out.Note = a.extra.broken, a.extra.note
	}
	return out
}

// wrong says why an engine cannot work with the kind.
func (k *Kind[S]) wrong() error {
	t := reflect.TypeFor[S]()
	switch {
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface:
		return fmt.Errorf("its objects are of type %s, want a struct used by value", t)
	case k.Dump == nil:
		return errors.New("it has no Dump")
	case k.Create != nil && k.Delete == nil:
		return errors.New("it has Create and no Delete: what it makes could never go")
	case slices.ContainsFunc(k.Requires, func(r AnyKind) bool { return isNil(r) }):
		return errors.New("a kind that it requires is nil")
	}
	return plain(t)
}
