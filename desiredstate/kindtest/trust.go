// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/vppkit/vppkit/desiredstate"
)

// Settled is the law that what was just made is what is found: under the handle that
// Create returned, and as no drift.
func Settled[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	var drift atomic.Value
	e.Observe = func(ev desiredstate.Event) {
		if ev.Type == desiredstate.Drift {
			drift.Store(ev.Key)
		}
	}
	for _, s := range all {
		r, err := e.Ensure(ctx, s)
		if err != nil {
			return err
		}
		made, _ := r.Of(s.Key())
		e.Forget()
		found, err := e.Found(ctx)
		if err != nil {
			return err
		}
		if k := drift.Load(); k != nil {
			return fmt.Errorf("%+v: %v has drifted as soon as it is read", s, k)
		}
		for _, f := range found {
			if f.Key == s.Key() && !f.Foreign && f.ID != made.ID {
				return fmt.Errorf("%+v: made with handle %d, found with %d", s, made.ID, f.ID)
			}
		}
	}
	return nil
}

// Predicted is the law that a plan says what is done.
func Predicted[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		p, err := e.Plan(ctx, append(append([]desiredstate.Object(nil), w.Base...), s)...)
		if err != nil {
			return err
		}
		said := map[desiredstate.Key]desiredstate.Action{}
		for _, step := range p.Steps {
			said[step.Key] = step.Action
		}
		r, err := e.Apply(ctx, p)
		if err != nil {
			return fmt.Errorf("%+v: the plan\n%sends in %w", s, p, err)
		}
		for _, x := range r {
			if x.Action != desiredstate.Keep && said[x.Key] != x.Action {
				return fmt.Errorf("%+v: %s %s was not in the plan\n%s", s, x.Action, x.Key, p)
			}
			delete(said, x.Key)
		}
		for k, a := range said {
			return fmt.Errorf("%+v: %s %s was planned, and not done", s, a, k)
		}
	}
	return nil
}

// Contained is the law that a kind that cannot be read, be it the one under test or
// another one, hurts nobody else.
func Contained[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	if _, err := w.begin(ctx); err != nil {
		return err
	}
	broken := errors.New("broken by the law")
	dump := func(context.Context, *desiredstate.View) ([]desiredstate.Actual[bystander], error) {
		return nil, broken
	}
	e := desiredstate.New(append([]desiredstate.AnyKind{&desiredstate.Kind[bystander]{Name: "kindtest-bystander", Dump: dump}}, w.kinds()...)...)
	if _, err := e.Ensure(ctx, s); err != nil {
		return fmt.Errorf("beside a kind that cannot be read: %w", err)
	}
	if _, err := e.Remove(ctx, s.Key()); err != nil {
		return fmt.Errorf("beside a kind that cannot be read: %w", err)
	}

	bystanders := 0
	unreadable := copyOf(w.Kind)
	unreadable.Target = nil
	unreadable.Dump = func(context.Context, *desiredstate.View) ([]desiredstate.Actual[S], error) { return nil, broken }
	e = desiredstate.New(append(w.more(), &desiredstate.Kind[bystander]{
		Name:   "kindtest-bystander",
		Dump:   func(context.Context, *desiredstate.View) ([]desiredstate.Actual[bystander], error) { return nil, nil },
		Create: func(context.Context, *desiredstate.View, bystander) (uint32, error) { bystanders++; return 0, nil },
		Delete: func(context.Context, *desiredstate.View, desiredstate.Actual[bystander]) error { return nil },
	}, unreadable)...)
	return w.quiet("the kind cannot be read", func() error {
		r, err := e.Ensure(ctx, s, bystander{"b"})
		if x, _ := r.Of(s.Key()); !errors.Is(x.Err, desiredstate.ErrUnread) {
			return fmt.Errorf("want desiredstate.ErrUnread, got %w", err)
		}
		if bystanders != 1 {
			return errors.New("others suffer")
		}
		return nil
	})
}

// Shared is the law that several engines on one Target know what each other does, and that
// objects of one kind are divided among them by claims. A kind without a Target keeps it.
func Shared[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	if w.Kind.Target == nil {
		return nil
	}
	w.heal()
	all := w.engine()
	if _, err := all.Sync(ctx); err != nil {
		return err
	}
	alone := desiredstate.New(w.Kind)
	if _, err := alone.Found(ctx); err != nil { // from now on it reads nothing by itself
		return err
	}
	if _, err := all.Ensure(ctx, w.Base...); err != nil {
		return err
	}
	if _, err := alone.Ensure(ctx, s); err != nil {
		return fmt.Errorf("on what another engine made: %w", err)
	}
	if err := w.found(ctx, all, s); err != nil {
		return fmt.Errorf("the other engine: %w", err)
	}

	k := copyOf(w.Kind)
	k.Claims = func(desiredstate.Key) bool { return false }
	other := desiredstate.New(k)
	other.MaxPrune = 1
	return w.quiet("an engine that claims none of it", func() error {
		if _, err := other.Sync(ctx); err != nil {
			return err
		}
		if _, err := other.Ensure(ctx, s); !errors.Is(err, desiredstate.ErrForeign) {
			return fmt.Errorf("want desiredstate.ErrForeign, got %w", err)
		}
		return w.found(ctx, all, s)
	})
}

// copyOf is a kind that does as k.
func copyOf[S desiredstate.Object](k *desiredstate.Kind[S]) *desiredstate.Kind[S] {
	return &desiredstate.Kind[S]{
		Name: k.Name, Requires: k.Requires, Messages: k.Messages, Dump: k.Dump, Create: k.Create, Update: k.Update, Delete: k.Delete,
		Adopt: k.Adopt, Fill: k.Fill, InPlace: k.InPlace, Verify: k.Verify, Deps: k.Deps, Holds: k.Holds, Shares: k.Shares, Covers: k.Covers, Undoes: k.Undoes, GoesFirst: k.GoesFirst,
		Check: k.Check, Foresee: k.Foresee, Disturbs: k.Disturbs, Unverified: k.Unverified,
		Target: k.Target, Variant: k.Variant,
	}
}

// bystander is an object of a kind that has nothing to do with any other.
type bystander struct{ Name string }

func (b bystander) Key() desiredstate.Key {
	return desiredstate.Key{Space: "kindtest-bystander", Name: b.Name}
}
func (b bystander) Deps() []desiredstate.Key { return nil }
func (b bystander) Validate() error          { return nil }

// Apart is the law that another owner's object of the same name is another object: what
// is done with ours leaves it as it is.
func Apart[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	return w.beside(ctx, all[0], func() error {
		e.Forget()
		for _, s := range all {
			if _, err := e.Ensure(ctx, s); err != nil && !refused(err) {
				return err
			}
		}
		_, err := e.Remove(ctx, all[0].Key())
		return err
	})
}

// Bound is the law that a remembered handle never hits a stranger: ours was unmade behind
// our back, and its handle, as chance may have it, is another owner's by now. What we try
// then may fail, as the target says what has become of it.
func Bound[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	for _, change := range []bool{false, true} {
		e, err := w.begin(ctx)
		if err != nil {
			return err
		}
		if _, err := e.Ensure(ctx, all[0]); err != nil {
			return err
		}
		behind := w
		if w.Reopen != nil { // an engine on the same connection would hear of it
			behind = w.Reopen()
		}
		if _, err := behind.engine().Sync(ctx); err != nil { // Base too: whatever hands out handles has them all
			return err
		}
		err = w.beside(ctx, all[0], func() error {
			if change {
				_, _ = e.Ensure(ctx, all[len(all)-1])
			}
			_, _ = e.Remove(ctx, all[0].Key())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refused says whether an object gives way to somebody else's.
func refused(err error) bool {
	return errors.Is(err, desiredstate.ErrForeign) || errors.Is(err, desiredstate.ErrMissing) || errors.Is(err, desiredstate.ErrConflict)
}

// beside checks that what another owner has of the same names is as it was after f, and
// takes it away then.
func (w World[S]) beside(ctx context.Context, s S, f func() error) (err error) {
	other := w.Stranger()
	e, err := other.begin(ctx)
	defer func() {
		_, left := other.engine().Sync(ctx)
		err = errors.Join(err, left)
	}()
	if err == nil {
		_, err = e.Ensure(ctx, s)
	}
	if err != nil && refused(err) { // only one owner can have such a thing
		return nil
	}
	if err != nil {
		return fmt.Errorf("the stranger: %w", err)
	}
	if err := f(); err != nil {
		return err
	}
	if err := other.found(ctx, other.engine(), s); err != nil {
		return fmt.Errorf("what is a stranger's was touched: %w", err)
	}
	return nil
}
