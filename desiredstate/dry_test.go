// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// lamp comes after a thing, which the target does not show.
type lamp struct{ Name, After string }

func (l lamp) Key() ds.Key     { return ds.Key{Space: "lamp", Name: l.Name} }
func (l lamp) Validate() error { return nil }
func (l lamp) Deps() []ds.Key {
	if l.After == "" {
		return nil
	}
	return []ds.Key{thingKey(l.After)}
}

// lamps is an engine that has made a thing p, and a lamp that comes after nothing.
func lamps(t *testing.T) *ds.Engine {
	t.Helper()
	there := map[string]bool{}
	e := ds.New(boxes(newTarget()), &ds.Kind[lamp]{
		Name: "lamp",
		Dump: func(context.Context, *ds.View) (out []ds.Actual[lamp], err error) {
			for name := range there {
				out = append(out, ds.Actual[lamp]{Spec: lamp{Name: name}, ID: 1})
			}
			return out, nil
		},
		Create: func(_ context.Context, _ *ds.View, l lamp) (uint32, error) { there[l.Name] = true; return 1, nil },
		Delete: func(_ context.Context, _ *ds.View, l ds.Actual[lamp]) error { delete(there, l.Spec.Name); return nil },
		Fill:   func(have ds.Actual[lamp], want lamp) lamp { want.After = have.Spec.After; return want },
	})
	_, err := e.Ensure(t.Context(), Box{Name: "p"}, lamp{Name: "l"})
	require.NoError(t, err)
	return e
}

// What was wanted in a dry run, and is as wanted, is not known to depend on anything by that.
func TestADryRunTellsOfNoDependency(t *testing.T) {
	e := lamps(t)
	for range 2 {
		p, err := e.PlanEnsure(t.Context(), lamp{"l", "p"})
		require.NoError(t, err)
		require.True(t, p.Empty(), "%s", p)
	}
	_, err := e.Remove(t.Context(), thingKey("p"))
	require.NoError(t, err, "a dry run was all that said that l comes after p")
}

// The dry run itself goes by it all the same.
func TestADryRunKnowsWhatItIsAskedFor(t *testing.T) {
	e := lamps(t)
	want := []ds.Object{Box{Name: "p", Shape: 2}, lamp{"l", "p"}}
	dry, err := e.PlanEnsure(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, 2, dry.Count(ds.Replace), "%s", dry)
	r, err := e.Ensure(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, 2, r.Changed(), "%v", r)
}

// Who carries the plan out believes it: from then on l depends on p.
func TestAPlanThatIsCarriedOutTellsOfDependencies(t *testing.T) {
	for name, do := range map[string]func(*ds.Engine, context.Context, *ds.Plan) (ds.Report, error){
		"Apply": (*ds.Engine).Apply, "Commit": (*ds.Engine).Commit,
	} {
		t.Run(name, func(t *testing.T) {
			e := lamps(t)
			p, err := e.PlanEnsure(t.Context(), lamp{"l", "p"})
			require.NoError(t, err)
			_, err = do(e, t.Context(), p)
			require.NoError(t, err)
			_, err = e.Remove(t.Context(), thingKey("p"))
			require.ErrorIs(t, err, ds.ErrInUse)
		})
	}
}
