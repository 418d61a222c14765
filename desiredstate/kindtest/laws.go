// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
)

// ToldApart is the law that a method Equal, if the objects have one, sees each difference and
// no other.
func ToldApart[S desiredstate.Object](a, b S) error {
	equal, ok := any(a).(interface{ Equal(S) bool })
	if !ok {
		return nil
	}
	said := func(s S) string { return fmt.Sprintf("%+v", s) }
	switch {
	case !equal.Equal(a), reflect.DeepEqual(a, b) && !equal.Equal(b):
		return fmt.Errorf("by Equal %+v is not what it is", a)
	case equal.Equal(b) && said(a) != said(b):
		return fmt.Errorf("by Equal %+v is %+v", a, b)
	}
	return nil
}

// Accepted is the law that what Validate passes the target takes.
func Accepted[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("the generated object is not valid: %w", err)
	}
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return fmt.Errorf("the target refuses what Validate passes: %w", err)
	}
	return nil
}

// Idempotent is the law that what is there already costs no write: not for the
// engine that made it, not when it reads anew, not for one that did not make it.
func Idempotent[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return err
	}
	ensure := func(e *desiredstate.Engine) func() error {
		return func() error { _, err := e.Ensure(ctx, s); return err }
	}
	if err := w.quiet("ensured again", ensure(e)); err != nil {
		return err
	}
	e.Forget()
	if err := w.quiet("ensured again after Forget", ensure(e)); err != nil {
		return err
	}
	if err := w.quiet("ensured by a new engine", ensure(w.engine())); err != nil {
		return err
	}
	if w.Reopen == nil {
		return nil
	}
	return w.quiet("ensured through a new connection", ensure(w.Reopen().engine()))
}

// Faithful is the law that Dump finds what was asked for, and nothing else.
func Faithful[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return err
	}
	if err := w.found(ctx, e, s); err != nil {
		return fmt.Errorf("the engine that made it: %w", err)
	}
	e.Forget()
	if err := w.found(ctx, e, s); err != nil {
		return fmt.Errorf("after Forget: %w", err)
	}
	if err := w.holds(ctx, s); err != nil {
		return fmt.Errorf("a new engine: %w", err)
	}
	if w.Reopen == nil {
		return nil
	}
	if err := w.Reopen().holds(ctx, s); err != nil {
		return fmt.Errorf("a new connection: %w", err)
	}
	return nil
}

// Changeable is the law that an object becomes whatever it is asked to become, as
// if it had been made so. All have the key of the first.
func Changeable[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	before := w.state()
	for n, s := range all {
		if _, err := e.Ensure(ctx, s); err != nil {
			return fmt.Errorf("version %d, %+v: %w", n, s, err)
		}
		if err := w.holds(ctx, s); err != nil {
			return fmt.Errorf("version %d, %+v: %w", n, s, err)
		}
	}
	if err := w.anew(ctx, e, all[len(all)-1]); err != nil {
		return err
	}
	return w.remove(ctx, e, all[0], before)
}

// Removable is the law that a removed object leaves nothing behind, and that
// removing it again is no error and no write.
func Removable[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	before := w.state()
	again := func(e *desiredstate.Engine) func() error {
		return func() error { _, err := e.Remove(ctx, s.Key()); return err }
	}
	if err := w.quiet("removed before it was made", again(e)); err != nil {
		return err
	}
	for _, remover := range []*desiredstate.Engine{e, w.engine()} { // the second never made it
		if _, err := e.Ensure(ctx, s); err != nil {
			return err
		}
		if err := w.remove(ctx, remover, s, before); err != nil {
			return err
		}
		if err := w.quiet("removed again", again(remover)); err != nil {
			return err
		}
		e.Forget()
	}
	return nil
}

// Harmless is the law that what is not ours stays as it is. Before is the state
// without anything of ours.
func Harmless[S desiredstate.Object](ctx context.Context, w World[S], before string, all ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if _, err := e.Ensure(ctx, s); err != nil {
			return err
		}
	}
	if _, err := w.engine().Sync(ctx); err != nil {
		return fmt.Errorf("remove all: %w", err)
	}
	after := strings.Split(w.state(), "\n")
	var errs []error
	for _, line := range strings.Split(before, "\n") {
		if !slices.Contains(after, line) {
			errs = append(errs, fmt.Errorf("was there before and is gone, or changed: %s", line))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("is there now:\n%s", strings.Join(after, "\n")))
	}
	return errors.Join(errs...)
}

// Repairable is the law that whichever message fails on the way from one state
// of an object to another, refused or with its reply lost, the next tries get
// there all the same, by the same engine or by a new one, and leave nothing
// else. Nil stands for the object not being there; otherwise both have one key.
func Repairable[S desiredstate.Object](ctx context.Context, w World[S], from, to *S) error {
	for _, lost := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			for nth := 1; ; nth++ {
				struck, err := w.repair(ctx, from, to, nth, lost, restart)
				if err != nil {
					how, who := "is refused", "the same engine"
					if lost {
						how = "is lost"
					}
					if restart {
						who = "a new engine"
					}
					return fmt.Errorf("from %s to %s, message %d %s, then tried again by %s: %w", show(from), show(to), nth, how, who, err)
				}
				if !struck {
					break
				}
			}
		}
	}
	return nil
}

func show[S any](s *S) string {
	if s == nil {
		return "nothing"
	}
	return fmt.Sprintf("%+v", *s)
}

// tries is how often a failed step is tried.
const tries = 4

// repair says whether there was an nth message.
func (w World[S]) repair(ctx context.Context, from, to *S, nth int, lost, restart bool) (bool, error) {
	e, err := w.begin(ctx)
	if err != nil {
		return false, err
	}
	before := w.state()
	key := from
	if to != nil {
		key = to
	}
	if from != nil {
		if _, err := e.Ensure(ctx, *from); err != nil {
			return false, err
		}
	}
	step := func() (err error) {
		if to != nil {
			_, err = e.Ensure(ctx, *to)
		} else {
			_, err = e.Remove(ctx, (*key).Key())
		}
		return err
	}
	sent := w.Writes()
	w.Fault(nth, lost)
	err = step()
	struck := w.Writes()-sent >= nth
	w.heal()
	if err != nil && !struck {
		return false, err
	}
	if restart {
		e = w.engine()
	}
	for n := 1; err != nil || restart && n == 1; n++ {
		if n > tries {
			return true, fmt.Errorf("still not repaired after %d tries: %w", tries, err)
		}
		err = step()
	}
	if to != nil {
		if err := w.holds(ctx, *to); err != nil {
			return struck, err
		}
	}
	return struck, w.remove(ctx, e, *key, before)
}

// Portable is the law that an object survives JSON.
func Portable[S desiredstate.Object](w World[S], s S) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	o, err := w.engine().Decode(w.Kind.Name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	if !reflect.DeepEqual(o, desiredstate.Object(s)) {
		return fmt.Errorf("%s: decoded as %+v, was %+v", text, o, s)
	}
	return nil
}
