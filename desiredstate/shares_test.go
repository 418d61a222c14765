// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// parts is a target with few things of one component and many of another, in that order, and the objects.
func parts(few, many int) (x *target, some, rest []ds.Object) {
	x = newTarget()
	for i := range few + many {
		name, to := fmt.Sprintf("few-%d", i), &some
		if i >= few {
			name, to = fmt.Sprintf("many-%d", i), &rest
		}
		x.add(&item{kind: "box", name: name, shape: 7})
		*to = append(*to, Box{Name: name})
	}
	return x, some, rest
}

func claimed(k *ds.Kind[Box], prefix string) *ds.Kind[Box] {
	k.Claims = func(k ds.Key) bool { return strings.HasPrefix(k.Name, prefix) }
	return k
}

// What another component has is no measure of how much of one's own may go: nothing is told to be wanted, or a
// tenth of it.
func TestAMassIsMeasuredByOnesOwn(t *testing.T) {
	divide := map[string]func(x *target, on *ds.Target) (few, many *ds.Engine){
		"by claims": func(x *target, on *ds.Target) (few, many *ds.Engine) {
			return ds.New(claimed(boxesOn(x, on), "few")), ds.New(claimed(boxesOn(x, on), "many"))
		},
		"by what the other's Run wants": func(x *target, on *ds.Target) (few, many *ds.Engine) {
			return ds.New(boxesOn(x, on)), ds.New(boxesOn(x, on))
		},
	}
	for name, divide := range divide {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, some, rest := parts(10, 100)
				e, other := divide(x, ds.NewTarget())
				theirs := ds.NewStore()
				require.NoError(t, theirs.Put(rest...))
				defer runOn(t, other, theirs)()
				_, err := e.Sync(t.Context())
				require.ErrorIs(t, err, ds.ErrMassDelete)
				p, err := e.Plan(t.Context())
				require.NoError(t, err)
				require.Equal(t, 10, p.Count(ds.Delete))
				_, err = e.Apply(t.Context(), p)
				require.ErrorContains(t, err, "10 of our 10 objects")

				s := ds.NewStore()
				require.NoError(t, s.Replace(map[string][]ds.Object{"one": {some[0]}}))
				s.Complete()
				defer runOn(t, e, s)()
				time.Sleep(time.Minute)
				require.Equal(t, 110, x.size())
				h, held := s.Held()
				require.True(t, held)
				require.Len(t, h.Keys, 9)
				require.ErrorContains(t, h.Err, "9 of our 10 objects")
			})
		})
	}
}

// What another component wants is not held back with one's own, which goes and converges.
func TestWhatOthersWantIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, some, rest := parts(10, 100)
		on := ds.NewTarget()
		e, other := ds.New(boxesOn(x, on)), ds.New(boxesOn(x, on))
		theirs, s := ds.NewStore(), ds.NewStore()
		require.NoError(t, theirs.Put(rest...))
		theirs.Complete()
		other.Prune = ds.PruneNone
		defer runOn(t, other, theirs)()
		require.NoError(t, s.Put(some[1:]...)) // the first is to go
		s.Complete()
		e.Observe = func(ev ds.Event) {
			if ev.Type == ds.HeldBack {
				t.Error(ev.Err)
			}
		}
		defer runOn(t, e, s)()
		time.Sleep(time.Minute)
		_, held := s.Held()
		require.False(t, held)
		_, ok := s.Converged()
		require.True(t, ok)
		require.Equal(t, 109, x.size())
	})
}
