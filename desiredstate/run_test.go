// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
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

// What somebody changed is not as wanted until it is repaired, and says so.
func TestRunSaysThatWhatDriftedIsNotAsWanted(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "b", Needs: "a"}, Box{Name: "c"}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		var during []ds.State
		x.by(func() {
			for id, i := range x.items {
				switch i.name {
				case "a":
					i.color = 5
				case "b":
					x.lose(id)
				}
			}
			x.fail = func(int, string) outcome {
				for _, name := range []string{"a", "b", "c"} {
					st, _ := s.Status(thingKey(name))
					during = append(during, st.State)
				}
				return works
			}
		})
		e.Forget()
		synctest.Wait()
		x.by(func() {
			require.Len(t, during, 6)
			require.Equal(t, []ds.State{ds.Pending, ds.Pending, ds.Applied}, during[:3])
		})
		for _, name := range []string{"a", "b", "c"} {
			require.Equal(t, ds.Applied, status(t, s, name).State)
		}
		_, converged := s.Converged()
		require.True(t, converged)
	})
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	t.Cleanup(cancel)
	return ctx
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

// The functions of a kind get the context that Trace made for the object, and it hears how each
// thing ended, a failure too.
func TestTrace(t *testing.T) {
	type spanOf struct{}
	x := newTarget()
	kind := boxes(x)
	create := kind.Create
	in := map[string]bool{}
	var mu sync.Mutex
	kind.Create = func(ctx context.Context, v *ds.View, b Box) (uint32, error) {
		mu.Lock()
		in[ctx.Value(spanOf{}).(string)] = true
		mu.Unlock()
		return create(ctx, v, b)
	}
	e := ds.New(kind)
	var began, ended []string
	e.Trace = func(ctx context.Context, a ds.Action, k ds.Key) (context.Context, func(error)) {
		name := string(a) + " " + k.String()
		mu.Lock()
		began = append(began, name)
		mu.Unlock()
		return context.WithValue(ctx, spanOf{}, name), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				name += ": failed"
			}
			ended = append(ended, name)
		}
	}
	report, err := e.Ensure(t.Context(), Box{Name: "a"}, Box{Name: "b", Needs: "a"})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, []string{"+ thing/a", "+ thing/b"}, began)
	require.Equal(t, began, ended)
	require.Equal(t, map[string]bool{"+ thing/a": true, "+ thing/b": true}, in)
}
