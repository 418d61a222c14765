// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// running runs an engine on a target in a bubble of fake time.
func running(t *testing.T, f func(t *testing.T, x *target, e *ds.Engine, s *ds.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		foreigners(x)
		e, s := engine(x), ds.NewStore()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Minute) }()
		synctest.Wait() // it has read the target
		f(t, x, e, s)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		for k, st := range s.Statuses() {
			require.Contains(t, []ds.State{ds.Pending, ds.Invalid}, st.State, "%s: there may be no target any more", k)
		}
		require.Empty(t, x.violations)
	})
}

func status(t *testing.T, s *ds.Store, name string) ds.Status {
	t.Helper()
	st, ok := s.Status(thingKey(name))
	require.True(t, ok, name)
	return st
}

func TestRunFollowsTheStore(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		x.by(func() { x.add(&item{kind: "box", name: "old", shape: 7}) })
		e.Forget()
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Needs: "a"}))
		require.NoError(t, s.Wait(t.Context(), thingKey("a"), thingKey("b")))
		require.Contains(t, x.String(), "box old", "nothing goes before the store is complete")
		_, ok := s.Converged()
		require.False(t, ok)
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box old")
		dumps, writes := x.dumped(), x.written()
		require.NoError(t, s.Put(Box{Name: "b", Needs: "a", Color: 3}))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, writes+1, x.written())
		s.Delete(thingKey("b"))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, writes+2, x.written())
		require.Equal(t, dumps, x.dumped(), "a change costs no reading")
		_, ok = s.Status(thingKey("b"))
		require.False(t, ok)
	})
}

// What was wanted before Run began is looked at once, not once for being wanted and
// once for the first reading.
func TestRunBeginsWithOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s, tries := newTarget(), ds.NewStore(), 0
		x.fail = func(int, string) outcome {
			tries++
			return refused
		}
		require.NoError(t, s.Put(Box{Name: "a"}))
		s.Complete()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- engine(x).Run(ctx, s, time.Minute) }()
		synctest.Wait()
		x.by(func() { require.Equal(t, 1, tries) })
		cancel()
		<-done
	})
}

func TestRunRepairsDrift(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Needs: "a"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		want, writes := x.String(), x.written()
		time.Sleep(5 * time.Minute)
		require.Equal(t, writes, x.written(), "a converged pass writes nothing")
		tamper := func() {
			x.by(func() {
				for id, i := range x.items {
					switch i.name {
					case "a":
						i.color = 5
					case "b":
						x.lose(id)
					}
				}
			})
		}
		tamper()
		time.Sleep(61 * time.Second)
		require.Equal(t, want, x.String())
		tamper()
		e.Forget()
		synctest.Wait()
		require.Equal(t, want, x.String())
	})
}

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

// confirm lets go what is held back.
func confirm(t *testing.T, s *ds.Store) {
	t.Helper()
	h, ok := s.Held()
	require.True(t, ok)
	require.NoError(t, s.Confirm(h.Token))
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

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

func TestRunLeavesTheInvalidUntilItChanges(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "a"}))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Put(Box{Name: "a", Color: -1}))
		require.ErrorIs(t, s.Wait(t.Context(), thingKey("a")), ds.ErrInvalid)
		time.Sleep(5 * time.Minute)
		require.Equal(t, 1, x.written(), "what was there stays")
		require.Zero(t, status(t, s, "a").Attempts)
		require.NoError(t, s.Put(Box{Name: "a", Color: 1}))
		require.NoError(t, s.Wait(t.Context()))
	})
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

func TestSourcesShareObjects(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		net := Box{Name: "net"}
		require.NoError(t, s.Assign("p1", net, Box{Name: "p1", Needs: "net"}))
		require.NoError(t, s.Assign("p2", net, Box{Name: "p2", Needs: "net"}))
		require.ErrorIs(t, s.Assign("p3", Box{Name: "net", Color: 1}), ds.ErrConflict)
		require.ErrorIs(t, s.Assign("p3", Box{Name: "other"}, Box{Name: "other", Color: 1}), ds.ErrDuplicate)
		require.NoError(t, s.Assign("p3", net, net), "what is the same is one")
		require.NoError(t, s.Assign("p3"))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, []string{"p1", "p2"}, s.Sources(net.Key()))
		sum, ok := s.Source("p1")
		require.True(t, ok)
		require.Equal(t, ds.Applied, sum.State)
		require.NoError(t, s.Assign("p1"))
		require.NoError(t, s.Wait(t.Context()))
		require.Contains(t, x.String(), "box net")
		require.NoError(t, s.Assign("p2"))
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box net")
	})
}

func TestWatchTellsOfEachObject(t *testing.T) {
	running(t, func(t *testing.T, _ *target, _ *ds.Engine, s *ds.Store) {
		s.Complete()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		last := map[string]ds.State{}
		go func() {
			for k, st := range s.Watch(ctx) {
				mu.Lock()
				last[k.Name] = st.State
				mu.Unlock()
			}
		}()
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Needs: "nobody"}))
		synctest.Wait()
		s.Delete(thingKey("a"))
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, map[string]ds.State{"a": "", "b": ds.Blocked}, last)
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

func TestRunOutlivesATargetThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		dump := k.Dump
		var broken, reads atomic.Int32
		broken.Store(1)
		k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
			if broken.Load() > 0 {
				return nil, errors.New("no dump today")
			}
			return dump(ctx, v)
		}
		e, s := ds.New(k), ds.NewStore()
		e.Observe = func(ev ds.Event) {
			if ev.Type == ds.ReadFailed {
				reads.Add(1)
			}
		}
		s.Complete()
		require.NoError(t, s.Put(Box{Name: "a"}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, 0) }()
		time.Sleep(10 * time.Second)
		require.Greater(t, reads.Load(), int32(2))
		require.Less(t, reads.Load(), int32(15))
		require.Zero(t, x.written())
		broken.Store(0)
		require.NoError(t, s.Wait(t.Context()))
		cancel()
		<-done
	})
}

// Whatever is put in and taken out while the target fails: in the end, the
// target holds what is wanted.
func TestRunConvergesWhateverFails(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint32().Draw(r, "seed")
		rate := rapid.SampledFrom([]uint32{0, 20, 60}).Draw(r, "failures %")
		var worlds [][]ds.Object
		var pauses []int
		for range rapid.IntRange(1, 5).Draw(r, "changes") {
			worlds = append(worlds, world(r))
			pauses = append(pauses, rapid.SampledFrom([]int{0, 1, 300, 70_000}).Draw(r, "ms"))
		}
		synctest.Test(t, func(t *testing.T) {
			x := newTarget()
			foreigners(x)
			before := foreignPart(x)
			x.delay = time.Millisecond
			x.fail = func(n int, _ string) outcome {
				h := (uint32(n)*2654435761 + seed) >> 8
				if h%100 >= rate {
					return works
				}
				return refused + outcome(h>>7&1)
			}
			e, s := engine(x), ds.NewStore()
			e.MaxPrune = 1
			s.Complete()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, s, time.Minute) }()
			for i, w := range worlds {
				all := map[string][]ds.Object{}
				for _, o := range w {
					all[o.Key().String()] = []ds.Object{o}
				}
				require.NoError(r, s.Replace(all))
				time.Sleep(time.Duration(pauses[i]) * time.Millisecond)
			}
			x.heal()
			time.Sleep(5 * time.Minute)
			cancel()
			<-done
			require.Equal(r, before, foreignPart(x))
			p, err := engine(x).Plan(t.Context(), worlds[len(worlds)-1]...)
			require.NoError(r, err)
			require.True(r, p.Empty(), "%s\n%s", p, x)
			converges(r, t.Context(), x, e, worlds[len(worlds)-1])
		})
	})
}
