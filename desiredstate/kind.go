// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"context"
	"sync"
)

// Kind teaches an [Engine] one type of object. A constructor makes one, bound
// to its target by closure, and returns a pointer to it:
//
//	func Ports(c *vppnet.Conn) *desiredstate.Kind[Port]
//
// The functions may be called concurrently for different objects. They do not
// retry, log, or check for what exists already: the engine does, once, for all.
// They wrap nothing: the engine adds action and key to their errors, and makes an error of
// their panic (see [Panic]) where they return errors.
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
	// what is there; Create need not check again. What it refuses is checked anew once anything
	// changes that it asked View.Known for, or that the object depends on. Nil: nothing is refused.
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

	// Deps names what an object depends on beside its own Deps, by how the kind was constructed: on
	// what makes it ours, unless that is claimed. Nil: nothing.
	Deps func(S) []Key

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
	// that are to stay, whoever wants them, as if they were Broken, after this one has gone; so does the next
	// if it came to nothing. Nil: none.
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
