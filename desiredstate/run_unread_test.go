// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// A Dump that fails once, while a doubt is resolved, blocks its kind until that is tried again, which is soon.
func TestAKindThatWasUnreadableOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		s.Complete()
		defer runOn(t, e, s)()
		x.by(func() {
			x.fail = func(n int, _ string) outcome {
				if n == 1 {
					x.blind = true // from now on
					return refused
				}
				return works
			}
		})
		require.NoError(t, s.Put(Box{Name: "a"}))
		time.Sleep(time.Second)
		st := status(t, s, "a")
		t.Log(st.State, st.Err)
		x.by(func() { x.blind = false })
		time.Sleep(24 * time.Hour)
		st = status(t, s, "a")
		require.Equal(t, ds.Applied, st.State, "a day after the target was well again: %v", st.Err)
	})
}

// The same, if a call beside the Run met it.
func TestAKindThatAnotherCouldNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		defer runOn(t, e, s)()
		x.by(func() {
			x.fail = func(n int, _ string) outcome {
				if n == 1 {
					x.blind = true
					return refused
				}
				return works
			}
		})
		_, err := e.Ensure(t.Context(), Box{Name: "other"}) // fails
		require.Error(t, err)
		_, err = e.Ensure(t.Context(), Box{Name: "other"}) // cannot be read
		require.Error(t, err)
		x.by(func() { x.blind = false })
		require.NoError(t, s.Put(Box{Name: "a"})) // has nothing to do with it
		time.Sleep(24 * time.Hour)
		require.Equal(t, ds.Applied, status(t, s, "a").State, "readable since a day: %v", status(t, s, "a").Err)
	})
}

// Close ends a Run that reads.
func TestCloseEndsAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		dump := k.Dump
		k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(24 * time.Hour):
			}
			return dump(ctx, v)
		}
		e, s := ds.New(k), ds.NewStore()
		done := make(chan error, 1)
		go func() { done <- e.Run(t.Context(), s, 0) }()
		time.Sleep(time.Second)
		at := time.Now()
		e.Close()
		err := <-done
		require.ErrorIs(t, err, ds.ErrClosed)
		require.Less(t, time.Since(at), time.Minute)
	})
}

// What may have been made keeps in place what it would hang on, for as long as nobody can read whether it was.
func TestWhatMayBeThereKeepsWhatItHangsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		unreadable := false
		boxes := boxes(x)
		read := boxes.Dump
		boxes.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
			is := false
			if x.by(func() { is = unreadable }); is {
				return nil, errTarget
			}
			return read(ctx, v)
		}
		s := ds.NewStore()
		defer runOn(t, ds.New(boxes, balls(x)), s)()
		require.NoError(t, s.Put(Ball{Name: "b", Shape: 1}))
		require.NoError(t, s.Wait(t.Context(), thingKey("b")))
		x.by(func() {
			x.fail = func(int, string) outcome { unreadable = true; return lost }
		})
		require.NoError(t, s.Put(Box{Name: "u", Needs: "b"}))
		time.Sleep(time.Second)
		require.ErrorIs(t, status(t, s, "u").Err, ds.ErrUnread)
		x.heal()
		require.NoError(t, s.Put(Ball{Name: "b", Shape: 2}))
		time.Sleep(time.Second)
		require.Empty(t, x.violations)
		require.ErrorIs(t, status(t, s, "b").Err, ds.ErrUnread)
		x.by(func() { unreadable = false })
		require.NoError(t, s.Wait(t.Context(), thingKey("b"), thingKey("u")))
		require.Empty(t, x.violations)
	})
}
