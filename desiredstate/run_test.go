// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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
