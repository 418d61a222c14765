// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/vppkit/vppkit/desiredstate"
)

// World is a target with the kind under test, and what else the laws need. Only
// Kind and Writes must be set.
type World[S desiredstate.Object] struct {
	Kind *desiredstate.Kind[S]
	More []desiredstate.AnyKind // those of Base

	// Base is what the objects depend on. It is there whenever one is tried.
	Base []desiredstate.Object

	// State is all that the target holds, as text, with nothing in it that
	// changes by itself. Nil: what is left behind unseen by the kinds, and what
	// is done to others, is not checked.
	State func() string

	// Writes counts the messages so far that can change the target, those
	// included that it refused.
	Writes func() int

	// Fault makes the nth such message from now, counted from 1, fail: refused,
	// or, if lost, executed without the kind ever hearing of it. Only one fault
	// is live at a time. Nil: the law of faults is skipped.
	Fault func(nth int, lost bool)

	// Heal takes back a Fault that has not struck. Set it along with Fault.
	Heal func()

	// Stranger is the same target to another owner of things, who has objects of the
	// same names. Nil: what is done to others of these names is not checked.
	Stranger func() World[S]

	// Reopen connects to the same target once more, as a program does that
	// starts again. Nil: Run uses Suite.Open; the laws, called one by one, try it
	// with new engines alone.
	Reopen func() World[S]
}

// engine is a new one, that has read nothing.
func (w World[S]) engine() *desiredstate.Engine {
	e := desiredstate.New(w.kinds()...)
	e.MaxPrune = 1
	return e
}

func (w World[S]) more() []desiredstate.AnyKind { return slices.Clone(w.More) }

func (w World[S]) kinds() []desiredstate.AnyKind { return append(w.more(), w.Kind) }

func (w World[S]) heal() {
	if w.Heal != nil {
		w.Heal()
	}
}

// begin leaves nothing of ours but Base and with.
func (w World[S]) begin(ctx context.Context, with ...desiredstate.Object) (*desiredstate.Engine, error) {
	w.heal()
	e := w.engine()
	if _, err := e.Sync(ctx, slices.Concat(w.Base, with)...); err != nil {
		return nil, fmt.Errorf("prepare the target: %w", err)
	}
	return e, nil
}

// holds checks that somebody new to the target finds Base and want as wanted,
// and nothing else of ours.
func (w World[S]) holds(ctx context.Context, want ...desiredstate.Object) error {
	return w.found(ctx, w.engine(), want...)
}

func (w World[S]) found(ctx context.Context, e *desiredstate.Engine, want ...desiredstate.Object) error {
	want = slices.Concat(w.Base, want)
	p, err := e.Plan(ctx, want...)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if len(p.Steps) > 0 || p.Count(desiredstate.Keep) != len(want) {
		return fmt.Errorf("want nothing to do, found:\n%s", p)
	}
	return nil
}

// quiet checks that f sends nothing that could change the target.
func (w World[S]) quiet(what string, f func() error) error {
	before := w.Writes()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n := w.Writes() - before; n > 0 {
		return fmt.Errorf("%s: %d writes, want none", what, n)
	}
	return nil
}

func (w World[S]) state() string {
	if w.State == nil {
		return ""
	}
	return w.State()
}

// as checks that the target is as it was.
func (w World[S]) as(before string) error {
	if after := w.state(); after != before {
		return fmt.Errorf("the target is not as it was (-before +after):\n%s",
			cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")))
	}
	return nil
}

// remove removes an object and checks that no trace of it is left.
func (w World[S]) remove(ctx context.Context, e *desiredstate.Engine, s S, before string) error {
	if _, err := e.Remove(ctx, s.Key()); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return errors.Join(w.as(before), w.holds(ctx))
}
