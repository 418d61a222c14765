// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What loses its effect by what goes has it again when the plan is done, by one change after that; what goes along, or
// goes itself, is not changed.
func TestWhatIsUndoneIsMended(t *testing.T) {
	x := newTarget()
	works, mended := true, 0
	k, k2 := boxes(x), balls(x)
	k.Undoes = func(b Box) []ds.Key {
		if b.Name != "port" {
			return nil
		}
		return []ds.Key{thingKey("filter"), thingKey("nobody")}
	}
	remove, update := k.Delete, k2.Update
	k.Delete = func(ctx context.Context, v *ds.View, have ds.Actual[Box]) error {
		if have.Spec.Name == "port" {
			x.by(func() { works = false })
		}
		return remove(ctx, v, have)
	}
	k2.Update = func(ctx context.Context, v *ds.View, have ds.Actual[Ball], want Ball) error {
		if have.Broken != "" {
			x.by(func() { works, mended = true, mended+1 })
		}
		return update(ctx, v, have, want)
	}
	e := ds.New(k, k2)
	e.MaxPrune = 1
	filter, port := Ball{Name: "filter"}, Box{Name: "port"}
	syncs(t, e, filter, port)
	p, err := e.Plan(t.Context(), filter)
	require.NoError(t, err)
	require.Equal(t, "~ thing/filter (ball)\n      broken: thing/port goes, and it has no effect by that -> (none)\n- thing/port (box)\n1 to update, 1 to delete\n", p.String())
	_, err = e.Apply(t.Context(), p)
	require.NoError(t, err)
	require.True(t, works)
	require.Equal(t, 1, mended)
	require.Zero(t, syncs(t, e, filter).Changed(), "once")

	syncs(t, e, filter, port)
	port.Shape = 3
	syncs(t, e, filter, port) // made anew
	require.True(t, works)
	require.Equal(t, 2, mended)
	filter.Color, port.Shape = 4, 5
	syncs(t, e, filter, port) // both change
	require.True(t, works)
	require.Equal(t, 3, mended)

	syncs(t, e, Ball{Name: "filter", Needs: "port"}, port)
	port.Shape = 6
	syncs(t, e, Ball{Name: "filter", Needs: "port"}, port)
	require.Equal(t, 3, mended, "it goes along")
	syncs(t, e)
	require.Equal(t, 3, mended)
	require.Empty(t, x.violations)
}
