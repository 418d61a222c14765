// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// made returns the kind of boxes as one component makes it: what it creates has its shape.
func made(x *target, on *ds.Target, shape int) *ds.Kind[Box] {
	k := boxes(x)
	k.Target, k.Variant = on, shape
	k.Requires[0].(*ds.Kind[Thing]).Target = on
	create := k.Create
	k.Create = func(ctx context.Context, v *ds.View, b Box) (uint32, error) {
		b.Shape = shape
		return create(ctx, v, b)
	}
	return k
}

func ballsOn(x *target, on *ds.Target) *ds.Kind[Ball] {
	k := balls(x)
	k.Target = on
	k.Requires[0].(*ds.Kind[Thing]).Target = on
	return k
}

func pinsOn(b *board, on *ds.Target) *ds.Kind[Pin] {
	k := b.kind()
	k.Target = on
	return k
}

// A component that is made anew, with other options, takes the place of the one that was
// closed; what that made is there, and what others have put on it is known.
func TestClosedMakesRoom(t *testing.T) {
	x, b, on := newTarget(), &board{pins: map[string]Pin{}}, ds.NewTarget()
	first, other := ds.New(made(x, on, 1)), ds.New(pinsOn(b, on))
	_, err := first.Ensure(t.Context(), Box{Name: "a"}, Box{Name: "b"})
	require.NoError(t, err)
	_, err = other.Ensure(t.Context(), Pin{Name: "p", On: "a"})
	require.NoError(t, err)

	_, err = ds.New(made(x, on, 2)).Ensure(t.Context())
	require.ErrorContains(t, err, "Engine.Close")
	stale, err := first.Plan(t.Context(), Box{Name: "c"})
	require.NoError(t, err)
	first.Close()
	first.Close()
	_, err = first.Ensure(t.Context(), Box{Name: "c"})
	require.ErrorIs(t, err, ds.ErrClosed)
	_, err = first.Apply(t.Context(), stale)
	require.ErrorIs(t, err, ds.ErrClosed)

	second := ds.New(made(x, on, 2))
	p, err := second.Plan(t.Context(), Box{Name: "a"}, Box{Name: "b"}, Box{Name: "c"})
	require.NoError(t, err)
	require.Equal(t, "+ thing/c (box)\n1 to create, 2 as wanted\n", p.String())
	_, err = second.Apply(t.Context(), p)
	require.NoError(t, err)
	_, err = second.Remove(t.Context(), thingKey("a"))
	require.ErrorIs(t, err, ds.ErrInUse)
	require.Equal(t, "box a color=0 shape=1\nbox b color=0 shape=1\nbox c color=0 shape=2\n", x.String())
	_, err = other.Ensure(t.Context(), Pin{Name: "q", On: "c"})
	require.NoError(t, err)
	_, err = ds.New(made(x, on, 1)).Ensure(t.Context())
	require.ErrorContains(t, err, "Engine.Close")
}

// Nobody is pushed aside: neither who has the kind nor who merely requires it.
func TestOpenKeepsItsKinds(t *testing.T) {
	x, on := newTarget(), ds.NewTarget()
	requires := func(shape int) *ds.Kind[Pin] {
		k := pinsOn(&board{pins: map[string]Pin{}}, on)
		k.Requires = []ds.AnyKind{made(x, on, shape)}
		return k
	}
	first, above, again := ds.New(made(x, on, 1)), ds.New(requires(1)), ds.New(made(x, on, 1))
	for _, e := range []*ds.Engine{first, above, again} {
		_, err := e.Ensure(t.Context())
		require.NoError(t, err)
		_, err = ds.New(made(x, on, 2)).Ensure(t.Context())
		require.ErrorContains(t, err, "Engine.Close")
		_, err = e.Ensure(t.Context())
		require.NoError(t, err)
		e.Close()
	}
	_, err := ds.New(made(x, on, 2)).Ensure(t.Context(), Box{Name: "a"})
	require.NoError(t, err)
	_, err = ds.New(requires(2)).Ensure(t.Context(), Pin{Name: "p", On: "a"}, Box{Name: "b"})
	require.NoError(t, err)
	require.Equal(t, "box a color=0 shape=2\nbox b color=0 shape=2\n", x.String())
}

// A kind that is used by itself is closed by itself; the next may even be of another type.
func TestClosedKind(t *testing.T) {
	x, on := newTarget(), ds.NewTarget()
	k := made(x, on, 1)
	_, err := k.Ensure(t.Context(), Box{Name: "a"})
	require.NoError(t, err)
	other := balls(x)
	other.Name, other.Target = k.Name, on
	_, err = ds.New(other).Ensure(t.Context())
	require.ErrorContains(t, err, "not desiredstate_test.Ball")
	k.Close()
	_, err = k.Ensure(t.Context(), Box{Name: "a"})
	require.ErrorIs(t, err, ds.ErrClosed)
	_, err = k.Remove(t.Context(), Box{Name: "a"})
	require.ErrorIs(t, err, ds.ErrClosed)
	_, err = ds.New(other).Ensure(t.Context(), Ball{Name: "b"})
	require.NoError(t, err)
}

// Close ends Run, and what it had under way; what became of that its successor reads.
func TestClosedWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, on := newTarget(), ds.NewTarget()
		k, begun, finish := made(x, on, 1), make(chan struct{}), make(chan struct{})
		create := k.Create
		k.Create = func(ctx context.Context, v *ds.View, b Box) (uint32, error) {
			close(begun)
			<-finish
			return create(ctx, v, b)
		}
		first, s := ds.New(k), ds.NewStore()
		require.NoError(t, s.Put(Box{Name: "a"}))
		ended := make(chan error)
		go func() { ended <- first.Run(t.Context(), s, 0) }()
		<-begun
		first.Close()
		second := ds.New(made(x, on, 2))
		_, err := second.Ensure(t.Context())
		require.NoError(t, err)
		close(finish)
		require.ErrorIs(t, <-ended, ds.ErrClosed)
		st, _ := s.Status(thingKey("a"))
		require.Equal(t, ds.Pending, st.State)

		r, err := second.Ensure(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		require.Zero(t, r.Changed())
		require.Equal(t, "box a color=0 shape=1\n", x.String())
		require.ErrorIs(t, first.Run(t.Context(), s, 0), ds.ErrClosed)
	})
}

// What hangs on theirs, and is under way when a component is made anew, has the handle that it was planned with,
// unless the new one looks, and it has gone.
func TestClosedUnderWhatIsUnderWay(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(x *target, second *ds.Engine) error
		err       error
		want      string
	}{
		"unseen": {func(*target, *ds.Engine) error { return nil }, nil, "ball b color=0 shape=7 needs=a\nbox a color=0 shape=1\n"},
		"seen": {func(_ *target, second *ds.Engine) error {
			r, err := second.Ensure(t.Context(), Box{Name: "a"})
			if r.Changed() > 0 {
				return fmt.Errorf("it is made again: %v", r)
			}
			return err
		}, nil, "ball b color=0 shape=7 needs=a\nbox a color=0 shape=1\n"},
		"gone": {func(x *target, second *ds.Engine) error {
			x.by(func() { x.lose(1) })
			_, err := second.Found(t.Context())
			return err
		}, ds.ErrMissing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x, on := newTarget(), ds.NewTarget()
			k, begun, finish := ballsOn(x, on), make(chan struct{}), make(chan struct{})
			create := k.Create
			k.Create = func(ctx context.Context, v *ds.View, b Ball) (uint32, error) {
				close(begun)
				<-finish
				if _, err := v.ID(thingKey("a")); err != nil {
					return 0, err
				}
				return create(ctx, v, b)
			}
			first, above := ds.New(made(x, on, 1)), ds.New(k)
			_, err := above.Ensure(t.Context()) // reads, before there is anything
			require.NoError(t, err)
			_, err = first.Ensure(t.Context(), Box{Name: "a"})
			require.NoError(t, err)
			ended := make(chan error)
			go func() {
				_, err := above.Ensure(t.Context(), Ball{Name: "b", Needs: "a"})
				ended <- err
			}()
			<-begun
			first.Close()
			second := ds.New(made(x, on, 2))
			require.NoError(t, test.meanwhile(x, second))
			close(finish)
			require.ErrorIs(t, <-ended, test.err)
			require.Equal(t, test.want, x.String())
			require.Empty(t, x.violations)
			if test.err == nil {
				r, err := second.Ensure(t.Context(), Box{Name: "a"})
				require.NoError(t, err)
				require.Zero(t, r.Changed())
			}
			id, err := above.ID(thingKey("a"))
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.err != nil, id == 0)
		})
	}
}

// Components come and go, each with options of its own, while others work on what hangs on
// theirs: nothing is made twice, nothing is taken from under anybody.
func TestComponentsComeAndGo(t *testing.T) {
	x, on := newTarget(), ds.NewTarget()
	var all sync.WaitGroup
	done := make(chan struct{})
	for i := range 2 {
		e := ds.New(ballsOn(x, on))
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				name := fmt.Sprintf("%d.%d", i, n%5)
				if n%3 == 0 {
					e.Forget()
				}
				if _, err := e.Ensure(t.Context(), Ball{Name: name, Needs: "a"}); err == nil {
					_, err = e.Remove(t.Context(), thingKey(name))
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for n := range 200 {
		e := ds.New(made(x, on, n+1))
		_, err := e.Ensure(t.Context(), Box{Name: "a"}, Box{Name: "b", Color: n})
		require.NoError(t, err)
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 2)
		e.Close()
	}
	close(done)
	all.Wait()
	require.Empty(t, x.violations)
	require.Equal(t, "box a color=0 shape=1\nbox b color=199 shape=1\n", x.String())
}
