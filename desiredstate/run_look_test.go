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

// looking runs an engine that looks at all each minute. From the first look on, one takes what the returned function sets.
func looking(t *testing.T, f func(t *testing.T, x *target, e *ds.Engine, s *ds.Store, take func(time.Duration))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k, long := boxes(x), time.Duration(0)
		dump := k.Dump
		k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
			found, err := dump(ctx, v)
			takes := time.Duration(0)
			x.by(func() { takes = long })
			time.Sleep(takes) // it does not heed ctx, and tells of what was there when it began
			return found, err
		}
		e, s := ds.New(k, balls(x)), ds.NewStore()
		e.MaxPrune = 1
		s.Complete()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Minute) }()
		require.NoError(t, s.Put(Box{Name: "a"}))
		require.NoError(t, s.Wait(t.Context()))
		f(t, x, e, s, func(d time.Duration) { x.by(func() { long = d }) })
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Empty(t, x.violations)
	})
}

// A reading that takes long delays no change, of its own kind neither, and what it found does not undo what was done
// meanwhile.
func TestALongReadingDelaysNothing(t *testing.T) {
	looking(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store, take func(time.Duration)) {
		require.NoError(t, s.Put(Box{Name: "goes"}, Box{Name: "u", Needs: "a"}))
		require.NoError(t, s.Wait(t.Context()))
		take(30 * time.Second)
		time.Sleep(time.Minute + time.Second) // it is being read
		dumps, start := x.dumped(), time.Now()
		require.NoError(t, s.Put(Ball{Name: "b", Needs: "a"}, Box{Name: "c"}, Box{Name: "a", Shape: 3}))
		s.Delete(thingKey("goes"))
		require.NoError(t, s.Wait(t.Context()))
		require.Less(t, time.Since(start), time.Second)
		require.Equal(t, dumps, x.dumped(), "the reading is still under way")
		now, writes := x.String(), x.written()
		take(0)
		time.Sleep(10 * time.Minute)
		require.Equal(t, now, x.String())
		require.Equal(t, writes, x.written(), "there was nothing to mend")
		require.NoError(t, s.Wait(t.Context()))
	})
}

// What Forget is called for waits for the reading, as Forget says; what is under way is told of all the same.
func TestAfterForgetAChangeWaitsForTheReading(t *testing.T) {
	looking(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store, take func(time.Duration)) {
		x.by(func() { x.delay = 5 * time.Second })
		require.NoError(t, s.Put(Box{Name: "before"}))
		synctest.Wait()
		take(30 * time.Second)
		x.by(func() { x.delay = 0 })
		start := time.Now()
		e.Forget()
		synctest.Wait()
		require.NoError(t, s.Put(Box{Name: "after"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("before")))
		require.Less(t, time.Since(start), 6*time.Second)
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

// A look that takes longer than there is between two of them is begun anew only that long after its end.
func TestLooksDoNotFollowEachOtherAtOnce(t *testing.T) {
	looking(t, func(t *testing.T, x *target, _ *ds.Engine, _ *ds.Store, take func(time.Duration)) {
		take(4 * time.Minute)
		before := x.dumped()
		time.Sleep(time.Hour)
		require.Equal(t, 12*3, x.dumped()-before, "three kinds, every five minutes")
	})
}

// What another hand changed while all was read is found by the next look, if not by that one.
func TestDriftDuringALook(t *testing.T) {
	looking(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store, take func(time.Duration)) {
		take(30 * time.Second)
		time.Sleep(time.Minute + time.Second)
		x.by(func() { x.lose(x.ids()[0]) })
		time.Sleep(5 * time.Minute)
		require.Contains(t, x.String(), "box a")
		require.NoError(t, s.Wait(t.Context()))
	})
}

// Who takes up what an earlier program left is told of it before anything is planned, by the reading that Run begins with.
func TestBegunIsToldOfTheFirstReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		_, err := ds.New(boxes(x)).Ensure(t.Context(), Box{Name: "left"}, Box{Name: "kept"})
		require.NoError(t, err)
		e, s := ds.New(boxes(x)), ds.NewStore()
		e.MaxPrune = 1
		require.NoError(t, s.Put(Box{Name: "new"}))
		s.Complete()
		var told [][]ds.Found
		dumps, writes := x.dumped(), x.written() // of one reading
		e.Begun = func(found []ds.Found) {
			told = append(told, found)
			time.Sleep(time.Minute) // Put is news meanwhile, and planned for by nobody
			require.NoError(t, s.Put(Box{Name: "kept"}))
			time.Sleep(time.Minute)
			require.Equal(t, writes, x.written())
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Hour) }()
		time.Sleep(5 * time.Minute)
		require.NoError(t, s.Wait(t.Context()))
		require.Len(t, told, 1)
		require.Len(t, told[0], 2)
		require.Equal(t, 2*dumps, x.dumped(), "one reading more")
		e.Forget()
		time.Sleep(2 * time.Hour)
		require.Len(t, told, 1, "the first reading only")
		require.Contains(t, x.String(), "kept")
		require.NotContains(t, x.String(), "left")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
