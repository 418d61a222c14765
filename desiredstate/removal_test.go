// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// sites is a source for each of n boxes that hang on one they share.
func sites(n int) map[string][]ds.Object {
	all := map[string][]ds.Object{}
	for i := range n {
		name := fmt.Sprintf("b%02d", i)
		all[name] = []ds.Object{Box{Name: "shared"}, Box{Name: name, Needs: "shared"}}
	}
	return all
}

// without is all but some sources.
func without(all map[string][]ds.Object, gone ...string) map[string][]ds.Object {
	out := maps.Clone(all)
	for _, k := range gone {
		delete(out, k)
	}
	return out
}

// heldBack lists what is held back, and nothing of it is gone.
func heldBack(t *testing.T, x *target, s *ds.Store) (names []string) {
	t.Helper()
	time.Sleep(3 * time.Minute)
	h, ok := s.Held()
	require.Equal(t, ok, len(h.Keys) > 0)
	for _, k := range h.Keys {
		names = append(names, k.Name)
		require.Contains(t, x.String(), " "+k.Name+" ")
		require.ErrorIs(t, status(t, s, k.Name).Err, ds.ErrMassDelete)
	}
	_, converged := s.Converged()
	require.Equal(t, !ok, converged)
	return names
}

// An empty or shrunken answer is no order, on a site of any size.
func TestSourcesThatVanish(t *testing.T) {
	for n := 1; n <= 40; n += 3 {
		running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
			all := sites(n)
			require.NoError(t, s.Replace(all))
			s.Complete()
			require.NoError(t, s.Wait(t.Context()))
			size := x.size()
			require.NoError(t, s.Replace(nil))
			require.Len(t, heldBack(t, x, s), n+1)
			require.Equal(t, size, x.size())
			require.NoError(t, s.Replace(all))
			require.NoError(t, s.Wait(t.Context()))
			require.Empty(t, heldBack(t, x, s))
		})
	}
}

// One source of three may vanish, one of one not. By name all may go.
func TestFewSources(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := sites(3)
		require.NoError(t, s.Replace(all))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(without(all, "b01")))
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box b01")
		require.NoError(t, s.Assign("b02"))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{}))
		require.Equal(t, []string{"b00", "shared"}, heldBack(t, x, s))
		require.NoError(t, s.Assign("b00"))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 2, x.size())
	})
}

// A source that is mentioned is one that said what it wants.
func TestASourceThatChangedIsAnOrder(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{"a": {Box{Name: "a1"}, Box{Name: "a2"}}, "b": {Box{Name: "b"}}}
		require.NoError(t, s.Replace(all))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": nil, "b": {}}))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 2, x.size())
		require.NoError(t, s.Replace(all))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(nil))
		require.Equal(t, []string{"a1", "a2", "b"}, heldBack(t, x, s))
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": all["a"][:1]}))
		require.Equal(t, []string{"b"}, heldBack(t, x, s), "a said what it wants")
		require.False(t, contains(x, "a2"))
	})
}

// What is held back goes when somebody deletes it by name, or along with what it
// depends on.
func TestWhatIsHeldBackIsDeletedByName(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		gone := func(name string) {
			t.Helper()
			require.NoError(t, s.WaitGone(expired(t), thingKey(name)), "at once")
			require.False(t, contains(x, name))
		}
		require.NoError(t, s.Put(Box{Name: "mine"}))
		require.NoError(t, s.Assign("base", Box{Name: "base"}))
		require.NoError(t, s.Assign("top", Box{Name: "top", Needs: "base"}))
		require.NoError(t, s.Assign("other", Box{Name: "other box"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(nil))
		require.Equal(t, []string{"base", "mine", "other box", "top"}, heldBack(t, x, s))
		s.Delete(thingKey("mine"))
		gone("mine")
		require.NoError(t, s.Assign("base"))
		gone("base")
		gone("top")
		require.NoError(t, s.Assign("another", Box{Name: "other box"}))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Assign("another"))
		gone("other box")

		x.by(func() { x.add(&item{kind: "box", name: "found", shape: 7}) })
		e.Forget()
		require.Equal(t, []string{"found"}, heldBack(t, x, s))
		s.Delete(thingKey("found"))
		gone("found")
		require.NoError(t, s.Wait(t.Context()))
	})
}

// An object that one source lost and another gave up is the lost one's still.
func TestWhatTwoWantedAndOneLost(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		shared := Box{Name: "shared"}
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": {shared}, "b": {shared, Box{Name: "b"}}, "c": {shared}}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{"b": {Box{Name: "b"}}}))
		require.Equal(t, []string{"shared"}, heldBack(t, x, s))
		require.NoError(t, s.Assign("a"))
		require.Equal(t, []string{"shared"}, heldBack(t, x, s))
		require.NoError(t, s.Assign("c"))
		require.NoError(t, s.Wait(t.Context()))
		require.False(t, contains(x, "shared"))
	})
}

// What is found in small parts is counted as one.
func TestWhatIsHeldBackCounts(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		appear := func(n int) {
			x.by(func() {
				for range n {
					x.add(&item{kind: "box", name: fmt.Sprint("found", x.next), shape: 7})
				}
			})
			e.Forget()
		}
		for i := range 10 {
			require.NoError(t, s.Put(Box{Name: fmt.Sprint(i)}))
		}
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		appear(12)
		require.Len(t, heldBack(t, x, s), 12)
		first, _ := s.Held()
		appear(3)
		require.Len(t, heldBack(t, x, s), 15)
		require.ErrorIs(t, s.Confirm(first.Token), ds.ErrStale, "that is more than was confirmed")
		require.Equal(t, 27, x.size())
	})
}

// What the caller wants in any case does not show that the answer is whole.
func TestFixedSourcesAreNotCounted(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{"uplink1": {Box{Name: "u1"}}, "uplink2": {Box{Name: "u2"}}, "port": {Box{Name: "p"}}}
		fixed := []string{"uplink1", "uplink2"}
		require.NoError(t, s.Replace(all, fixed...))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(without(all, "port"), fixed...))
		require.Equal(t, []string{"p"}, heldBack(t, x, s))
		require.NoError(t, s.Replace(without(all, "port")))
		require.Equal(t, []string{"p"}, heldBack(t, x, s), "what is held back stays so")
		require.NoError(t, s.Assign("port", Box{Name: "q"})) // it is there, and wants something else
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box p")
	})
}

// An agent that starts on a target full of its own.
func TestWhatIsFoundAtTheStart(t *testing.T) {
	for _, c := range []struct {
		had, wanted int
		back        bool
	}{{3, 2, false}, {3, 0, true}, {1, 0, true}, {9, 0, true}, {9, 2, true}, {9, 6, false}, {1, 1, false}} {
		synctest.Test(t, func(t *testing.T) {
			x := newTarget()
			for i := range c.had {
				x.add(&item{kind: "box", name: fmt.Sprintf("b%02d", i), shape: 7})
			}
			s := ds.NewStore()
			for i := range c.wanted {
				name := fmt.Sprintf("b%02d", i)
				require.NoError(t, s.Assign(name, Box{Name: name}))
			}
			s.Complete()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- engine(x).Run(ctx, s, time.Minute) }()
			if c.back {
				require.Len(t, heldBack(t, x, s), c.had-c.wanted)
				require.Equal(t, c.had, x.size())
				confirm(t, s)
			}
			require.NoError(t, s.Wait(t.Context()))
			require.Equal(t, c.wanted, x.size())
			cancel()
			<-done
		})
	}
}

// Where nothing is wanted but what is wanted in any case, nothing goes by omission.
func TestWhatIsFoundAndOnlyFixedWanted(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{"": {Box{Name: "u1"}, Box{Name: "u2"}, Box{Name: "u3"}}}
		require.NoError(t, s.Replace(all, ""))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() { x.add(&item{kind: "box", name: "port", shape: 7}) })
		require.Equal(t, []string{"port"}, heldBack(t, x, s))
	})
}

// What was held back before new things were wanted is not let go by their number.
func TestAHoldOutlivesWhatComes(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		require.NoError(t, s.Replace(sites(3)))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(nil))
		back := heldBack(t, x, s)
		for i := range 20 {
			require.NoError(t, s.Assign(fmt.Sprint("new", i), Box{Name: fmt.Sprint("new", i)}))
		}
		require.Equal(t, back, heldBack(t, x, s))
	})
}

// A hold outlives the connection, and says so to the next observer.
func TestAHoldOutlivesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		require.NoError(t, s.Replace(sites(2)))
		s.Complete()
		var mu sync.Mutex
		var told []string
		session := func(f func()) {
			e := engine(x)
			e.Observe = func(ev ds.Event) {
				if ev.Type == ds.HeldBack {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, ev.Token)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, s, time.Minute) }()
			synctest.Wait()
			f()
			cancel()
			<-done
		}
		session(func() {
			require.NoError(t, s.Replace(nil))
			require.Len(t, heldBack(t, x, s), 3)
		})
		h, _ := s.Held()
		session(func() { require.Len(t, heldBack(t, x, s), 3) })
		require.Equal(t, []string{h.Token, h.Token}, told)
		x.by(func() { clear(x.items) }) // the target began anew
		session(func() { require.NoError(t, s.Wait(t.Context())) })
		_, ok := s.Held()
		require.False(t, ok)
	})
}

func TestConfirmNamesWhatItConfirms(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		require.ErrorIs(t, s.Confirm(""), ds.ErrStale, "nothing is held back")
		require.NoError(t, s.Replace(sites(4)))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		began := time.Now()
		require.NoError(t, s.Replace(nil))
		synctest.Wait()
		first, ok := s.Held()
		require.True(t, ok)
		require.Len(t, first.Keys, 5)
		require.Equal(t, began, first.Since)
		require.ErrorIs(t, first.Err, ds.ErrMassDelete)
		require.ErrorIs(t, s.Confirm("x"+first.Token), ds.ErrStale)
		require.ErrorIs(t, s.Confirm(""), ds.ErrStale)

		require.NoError(t, s.Replace(sites(4))) // it was a mistake
		require.NoError(t, s.Wait(t.Context()))
		require.ErrorIs(t, s.Confirm(first.Token), ds.ErrStale)
		require.NoError(t, s.Replace(nil)) // and another one
		require.Len(t, heldBack(t, x, s), 5)
		require.ErrorIs(t, s.Confirm(first.Token), ds.ErrStale, "that was another time")
		require.Equal(t, 7, x.size())

		second, _ := s.Held()
		require.NoError(t, s.Assign("b00", sites(1)["b00"]...)) // less than that is held back now
		require.ErrorIs(t, s.Confirm(second.Token), ds.ErrStale)
		third, _ := s.Held()
		require.Len(t, third.Keys, 3)
		require.NoError(t, s.Confirm(third.Token))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 4, x.size(), "the confirmed are gone, and they alone")
		require.ErrorIs(t, s.Confirm(third.Token), ds.ErrStale)

		time.Sleep(24 * time.Hour)
		require.NoError(t, s.Replace(nil))
		require.Len(t, heldBack(t, x, s), 2)
	})
}

// A model of what is there: what is wanted, and what is held back. Nothing else
// keeps anything, and nothing held back goes unless somebody says so.
func TestNothingGoesUnordered(t *testing.T) {
	type step struct {
		op   int
		name string
		all  []string
	}
	names := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				rapid.IntRange(0, 5).Draw(t, "op"), names.Draw(t, "name"),
				rapid.SliceOfDistinct(names, rapid.ID).Draw(t, "all"),
			}
		}), 1, 12).Draw(r, "steps")
		var wrong string
		synctest.Test(t, func(t *testing.T) {
			x, s := newTarget(), ds.NewStore()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- engine(x).Run(ctx, s, time.Minute) }()
			s.Complete()
			wanted, back := map[string]bool{}, map[string]bool{}
			for i, step := range steps {
				switch step.op {
				case 0, 1:
					require.NoError(t, s.Assign(step.name, Box{Name: step.name}))
					wanted[step.name] = true
					delete(back, step.name)
				case 2:
					require.NoError(t, s.Assign(step.name))
					delete(wanted, step.name)
					delete(back, step.name)
				case 3:
					if h, ok := s.Held(); ok {
						require.NoError(t, s.Confirm(h.Token))
						clear(back)
					}
				default:
					all := map[string][]ds.Object{}
					had := wanted
					wanted = map[string]bool{}
					for _, name := range step.all {
						all[name] = []ds.Object{Box{Name: name}}
						wanted[name] = true
						delete(back, name)
						delete(had, name)
					}
					require.NoError(t, s.Replace(all))
					if n := len(had) + len(back); 2*n > n+len(wanted) {
						maps.Copy(back, had)
					}
				}
				synctest.Wait()
				for _, name := range []string{"a", "b", "c", "d", "e"} {
					if contains(x, name) != (wanted[name] || back[name]) {
						wrong = fmt.Sprintf("step %d: wanted %v, held back %v, there:\n%s", i, wanted, back, x)
					}
				}
				if h, _ := s.Held(); len(h.Keys) != len(back) {
					wrong = fmt.Sprintf("step %d: held back %v, want %v", i, h.Keys, back)
				}
			}
			cancel()
			<-done
		})
		require.Empty(r, wrong)
	})
}

func contains(x *target, name string) (is bool) {
	x.by(func() {
		for _, i := range x.items {
			is = is || i.name == name
		}
	})
	return is
}

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

func TestRemoveReportsOnEachKey(t *testing.T) {
	x := newTarget()
	foreigners(x)
	e := engine(x)
	syncs(t, e, Box{Name: "a"}, Box{Name: "b"})
	x.by(func() { x.add(&item{kind: "box", name: "b", shape: 7}) }) // surplus
	e.Forget()
	id, err := e.ID(thingKey("theirs"))
	require.NoError(t, err)
	r, err := e.Remove(t.Context(), thingKey("theirs"), thingKey("b"), thingKey("nothing"), thingKey("a"), thingKey("a"), thingKey("nothing"))
	require.NoError(t, err)
	for i := range r {
		if r[i].Action == ds.Delete {
			r[i].ID = 0
		}
	}
	require.Equal(t, ds.Report{
		{Action: ds.Delete, Key: thingKey("a")},
		{Action: ds.Delete, Key: thingKey("b")},
		{Action: ds.Block, Key: thingKey("theirs"), ID: id},
		{Action: ds.Keep, Key: thingKey("nothing")},
	}, r)
	require.Equal(t, 2, r.Changed())
	r, err = boxes(x).Remove(t.Context(), Box{Name: "a"})
	require.NoError(t, err)
	require.Equal(t, ds.Report{{Action: ds.Keep, Key: thingKey("a")}}, r)
}

// The report of what took two looks says what was done, not what there was left to do.
func TestEnsureReportsWhatItDidToSurplus(t *testing.T) {
	x := newTarget()
	for range 2 {
		x.add(&item{kind: "box", name: "a", shape: 7})
	}
	r, err := engine(x).Ensure(t.Context(), Box{Name: "a", Color: 2}, Box{Name: "b"})
	require.NoError(t, err)
	require.Len(t, r, 2)
	require.Equal(t, 2, r.Changed(), "%v", r)
}

// Sync is asked to remove all else; that it was given nothing may be a mistake.
func TestSyncWithNothing(t *testing.T) {
	for n := range 5 {
		x := newTarget()
		foreigners(x)
		e := engine(x)
		var want []ds.Object
		for i := range n {
			want = append(want, Box{Name: fmt.Sprint(i)})
		}
		syncs(t, e, want...)
		_, err := e.Sync(t.Context())
		if n == 0 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ds.ErrMassDelete)
		require.Equal(t, n+2, x.size())
		if n > 1 {
			syncs(t, e, want[1:]...)
		}
		p, err := e.Plan(t.Context())
		require.NoError(t, err)
		p.Confirm()
		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, 2, x.size())
	}
}

// A plan is applied once. An Apply that could not begin has not done so.
func TestApplyAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e := engine(x)
		plan := func() *ds.Plan {
			p, err := e.Plan(t.Context(), Box{Name: "a"}, Box{Name: "b", Needs: "a"})
			require.NoError(t, err)
			return p
		}
		p := plan()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := e.Apply(gone, p)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, x.written())
		r, err := e.Apply(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, 2, r.Changed())
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, ds.ErrStale, "done")

		empty := plan()
		_, err = e.Apply(t.Context(), empty)
		require.NoError(t, err)
		_, err = e.Apply(t.Context(), empty)
		require.ErrorIs(t, err, ds.ErrStale, "there was nothing to do")

		for _, k := range []string{"b", "a"} {
			_, err = e.Remove(t.Context(), thingKey(k))
			require.NoError(t, err)
		}
		p = plan()
		x.by(func() { x.fail = func(int, string) outcome { return refused } })
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, errTarget)
		x.heal()
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, ds.ErrStale, "failed")

		p = plan()
		x.by(func() { x.delay = time.Second })
		soon, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		_, err = e.Apply(soon, p)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, ds.ErrStale, "cancelled on its way")
		p = plan()
		both := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := e.Apply(t.Context(), p)
				both <- err
			}()
		}
		one, other := <-both, <-both
		if one == nil {
			one, other = other, one
		}
		require.ErrorIs(t, one, ds.ErrStale)
		require.NoError(t, other)
		require.Equal(t, 2, x.size())
		require.Empty(t, x.violations)
	})
}
