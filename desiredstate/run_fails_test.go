// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

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
