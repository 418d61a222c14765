// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// shelf holds names in order, and says so only when they changed.
type shelf struct {
	names  []string
	listed int
	lies   bool // it says so although it never listed any
}

type Jar struct{ Name string }

func jarKey(name string) ds.Key { return ds.Key{Space: "jar", Name: name} }
func (j Jar) Key() ds.Key       { return jarKey(j.Name) }
func (Jar) Deps() []ds.Key      { return nil }
func (Jar) Validate() error     { return nil }

func (s *shelf) dump(_ context.Context, v *ds.View) (out []ds.Actual[Jar], err error) {
	if was, ok := v.Kept().([]string); s.lies || ok && slices.Equal(was, s.names) {
		return nil, ds.ErrUnchanged
	}
	v.Keep(slices.Clone(s.names))
	s.listed++
	for i, n := range s.names {
		out = append(out, ds.Actual[Jar]{Spec: Jar{n}, ID: uint32(i)})
	}
	return out, nil
}

func (s *shelf) kind() *ds.Kind[Jar] {
	return &ds.Kind[Jar]{
		Name: "jar", Dump: s.dump,
		Create: func(_ context.Context, _ *ds.View, j Jar) (uint32, error) {
			s.names = append(s.names, j.Name)
			return uint32(len(s.names) - 1), nil
		},
		Delete: func(_ context.Context, _ *ds.View, j ds.Actual[Jar]) error {
			s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == j.Spec.Name })
			return nil
		},
	}
}

// Lid is of a jar, which it finds by its handle.
type Lid struct{ Jar string }

func (l Lid) Key() ds.Key    { return ds.Key{Space: "lid", Name: l.Jar} }
func (l Lid) Deps() []ds.Key { return []ds.Key{jarKey(l.Jar)} }
func (Lid) Validate() error  { return nil }

// lids knows a lid for each jar. What it was kept is nothing, so it depends on the jars alone.
func lids(jars ds.AnyKind, listed *int) *ds.Kind[Lid] {
	return &ds.Kind[Lid]{
		Name: "lid", Requires: []ds.AnyKind{jars},
		Dump: func(_ context.Context, v *ds.View) (out []ds.Actual[Lid], err error) {
			if v.Kept() != nil {
				return nil, ds.ErrUnchanged
			}
			v.Keep(struct{}{})
			*listed++
			for j := range ds.All[Jar](v) {
				out = append(out, ds.Actual[Lid]{Spec: Lid{j.Spec.Name}, ID: j.ID})
			}
			return out, nil
		},
		Create: func(context.Context, *ds.View, Lid) (uint32, error) { panic("nothing is wanted") },
		Delete: func(context.Context, *ds.View, ds.Actual[Lid]) error { panic("nothing is removed") },
	}
}

// A kind that finds what it found is believed, with those that follow from it, until it finds
// something else.
func TestUnchanged(t *testing.T) {
	s, lidded := &shelf{names: []string{"a", "b"}}, 0
	jars := s.kind()
	e := ds.New(jars, lids(jars, &lidded))
	look := func(jarsListed, lidsListed int, want ...string) {
		t.Helper()
		e.Forget()
		all, err := e.Found(t.Context())
		require.NoError(t, err)
		var names []string
		for _, f := range all {
			names = append(names, f.Key.String())
		}
		require.Equal(t, want, names)
		require.Equal(t, []int{jarsListed, lidsListed}, []int{s.listed, lidded})
	}
	look(1, 1, "jar/a", "jar/b", "lid/a", "lid/b")
	look(1, 1, "jar/a", "jar/b", "lid/a", "lid/b")
	s.names = []string{"a", "c"}
	look(2, 2, "jar/a", "jar/c", "lid/a", "lid/c")
	look(2, 2, "jar/a", "jar/c", "lid/a", "lid/c")
}

// What was made since and has gone is known to have gone, though all is as it was listed last.
func TestUnchangedSince(t *testing.T) {
	s := &shelf{names: []string{"a"}}
	e := ds.New(s.kind())
	_, err := e.Found(t.Context())
	require.NoError(t, err)
	_, err = e.Ensure(t.Context(), Jar{"b"})
	require.NoError(t, err)
	s.names = []string{"a"} // somebody takes it away
	e.Forget()
	p, err := e.Plan(t.Context(), Jar{"a"}, Jar{"b"})
	require.NoError(t, err)
	require.Equal(t, "+ jar/b\n1 to create, 1 as wanted\n", p.String())
	require.Equal(t, 1, s.listed)

	_, err = e.Remove(t.Context(), jarKey("a"))
	require.NoError(t, err)
	s.names = []string{"a"} // and puts it back
	e.Forget()
	p, err = e.Plan(t.Context(), Jar{"a"})
	require.NoError(t, err)
	require.True(t, p.Empty(), p)
	require.Equal(t, 1, s.listed)
}

// A kind that never listed anything has nothing to be as it was.
func TestUnchangedFromNothing(t *testing.T) {
	s := &shelf{lies: true}
	_, err := ds.New(s.kind()).Found(t.Context())
	require.ErrorIs(t, err, ds.ErrUnchanged)
	require.ErrorContains(t, err, "read jar")
}
