// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// apart makes two engines on one target, of boxes and of balls. The balls cannot be read while broken says so.
func apart(x *target) (b, balls_ *ds.Engine, broken *atomic.Bool, reads *atomic.Int32) {
	on := ds.NewTarget()
	broken, reads = &atomic.Bool{}, &atomic.Int32{}
	box, ball := boxes(x), balls(x)
	box.Target, ball.Target = on, on
	for _, r := range []ds.AnyKind{box.Requires[0], ball.Requires[0]} {
		r.(*ds.Kind[Thing]).Target = on
	}
	read := ball.Dump
	ball.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Ball], error) {
		if reads.Add(1); broken.Load() {
			return nil, errBoard
		}
		return read(ctx, v)
	}
	return ds.New(box), ds.New(ball), broken, reads
}

// What another engine's kind cannot read is read again for whoever it matters to, once in each call; and it is in
// nobody's way to whom it does not.
func TestAKindOfAnotherEngineCannotBeRead(t *testing.T) {
	x := newTarget()
	e, other, broken, reads := apart(x)
	_, err := e.Ensure(t.Context(), Box{Name: "a"})
	require.NoError(t, err)
	_, err = other.Ensure(t.Context(), Ball{Name: "hangs on a", Shape: 1, Needs: "a"})
	require.NoError(t, err)
	broken.Store(true)
	other.Forget()
	_, err = other.Plan(t.Context())
	require.NoError(t, err)

	before := reads.Load()
	for range 3 {
		p, err := e.Plan(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		require.NoError(t, p.Unread, "it is not the engine's")
		_, err = e.Sync(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), thingKey("none"))
		require.NoError(t, err, "what the other kind has of this name is not this engine's to remove")
	}
	require.Equal(t, before, reads.Load(), "nothing hangs on it")

	calls := map[string]func() error{
		"Remove":     func() error { _, err := e.Remove(t.Context(), thingKey("a")); return err },
		"PlanRemove": func() error { p, err := e.PlanRemove(t.Context(), thingKey("a")); return blockedBy(p, err) },
		"Ensure":     func() error { _, err := e.Ensure(t.Context(), Box{Name: "u", Needs: "none"}); return err },
		"PlanEnsure": func() error {
			p, err := e.PlanEnsure(t.Context(), Box{Name: "u", Needs: "none"})
			return blockedBy(p, err)
		},
		"Plan": func() error {
			p, err := e.Plan(t.Context(), Box{Name: "a"}, Box{Name: "u", Needs: "none"})
			return blockedBy(p, err)
		},
	}
	for name, call := range calls {
		before := reads.Load()
		require.ErrorIs(t, call(), ds.ErrUnread, name)
		require.Equal(t, before+1, reads.Load(), name)
	}
	other.Close() // and nobody else will read it
	for name, call := range calls {
		require.ErrorIs(t, call(), ds.ErrUnread, name)
	}
	broken.Store(false)
	x.by(func() { x.add(&item{kind: "ball", name: "none", shape: 1}) })
	_, err = e.Ensure(t.Context(), Box{Name: "u", Needs: "none"})
	require.NoError(t, err, "tried once more")
	require.Empty(t, x.violations)
}

// blockedBy is what a plan's steps are blocked by.
func blockedBy(p *ds.Plan, err error) error {
	if err != nil {
		return err
	}
	for _, s := range p.Steps {
		if s.Err != nil {
			return s.Err
		}
	}
	return nil
}

// A Run tries what waits for another engine's kind again, with patience, also where nobody else reads that any more.
func TestRunWaitsForAKindOfAnotherEngine(t *testing.T) {
	for _, alone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x := newTarget()
			e, other, broken, reads := apart(x)
			_, err := other.Ensure(t.Context(), Ball{Name: "on", Shape: 1})
			require.NoError(t, err)
			broken.Store(true)
			other.Forget()
			_, err = other.Plan(t.Context())
			require.NoError(t, err)

			s := ds.NewStore()
			s.Complete()
			defer runOn(t, e, s)()
			require.NoError(t, s.Put(Box{Name: "a"}, Box{Name: "u", Needs: "none"}))
			require.NoError(t, s.Wait(t.Context(), thingKey("a")))
			time.Sleep(time.Minute)
			require.ErrorIs(t, status(t, s, "u").Err, ds.ErrUnread)
			if alone {
				other.Close()
			}
			before := reads.Load()
			time.Sleep(time.Hour)
			require.Less(t, reads.Load()-before, int32(150), "with patience")

			x.by(func() { x.add(&item{kind: "ball", name: "none", shape: 1}) })
			broken.Store(false)
			time.Sleep(5 * time.Minute)
			require.Equal(t, ds.Applied, status(t, s, "u").State, "alone: %v: %v", alone, status(t, s, "u").Err)
			_, converged := s.Converged()
			require.True(t, converged)
			before = reads.Load()
			time.Sleep(24 * time.Hour)
			require.Equal(t, before, reads.Load(), "it has what it waited for")
			require.Empty(t, x.violations)
		})
	}
}
