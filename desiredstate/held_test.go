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
