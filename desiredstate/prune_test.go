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

func TestWhatRunMayRemove(t *testing.T) {
	for _, c := range []struct {
		prune                 ds.Prune
		named, vanished, left bool // go
	}{{ds.PruneAll, true, true, true}, {ds.PruneNamed, true, false, false}, {ds.PruneNone, false, false, false}} {
		synctest.Test(t, func(t *testing.T) {
			x, s := newTarget(), ds.NewStore()
			for _, name := range []string{"left", "named", "vanished", "k1"} {
				x.add(&item{kind: "box", name: name, shape: 7})
			}
			e := engine(x)
			e.Prune = c.prune
			require.NoError(t, s.Replace(map[string][]ds.Object{
				"": {Box{Name: "named"}}, "v": {Box{Name: "vanished"}}, "k1": {Box{Name: "k1"}}, "k2": {Box{Name: "k2", Slot: "s"}},
			}))
			s.Complete()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, s, time.Minute) }()
			require.NoError(t, s.Wait(t.Context()))
			s.Delete(thingKey("named"))
			require.NoError(t, s.Replace(map[string][]ds.Object{"k1": {Box{Name: "k1", Shape: 2}}, "k2": {Box{Name: "k2", Slot: "s"}}}))
			require.NoError(t, s.Wait(t.Context()), "what may not be removed holds nothing up")
			time.Sleep(3 * time.Minute)
			require.NoError(t, s.Wait(t.Context()))
			for name, goes := range map[string]bool{"named": c.named, "vanished": c.vanished, "left": c.left} {
				require.Equal(t, !goes, contains(x, name), "%s with %v", name, c.prune)
				if st, ok := s.Status(thingKey(name)); name != "left" {
					require.Equal(t, !goes, ok)
					if ok {
						require.Equal(t, ds.Left, st.State)
						require.NotZero(t, st.ID)
						require.ErrorContains(t, s.WaitGone(t.Context(), thingKey(name)), "left")
					}
				}
			}
			require.Contains(t, x.String(), "box k1 color=0 shape=2", "a replacement is no removal")
			require.NoError(t, s.Put(Box{Name: "vanished", Color: 3})) // it is wanted again
			require.NoError(t, s.Wait(t.Context()))
			require.Contains(t, x.String(), "box vanished color=3")
			cancel()
			<-done
		})
	}
}

func TestDeletionByNameNeedsNoCompleteStore(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		x.by(func() {
			x.add(&item{kind: "box", name: "old", shape: 7})
			x.add(&item{kind: "box", name: "older", shape: 7})
		})
		e.Forget()
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b"}))
		require.NoError(t, s.Assign("src", Box{Name: "c"}, Box{Name: "d"}))
		require.NoError(t, s.Assign("other", Box{Name: "e"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("b"), thingKey("d"), thingKey("e")))
		s.Delete(thingKey("a"), thingKey("old"), thingKey("theirs"), thingKey("never was"))
		require.NoError(t, s.Assign("src", Box{Name: "c"}))
		require.NoError(t, s.Assign("other"))
		require.NoError(t, s.WaitGone(t.Context(), thingKey("a"), thingKey("d"), thingKey("e"), thingKey("old"), thingKey("theirs"), thingKey("never was")))
		require.Equal(t, `ball other color=0 shape=0 slot=theirs foreign
box b color=0 shape=7
box c color=0 shape=7
box older color=0 shape=7
box theirs color=9 shape=0 foreign
`, x.String())
	})
}

// What another process of the same owner has just made is not garbage.
func TestGraceForWhatAnotherMade(t *testing.T) {
	grace := func(t *testing.T, g ds.Grace, resync time.Duration, f func(t *testing.T, x *target, e *ds.Engine, s *ds.Store)) {
		synctest.Test(t, func(t *testing.T) {
			x, s := newTarget(), ds.NewStore()
			e := engine(x)
			e.Grace = g
			for i := range 5 {
				require.NoError(t, s.Put(Box{Name: fmt.Sprint(i)}))
			}
			s.Complete()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, s, resync) }()
			require.NoError(t, s.Wait(t.Context()))
			x.by(func() {
				for _, name := range []string{"garbage", "wanted soon"} {
					x.add(&item{kind: "box", name: name, shape: 7})
				}
			})
			f(t, x, e, s)
			cancel()
			<-done
		})
	}
	// It is seen 60 s after Run began, and each minute from then on.
	grace(t, ds.Grace{Age: 90 * time.Second}, time.Minute, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		time.Sleep(149 * time.Second)
		require.True(t, contains(x, "garbage"))
		_, ok := s.Converged()
		require.False(t, ok)
		require.NoError(t, s.Put(Box{Name: "wanted soon"}))
		time.Sleep(2 * time.Second)
		require.False(t, contains(x, "garbage"), "at its time, not at a reading")
		require.True(t, contains(x, "wanted soon"))
		require.NoError(t, s.Wait(t.Context()))
		s.Delete(thingKey("wanted soon"))
		synctest.Wait()
		require.False(t, contains(x, "wanted soon"), "what is deleted by name goes at once")
	})
	grace(t, ds.Grace{Readings: 4}, time.Minute, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		time.Sleep(239 * time.Second)
		require.True(t, contains(x, "garbage"))
		time.Sleep(2 * time.Second)
		require.False(t, contains(x, "garbage"))
		require.NoError(t, s.Wait(t.Context()))
	})
	grace(t, ds.Grace{Age: time.Hour, Readings: 2}, 0, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		e.Forget()
		time.Sleep(2 * time.Hour)
		require.True(t, contains(x, "garbage"), "seen once")
		e.Forget()
		synctest.Wait()
		require.False(t, contains(x, "garbage"))
		require.NoError(t, s.Wait(t.Context()))
	})
	// What goes by another hand is waited for no longer; what comes anew is new.
	grace(t, ds.Grace{Age: time.Hour}, time.Minute, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		take := func() {
			x.by(func() {
				for id, i := range x.items {
					if i.name == "garbage" || i.name == "wanted soon" {
						x.lose(id)
					}
				}
			})
		}
		time.Sleep(50 * time.Minute)
		take()
		time.Sleep(2 * time.Minute)
		require.NoError(t, s.Wait(expired(t)))
		x.by(func() { x.add(&item{kind: "box", name: "garbage", shape: 7}) })
		time.Sleep(50 * time.Minute)
		require.True(t, contains(x, "garbage"))
		time.Sleep(12 * time.Minute)
		require.False(t, contains(x, "garbage"))
	})
}

// What was first seen in one reading is ripe at one moment, and counted as one: no part of it goes because that alone
// would not be too much. The clock is a real one, as that of a synctest stands still while there is work.
func TestWhatIsRipeTogetherIsCountedTogether(t *testing.T) {
	x, s := newTarget(), ds.NewStore()
	e := engine(x)
	e.Grace = ds.Grace{Age: 300 * time.Millisecond}
	require.NoError(t, s.Put(Box{Name: "wanted"}))
	s.Complete()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, s, 0) }()
	require.NoError(t, s.Wait(t.Context()))
	x.by(func() {
		for i := range 10_000 {
			x.add(&item{kind: "box", name: fmt.Sprint("b", i), shape: 7})
		}
	})
	e.Forget()
	require.Eventually(t, func() bool { _, held := s.Held(); return held }, time.Minute, time.Millisecond)
	h, _ := s.Held()
	require.Len(t, h.Keys, 10_000)
	require.Equal(t, 10_001, x.size())
	cancel()
	<-done
}

func TestWaitGone(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b"}, Box{Name: "c"}))
		require.NoError(t, s.Wait(t.Context()))
		require.ErrorContains(t, s.WaitGone(t.Context(), thingKey("a")), "thing/a is wanted")
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if op == "delete a" {
					return refused
				}
				return works
			}
		})
		s.Delete(thingKey("a"), thingKey("b"))
		require.NoError(t, s.WaitGone(t.Context(), thingKey("b")))
		require.False(t, contains(x, "b"))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.WaitGone(short, thingKey("a"), thingKey("b"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errTarget)
		require.ErrorContains(t, err, "thing/a is failing, and is to go")
		require.ErrorContains(t, s.Wait(expired(t)), "thing/a is failing, and is to go")
		x.heal()
		require.NoError(t, s.WaitGone(t.Context(), thingKey("a"), thingKey("a")))
		require.False(t, contains(x, "a"))

		x.by(func() { x.delay = time.Second })
		s.Delete(thingKey("c"))
		ended := make(chan error, 1)
		go func() { ended <- s.WaitGone(t.Context(), thingKey("c")) }()
		time.Sleep(time.Millisecond)
		require.NoError(t, s.Put(Box{Name: "c"}))
		require.ErrorContains(t, <-ended, "thing/c is wanted", "who waits for the going is told of the coming")
		require.NoError(t, s.Wait(t.Context()))
	})
}
