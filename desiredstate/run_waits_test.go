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

// runOn runs an engine, without looking at all again by itself.
func runOn(t *testing.T, e *ds.Engine, s *ds.Store) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, s, 0) }()
	synctest.Wait()
	return func() { cancel(); <-done }
}

// What failed is tried again with who waits for it: what was deleted by name goes, though that which hangs on it cannot be as wanted.
func TestWhatFailedToGoTakesAlongWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "b"}, Box{Name: "u", Needs: "b"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("b"), thingKey("u")))
		x.by(func() {
			x.fail = func(n int, _ string) outcome {
				if n == 3 {
					return refused
				}
				return works
			}
		})
		require.NoError(t, s.Assign("", Box{Name: "u", Needs: "missing"})) // b is deleted by name
		time.Sleep(24 * time.Hour)
		for k, st := range s.Statuses() {
			t.Log(k, st.State, st.Leaving, st.Err, st.BlockedBy, st.NextTry)
		}
		require.NotContains(t, x.String(), "box b", "deleted by name a day ago; the target failed once")
	})
}

// What failed is no more than blocked once another's pass has come to it, and is not tried again by itself: who waits
// for it is looked at then, and takes it along.
func TestWhatFailedAndIsBlockedByNowTakesAlongWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "b"}, Box{Name: "u", Needs: "b"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("b"), thingKey("u")))
		x.by(func() { x.fail = func(int, string) outcome { return refused } })
		require.NoError(t, s.Assign("", Box{Name: "u", Needs: "missing"})) // b is deleted by name
		synctest.Wait()
		require.Equal(t, ds.Failing, status(t, s, "u").State)
		x.heal()
		require.NoError(t, s.Put(Box{Name: "v", Needs: "u"}))
		time.Sleep(24 * time.Hour)
		require.Empty(t, x.String(), "b is deleted by name; the others cannot be without it")
	})
}

// Two that hold what the other is to have swap it also if they are told of that one after the other.
func TestASwapInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "a", Slot: "s1"}, Box{Name: "b", Slot: "s2"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("a"), thingKey("b")))
		require.NoError(t, s.Put(Box{Name: "a", Slot: "s2"}))
		time.Sleep(time.Second)
		require.NoError(t, s.Put(Box{Name: "b", Slot: "s1"}))
		time.Sleep(24 * time.Hour)
		require.Equal(t, ds.Applied, status(t, s, "a").State, "%v; %v", status(t, s, "a").Err, status(t, s, "b").Err)
	})
}

// Who holds what another waits for, and comes to need that other, lets go first.
func TestWhatIsHeldByWhoNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "b", Slot: "s1"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("b")))
		require.NoError(t, s.Put(Box{Name: "a", Slot: "s1"}))
		time.Sleep(time.Second)
		require.NoError(t, s.Put(Box{Name: "b", Slot: "s2", Needs: "a"}))
		time.Sleep(24 * time.Hour)
		require.Equal(t, ds.Applied, status(t, s, "a").State, "%v; %v", status(t, s, "a").Err, status(t, s, "b").Err)
	})
}

// Two that wait for each other, each found to do so by a pass of its own, are looked at together.
func TestWhoWaitForEachOtherGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		slow := time.Duration(0)
		boxes := boxes(x)
		read := boxes.Dump
		boxes.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
			found, err := read(ctx, v)
			long := time.Duration(0)
			x.by(func() { long = slow })
			time.Sleep(long)
			return found, err
		}
		s := ds.NewStore()
		defer runOn(t, ds.New(boxes), s)()
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Slot: "s1"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("a"), thingKey("b")))
		x.by(func() { x.fail, slow = func(int, string) outcome { return lost }, time.Second })
		s.Delete(thingKey("a"))
		synctest.Wait() // nobody knows whether it has gone, so who comes to it waits for a reading
		x.heal()
		require.NoError(t, s.Put(Box{Name: "a", Slot: "s1"}))
		synctest.Wait()
		require.NoError(t, s.Put(Box{Name: "b", Slot: "s2", Needs: "a"}))
		time.Sleep(24 * time.Hour)
		require.Equal(t, "box a color=0 shape=7 slot=s1\nbox b color=0 shape=7 slot=s2 needs=a\n", x.String(), "%v; %v", status(t, s, "a").Err, status(t, s, "b").Err)
	})
}

// A cycle blocks nobody any more when one of it is changed.
func TestACycleThatIsBrokenBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "p", Needs: "q"}, Box{Name: "q", Needs: "p"}))
		time.Sleep(time.Second)
		require.ErrorIs(t, status(t, s, "p").Err, ds.ErrCycle)
		require.NoError(t, s.Put(Box{Name: "q"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("q")))
		time.Sleep(24 * time.Hour)
		require.Equal(t, ds.Applied, status(t, s, "p").State, "q is there since a day: %v", status(t, s, "p").Err)
	})
}

// What a Run wanted otherwise blocks nobody when that Run has ended.
func TestTheEndOfARunFrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		tg := ds.NewTarget()
		k := boxes(x)
		k.Target = tg
		k.Requires[0].(*ds.Kind[Thing]).Target = tg
		one, two := ds.New(k), ds.New(k)
		s1, s2 := ds.NewStore(), ds.NewStore()
		require.NoError(t, s1.Put(Box{Name: "a", Color: 1}))
		stop1 := runOn(t, one, s1)
		require.NoError(t, s1.Wait(t.Context(), thingKey("a")))
		require.NoError(t, s2.Put(Box{Name: "a", Color: 2}))
		defer runOn(t, two, s2)()
		time.Sleep(time.Second)
		require.Equal(t, ds.Blocked, status(t, s2, "a").State)
		stop1()
		time.Sleep(24 * time.Hour)
		st := status(t, s2, "a")
		require.Equal(t, ds.Applied, st.State, "nobody else wants it: %v", st.Err)
	})
}

// What another's Run wants, and a cycle keeps from being taken along, stands in that one's store alone.
func TestACycleAcrossTwoRunsIsToldWhereItIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		k.Target = ds.NewTarget()
		k.Requires[0].(*ds.Kind[Thing]).Target = k.Target
		s1, s2 := ds.NewStore(), ds.NewStore()
		defer runOn(t, ds.New(k), s1)()
		defer runOn(t, ds.New(k), s2)()
		require.NoError(t, s1.Put(Box{Name: "a"}))
		require.NoError(t, s1.Wait(t.Context(), thingKey("a")))
		require.NoError(t, s2.Put(Box{Name: "b", Needs: "a"}))
		require.NoError(t, s2.Wait(t.Context(), thingKey("b")))
		require.NoError(t, s1.Put(Box{Name: "a", Needs: "b", Shape: 1}))
		time.Sleep(time.Second)
		require.ErrorIs(t, status(t, s1, "a").Err, ds.ErrCycle)
		st, known := s1.Status(thingKey("b"))
		require.False(t, known, "b is the other's: %v", st)
		require.Equal(t, ds.Applied, status(t, s2, "b").State)
	})
}

// A Run hears what a call of the same engine has made.
func TestACallUnblocksItsOwnEnginesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "u", Needs: "k"}))
		time.Sleep(time.Second)
		require.Equal(t, ds.Blocked, status(t, s, "u").State)
		_, err := e.Ensure(t.Context(), Box{Name: "k"})
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		st := status(t, s, "u")
		require.Equal(t, ds.Applied, st.State, "what it needs is there since a day: %v", st.Err)
	})
}

// A Run hears what a call of the same engine has removed, and makes it again.
func TestACallRemovesWhatRunWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "u"}))
		time.Sleep(time.Second)
		_, err := e.Remove(t.Context(), thingKey("u"))
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		require.True(t, x.size() == 1 || status(t, s, "u").State != ds.Applied, "%s %v", x, status(t, s, "u"))
	})
}

// Tries that take long are counted on.
func TestAttemptsOfLongTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		e.RetryMax = time.Second
		defer runOn(t, e, s)()
		x.by(func() { x.delay = 3 * time.Second; x.fail = func(int, string) outcome { return refused } })
		require.NoError(t, s.Put(Box{Name: "a"}))
		time.Sleep(time.Hour)
		require.Greater(t, status(t, s, "a").Attempts, 100, "written %d times", x.written())
	})
}
