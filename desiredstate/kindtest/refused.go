// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
)

// Unharmed is the law that a change that is refused sends nothing, and leaves what was there. Both have
// one key.
func Unharmed[S desiredstate.Object](ctx context.Context, w World[S], s, refused S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return err
	}
	return w.quiet(fmt.Sprintf("refused %+v", refused), func() error {
		if _, err := e.Ensure(ctx, refused); err == nil {
			return errors.New("the target takes it")
		}
		return w.holds(ctx, s)
	})
}

// Spared is the law that a change costs nothing of what is there if it happens to be refused: for what
// else is there, or for what it names, which is not there or of another sort. Both have one key.
func Spared[S desiredstate.Object](ctx context.Context, w World[S], s, to S, beside ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := e.Ensure(ctx, s); err != nil {
		return err
	}
	there := []desiredstate.Object{s}
	for _, o := range beside {
		if _, err := e.Ensure(ctx, o); err == nil {
			there = append(there, o)
		} else if _, err := e.Remove(ctx, o.Key()); err != nil {
			return fmt.Errorf("remove what was refused: %w", err)
		}
	}
	if _, err = e.Ensure(ctx, to); err == nil {
		return nil
	}
	if lost := w.holds(ctx, there...); lost != nil {
		return fmt.Errorf("%+v becomes %+v, which is refused (%w), beside %+v: %w", s, to, err, there[1:], lost)
	}
	return nil
}

// spared draws for Spared.
func (s Suite[S]) spared(t *rapid.T, w World[S]) (err error) {
	theirs := map[string]string{}
	if w.Stranger != nil && rapid.Bool().Draw(t, "a stranger") {
		e, ours := w.begin(t.Context()) // first, as what he has could be in its way
		if ours != nil {
			return ours
		}
		all, end, failed := w.abroad(t.Context(), e)
		defer func() {
			_, ours := w.begin(t.Context()) // what is on his goes before
			err = errors.Join(err, ours, end())
		}()
		if failed != nil {
			return failed
		}
		theirs = all
	}
	all := s.versions(t)
	to := misnamed(t, w, all[len(all)-1], theirs)
	return Spared(t.Context(), w, all[0], to, s.others(t, to.Key())...)
}

// others draws objects of other keys, each of its own.
func (s Suite[S]) others(t *rapid.T, than desiredstate.Key) (out []S) {
	seen := map[desiredstate.Key]bool{than: true}
	for _, x := range rapid.SliceOfN(s.Gen, 0, 6).Draw(t, "others") {
		if k := x.Key(); !seen[k] {
			seen[k] = true
			out = append(out, x)
		}
	}
	return out
}

// misnamed mostly has one that Base has take another's place in an object, or nothing.
func misnamed[S desiredstate.Object](t *rapid.T, w World[S], s S, theirs map[string]string) S {
	if len(w.Base) == 0 || rapid.IntRange(0, 3).Draw(t, "as it is") == 0 {
		return s
	}
	of := []string{"nobody"}
	for _, o := range w.Base {
		of = append(of, o.Key().Name)
	}
	into := slices.Concat(of, slices.Sorted(maps.Values(theirs)))
	var able []S
	for _, from := range of[1:] {
		for _, to := range into {
			if x, ok := renamed(s, map[string]string{from: to}); ok && x.Key() == s.Key() && x.Validate() == nil {
				able = append(able, x)
			}
		}
	}
	if len(able) == 0 {
		return s
	}
	return able[rapid.IntRange(0, len(able)-1).Draw(t, "misnamed")]
}

// Labelled is the law that a name that is valid, and too long for the target all the same, by itself or
// with what else the target is told along with it, is refused by a plan, and costs nothing of what is
// there. All have one key.
func Labelled[S desiredstate.Object](ctx context.Context, w World[S], all ...S) error {
	e, err := w.begin(ctx)
	if err != nil {
		return err
	}
	name := ""
	for n := 512; name == "" && n > 0; n-- {
		s, ok := lengthened(all[0], n)
		if !ok {
			return nil
		}
		if s.Validate() != nil {
			continue
		}
		p, err := e.PlanEnsure(ctx, s)
		if err != nil {
			return err
		}
		if p.Count(desiredstate.Block) == 0 {
			if _, err := e.Ensure(ctx, s); err != nil {
				return fmt.Errorf("a plan does not refuse a name of %d bytes: %w", n, err)
			}
			name, all[0] = s.Key().Name, s
		}
	}
	last := all[0]
	for _, s := range all[1:] {
		s, _ = lengthened(s, len(name))
		if s.Key() != last.Key() || s.Validate() != nil {
			continue
		}
		before := w.Writes()
		if _, err := e.Ensure(ctx, s); err == nil {
			last = s
		} else if n := w.Writes() - before; n > 0 {
			return fmt.Errorf("%+v is refused (%w) after %d writes", s, err, n)
		}
	}
	return w.holds(ctx, last)
}

// lengthened is an object with a longer name, if it has one.
func lengthened[S desiredstate.Object](s S, length int) (S, bool) {
	f := reflect.ValueOf(&s).Elem().FieldByName("Name")
	if !f.IsValid() || f.Kind() != reflect.String || s.Key().Name != f.String() {
		return s, false
	}
	f.SetString(f.String() + strings.Repeat("x", max(0, length-f.Len())))
	return s, true
}

// renamed is an object in which all texts that are names are others, and whether there are any.
func renamed[S desiredstate.Object](s S, names map[string]string) (S, bool) {
	any := false
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if to, ok := names[v.String()]; ok && v.CanSet() {
				v.SetString(to)
				any = true
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			if v.CanSet() && !v.IsNil() {
				own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
				reflect.Copy(own, v)
				v.Set(own)
				for i := range own.Len() {
					walk(own.Index(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(&s).Elem())
	return s, any
}

// abroad has a stranger make what Base has, and says what of it is called how, until it is taken away.
func (w World[S]) abroad(ctx context.Context, e *desiredstate.Engine) (theirs map[string]string, end func() error, err error) {
	other := w.Stranger()
	end = func() error {
		_, err := other.engine().Sync(ctx)
		return err
	}
	if _, err := other.begin(ctx); err != nil && !refused(err) {
		return nil, end, fmt.Errorf("the stranger: %w", err)
	}
	e.Forget()
	found, err := e.Found(ctx)
	theirs = map[string]string{}
	for _, b := range w.Base {
		for _, f := range found {
			if k := b.Key(); f.Foreign && f.Key.Space == k.Space && strings.HasSuffix(f.Key.Name, "/"+k.Name) {
				theirs[k.Name] = f.Key.Name
			}
		}
	}
	return theirs, end, err
}
