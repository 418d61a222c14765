// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
)

// SideBySide is the law that two objects of two keys are both there, or the second is refused by a name:
// who takes what the first has alone is told so by the kind, and not by the target.
func SideBySide[S desiredstate.Object](ctx context.Context, w World[S], a, b S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, a); err != nil {
		return err
	}
	switch _, err := e.Ensure(ctx, b); {
	case err == nil:
		err = w.holds(ctx, a, b)
		if err != nil {
			return fmt.Errorf("%+v beside %+v: %w", b, a, err)
		}
	case refused(err), errors.Is(err, desiredstate.ErrInvalid):
		if err := w.holds(ctx, a); err != nil {
			return fmt.Errorf("%+v, beside which %+v was refused: %w", a, b, err)
		}
	default:
		return fmt.Errorf("%+v beside %+v: want both, or desiredstate.ErrConflict: %w", b, a, err)
	}
	return nil
}

// Cancelled is the law that who is told to stop does: a Dump whose context has ended does not take
// what it could not read for what is not there, and a Create and a Delete send nothing.
func Cancelled[S desiredstate.Object](ctx context.Context, w World[S], s S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	stopped := func(stop func(k *desiredstate.Kind[S])) *desiredstate.Engine {
		k := copyOf(w.Kind)
		k.Target = nil
		stop(k)
		e := desiredstate.New(append(w.more(), k)...)
		e.MaxPrune = 1
		return e
	}
	create := stopped(func(k *desiredstate.Kind[S]) {
		k.Create = func(_ context.Context, v *desiredstate.View, s S) (uint32, error) { return w.Kind.Create(ended, v, s) }
	})
	if err := w.quiet("Create, whose context has ended", func() error { _, _ = create.Ensure(ctx, s); return nil }); err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return err
	}
	there, err := inventory(ctx, stopped(func(*desiredstate.Kind[S]) {}))
	if err != nil {
		return err
	}
	read := stopped(func(k *desiredstate.Kind[S]) {
		k.Dump = func(_ context.Context, v *desiredstate.View) ([]desiredstate.Actual[S], error) {
			return w.Kind.Dump(ended, v)
		}
	})
	if found, err := inventory(ctx, read); err == nil && found != there {
		return fmt.Errorf("a Dump whose context has ended returns no error, and found\n%swhere there is\n%s", found, there)
	}
	remove := stopped(func(k *desiredstate.Kind[S]) {
		k.Delete = func(_ context.Context, v *desiredstate.View, have desiredstate.Actual[S]) error {
			return w.Kind.Delete(ended, v, have)
		}
	})
	return w.quiet("Delete, whose context has ended", func() error { _, _ = remove.Remove(ctx, s.Key()); return nil })
}

// anew checks that an object that was changed is, in all that is wanted of it, what it is when it is made
// anew: a Fill that takes what is there for what is wanted would hide that nothing was changed.
func (w World[S]) anew(ctx context.Context, e *desiredstate.Engine, s S) error {
	changed, err := w.shown(ctx, s)
	if err != nil {
		return err
	}
	if _, err := e.Remove(ctx, s.Key()); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return fmt.Errorf("%+v anew: %w", s, err)
	}
	made, err := w.shown(ctx, s)
	if err != nil {
		return err
	}
	if field, is, was := otherwise(reflect.ValueOf(s), reflect.ValueOf(made), reflect.ValueOf(changed)); field != "" {
		return fmt.Errorf("%+v: made anew, its %s is %s, and %s once it was changed", s, field, is, was)
	}
	return nil
}

// otherwise is the first field, of those that want does not leave to the target, in which two objects differ. Lists of
// structs, of which each may leave something to the target, it does not look into.
func otherwise(want, is, was reflect.Value) (field, a, b string) {
	for i := range want.NumField() {
		f := want.Type().Field(i)
		v := want.Field(i)
		switch {
		case !f.IsExported() || v.IsZero() || v.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
		case v.Kind() == reflect.Struct && !plain(f.Type):
			if inner, a, b := otherwise(v, is.Field(i), was.Field(i)); inner != "" {
				return f.Name + "." + inner, a, b
			}
		case unordered(is.Field(i)) != unordered(was.Field(i)):
			return f.Name, unordered(is.Field(i)), unordered(was.Field(i))
		}
	}
	return "", "", ""
}

// plain says of a struct that it is one value, such as an address.
func plain(t reflect.Type) bool {
	return !slices.ContainsFunc(reflect.VisibleFields(t), reflect.StructField.IsExported)
}

// shown is an object as another program finds it, which wants nothing: who wants knows what the target does not show.
func (w World[S]) shown(ctx context.Context, s S) (out S, err error) {
	found, err := w.reopened().engine().Found(ctx)
	for _, f := range found {
		if f.Key == s.Key() && !f.Foreign {
			out, _ = f.Spec.(S)
		}
	}
	return out, err
}

// unordered is a value as text, in which the elements of a list have no order.
func unordered(v reflect.Value) string {
	if v.Kind() != reflect.Slice {
		return fmt.Sprintf("%+v", v)
	}
	var all []string
	for i := range v.Len() {
		all = append(all, fmt.Sprintf("%+v", v.Index(i)))
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}
