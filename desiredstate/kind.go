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
	"sync"
)

// Kind teaches an [Engine] one type of object. A constructor makes one, bound
// to its target by closure, and returns a pointer to it:
//
//	func Ports(c *vppnet.Conn) *desiredstate.Kind[Port]
//
// The functions may be called concurrently for different objects. They do not
// retry, log, or check for what exists already: the engine does, once, for all.
// They wrap nothing: the engine adds action and key to their errors.
type Kind[S Object] struct {
	// Name of the kind, unique among the kinds of an engine.
	Name string

	// Requires lists the kinds whose names this one looks up in its View. They
	// are read first, and an engine made of this kind alone knows them too.
	Requires []AnyKind

	// Messages lists what the kind sends and receives, as "name_crc".
	Messages []string

	// Dump lists all objects of this kind, foreign ones included where others
	// may refer to them or where they hold something exclusive. Instead of what it listed
	// the last time it may return ErrUnchanged, see View.Kept.
	Dump func(ctx context.Context, v *View) ([]Actual[S], error)

	// Create makes the object and returns the target's handle. A kind without
	// Create is a reference kind: it only makes existing things known by name.
	Create func(ctx context.Context, v *View, want S) (id uint32, err error)

	// Update turns have into want. A kind without Update replaces instead.
	Update func(ctx context.Context, v *View, have Actual[S], want S) error

	// Delete unmakes the object. The object being gone already is no error.
	Delete func(ctx context.Context, v *View, have Actual[S]) error

	// Adopt marks have, which is not ours, as ours, by want's name, and changes nothing
	// else of it that Update would not. Nil: the target has no way to. See
	// Engine.Adoption.
	Adopt func(ctx context.Context, v *View, have Actual[S], want S) error

	// Fill returns want with all that want leaves to the target, and all that
	// the target does not show, taken from have. Have is as wanted if its Spec equals
	// Fill(have, want) and it is not Broken. Have is zero for what was just made. Nil: want
	// is compared as it is.
	Fill func(have Actual[S], want S) S

	// InPlace says whether Update can turn have into want, which is filled. Nil: it always
	// can.
	InPlace func(have Actual[S], want S) bool

	// Check says why the kind, as it was constructed, would refuse a wanted object that is
	// valid by itself: what it does not claim, or does not allow. It sends nothing that
	// changes the target. What it looks up in the View may be still to come: that is no
	// error. View.Known says what will be there. It is asked again before a Replace takes away
	// what is there; Create need not check again. Nil: nothing is refused.
	Check func(v *View, want S) error

	// Foresee asks the target why it would refuse to make want now, in place of what has this
	// handle, and changes nothing. The engine calls it before a Replace takes anything away, this
	// or what hangs on it, unless something that the object depends on changes in the same pass:
	// a change that is refused must not cost what is there. Nil: nothing is foreseen.
	Foresee func(ctx context.Context, v *View, have uint32, want S) error

	// Disturbs says what an Update, a Replace or a Delete of have disturbs beyond what
	// these always do: nothing, and twice its traffic. want is zero for a Delete.
	Disturbs func(a Action, have Actual[S], want S) Disruption

	// Unverified: the target cannot be asked for what the kind tells of, so Dump tells what
	// it was told.
	Unverified bool

	// Verify says, of names in this kind's space and of the handles that they had, of
	// whichever kind, whether each handle still is of what the name stands for, or of
	// something else by now, or of nothing. The engine asks right before it uses a
	// handle. One kind of a space needs it, if the target gives handles to others as
	// soon as they are free. Nil: handles are believed.
	Verify func(ctx context.Context, held []Held) ([]bool, error)

	// Holds names what only one object of the target can have at a time: a
	// socket's path, a VLAN of an interface. The engine frees it before it takes
	// it, and refuses a second holder without sending anything. Nil: nothing.
	Holds func(S) []Key

	// Shares names what several objects may have together, and none of them as long as one Holds
	// it for itself: whatever is put on an interface, and a bond that takes all of its
	// frames. Nil: nothing.
	Shares func(S) []Key

	// Covers names the objects, of whichever kinds, of which the target hides a part as long as
	// this one is there: a bond gives its members its own MAC. Their Actual is Covered then, and
	// Fill takes that part from it. If this one goes and they stay, the same plan sets that part
	// right after it. Nil: none.
	Covers func(S) []Key

	// Undoes names the objects, of whichever kinds, that lose their effect when this one goes, though
	// they stay: a filter, when its interface leaves a bridge domain. The same plan changes those
	// that are to stay, as if they were Broken, after this one has gone. Nil: none.
	Undoes func(S) []Key

	// GoesFirst says that an object that goes does so before all else that goes
	// and depends on what it depends on, although nothing there shows an order: a
	// link goes down before its interface is taken apart.
	GoesFirst bool

	// Target is the connection's, if the kind shares what it knows with all other kinds
	// and engines there. Nil: an engine with this kind shares nothing. vppnet.Conn has one.
	Target *Target

	// Variant is what tells this kind from others of its name on one Target: claims,
	// options, as anything comparable. Two kinds of one name are one if their functions
	// and Variants are the same; else an engine with the second is refused, until all that
	// have the first are closed (Engine.Close).
	Variant any

	// Claims says which objects of the kind are this engine's business, of those that are
	// ours: the others are never changed or removed, and an object that is wanted and not
	// claimed is refused with ErrForeign. So several components divide one kind among
	// them. Nil: all.
	Claims func(Key) bool

	lazy sync.Once
	own  *Engine
}

// Ensure makes the target hold the wanted objects and leaves all else alone.
//
// The kind's own engine reads the target once and then keeps that reading up to
// date with what was done through this Kind value, so keep the value: each
// further call costs only its objects' own messages. Call [Kind.Forget] when
// others may have changed what is ours. Safe for concurrent use; calls for
// independent objects do not wait for each other.
//
// The Report has one Result per object, with its handle. The error is
// Report.Err, or says why nothing could be planned.
func (k *Kind[S]) Ensure(ctx context.Context, want ...S) (Report, error) {
	return k.engine().Ensure(ctx, objects(want)...)
}

// Remove makes the target not hold the objects with the keys of gone. What is
// not there, or is not ours, is left alone. See Ensure for cost and concurrency.
func (k *Kind[S]) Remove(ctx context.Context, gone ...S) (Report, error) {
	if err := k.engine().ended(); err != nil {
		return nil, err
	}
	keys := make([]Key, len(gone))
	for i, g := range gone {
		keys[i] = g.Key()
	}
	return k.engine().Remove(ctx, keys...)
}

// Forget makes the next Ensure or Remove read the target anew.
func (k *Kind[S]) Forget() { k.engine().Forget() }

// Close ends Ensure and Remove, which return ErrClosed from then on; see Engine.Close for
// what that is good for. Engines that the kind was given to are not closed with it.
func (k *Kind[S]) Close() { k.engine().Close() }

func (k *Kind[S]) engine() *Engine {
	k.lazy.Do(func() { k.own = New(k) })
	return k.own
}

func objects[S Object](list []S) []Object {
	out := make([]Object, len(list))
	for i, o := range list {
		out[i] = o
	}
	return out
}

// AnyKind is a Kind of any type of object; only *Kind implements it.
type AnyKind interface {
	// KindName returns the kind's Name.
	KindName() string

	// Uses returns the kind's Messages and those of all that it Requires.
	Uses() []string

	erase() *kind
}

// KindName returns k.Name.
func (k *Kind[S]) KindName() string { return k.Name }

// Uses returns k.Messages followed by those of the kinds that k requires.
func (k *Kind[S]) Uses() []string {
	out := append([]string(nil), k.Messages...)
	for _, r := range k.Requires {
		out = append(out, r.Uses()...)
	}
	return out
}

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
		name: k.Name, zero: zero, typ: reflect.TypeFor[S](), goesFirst: k.GoesFirst, verify: k.Verify,
		unverified: k.Unverified, target: k.Target, variant: k.Variant, claims: k.Claims,
		code: codeOf(k.Dump, k.Create, k.Update, k.Delete, k.Adopt, k.Fill, k.InPlace, k.Verify, k.Holds, k.Shares, k.Covers, k.Undoes, k.Check, k.Foresee, k.Disturbs),
	}
	if out.misuse = k.wrong(); out.misuse != nil {
		return out
	}
	out.space = zero.Key().Space
	for _, r := range k.Requires {
		out.requires = append(out.requires, r.erase())
	}
	out.dump = func(ctx context.Context, v *View) ([]actual, error) {
		found, err := k.Dump(ctx, v)
		list := make([]actual, len(found))
		for i, a := range found {
			list[i] = actual{kind: out, spec: a.Spec, id: a.ID, foreign: a.Foreign, left: a.Leftover, covered: a.Covered}
			if a.Broken != "" || a.Note != nil {
				list[i].extra = &extra{a.Broken, a.Note}
			}
		}
		return list, err
	}
	if k.Create != nil {
		out.create = func(ctx context.Context, v *View, want Object) (uint32, error) {
			return k.Create(ctx, v, want.(S))
		}
	}
	if k.Update != nil {
		out.update = func(ctx context.Context, v *View, have actual, want Object) error {
			return k.Update(ctx, v, typed[S](have), want.(S))
		}
	}
	if k.Delete != nil {
		out.delete = func(ctx context.Context, v *View, have actual) error {
			return k.Delete(ctx, v, typed[S](have))
		}
	}
	if k.Adopt != nil {
		out.adopt = func(ctx context.Context, v *View, have actual, want Object) error {
			return k.Adopt(ctx, v, typed[S](have), want.(S))
		}
	}
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
	if k.Check != nil {
		out.check = func(v *View, want Object) error { return k.Check(v, want.(S)) }
	}
	if k.Foresee != nil {
		out.foresee = func(ctx context.Context, v *View, have uint32, want Object) error {
			return k.Foresee(ctx, v, have, want.(S))
		}
	}
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
	return out
}

// resources is a Kind.Holds, Shares, Covers or Undoes.
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
