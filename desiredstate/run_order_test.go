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

func TestRunBlocksAndResumes(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "top", Needs: "base"}, Box{Name: "s1", Slot: "s"}, Box{Name: "s2", Slot: "s"}))
		synctest.Wait()
		require.ErrorIs(t, status(t, s, "top").Err, ds.ErrMissing)
		require.ErrorIs(t, status(t, s, "s2").Err, ds.ErrConflict)
		require.NoError(t, s.Put(Box{Name: "base"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("top")))
		s.Delete(thingKey("s1"))
		require.NoError(t, s.Wait(t.Context(), thingKey("s2")))
		s.Delete(thingKey("base")) // top is still wanted, but cannot stay
		synctest.Wait()
		require.Equal(t, ds.Blocked, status(t, s, "top").State)
		require.NotContains(t, x.String(), "box top")
		require.NotContains(t, x.String(), "box base")
		require.NoError(t, s.Put(Box{Name: "base", Shape: 2}))
		require.NoError(t, s.Wait(t.Context()))
		require.Contains(t, x.String(), "box top")
	})
}

// What was found to block an object may be done with before that is noted.
func TestABlockThatEndsEarlyIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		x.delay = 5 * time.Millisecond
		e := engine(x)
		e.Observe = func(ev ds.Event) {
			if ev.Type == ds.Waiting {
				time.Sleep(10 * time.Millisecond)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Hour) }()
		require.NoError(t, s.Put(Box{Name: "base"}))
		time.Sleep(time.Millisecond) // it is being made
		require.NoError(t, s.Put(Box{Name: "top", Needs: "base"}))
		begin := time.Now()
		require.NoError(t, s.Wait(t.Context(), thingKey("top")))
		require.Less(t, time.Since(begin), time.Second, "no resync was needed")
		cancel()
		<-done
	})
}

// What is to go with what it hangs on stays, with that, if it is wanted again before its turn has come.
func TestWhatIsWantedAgainInTimeStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		e := ds.New(secretive(x))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Hour) }()
		s.Complete()
		require.NoError(t, s.Assign("port", Box{Name: "base"}, Box{Name: "top", Needs: "base"}))
		require.NoError(t, s.Wait(t.Context()))
		var did []string
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if did = append(did, op); op == "update top" {
					x.mu.Unlock()
					time.Sleep(time.Second)
					x.mu.Lock()
				}
				return works
			}
		})
		again := []ds.Object{Box{Name: "base"}, Box{Name: "top", Needs: "base", Color: 1}}
		require.NoError(t, s.Assign("port", again...))
		synctest.Wait() // top is being changed
		require.NoError(t, s.Assign("port"))
		synctest.Wait() // base is to go, and waits for that
		require.NoError(t, s.Assign("port", again...))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, []string{"update top"}, did)
		require.Contains(t, x.String(), "box base")
		cancel()
		<-done
	})
}

// What the target does not show of what is put back counts all the same: it comes after what it hangs on.
func TestWhatIsPutBackComesAfterItsBase(t *testing.T) {
	x := newTarget()
	e := ds.New(secretive(x))
	syncs(t, e, Box{Name: "base"}, Box{Name: "top", Needs: "base"})
	var did []string
	x.by(func() {
		x.fail = func(_ int, op string) outcome {
			did = append(did, op)
			return works
		}
	})
	p, err := e.PlanEnsure(t.Context(), Box{Name: "base", Shape: 2})
	require.NoError(t, err)
	_, err = e.Apply(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, []string{"delete top", "delete base", "create base", "create top"}, did)
}

// What a plan drags down late pulls those along that were settled without it.
func TestWhatIsDraggedLatePullsItsUsersAlong(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		e.RetryMin = time.Minute
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "base"}, Box{Name: "mid", Needs: "base"}))
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if op == "delete mid" {
					return refused
				}
				return works
			}
		})
		s.Delete(thingKey("mid"))
		synctest.Wait()
		require.NoError(t, s.Put(Box{Name: "a", Needs: "mid"})) // it is there still
		synctest.Wait()
		require.Contains(t, x.String(), "box a")
		x.heal()
		require.NoError(t, s.Put(Box{Name: "a", Needs: "mid", Color: 2}, Box{Name: "base", Shape: 2}))
		synctest.Wait()
		require.Empty(t, x.violations)
		require.NotContains(t, x.String(), "box mid")
		require.Equal(t, []ds.Key{thingKey("mid")}, status(t, s, "a").BlockedBy)
	})
}

// Two that a plan drags down late, and that want the same, do not both get it.
func TestWhatIsDraggedLateSharesNothing(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(
			Box{Name: "a"}, Box{Name: "c", Needs: "a"}, Box{Name: "d", Needs: "a"}, Box{Name: "e", Slot: "s"}))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Put(Box{Name: "c", Slot: "s"}, Box{Name: "d", Slot: "s"}))
		synctest.Wait()
		require.Equal(t, ds.Blocked, status(t, s, "c").State)
		require.NoError(t, s.Replace(map[string][]ds.Object{"": {
			Box{Name: "c", Slot: "s"}, Box{Name: "d", Slot: "s"}, Box{Name: "e"},
		}}))
		synctest.Wait()
		require.Empty(t, x.violations)
		require.NoError(t, s.Wait(t.Context(), thingKey("c"), thingKey("e")))
		require.Equal(t, []ds.Key{thingKey("c")}, status(t, s, "d").BlockedBy)
	})
}

// One slow object holds up neither others nor later changes to them.
func TestASlowObjectDelaysNobody(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		s.Complete()
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if op == "create slow" {
					x.mu.Unlock()
					time.Sleep(10 * time.Second)
					x.mu.Lock()
				}
				return works
			}
		})
		start := time.Now()
		require.NoError(t, s.Put(Box{Name: "slow"}, Box{Name: "a"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("a")))
		require.NoError(t, s.Put(Box{Name: "a", Color: 1}, Box{Name: "b", Needs: "a"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("a"), thingKey("b")))
		require.Zero(t, time.Since(start))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}
