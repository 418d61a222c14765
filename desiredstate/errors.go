// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"errors"
	"fmt"
)

// The reasons for which an engine refuses. Each is found by errors.Is in the
// error of a Result, of a Step or of a Status.
var (
	// ErrInvalid: Validate refused the object. Change the object.
	ErrInvalid = errors.New("invalid")

	// ErrForeign: the name, or something that only one object can hold, belongs
	// to an object that is not ours. Choose another, or remove the other object.
	ErrForeign = errors.New("not ours")

	// ErrMissing: a dependency is neither in the target nor about to be.
	// The object is made when the dependency appears.
	ErrMissing = errors.New("missing dependency")

	// ErrFailed: something that had to be done first failed; that failure is
	// reported under the key of the object that it happened to.
	ErrFailed = errors.New("waits for a failed object")

	// ErrInUse: other objects depend on the one to be removed. Remove them too.
	ErrInUse = errors.New("in use")

	// ErrConflict: another object holds what the object needs for itself alone,
	// or has its name. It is made when the other lets go.
	ErrConflict = errors.New("conflict")

	// ErrCycle: the object depends on itself by way of its dependencies.
	ErrCycle = errors.New("dependency cycle")

	// ErrDuplicate: two of the wanted objects have one key, and are not the same.
	ErrDuplicate = errors.New("wanted twice")

	// ErrStale: the target changed since the plan was made, or the plan was applied.
	// Plan again. From Store.Confirm: that is not what is held back. Look again.
	ErrStale = errors.New("stale plan")

	// ErrChanged: the handle of the object, or of something that it directly depends on,
	// is something else's by now, or nobody's. Nothing was sent; both are read anew.
	ErrChanged = errors.New("changed behind our back")

	// ErrEarly is for kinds: something is not yet as the object needs it, though the object
	// does not depend on it by name, and nothing has changed: nothing was sent, or the target
	// refused it. The engine tries once more when nothing else of its pass is left to do.
	ErrEarly = errors.New("not yet possible")

	// ErrUnchanged is for kinds: a Dump finds just what the kind's last one found; see View.Kept.
	ErrUnchanged = errors.New("unchanged")

	// ErrUnread: the target could not be asked for objects of this kind. They are left
	// as they are; what depends on them waits.
	ErrUnread = errors.New("cannot be read")

	// ErrRefused: Engine.Refuse would not have it.
	ErrRefused = errors.New("refused")

	// ErrMassDelete: more would be removed than Engine.MaxPrune allows, though nobody
	// deleted it by name. Look at it, then confirm it.
	ErrMassDelete = errors.New("would remove too much")

	// ErrUnavailable: the engine was told that this target cannot do the kind; see
	// Unavailable.
	ErrUnavailable = errors.New("unavailable")

	// ErrClosed: the engine was closed. Make another one, of kinds made anew.
	ErrClosed = errors.New("engine closed")

	// ErrUnknownKind: none of the engine's kinds is for this type of object.
	ErrUnknownKind = errors.New("no kind for this object")
)

// Error says what could not be done to which object. Unwrap leads to the
// target's own error.
type Error struct {
	Action Action
	Key    Key
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Action.verb(), e.Key, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
