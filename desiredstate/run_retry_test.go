// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

func TestRunRetriesWithGrowingPatience(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		var tried []time.Time
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if op != "create bad" {
					return works
				}
				tried = append(tried, time.Now()) // with the target's lock held
				return refused
			}
		})
		require.NoError(t, s.Put(Box{Name: "bad"}, Box{Name: "on", Needs: "bad"}, Box{Name: "good"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context(), thingKey("good")))
		time.Sleep(10 * time.Second)
		var tries []time.Time
		x.by(func() { tries = slices.Clone(tried) })
		require.Greater(t, len(tries), 3)
		require.Less(t, len(tries), 10)
		for i := 2; i+1 < len(tries); i++ {
			require.Greater(t, tries[i+1].Sub(tries[i-1]), tries[i-1].Sub(tries[i-2]), "patience grows")
		}
		st := status(t, s, "bad")
		require.Equal(t, ds.Failing, st.State)
		require.ErrorIs(t, st.Err, errTarget)
		require.Equal(t, len(tries), st.Attempts)
		require.True(t, st.NextTry.After(time.Now()))
		require.Equal(t, ds.Blocked, status(t, s, "on").State)
		require.Equal(t, []ds.Key{thingKey("bad")}, status(t, s, "on").BlockedBy)
		err := s.Wait(expired(t), thingKey("on"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "thing/bad")
		x.heal()
		require.NoError(t, s.Wait(t.Context()))
	})
}

// A removal that was done though its answer was lost frees what waits for it, as
// soon as that is read.
func TestALostRemovalFreesWhatWaits(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "old", Slot: "s"}))
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if op == "delete old" {
					return lost
				}
				return works
			}
		})
		s.Delete(thingKey("old"))
		require.NoError(t, s.Put(Box{Name: "new", Slot: "s"}))
		begin := time.Now()
		require.NoError(t, s.Wait(t.Context()))
		require.Less(t, time.Since(begin), 30*time.Second, "no resync was needed")
	})
}

// A replacement whose own removal is refused waits for nothing but its next try.
// That it also loses what it needs, and then is not wanted any more, ends it.
func TestAReplacementThatCannotBeginIsTriedAgain(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "base"}, Box{Name: "a", Needs: "base"}))
		require.NoError(t, s.Wait(t.Context()))
		refuse := func(op string) {
			x.by(func() {
				x.fail = func(_ int, o string) outcome {
					if o == op {
						return refused
					}
					return works
				}
			})
		}
		refuse("delete a")
		require.NoError(t, s.Put(Box{Name: "a", Needs: "base", Shape: 2}))
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, ds.Failing, status(t, s, "a").State)
		require.Empty(t, status(t, s, "a").BlockedBy)
		x.heal()
		begin := time.Now()
		require.NoError(t, s.Wait(t.Context()))
		require.Less(t, time.Since(begin), time.Second, "no resync was needed")

		refuse("delete a")
		require.NoError(t, s.Put(Box{Name: "a", Needs: "base", Shape: 3}))
		time.Sleep(10 * time.Millisecond)
		x.heal()
		s.Delete(thingKey("base"))
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, []ds.Key{thingKey("base")}, status(t, s, "a").BlockedBy)
		s.Delete(thingKey("a"))
		require.NoError(t, s.Wait(t.Context()))
	})
}

// What must go along with something else, and is refused, is tried with patience too.
func TestARefusedRemovalIsTriedWithPatience(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "base"}, Box{Name: "top", Needs: "base"}))
		require.NoError(t, s.Wait(t.Context()))
		tries := 0
		x.by(func() {
			x.delay = time.Millisecond
			x.fail = func(_ int, op string) outcome {
				if op == "delete top" {
					tries++
					return refused
				}
				return works
			}
		})
		s.Delete(thingKey("base"))
		time.Sleep(10 * time.Second)
		x.by(func() {
			require.Greater(t, tries, 3)
			require.Less(t, tries, 15)
		})
		x.heal()
		time.Sleep(time.Minute)
		require.NotContains(t, x.String(), "box base")
		require.Equal(t, []ds.Key{thingKey("base")}, status(t, s, "top").BlockedBy)
	})
}

// A kind that misses something itself is asked again, with patience.
func TestWhatAKindMissesIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		k := newTree().kind()
		k.Create = func(context.Context, *ds.View, leaf) (uint32, error) {
			if tries++; tries < 3 {
				return 0, fmt.Errorf("%w: its number", ds.ErrMissing)
			}
			return 1, nil
		}
		s := ds.NewStore()
		require.NoError(t, s.Put(leaf{Name: hub}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- ds.New(k).Run(ctx, s, time.Hour) }()
		begin := time.Now()
		require.NoError(t, s.Wait(t.Context(), leafKey(hub)))
		require.Less(t, time.Since(begin), time.Minute)
		cancel()
		<-done
	})
}
