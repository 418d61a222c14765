// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// confirm lets go what is held back.
func confirm(t *testing.T, s *ds.Store) {
	t.Helper()
	h, ok := s.Held()
	require.True(t, ok)
	require.NoError(t, s.Confirm(h.Token))
}

func TestRunHoldsBackMassRemoval(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		x.by(func() {
			for i := range 30 {
				x.add(&item{kind: "box", name: fmt.Sprint(i), shape: 7})
			}
		})
		s.Complete() // an empty store, against a full target
		require.NoError(t, s.Put(Box{Name: "new"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("new")))
		time.Sleep(3 * time.Minute)
		require.Equal(t, 33, x.size())
		confirm(t, s)
		require.NoError(t, s.Wait(t.Context()))
		synctest.Wait()
		require.Equal(t, 3, x.size())
	})
}

// What an earlier engine left, and nobody wants, counts until it is gone.
func TestWhatIsLeftAndWillNotGoIsReported(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		x.by(func() {
			x.add(&item{kind: "box", name: "old"})
			x.fail = func(_ int, op string) outcome {
				if op == "delete old" {
					return refused
				}
				return works
			}
		})
		require.NoError(t, s.Put(Box{Name: "a"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context(), thingKey("a")))
		time.Sleep(61 * time.Second)
		_, ok := s.Converged()
		require.False(t, ok)
		st := status(t, s, "old")
		require.True(t, st.Leaving)
		require.Equal(t, ds.Failing, st.State)
		require.ErrorIs(t, st.Err, errTarget)
		x.heal()
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box old")
		_, ok = s.Status(thingKey("old"))
		require.False(t, ok)
	})
}

// What was held back, and then goes by another hand, holds nothing up any more.
func TestWhatWasHeldBackMayGoByItself(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		x.by(func() {
			for i := range 30 {
				x.add(&item{kind: "box", name: fmt.Sprint(i), shape: 7})
			}
		})
		s.Complete()
		e.Forget()
		synctest.Wait()
		_, ok := s.Converged()
		require.False(t, ok)
		x.by(func() {
			for id, i := range x.items {
				if !i.foreign {
					x.lose(id)
				}
			}
		})
		e.Forget()
		require.NoError(t, s.Wait(t.Context()))
	})
}

// What is wanted again while a removal of it is under way comes back.
func TestWantedAgainWhileItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- engine(x).Run(ctx, s, time.Hour) }()
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "base"}, Box{Name: "a", Needs: "base"}))
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() { x.delay = 5 * time.Millisecond })
		require.NoError(t, s.Put(Box{Name: "a", Needs: "base", Color: 1}))
		time.Sleep(time.Millisecond)
		s.Delete(thingKey("a"), thingKey("base")) // waits until a has its color
		time.Sleep(time.Millisecond)
		require.NoError(t, s.Put(Box{Name: "base"}, Box{Name: "a", Needs: "base", Color: 1}))
		time.Sleep(time.Second)
		require.NoError(t, s.Wait(t.Context()))
		require.Contains(t, x.String(), "box a color=1")
		require.Contains(t, x.String(), "box base")
		cancel()
		<-done
	})
}

func TestReplaceIsGuardedAndDeleteIsNot(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{}
		for i := range 40 {
			all[fmt.Sprint("src", i)] = []ds.Object{Box{Name: fmt.Sprint(i)}}
		}
		require.NoError(t, s.Replace(all))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(nil))
		time.Sleep(3 * time.Minute)
		require.Equal(t, 42, x.size())
		require.NoError(t, s.Replace(all))
		require.NoError(t, s.Wait(t.Context()))
		for i := range 40 {
			require.NoError(t, s.Assign(fmt.Sprint("src", i)))
		}
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 2, x.size())
	})
}
