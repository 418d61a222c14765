// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// sites is a source for each of n boxes that hang on one they share.
func sites(n int) map[string][]ds.Object {
	all := map[string][]ds.Object{}
	for i := range n {
		name := fmt.Sprintf("b%02d", i)
		all[name] = []ds.Object{Box{Name: "shared"}, Box{Name: name, Needs: "shared"}}
	}
	return all
}

// without is all but some sources.
func without(all map[string][]ds.Object, gone ...string) map[string][]ds.Object {
	out := maps.Clone(all)
	for _, k := range gone {
		delete(out, k)
	}
	return out
}

// heldBack lists what is held back, and nothing of it is gone.
func heldBack(t *testing.T, x *target, s *ds.Store) (names []string) {
	t.Helper()
	time.Sleep(3 * time.Minute)
	h, ok := s.Held()
	require.Equal(t, ok, len(h.Keys) > 0)
	for _, k := range h.Keys {
		names = append(names, k.Name)
		require.Contains(t, x.String(), " "+k.Name+" ")
		require.ErrorIs(t, status(t, s, k.Name).Err, ds.ErrMassDelete)
	}
	_, converged := s.Converged()
	require.Equal(t, !ok, converged)
	return names
}

// An empty or shrunken answer is no order, on a site of any size.
func TestSourcesThatVanish(t *testing.T) {
	for n := 1; n <= 40; n += 3 {
		running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
			all := sites(n)
			require.NoError(t, s.Replace(all))
			s.Complete()
			require.NoError(t, s.Wait(t.Context()))
			size := x.size()
			require.NoError(t, s.Replace(nil))
			require.Len(t, heldBack(t, x, s), n+1)
			require.Equal(t, size, x.size())
			require.NoError(t, s.Replace(all))
			require.NoError(t, s.Wait(t.Context()))
			require.Empty(t, heldBack(t, x, s))
		})
	}
}

// One source of three may vanish, one of one not. By name all may go.
func TestFewSources(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := sites(3)
		require.NoError(t, s.Replace(all))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(without(all, "b01")))
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box b01")
		require.NoError(t, s.Assign("b02"))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{}))
		require.Equal(t, []string{"b00", "shared"}, heldBack(t, x, s))
		require.NoError(t, s.Assign("b00"))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 2, x.size())
	})
}

// A source that is mentioned is one that said what it wants.
func TestASourceThatChangedIsAnOrder(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{"a": {Box{Name: "a1"}, Box{Name: "a2"}}, "b": {Box{Name: "b"}}}
		require.NoError(t, s.Replace(all))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": nil, "b": {}}))
		require.NoError(t, s.Wait(t.Context()))
		require.Equal(t, 2, x.size())
		require.NoError(t, s.Replace(all))
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(nil))
		require.Equal(t, []string{"a1", "a2", "b"}, heldBack(t, x, s))
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": all["a"][:1]}))
		require.Equal(t, []string{"b"}, heldBack(t, x, s), "a said what it wants")
		require.False(t, contains(x, "a2"))
	})
}

// An object that one source lost and another gave up is the lost one's still.
func TestWhatTwoWantedAndOneLost(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		shared := Box{Name: "shared"}
		require.NoError(t, s.Replace(map[string][]ds.Object{"a": {shared}, "b": {shared, Box{Name: "b"}}, "c": {shared}}))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(map[string][]ds.Object{"b": {Box{Name: "b"}}}))
		require.Equal(t, []string{"shared"}, heldBack(t, x, s))
		require.NoError(t, s.Assign("a"))
		require.Equal(t, []string{"shared"}, heldBack(t, x, s))
		require.NoError(t, s.Assign("c"))
		require.NoError(t, s.Wait(t.Context()))
		require.False(t, contains(x, "shared"))
	})
}

// What the caller wants in any case does not show that the answer is whole.
func TestFixedSourcesAreNotCounted(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{"uplink1": {Box{Name: "u1"}}, "uplink2": {Box{Name: "u2"}}, "port": {Box{Name: "p"}}}
		fixed := []string{"uplink1", "uplink2"}
		require.NoError(t, s.Replace(all, fixed...))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		require.NoError(t, s.Replace(without(all, "port"), fixed...))
		require.Equal(t, []string{"p"}, heldBack(t, x, s))
		require.NoError(t, s.Replace(without(all, "port")))
		require.Equal(t, []string{"p"}, heldBack(t, x, s), "what is held back stays so")
		require.NoError(t, s.Assign("port", Box{Name: "q"})) // it is there, and wants something else
		require.NoError(t, s.Wait(t.Context()))
		require.NotContains(t, x.String(), "box p")
	})
}

// Where nothing is wanted but what is wanted in any case, nothing goes by omission.
func TestWhatIsFoundAndOnlyFixedWanted(t *testing.T) {
	running(t, func(t *testing.T, x *target, _ *ds.Engine, s *ds.Store) {
		all := map[string][]ds.Object{"": {Box{Name: "u1"}, Box{Name: "u2"}, Box{Name: "u3"}}}
		require.NoError(t, s.Replace(all, ""))
		s.Complete()
		require.NoError(t, s.Wait(t.Context()))
		x.by(func() { x.add(&item{kind: "box", name: "port", shape: 7}) })
		require.Equal(t, []string{"port"}, heldBack(t, x, s))
	})
}
