// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// Open is a spec with a field of an interface type. Go calls it comparable, and
// panics when what it holds is not.
type Open struct {
	Name string
	In   struct{ V map[string][]any }
}

func (o Open) Key() ds.Key   { return ds.Key{Space: "open", Name: o.Name} }
func (Open) Deps() []ds.Key  { return nil }
func (Open) Validate() error { return nil }

// Any is the same, at the top.
type Any struct {
	Name string
	V    any
}

func (a Any) Key() ds.Key   { return ds.Key{Space: "any", Name: a.Name} }
func (Any) Deps() []ds.Key  { return nil }
func (Any) Validate() error { return nil }

// Rich is plain data all the same.
type Rich struct {
	Name string
	At   time.Time
	Net  netip.Prefix
	Of   map[string][]*Rich
}

func (r Rich) Key() ds.Key   { return ds.Key{Space: "rich", Name: r.Name} }
func (Rich) Deps() []ds.Key  { return nil }
func (Rich) Validate() error { return nil }

func kindWithout[S ds.Object](what string) *ds.Kind[S] {
	k := &ds.Kind[S]{
		Name:   "odd",
		Dump:   func(context.Context, *ds.View) ([]ds.Actual[S], error) { return nil, nil },
		Create: func(context.Context, *ds.View, S) (uint32, error) { return 1, nil },
		Delete: func(context.Context, *ds.View, ds.Actual[S]) error { return nil },
	}
	switch what {
	case "Dump":
		k.Dump = nil
	case "Delete":
		k.Delete = nil
	case "Requires":
		k.Requires = []ds.AnyKind{nil}
	}
	return k
}

// Each way into an engine says what is wrong with it, and none panics.
func misused(t *testing.T, e *ds.Engine, says string, objs ...ds.Object) {
	t.Helper()
	ctx := t.Context()
	calls := map[string]func() error{
		"Ensure": func() error { _, err := e.Ensure(ctx, objs...); return err },
		"Sync":   func() error { _, err := e.Sync(ctx, objs...); return err },
		"Plan":   func() error { _, err := e.Plan(ctx, objs...); return err },
		"Remove": func() error { _, err := e.Remove(ctx, thingKey("a")); return err },
		"Found":  func() error { _, err := e.Found(ctx); return err },
		"Apply":  func() error { _, err := e.Apply(ctx, new(ds.Plan)); return err },
		"Decode": func() error { _, err := e.Decode("odd", []byte("{}")); return err },
		"Run":    func() error { return e.Run(ctx, ds.NewStore(), 0) },
	}
	for name, call := range calls {
		require.ErrorContains(t, call(), says, name)
	}
	_, err := e.ID(thingKey("a"))
	require.Error(t, err)
	e.Forget()
}

func TestKindsThatCannotWork(t *testing.T) {
	var noKind *ds.Kind[Box]
	misused(t, ds.New(nil), "a kind is nil")
	misused(t, ds.New(noKind), "a kind is nil")
	misused(t, ds.New(kindWithout[Box]("Dump")), "no Dump", Box{})
	misused(t, ds.New(kindWithout[Box]("Delete")), "no Delete", Box{})
	misused(t, ds.New(kindWithout[Box]("Requires")), "requires is nil", Box{})
	misused(t, ds.New(kindWithout[*Box]("")), "*desiredstate_test.Box, want a struct", &Box{})
	misused(t, ds.New(kindWithout[ds.Object]("")), "desiredstate.Object, want a struct", Box{})
	misused(t, ds.New(kindWithout[Open]("")), "desiredstate_test.Open.In.V[] is interface {}, want plain data", Open{})
	misused(t, ds.New(kindWithout[Any]("")), "desiredstate_test.Any.V is interface {}", Any{V: []int{1}})
	for _, k := range []*ds.Kind[Any]{kindWithout[Any]("")} {
		_, err := k.Ensure(t.Context(), Any{V: []int{1}})
		require.ErrorIs(t, err, ds.ErrInvalid)
		_, err = k.Remove(t.Context(), Any{V: []int{1}})
		require.ErrorIs(t, err, ds.ErrInvalid)
	}
	_, err := kindWithout[*Box]("").Remove(t.Context(), nil)
	require.ErrorContains(t, err, "want a struct")
	_, err = kindWithout[Rich]("").Ensure(t.Context(), Rich{At: time.Now(), Of: map[string][]*Rich{"x": {{}}}})
	require.NoError(t, err)
	// A reference kind is never asked to delete.
	_, err = ds.New(things(newTarget())).Found(t.Context())
	require.NoError(t, err)
}

func TestObjectsThatNobodyCanWant(t *testing.T) {
	var noBox *Box
	e := engine(newTarget())
	for name, o := range map[string]ds.Object{
		"nil": nil, "nil pointer": noBox, "interface field": Any{V: []int{1}}, "deep": Open{Name: "a"},
	} {
		for _, objs := range [][]ds.Object{{o}, {Box{Name: "a"}, o}, {o, o}} {
			s := ds.NewStore()
			require.NoError(t, s.Put(Box{Name: "before"}))
			require.NoError(t, s.Assign("x", Box{Name: "x"}))
			require.ErrorIs(t, s.Put(objs...), ds.ErrInvalid, name)
			require.ErrorIs(t, s.Assign("x", objs...), ds.ErrInvalid, name)
			err := s.Replace(map[string][]ds.Object{"": {Box{Name: "before"}}, "x": objs, "y": {Box{Name: "y"}}})
			require.ErrorIs(t, err, ds.ErrInvalid, name)
			require.ErrorContains(t, err, "x: ")
			for _, name := range []string{"before", "x", "y"} {
				_, ok := s.Want(thingKey(name))
				require.True(t, ok, name)
			}
			_, ok := s.Want(thingKey("a"))
			require.False(t, ok)

			for call, err := range map[string]error{
				"Ensure": func() error { _, err := e.Ensure(t.Context(), objs...); return err }(),
				"Plan":   func() error { _, err := e.Plan(t.Context(), objs...); return err }(),
				"Sync":   func() error { _, err := e.Sync(t.Context(), objs...); return err }(),
			} {
				if o == nil || o == ds.Object(noBox) {
					require.ErrorIs(t, err, ds.ErrInvalid, "%s %s", call, name)
				} else if call != "Plan" { // which says so in a step
					require.Error(t, err, "%s %s", call, name)
				}
			}
		}
	}
}

func TestDecodeRefusesWhatFollows(t *testing.T) {
	e := engine(newTarget())
	for _, bad := range []string{`{"Name":"a"} }`, `{} ]`, `{},`, `{} null`, `{}{}`, `{} x`, `{} "`, `{}:`} {
		_, err := e.Decode("box", []byte(bad))
		require.Error(t, err, bad)
	}
	o, err := e.Decode("box", []byte("{\"Name\":\"a\"}\n\t \n"))
	require.NoError(t, err)
	require.Equal(t, Box{Name: "a"}, o)
}
