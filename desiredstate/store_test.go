// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// The store against a model of it: what each source wants.
func TestStoreOfManySources(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, model := ds.NewStore(), map[string]map[string]leaf{}
		names, sources := rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.SampledFrom([]string{"", "x", "y", "z"})
		wants := func(label string) []ds.Object {
			leaves := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) leaf {
				return leaf{names.Draw(t, "name"), rapid.IntRange(0, 1).Draw(t, "color")}
			}), 0, 4, func(l leaf) string { return l.Name }).Draw(t, label)
			out := make([]ds.Object, len(leaves))
			for i, l := range leaves {
				out[i] = l
			}
			return out
		}
		conflicts := func(source string, objs []ds.Object) bool {
			for other, m := range model {
				for _, o := range objs {
					if l, ok := m[o.Key().Name]; ok && other != source && l != o {
						return true
					}
				}
			}
			return false
		}
		take := func(source string, objs []ds.Object) {
			for _, o := range objs {
				if model[source] == nil {
					model[source] = map[string]leaf{}
				}
				model[source][o.Key().Name] = o.(leaf)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) {
				source, objs := sources.Draw(t, "source"), wants("objects")
				err := s.Assign(source, objs...)
				if conflicts(source, objs) {
					require.ErrorIs(t, err, ds.ErrConflict)
					return
				}
				require.NoError(t, err)
				delete(model, source)
				take(source, objs)
			},
			"put": func(t *rapid.T) {
				objs := wants("objects")
				err := s.Put(objs...)
				if conflicts("", objs) {
					require.ErrorIs(t, err, ds.ErrConflict)
					return
				}
				require.NoError(t, err)
				take("", objs)
			},
			"delete": func(t *rapid.T) {
				name := names.Draw(t, "name")
				s.Delete(leafKey(name))
				if delete(model[""], name); len(model[""]) == 0 {
					delete(model, "")
				}
			},
			"replace": func(t *rapid.T) {
				all := map[string][]ds.Object{}
				for _, source := range rapid.SliceOfDistinct(sources, rapid.ID).Draw(t, "sources") {
					all[source] = wants("objects")
				}
				err := s.Replace(all)
				old := maps.Clone(model)
				clear(model)
				var wrong []string
				for _, source := range slices.Sorted(maps.Keys(all)) {
					if conflicts(source, all[source]) {
						wrong = append(wrong, source)
					} else {
						take(source, all[source])
					}
				}
				require.Equal(t, len(wrong) > 0, errors.Is(err, ds.ErrConflict), err)
				for _, source := range wrong {
					var before []ds.Object
					for _, l := range old[source] {
						before = append(before, l)
					}
					if !conflicts(source, before) {
						take(source, before)
					}
				}
			},
			"": func(t *rapid.T) {
				for _, name := range []string{"a", "b", "c", "d"} {
					var who []string
					var want ds.Object
					for source, m := range model {
						if l, ok := m[name]; ok {
							who, want = append(who, source), l
						}
					}
					slices.Sort(who)
					have := s.Sources(leafKey(name))
					slices.Sort(have)
					require.True(t, slices.Equal(who, have), "%s is wanted by %q, want %q", name, have, who)
					o, ok := s.Want(leafKey(name))
					require.Equal(t, want, o)
					require.Equal(t, want != nil, ok)
				}
				all := 0
				for range s.Statuses() {
					all++
				}
				require.Equal(t, all, s.Count(ds.Pending))
				for _, source := range []string{"", "x", "y", "z"} {
					_, ok := s.Source(source)
					require.Equal(t, len(model[source]) > 0, ok, source)
				}
			},
		})
	})
}
