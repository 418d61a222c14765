// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What things cost in counts that do not depend on the machine. The bounds are
// some 20 % above what was measured: whoever passes them should know why.

const manyLeaves = 10_000

// mallocs is the number of objects that f allocates, and of bytes.
func mallocs(f func()) (count, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
}

// resident is the heap once all garbage is gone.
func resident() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func TestCosts(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	objs := benchLeaves(manyLeaves)
	tree := newTree()
	idle := runtime.NumGoroutine()
	empty := resident()
	cold, _ := mallocs(func() {
		e := ds.New(tree.kind())
		_, err := e.Ensure(t.Context(), objs...)
		require.NoError(t, err)
		e = nil
	})
	atMost(t, "allocations per object made", cold/manyLeaves, 15)
	target := resident() - empty // what the target itself takes

	s := ds.NewStore()
	require.NoError(t, s.Put(objs...))
	s.Complete()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- ds.New(tree.kind()).Run(ctx, s, 0) }()
	require.NoError(t, s.Wait(t.Context()))
	for range 1000 { // until it is at rest
		if runtime.NumGoroutine()-idle > 1 {
			time.Sleep(time.Millisecond)
		}
	}
	atMost(t, "goroutines at rest", float64(runtime.NumGoroutine()-idle), 1)
	atMost(t, "bytes per object at rest", (resident()-empty-target)/manyLeaves, 1050)

	next := changer(manyLeaves)
	const rounds = 1000
	count, bytes := mallocs(func() {
		for range rounds {
			l := next()
			require.NoError(t, errors.Join(s.Put(l), s.Wait(t.Context(), l.Key())))
		}
	})
	atMost(t, "allocations per change", count/rounds, 100)
	atMost(t, "bytes per change", bytes/rounds, 8600)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// A change costs no more while many objects are in work, of which each is to be looked at again
// when that is done.
func TestAChangeWhileManyAreInWork(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	tree := newTree()
	kind, done := tree.kind(), make(chan struct{})
	create, planned := kind.Create, atomic.Int32{}
	kind.Create = func(ctx context.Context, v *ds.View, want leaf) (uint32, error) {
		if want.Color == 1 {
			<-done
		}
		return create(ctx, v, want)
	}
	e, s := ds.New(kind), ds.NewStore()
	e.Observe = func(ev ds.Event) {
		if ev.Type == ds.Planned {
			planned.Add(int32(len(ev.Plan.Steps)))
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx, s, 0) }()
	require.NoError(t, s.Put(leaf{Name: hub}))
	require.NoError(t, s.Wait(t.Context(), leafKey(hub)))
	for i := 1; i < manyLeaves; i++ {
		require.NoError(t, s.Put(leaf{leafName(i), 1}))
	}
	require.Eventually(t, func() bool { return planned.Load() >= manyLeaves }, 10*time.Second, time.Millisecond, "all are in passes")
	e.Forget()
	other := leaf{"other", 2}
	require.NoError(t, errors.Join(s.Put(other), s.Wait(t.Context(), other.Key())))
	const rounds = 100
	_, bytes := mallocs(func() {
		for range rounds {
			other.Color++
			require.NoError(t, errors.Join(s.Put(other), s.Wait(t.Context(), other.Key())))
		}
	})
	close(done)
	atMost(t, "bytes per change", bytes/rounds, 20_000)
	s.Complete()
	require.NoError(t, s.Wait(t.Context()))
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func atMost(t *testing.T, what string, have, limit float64) {
	t.Helper()
	t.Logf("%s: %.1f", what, have)
	require.LessOrEqual(t, have, limit, fmt.Sprint(what))
}

// A call that has to wait for others is planned anew when they have let go, not each
// time that they finish something.
func TestWaitingIsNotPlanning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := ds.New(&ds.Kind[looked]{
			Name: "looked",
			Dump: func(context.Context, *ds.View) ([]ds.Actual[looked], error) { return nil, nil },
			Create: func(context.Context, *ds.View, looked) (uint32, error) {
				time.Sleep(time.Millisecond)
				return 1, nil
			},
			Delete: func(context.Context, *ds.View, ds.Actual[looked]) error { return nil },
		})
		e.Parallel = 1
		var many []ds.Object
		for i := range 100 {
			many = append(many, looked{fmt.Sprint(i)})
		}
		done := make(chan error)
		go func() {
			_, err := e.Ensure(t.Context(), many...)
			done <- err
		}()
		time.Sleep(10 * time.Millisecond)
		looks.Store(0)
		_, err := e.Ensure(t.Context(), looked{"99"})
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.LessOrEqual(t, looks.Load(), int32(2))
	})
}

// looked counts how often it is looked at.
type looked struct{ name string }

var looks atomic.Int32

func (l looked) Key() ds.Key    { return ds.Key{Space: "looked", Name: l.name} }
func (l looked) Deps() []ds.Key { return nil }

func (l looked) Validate() error {
	looks.Add(1)
	return nil
}
