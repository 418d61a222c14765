// SPDX-License-Identifier: Apache-2.0

package kindtest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
)

// Who hides what was not done, does not stop when told to, or has the target say what is taken, breaks a law.
func TestBrokenPromises(t *testing.T) {
	ctx, red, green := t.Context(), Flag{"a", "red"}, Flag{"a", "green"}
	type kind = desiredstate.Kind[Flag]
	type world = kindtest.World[Flag]
	changeable := func(w world) error { return kindtest.Changeable(ctx, w, red, green) }
	cancelled := func(w world) error { return kindtest.Cancelled(ctx, w, red) }
	for name, tc := range map[string]struct {
		ruin func(m *mast, k *kind)
		law  func(w world) error
		err  string
	}{
		"Fill takes the colour that is there for the one that is wanted": {
			func(_ *mast, k *kind) {
				k.Fill = func(have desiredstate.Actual[Flag], want Flag) Flag {
					if have.Spec.Color != "" {
						want.Color = have.Spec.Color
					}
					return want
				}
			},
			changeable, "made anew, its Color is green, and red once it was changed",
		},
		"Dump takes what it could not read for nothing": {
			func(_ *mast, k *kind) {
				dump := k.Dump
				k.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Flag], error) {
					all, err := dump(ctx, v)
					if ctx.Err() != nil {
						return nil, nil
					}
					return all, err
				}
			},
			cancelled, "a Dump whose context has ended returns no error",
		},
		"nobody can end a Create": {
			func(_ *mast, k *kind) {
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					return create(context.WithoutCancel(ctx), v, f)
				}
			},
			cancelled, "Create, whose context has ended: 1 writes, want none",
		},
		"nobody can end a Delete": {
			func(_ *mast, k *kind) {
				remove := k.Delete
				k.Delete = func(ctx context.Context, v *desiredstate.View, f desiredstate.Actual[Flag]) error {
					return remove(context.WithoutCancel(ctx), v, f)
				}
			},
			cancelled, "Delete, whose context has ended: 1 writes, want none",
		},
		"two want one place, and only the target says so": {
			func(m *mast, k *kind) {
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					if m.flags["b"] != "" {
						return 0, errWind
					}
					return create(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.SideBySide(ctx, w, Flag{"b", "red"}, red) },
			"want both, or desiredstate.ErrConflict: create flag/a: too much wind",
		},
		"the second takes the place of the first": {
			func(m *mast, k *kind) {
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					delete(m.flags, "b")
					return create(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.SideBySide(ctx, w, Flag{"b", "red"}, red) },
			"+ flag/b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMast()
			k := flags(m)
			require.NoError(t, tc.law(worldOf(m, k)))
			m = newMast()
			k = flags(m)
			tc.ruin(m, k)
			require.ErrorContains(t, tc.law(worldOf(m, k)), tc.err)
		})
	}
}
