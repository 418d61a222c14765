// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What is there and does not work is mended, though its spec is as wanted, and the plan
// says why.
func TestWhatIsBrokenIsMended(t *testing.T) {
	for _, inPlace := range []bool{true, false} {
		x := newTarget()
		broken, noted := "", any(nil)
		k := boxes(x)
		dump := k.Dump
		k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
			all, err := dump(ctx, v)
			for i := range all {
				all[i].Broken, all[i].Note = broken, noted
			}
			return all, err
		}
		var updated []ds.Actual[Box]
		k.Update = func(_ context.Context, _ *ds.View, have ds.Actual[Box], _ Box) error {
			updated, broken = append(updated, have), ""
			return nil
		}
		k.InPlace = func(ds.Actual[Box], Box) bool { return inPlace }
		create := k.Create
		k.Create = func(ctx context.Context, v *ds.View, b Box) (uint32, error) {
			broken = ""
			return create(ctx, v, b)
		}
		var drift []ds.Event
		e := ds.New(k)
		e.Observe = func(ev ds.Event) {
			if ev.Type == ds.Drift {
				drift = append(drift, ev)
			}
		}
		_, err := e.Ensure(t.Context(), Box{Name: "a"})
		require.NoError(t, err)

		noted = 7 // is no news by itself
		e.Forget()
		p, err := e.PlanEnsure(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		require.True(t, p.Empty(), p)
		require.Empty(t, drift)

		broken = "no effect"
		e.Forget()
		p, err = e.PlanEnsure(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		require.Contains(t, p.String(), "      broken: no effect -> (none)\n")
		require.Len(t, drift, 1)
		require.Equal(t, []ds.Change{{Path: "broken", Have: "", Want: "no effect"}}, drift[0].Changes)
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		require.Equal(t, "no effect", found[0].Broken)
		require.Equal(t, Box{Name: "a", Shape: 7}, found[0].Spec)

		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		if inPlace {
			require.Equal(t, 1, p.Count(ds.Update))
			require.Len(t, updated, 1)
			require.Equal(t, "no effect", updated[0].Broken)
			require.Equal(t, 7, updated[0].Note)
		} else {
			require.Equal(t, 1, p.Count(ds.Replace))
		}
		for range 2 { // by what is remembered, and by what is read
			p, err = e.PlanEnsure(t.Context(), Box{Name: "a"})
			require.NoError(t, err)
			require.True(t, p.Empty(), p)
			e.Forget()
		}
	}
}
