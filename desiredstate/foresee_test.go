// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What the target would refuse to make again it is not asked to unmake, nor what hangs on it, however far.
func TestWhatWouldBeRefusedIsNotTakenAway(t *testing.T) {
	x := newTarget()
	k, asked, refuses := boxes(x), 0, errTarget
	k.Foresee = func(_ context.Context, v *ds.View, have uint32, want Box) error {
		id, err := v.ID(want.Key())
		require.NoError(t, err)
		require.Equal(t, id, have)
		require.Equal(t, want, v.Known(want.Key()))
		asked++
		return refuses
	}
	e := ds.New(k, balls(x))
	var heard []string
	e.Observe = func(ev ds.Event) {
		if ev.Type == ds.Started || ev.Type == ds.Done || ev.Type == ds.Failed {
			heard = append(heard, fmt.Sprint(ev.Type, " ", ev.Key.Name))
		}
	}
	users := []ds.Object{Ball{Name: "b", Needs: "a"}, Ball{Name: "c", Needs: "b"}, Ball{Name: "d", Needs: "c"}}
	syncs(t, e, append(users, Box{Name: "a"})...)
	require.Zero(t, asked, "what is not there is just made")
	before, writes := x.String(), x.writes
	heard = nil
	r, err := e.Sync(t.Context(), append(users, Box{Name: "a", Shape: 3})...)
	require.ErrorIs(t, err, errTarget)
	require.Equal(t, 1, asked)
	require.Equal(t, before, x.String())
	require.Equal(t, writes, x.writes)
	require.Equal(t, []string{"started a", "failed a"}, heard)
	require.Zero(t, r.Changed())
	for _, u := range users {
		u, ok := r.Of(u.Key())
		require.True(t, ok)
		require.ErrorIs(t, u.Err, ds.ErrFailed, "it waits for a")
	}

	refuses = ds.ErrEarly
	_, err = e.Sync(t.Context(), append(users, Box{Name: "a", Shape: 3})...)
	require.ErrorIs(t, err, ds.ErrEarly)
	require.Equal(t, 3, asked, "what is too early is asked once more")
	require.Equal(t, before, x.String())

	refuses = nil
	syncs(t, e, append(users, Box{Name: "a", Shape: 3})...)
	require.Equal(t, 4, asked)
	require.Equal(t, "ball b color=0 shape=7 needs=a\nball c color=0 shape=7 needs=b\nball d color=0 shape=7 needs=c\nbox a color=0 shape=3\n", x.String())
}

// While what an object depends on changes, what the target says of it means nothing.
func TestNothingIsAskedWhileItsGroundMoves(t *testing.T) {
	for name, to := range map[string][]ds.Object{
		"made anew":     {Ball{Name: "a", Shape: 3}, Box{Name: "u", Needs: "a", Shape: 4}},
		"changed":       {Ball{Name: "a", Color: 3}, Box{Name: "u", Needs: "a", Shape: 4}},
		"still to come": {Ball{Name: "a"}, Ball{Name: "b"}, Box{Name: "u", Needs: "a,b", Shape: 4}},
		"left":          {Box{Name: "u", Shape: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTarget()
			k := boxes(x)
			k.Foresee = func(context.Context, *ds.View, uint32, Box) error { return errTarget }
			e := ds.New(k, balls(x))
			syncs(t, e, Ball{Name: "a"}, Box{Name: "u", Needs: "a"})
			syncs(t, e, to...)
			require.Empty(t, x.violations)
		})
	}
}

// A Check knows what will be there, and is asked again before anything goes: by then it may say
// otherwise.
func TestCheckIsAskedAgain(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	var known []ds.Object
	later := error(nil)
	k.Check = func(v *ds.View, want Box) error {
		known = append(known, v.Known(thingKey("b")))
		if len(known) == 1 {
			return nil
		}
		return later
	}
	e := ds.New(k, balls(x))
	is, will := Ball{Name: "b"}, Ball{Name: "b", Shape: 3}
	syncs(t, e, Box{Name: "a"}, Ball{Name: "b"})
	require.Equal(t, []ds.Object{Ball{Name: "b"}}, known, "it is wanted")

	known, later = nil, errTarget
	before := x.String()
	_, err := e.Ensure(t.Context(), Box{Name: "a", Shape: 3})
	require.ErrorIs(t, err, errTarget)
	require.ErrorIs(t, err, ds.ErrInvalid)
	require.Equal(t, []ds.Object{is, is}, known, "it is there")
	require.Equal(t, before, x.String())

	known, later = nil, nil
	_, err = e.Ensure(t.Context(), Box{Name: "a", Shape: 3}, will)
	require.NoError(t, err)
	require.Equal(t, will, known[0])
	require.Equal(t, will, known[len(known)-1])
}
