// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// The benchmarks measure the engine alone: their target answers at once.

var benchSizes = []int{10_000, 100_000}

// leaf is an object that hangs on the hub, as ports hang on one large bridge.
type leaf struct {
	Name  string
	Color int
}

const hub = "hub"

func leafKey(name string) ds.Key { return ds.Key{Space: "leaf", Name: name} }

func (l leaf) Key() ds.Key { return leafKey(l.Name) }
func (l leaf) Deps() []ds.Key {
	if l.Name == hub {
		return nil
	}
	return []ds.Key{leafKey(hub)}
}
func (l leaf) Validate() error { return nil }

// tree is a target of leaves in which everything takes no time and no look at
// other objects.
type tree struct {
	mu     sync.Mutex
	leaves map[uint32]leaf
	next   uint32
}

func newTree(objs ...ds.Object) *tree {
	t := &tree{leaves: make(map[uint32]leaf, len(objs))}
	for _, o := range objs {
		t.add(o.(leaf))
	}
	return t
}

func (t *tree) add(l leaf) uint32 {
	t.next++
	t.leaves[t.next] = l
	return t.next
}

func (t *tree) kind() *ds.Kind[leaf] {
	return &ds.Kind[leaf]{
		Name: "leaf",
		Dump: func(context.Context, *ds.View) ([]ds.Actual[leaf], error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			all := make([]ds.Actual[leaf], 0, len(t.leaves))
			for id := uint32(1); id <= t.next; id++ { // in order, as VPP does
				if l, ok := t.leaves[id]; ok {
					all = append(all, ds.Actual[leaf]{Spec: l, ID: id})
				}
			}
			return all, nil
		},
		Create: func(_ context.Context, _ *ds.View, want leaf) (uint32, error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.add(want), nil
		},
		Update: func(_ context.Context, _ *ds.View, have ds.Actual[leaf], want leaf) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.leaves[have.ID] = want
			return nil
		},
		Delete: func(_ context.Context, _ *ds.View, have ds.Actual[leaf]) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.leaves, have.ID)
			return nil
		},
	}
}

func benchLeaves(n int) []ds.Object {
	objs := make([]ds.Object, n)
	objs[0] = leaf{Name: hub}
	for i := 1; i < n; i++ {
		objs[i] = leaf{Name: leafName(i)}
	}
	return objs
}

func leafName(i int) string { return fmt.Sprintf("leaf%06d", i) }

// changer returns a function that changes one of n objects, another each time.
func changer(n int) func() leaf {
	i := 0
	return func() leaf {
		i++
		return leaf{leafName(1 + i%(n-1)), i}
	}
}

// bySize runs f for each size, as a sub-benchmark.
func bySize(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) { f(b, n) })
	}
}

// compare times step at n objects, and beside it at 100: "x/100" is the ratio.
func compare(b *testing.B, n int, setup func(b *testing.B, n int) (step func())) {
	small, large := setup(b, 100), setup(b, n)
	const rounds = 2000
	for range rounds / 10 {
		small()
		large()
	}
	runtime.GC()
	start := time.Now()
	for range rounds {
		small()
	}
	each := float64(time.Since(start)) / rounds
	b.ReportAllocs()
	for b.Loop() {
		large()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/each, "x/100")
}

// A dry run of everything when nothing is to be done and the target was read.
func BenchmarkFullDiff(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		objs := benchLeaves(n)
		e := ds.New(newTree(objs...).kind())
		plan := func() {
			p, err := e.Plan(b.Context(), objs...)
			if err != nil || !p.Empty() || p.Count(ds.Keep) != n {
				b.Fatal(p, err)
			}
		}
		plan()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for b.Loop() {
			plan()
		}
		runtime.ReadMemStats(&after)
		all := float64(b.N) * float64(n)
		b.ReportMetric(float64(b.Elapsed())/all, "ns/object")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/all, "B/object")
	})
}

// One object of many is changed: what that costs must not grow with the many.
func BenchmarkOneChange(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		compare(b, n, func(b *testing.B, n int) func() {
			e := ds.New(newTree(benchLeaves(n)...).kind())
			next := changer(n)
			return func() {
				if r, err := e.Ensure(b.Context(), next()); err != nil || r.Changed() != 1 {
					b.Fatal(r, err)
				}
			}
		})
	})
}

// The same by way of a store that Run works off.
func BenchmarkRunOneChange(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		compare(b, n, func(b *testing.B, n int) func() {
			objs := benchLeaves(n)
			s := ds.NewStore()
			if err := s.Put(objs...); err != nil {
				b.Fatal(err)
			}
			s.Complete()
			startRun(b, ds.New(newTree(objs...).kind()), s)
			if err := s.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
			next := changer(n)
			return func() {
				l := next()
				if err := errors.Join(s.Put(l), s.Wait(b.Context(), l.Key())); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// startRun runs the engine until the benchmark ends.
func startRun(b *testing.B, e *ds.Engine, s *ds.Store) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx, s, 0)
	}()
	b.Cleanup(func() {
		stop()
		<-done
	})
}

// Everything is made in an empty target.
func BenchmarkCold(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		objs := benchLeaves(n)
		for b.Loop() {
			e := ds.New(newTree().kind())
			if r, err := e.Ensure(b.Context(), objs...); err != nil || r.Changed() != n {
				b.Fatal(r.Changed(), err)
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(n), "ns/object")
	})
}

// Everything is read anew, and is as wanted: what a converged pass costs beyond
// the dumps.
func BenchmarkReread(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		objs := benchLeaves(n)
		e := ds.New(newTree(objs...).kind())
		for b.Loop() {
			e.Forget()
			if r, err := e.Sync(b.Context(), objs...); err != nil || r.Changed() != 0 {
				b.Fatal(r, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(n), "ns/object")
	})
}
