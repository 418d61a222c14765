// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// adoptable is the kind of boxes, of which others' can be marked as ours.
func adoptable(x *target, on *ds.Target) *ds.Kind[Box] {
	k := boxesOn(x, on)
	k.Adopt = func(_ context.Context, _ *ds.View, have ds.Actual[Box], want Box) error {
		x.by(func() { x.items[have.ID].name, x.items[have.ID].foreign = want.Name, false })
		return nil
	}
	return k
}

// What is adopted beside a Run stays until that's store has been told of it, however long that takes: then it is an
// object as any other.
func TestWhatIsAdoptedBesideARun(t *testing.T) {
	for _, sameEngine := range []bool{true, false} {
		for name, then := range map[string]func(t *testing.T, s *ds.Store){
			"wanted, and deleted": func(t *testing.T, s *ds.Store) {
				require.NoError(t, s.Assign("adopter", Box{Name: "mine", Color: 1}))
				require.NoError(t, s.Wait(t.Context()))
				isApplied(t, s, "mine")
				require.NoError(t, s.Assign("adopter"))
			},
			"deleted by name": func(_ *testing.T, s *ds.Store) { s.Delete(thingKey("mine")) },
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x, on, s := newTarget(), ds.NewTarget(), ds.NewStore()
					x.add(&item{kind: "box", name: "theirs", color: 1, shape: 7, foreign: true})
					e := ds.New(adoptable(x, on))
					adopter := e
					if !sameEngine {
						adopter = ds.New(adoptable(x, on))
					}
					require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b"}))
					s.Complete()
					defer runOn(t, e, s)()
					require.NoError(t, s.Wait(t.Context()))
					a, err := adopter.Adoption(t.Context(), Box{Name: "mine", Color: 1}, thingKey("theirs"))
					require.NoError(t, err)
					_, err = adopter.Adopt(t.Context(), a)
					require.NoError(t, err)
					for range 3 {
						time.Sleep(time.Hour)
						e.Forget()
					}
					require.Contains(t, x.String(), "box mine color=1 shape=7\n")
					require.NoError(t, s.Wait(t.Context()), "nothing is left to do")
					then(t, s)
					require.NoError(t, s.Wait(t.Context()))
					require.NotContains(t, x.String(), "mine")
					require.Empty(t, x.violations)
				})
			})
		}
	}
}

// Once a store has wanted it, one that never has takes it for what nobody wants.
func TestWhatWasAdoptedOnceIsAsAllElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, on, s := newTarget(), ds.NewTarget(), ds.NewStore()
		x.add(&item{kind: "box", name: "theirs", color: 1, shape: 7, foreign: true})
		e := ds.New(adoptable(x, on))
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b"}))
		s.Complete()
		stop := runOn(t, e, s)
		a, err := e.Adoption(t.Context(), Box{Name: "mine", Color: 1}, thingKey("theirs"))
		require.NoError(t, err)
		_, err = e.Adopt(t.Context(), a)
		require.NoError(t, err)
		require.NoError(t, s.Put(Box{Name: "mine", Color: 1}))
		require.NoError(t, s.Wait(t.Context()))
		stop()
		s = ds.NewStore()
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b"}))
		s.Complete()
		defer runOn(t, e, s)()
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "mine")
	})
}
