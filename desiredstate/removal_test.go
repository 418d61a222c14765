// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

func contains(x *target, name string) (is bool) {
	x.by(func() {
		for _, i := range x.items {
			is = is || i.name == name
		}
	})
	return is
}

func TestRemoveReportsOnEachKey(t *testing.T) {
	x := newTarget()
	foreigners(x)
	e := engine(x)
	syncs(t, e, Box{Name: "a"}, Box{Name: "b"})
	x.by(func() { x.add(&item{kind: "box", name: "b", shape: 7}) }) // surplus
	e.Forget()
	id, err := e.ID(thingKey("theirs"))
	require.NoError(t, err)
	r, err := e.Remove(t.Context(), thingKey("theirs"), thingKey("b"), thingKey("nothing"), thingKey("a"), thingKey("a"), thingKey("nothing"))
	require.NoError(t, err)
	for i := range r {
		if r[i].Action == ds.Delete {
			r[i].ID = 0
		}
	}
	require.Equal(t, ds.Report{
		{Action: ds.Delete, Key: thingKey("a")},
		{Action: ds.Delete, Key: thingKey("b")},
		{Action: ds.Block, Key: thingKey("theirs"), ID: id},
		{Action: ds.Keep, Key: thingKey("nothing")},
	}, r)
	require.Equal(t, 2, r.Changed())
	r, err = boxes(x).Remove(t.Context(), Box{Name: "a"})
	require.NoError(t, err)
	require.Equal(t, ds.Report{{Action: ds.Keep, Key: thingKey("a")}}, r)
}

// The report of what took two looks says what was done, not what there was left to do.
func TestEnsureReportsWhatItDidToSurplus(t *testing.T) {
	x := newTarget()
	for range 2 {
		x.add(&item{kind: "box", name: "a", shape: 7})
	}
	r, err := engine(x).Ensure(t.Context(), Box{Name: "a", Color: 2}, Box{Name: "b"})
	require.NoError(t, err)
	require.Len(t, r, 2)
	require.Equal(t, 2, r.Changed(), "%v", r)
}

// Sync is asked to remove all else; that it was given nothing may be a mistake.
func TestSyncWithNothing(t *testing.T) {
	for n := range 5 {
		x := newTarget()
		foreigners(x)
		e := engine(x)
		var want []ds.Object
		for i := range n {
			want = append(want, Box{Name: fmt.Sprint(i)})
		}
		syncs(t, e, want...)
		_, err := e.Sync(t.Context())
		if n == 0 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ds.ErrMassDelete)
		require.Equal(t, n+2, x.size())
		if n > 1 {
			syncs(t, e, want[1:]...)
		}
		p, err := e.Plan(t.Context())
		require.NoError(t, err)
		p.Confirm()
		_, err = e.Apply(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, 2, x.size())
	}
}

// A plan is applied once. An Apply that could not begin has not done so.
func TestApplyAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e := engine(x)
		plan := func() *ds.Plan {
			p, err := e.Plan(t.Context(), Box{Name: "a"}, Box{Name: "b", Needs: "a"})
			require.NoError(t, err)
			return p
		}
		p := plan()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := e.Apply(gone, p)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, x.written())
		r, err := e.Apply(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, 2, r.Changed())
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, ds.ErrStale, "done")

		empty := plan()
		_, err = e.Apply(t.Context(), empty)
		require.NoError(t, err)
		_, err = e.Apply(t.Context(), empty)
		require.ErrorIs(t, err, ds.ErrStale, "there was nothing to do")

		for _, k := range []string{"b", "a"} {
			_, err = e.Remove(t.Context(), thingKey(k))
			require.NoError(t, err)
		}
		p = plan()
		x.by(func() { x.fail = func(int, string) outcome { return refused } })
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, errTarget)
		x.heal()
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, ds.ErrStale, "failed")

		p = plan()
		x.by(func() { x.delay = time.Second })
		soon, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		_, err = e.Apply(soon, p)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = e.Apply(t.Context(), p)
		require.ErrorIs(t, err, ds.ErrStale, "cancelled on its way")
		p = plan()
		both := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := e.Apply(t.Context(), p)
				both <- err
			}()
		}
		one, other := <-both, <-both
		if one == nil {
			one, other = other, one
		}
		require.ErrorIs(t, one, ds.ErrStale)
		require.NoError(t, other)
		require.Equal(t, 2, x.size())
		require.Empty(t, x.violations)
	})
}
