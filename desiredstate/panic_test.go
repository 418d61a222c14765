// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// A kind that panics is an error of its object, names the line, holds up nobody, and keeps nothing:
// as soon as it panics no more, it is as if it never had.
func TestPanicOfAKindStaysThere(t *testing.T) {
	bug := errors.New("an index out of range")
	for what, plant := range map[string]func(k *ds.Kind[Box], on *bool){
		"Dump": func(k *ds.Kind[Box], on *bool) {
			dump := k.Dump
			k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) { panics(*on, bug); return dump(ctx, v) }
		},
		"Create": func(k *ds.Kind[Box], on *bool) {
			create := k.Create
			k.Create = func(ctx context.Context, v *ds.View, b Box) (uint32, error) {
				panics(*on, bug)
				return create(ctx, v, b)
			}
		},
		"Update": func(k *ds.Kind[Box], on *bool) {
			update := k.Update
			k.Update = func(ctx context.Context, v *ds.View, have ds.Actual[Box], b Box) error {
				panics(*on, bug)
				return update(ctx, v, have, b)
			}
		},
		"Delete": func(k *ds.Kind[Box], on *bool) {
			remove := k.Delete
			k.Delete = func(ctx context.Context, v *ds.View, have ds.Actual[Box]) error {
				panics(*on, bug)
				return remove(ctx, v, have)
			}
		},
		"Verify": func(k *ds.Kind[Box], on *bool) {
			k.Verify = func(_ context.Context, held []ds.Held) ([]bool, error) {
				panics(*on, bug)
				ok := make([]bool, len(held))
				for i := range ok {
					ok[i] = true
				}
				return ok, nil
			}
		},
		"Fill": func(k *ds.Kind[Box], on *bool) {
			fill := k.Fill
			k.Fill = func(have ds.Actual[Box], b Box) Box { panics(*on && b.Name == "new", bug); return fill(have, b) }
		},
		"Check": func(k *ds.Kind[Box], on *bool) {
			k.Check = func(*ds.View, Box) error { panics(*on, bug); return nil }
		},
	} {
		t.Run(what, func(t *testing.T) {
			x := newTarget()
			syncs(t, engine(x), Box{Name: "old"}, Box{Name: "changes"})
			k, on := boxes(x), true
			plant(k, &on)
			e := ds.New(k, balls(x))
			want := []ds.Object{Box{Name: "new"}, Box{Name: "changes", Color: 5}, Ball{Name: "alone"}}

			_, err := e.Sync(t.Context(), want...)
			require.ErrorIs(t, err, bug)
			require.ErrorContains(t, err, "panic_test.go:")
			var p *ds.Panic
			require.ErrorAs(t, err, &p)
			require.Contains(t, p.Stack, "TestPanicOfAKindStaysThere")
			require.Contains(t, x.String(), "ball alone", "the other kind's object")

			on = false
			syncs(t, e, want...)
			require.Equal(t, "ball alone color=0 shape=7\nbox changes color=5 shape=7\nbox new color=0 shape=7\n", x.String())
		})
	}
}

func panics(on bool, with error) {
	if on {
		panic(with)
	}
}
