// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// An order to remove that was taken back does not count when the same is held back later.
func TestAnOrderThatWasTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		s.Complete()
		a, b, c := Box{Name: "a"}, Box{Name: "b"}, Box{Name: "c"}
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": {a}, "b": {b}, "c": {c}}))
		defer runOn(t, e, s)()
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() { x.delay = 100 * time.Second })
		go func() { _, _ = e.Ensure(t.Context(), Box{Name: "a", Color: 5}) }() // holds a
		time.Sleep(time.Second)
		require.NoError(t, s.Assign("a")) // an order; the pass waits
		time.Sleep(time.Second)
		require.NoError(t, s.Assign("a", a)) // taken back
		time.Sleep(time.Second)
		require.NoError(t, s.Replace(map[string][]ds.Object{"c": {c}})) // two of three vanish: too many
		time.Sleep(time.Hour)
		h, _ := s.Held()
		t.Log(h.Keys, x)
		require.Contains(t, x.String(), "box a", "nobody confirmed its removal")
	})
}

// What is left, and made anew along with what it hangs on, is left as before.
func TestWhatIsLeftAndTakenAlongIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		e.Prune = ds.PruneNone
		s.Complete()
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "b"}, Box{Name: "u", Needs: "b"}))
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() { x.fail = func(int, string) outcome { x.free = nil; return works } }) // numbers are not used again
		s.Delete(thingKey("u"))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, ds.Left, status(t, s, "u").State)
		require.NoError(t, s.Put(Box{Name: "b", Shape: 3}))
		time.Sleep(24 * time.Hour)
		st := status(t, s, "u")
		_, ok := s.Converged()
		require.True(t, ok && st.State == ds.Left, "converged %v; %+v", ok, st)
	})
}

// And what is held back is so still.
func TestWhatIsHeldBackAndTakenAlongIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e, s := engine(x), ds.NewStore()
		s.Complete()
		b, u, v, c := Box{Name: "b"}, Box{Name: "u", Needs: "b"}, Box{Name: "v"}, Box{Name: "c"}
		require.NoError(t, s.Replace(map[string][]ds.Object{"b": {b}, "u": {u}, "v": {v}, "w": {v}, "c": {c}}))
		defer runOn(t, e, s)()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{"b": {b}}))
		time.Sleep(time.Second)
		require.Equal(t, ds.Blocked, status(t, s, "u").State)
		require.NoError(t, s.Assign("b", Box{Name: "b", Shape: 3}))
		time.Sleep(24 * time.Hour)
		h, _ := s.Held()
		st := status(t, s, "u")
		require.ErrorIs(t, st.Err, ds.ErrMassDelete, "%+v; held %v", st, h.Keys)
	})
}

// Delete is an order also for what is held back, whoever wanted it.
func TestDeleteOfWhatIsHeldBack(t *testing.T) {
	running(t, func(t *testing.T, x *target, e *ds.Engine, s *ds.Store) {
		s.Complete()
		a, b, c := Box{Name: "a"}, Box{Name: "b"}, Box{Name: "c"}
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": {a}, "b": {b}, "c": {c}}))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{"c": {c}}))
		time.Sleep(time.Second)
		_, held := s.Held()
		require.True(t, held)
		s.Delete(thingKey("a"), thingKey("b"))
		time.Sleep(time.Hour)
		require.NotContains(t, x.String(), "box a", "deleted by name")
	})
}
