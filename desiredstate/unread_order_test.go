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

// unreadable makes a kind fail to be read while it says so.
func unreadable[S ds.Object](k *ds.Kind[S]) *atomic.Bool {
	is, read := &atomic.Bool{}, k.Dump
	k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[S], error) {
		if is.Load() {
			return nil, errTarget
		}
		return read(ctx, v)
	}
	return is
}

// An order to delete what could not be read when Run began is carried out once it can be, whether something else shows
// that it is there or nothing does; before that, it is not gone.
func TestAnOrderOutlivesAKindThatCannotBeRead(t *testing.T) {
	for _, shown := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			x := newTarget()
			x.add(&item{kind: "box", name: "a", shape: 1})
			k := boxes(x)
			if !shown {
				k.Requires = nil
			}
			broken := unreadable(k)
			broken.Store(true)
			s := ds.NewStore()
			s.Delete(thingKey("a"))
			defer runOn(t, ds.New(k), s)()
			s.Delete(thingKey("a"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			require.ErrorIs(t, s.WaitGone(ctx, thingKey("a")), ds.ErrUnread, "shown: %v", shown)
			require.True(t, contains(x, "a"))
			broken.Store(false)
			require.NoError(t, s.WaitGone(t.Context(), thingKey("a")))
			require.False(t, contains(x, "a"), "shown: %v", shown)
		})
	}
}

// What is held back stays so while the next Run cannot read it, and so does what may have been made.
func TestAHoldOutlivesAKindThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		require.NoError(t, s.Replace(sites(4)))
		s.Complete()
		broken := &atomic.Bool{}
		session := func(f func()) {
			k := boxes(x)
			k.Requires = nil
			was := broken.Load()
			broken = unreadable(k)
			broken.Store(was)
			defer runOn(t, ds.New(k), s)()
			f()
		}
		session(func() {
			require.NoError(t, s.Wait(t.Context()))
			require.NoError(t, s.Replace(sites(1)))
			synctest.Wait()
		})
		was, held := s.Held()
		require.True(t, held)
		size := x.size()
		broken.Store(true)
		for _, readable := range []bool{false, true} {
			session(func() {
				time.Sleep(time.Hour)
				broken.Store(!readable)
				time.Sleep(time.Hour)
				now, held := s.Held()
				require.True(t, held)
				require.Equal(t, was, now)
				require.Equal(t, size, x.size())
			})
		}
	})
}

// Nobody knows what became of a create: its answer was lost, and its kind cannot be read since. It is not gone.
func TestAHoldIsOfWhatMayHaveBeenMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		k := boxes(x)
		broken := unreadable(k)
		s.Complete()
		defer runOn(t, ds.New(k), s)()
		x.fail = func(int, string) outcome { broken.Store(true); return lost }
		require.NoError(t, s.Assign("a", Box{Name: "a"}))
		time.Sleep(time.Minute)
		require.ErrorIs(t, status(t, s, "a").Err, ds.ErrUnread)
		require.NoError(t, s.Replace(nil))
		time.Sleep(time.Hour)
		was, held := s.Held()
		require.True(t, held)
		broken.Store(false)
		x.heal()
		time.Sleep(time.Hour)
		now, _ := s.Held()
		require.Equal(t, was, now)
		require.True(t, contains(x, "a"))
		require.NoError(t, s.Confirm(now.Token))
		require.NoError(t, s.Wait(t.Context()))
		require.False(t, contains(x, "a"))
	})
}

// Nothing is put on what may have gone by now, and cannot be read, though it was there when last looked at.
func TestNothingIsPutOnWhatIsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := newTarget(), ds.NewStore()
		ball := balls(x)
		broken := unreadable(ball)
		defer runOn(t, ds.New(boxes(x), ball), s)()
		require.NoError(t, s.Put(Ball{Name: "b", Shape: 1}))
		require.NoError(t, s.Wait(t.Context(), thingKey("b")))
		x.by(func() { x.fail = func(int, string) outcome { broken.Store(true); return lost } })
		require.NoError(t, s.Put(Ball{Name: "b", Shape: 2})) // it goes, to be made anew
		synctest.Wait()
		x.heal()
		require.NoError(t, s.Put(Box{Name: "u", Needs: "b"}))
		time.Sleep(time.Minute)
		require.ErrorIs(t, status(t, s, "u").Err, ds.ErrUnread)
		require.Empty(t, x.violations)
		broken.Store(false)
		require.NoError(t, s.Wait(t.Context(), thingKey("b"), thingKey("u")))
		require.Empty(t, x.violations)
	})
}

// What may have gone is not removed by the handle that it had, which is another's by now, before that is read.
func TestWhatMayHaveGoneIsReadBeforeItGoes(t *testing.T) {
	for _, sync := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x, s := newTarget(), ds.NewStore()
			ball := balls(x)
			broken := unreadable(ball)
			e := ds.New(boxes(x), ball)
			e.MaxPrune = 1
			_, err := e.Ensure(t.Context(), Box{Name: "a"})
			require.NoError(t, err)
			x.by(func() { x.fail = func(int, string) outcome { broken.Store(true); return lost } })
			_, err = e.Remove(t.Context(), thingKey("a"))
			require.Error(t, err)
			x.by(func() { x.fail = nil; x.add(&item{kind: "box", name: "theirs", foreign: true}) })
			if sync {
				_, err = e.Sync(t.Context())
				require.ErrorIs(t, err, ds.ErrUnread)
			} else {
				s.Delete(thingKey("a"))
				defer runOn(t, e, s)()
				require.ErrorIs(t, status(t, s, "a").Err, ds.ErrUnread)
			}
			require.Empty(t, x.violations)
			broken.Store(false)
			if sync {
				_, err = e.Sync(t.Context())
				require.NoError(t, err)
			} else {
				require.NoError(t, s.WaitGone(t.Context(), thingKey("a")))
			}
			require.Equal(t, 1, x.size())
			require.Empty(t, x.violations)
		})
	}
}
