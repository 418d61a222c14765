// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// Pin hangs on a thing, and its kind can be made unreadable.
type Pin struct{ Name, On string }

func pinKey(name string) ds.Key { return ds.Key{Space: "pin", Name: name} }

func (p Pin) Key() ds.Key { return pinKey(p.Name) }
func (p Pin) Deps() []ds.Key {
	if p.On == "" {
		return nil
	}
	return []ds.Key{thingKey(p.On)}
}
func (p Pin) Validate() error { return nil }

// board holds pins.
type board struct {
	pins   map[string]Pin
	broken atomic.Bool
	reads  int
}

var errBoard = errors.New("no board")

func (b *board) kind() *ds.Kind[Pin] {
	return &ds.Kind[Pin]{
		Name: "pin",
		Dump: func(context.Context, *ds.View) (out []ds.Actual[Pin], err error) {
			if b.reads++; b.broken.Load() {
				return nil, errBoard
			}
			for _, p := range b.pins {
				out = append(out, ds.Actual[Pin]{Spec: p, ID: 1})
			}
			return out, nil
		},
		Create: func(_ context.Context, _ *ds.View, p Pin) (uint32, error) { b.pins[p.Name] = p; return 1, nil },
		Delete: func(_ context.Context, _ *ds.View, p ds.Actual[Pin]) error { delete(b.pins, p.Spec.Name); return nil },
	}
}

// A kind that cannot be read stops itself and what depends on it, nobody else.
func TestAnUnreadableKindStopsItselfAlone(t *testing.T) {
	x, b := newTarget(), &board{pins: map[string]Pin{}}
	b.broken.Store(true)
	e := ds.New(boxes(x), b.kind())
	r, err := e.Ensure(t.Context(), Box{Name: "a"}, Pin{Name: "p"})
	require.ErrorIs(t, err, ds.ErrUnread)
	require.ErrorIs(t, err, errBoard)
	a, _ := r.Of(thingKey("a"))
	require.NoError(t, a.Err)
	p, _ := r.Of(pinKey("p"))
	require.Equal(t, ds.Block, p.Action)
	require.Empty(t, b.pins)

	reads := b.reads
	_, err = e.Ensure(t.Context(), Box{Name: "b"})
	require.NoError(t, err, "nothing to do with pins")
	require.Equal(t, reads, b.reads)

	_, err = e.Remove(t.Context(), pinKey("p"))
	require.ErrorIs(t, err, ds.ErrUnread, "who knows whether it is there")
	r, err = e.Sync(t.Context(), Box{Name: "a"}, Box{Name: "b"})
	require.ErrorIs(t, err, errBoard, "what is of it may have to go")
	require.Len(t, r, 2)
	plan, err := e.Plan(t.Context(), Box{Name: "a"}, Pin{Name: "p"})
	require.NoError(t, err)
	require.Contains(t, plan.String(), "! read pin: no board\n")

	b.broken.Store(false)
	_, err = e.Ensure(t.Context(), Pin{Name: "p", On: "a"})
	require.NoError(t, err, "tried once more")
	require.Len(t, b.pins, 1)
}

// What is known of it from before stays as it is, and is not taken to be gone.
func TestAnUnreadableKindIsNotEmpty(t *testing.T) {
	x, b := newTarget(), &board{pins: map[string]Pin{}}
	e := ds.New(boxes(x), b.kind())
	e.MaxPrune = 1
	_, err := e.Ensure(t.Context(), Box{Name: "a"}, Pin{Name: "p", On: "a"})
	require.NoError(t, err)
	b.broken.Store(true)
	e.Forget()
	_, err = e.Sync(t.Context())
	require.ErrorIs(t, err, errBoard)
	require.Len(t, b.pins, 1)
	b.broken.Store(false)
	_, err = e.Sync(t.Context())
	require.NoError(t, err)
	require.Empty(t, b.pins)
}

// Run serves the rest, says what waits for what, and catches up by itself.
func TestRunWithAnUnreadableKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, b := newTarget(), &board{pins: map[string]Pin{}}
		b.broken.Store(true)
		e, s := ds.New(boxes(x), b.kind()), ds.NewStore()
		var failed atomic.Int32
		e.Observe = func(ev ds.Event) {
			if ev.Type == ds.ReadFailed && ev.Kind == "pin" {
				failed.Add(1)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Hour) }()
		require.NoError(t, s.Put(Box{Name: "a"}, Pin{Name: "p", On: "a"}))
		s.Complete()
		require.NoError(t, s.Wait(ctx, thingKey("a")))
		time.Sleep(10 * time.Second)
		st, _ := s.Status(pinKey("p"))
		require.Equal(t, ds.Blocked, st.State)
		require.ErrorIs(t, st.Err, errBoard)
		_, converged := s.Converged()
		require.False(t, converged)
		require.Greater(t, failed.Load(), int32(2))
		require.Less(t, failed.Load(), int32(20), "with patience")
		b.broken.Store(false)
		require.NoError(t, s.Wait(ctx))
		require.Len(t, b.pins, 1)
		cancel()
		<-done
	})
}

// One object that another pass is at work on delays nothing that changes with it.
func TestContestedKeysDelayNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, 0) }()
		synctest.Wait()
		require.NoError(t, s.Put(Box{Name: "slow"}, Box{Name: "slower"}))
		require.NoError(t, s.Wait(ctx, thingKey("slow"), thingKey("slower")))
		x.by(func() { x.delay = time.Hour }) // its update hangs
		require.NoError(t, s.Put(Box{Name: "slow", Color: 1}))
		synctest.Wait()
		x.by(func() { x.delay = 2 * time.Hour })
		require.NoError(t, s.Put(Box{Name: "slower", Color: 1}))
		synctest.Wait()
		x.by(func() { x.delay = 0 })
		require.NoError(t, s.Put(Box{Name: "user", Needs: "slow"}, Box{Name: "userer", Needs: "slower"}, Box{Name: "both", Needs: "slow,slower"}, Box{Name: "stranger"}))
		start := time.Now()
		require.NoError(t, s.Wait(ctx, thingKey("stranger")))
		require.Less(t, time.Since(start), time.Second)
		require.NoError(t, s.Wait(ctx, thingKey("user")))
		require.Less(t, time.Since(start), 61*time.Minute, "it does not wait for slower")
		require.NoError(t, s.Wait(ctx, thingKey("both"), thingKey("userer")))
		cancel()
		<-done
		require.Empty(t, x.violations)
	})
}

// Objects that are made on another without end do not keep it from being changed.
func TestReadersDoNotStarveAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		_, err := k.Ensure(t.Context(), Box{Name: "base"})
		require.NoError(t, err)
		x.by(func() { x.delay = time.Second })
		ctx, cancel := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		defer readers.Wait()
		defer cancel()
		for i := range 4 {
			readers.Go(func() { // at any time one of them works on something that hangs on base
				time.Sleep(time.Duration(i) * 250 * time.Millisecond)
				for n := 0; ctx.Err() == nil; n++ {
					_, _ = k.Ensure(ctx, Box{Name: fmt.Sprint(i, "-", n), Needs: "base"})
				}
			})
		}
		time.Sleep(10 * time.Second)
		start := time.Now()
		_, err = k.Ensure(t.Context(), Box{Name: "base", Color: 3})
		require.NoError(t, err)
		require.Less(t, time.Since(start), 5*time.Second)
	})
}

// A handle that is another's by now is not used, and what it was is made anew.
func TestHandlesAreVerified(t *testing.T) {
	x := newTarget()
	verified := 0
	k := boxes(x)
	k.Verify = func(_ context.Context, held []ds.Held) ([]bool, error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		same := make([]bool, len(held))
		for i, h := range held {
			verified++
			item := x.items[h.ID]
			same[i] = item != nil && item.name == h.Key.Name
		}
		return same, nil
	}
	e := ds.New(k)
	_, err := e.Ensure(t.Context(), Box{Name: "a"}, Box{Name: "b", Needs: "a"})
	require.NoError(t, err)
	require.Zero(t, verified, "what was just made needs no proof")
	steal := func(name string) { // by hand, and its handle goes to another at once
		for id, i := range x.items {
			if i.name == name {
				x.items[id] = &item{kind: "box", name: "theirs", foreign: true, shape: 7}
			}
		}
	}
	steal("b")
	r, err := e.Remove(t.Context(), thingKey("b"))
	require.NoError(t, err)
	require.Equal(t, ds.Delete, r[0].Action)
	require.Equal(t, 1, count(x, "theirs"))

	steal("a")
	_, err = e.Ensure(t.Context(), Box{Name: "c", Needs: "a"}, Box{Name: "a"})
	require.NoError(t, err)
	require.Equal(t, 2, count(x, "theirs"))
	require.Equal(t, 1, count(x, "a"), "made anew, for c to hang on")
	require.Equal(t, 1, count(x, "c"))

	steal("a")
	_, err = e.Ensure(t.Context(), Box{Name: "a", Color: 5})
	require.NoError(t, err)
	require.Equal(t, 3, count(x, "theirs"))
	for _, i := range x.items {
		require.False(t, i.foreign && i.color == 5, "a stranger was painted")
	}
}

func count(x *target, name string) (n int) {
	for _, i := range x.items {
		if i.name == name {
			n++
		}
	}
	return n
}

// What is in doubt, and cannot be read, waits for the next reading; nothing spins meanwhile.
func TestDoubtThatCannotBeResolvedDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		x.fail = func(int, string) outcome { x.blind = true; return lost }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Hour) }()
		require.NoError(t, s.Put(Box{Name: "a"}))
		time.Sleep(10 * time.Minute)
		require.Less(t, x.dumped(), 100)
		st, _ := s.Status(thingKey("a"))
		require.ErrorIs(t, st.Err, ds.ErrUnread)
		x.by(func() { x.blind, x.fail = false, nil })
		require.NoError(t, s.Wait(ctx, thingKey("a")))
		cancel()
		<-done
		require.Empty(t, x.violations)
	})
}

// An engine that is made while another one reads writes to nothing that the other looks at.
func TestNewWhileAnotherReads(t *testing.T) {
	x, shared := newTarget(), ds.NewTarget()
	engine := func() *ds.Engine {
		th, b := things(x), boxes(x)
		th.Target, b.Target, b.Requires = shared, shared, []ds.AnyKind{th}
		return ds.New(b)
	}
	first, done := engine(), make(chan error)
	go func() {
		var err error
		for i := 0; i < 200 && err == nil; i++ {
			first.Forget()
			_, err = first.Plan(t.Context())
		}
		done <- err
	}()
	for range 200 {
		_, err := engine().Plan(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, <-done)
}
