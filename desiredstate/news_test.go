// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What a reading finds that is not ours frees who waits for it, whoever reads: a Run does not look again by itself here.
func TestWhatAnotherReadsIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, on := newTarget(), ds.NewTarget()
		engine := func() *ds.Engine {
			th, box := things(x), boxes(x)
			th.Target, box.Target, box.Requires = on, on, []ds.AnyKind{th}
			return ds.New(box)
		}
		taken := uint32(0)
		x.by(func() { taken = x.add(&item{kind: "box", name: "theirs", slot: "s", shape: 1, foreign: true}) })
		s, other := ds.NewStore(), engine()
		defer runOn(t, engine(), s)()
		looks := func() {
			other.Forget()
			_, err := other.Plan(t.Context())
			require.NoError(t, err)
			synctest.Wait()
		}
		require.NoError(t, s.Put(Box{Name: "u", Needs: "eth0"}, Box{Name: "v", Slot: "s"}, Box{Name: "same"}))
		synctest.Wait()
		require.ErrorIs(t, status(t, s, "u").Err, ds.ErrMissing)
		require.ErrorIs(t, status(t, s, "v").Err, ds.ErrForeign)

		var eth0 uint32
		x.by(func() {
			x.lose(taken)
			eth0 = x.add(&item{kind: "device", name: "eth0", foreign: true})
		})
		looks()
		require.Equal(t, ds.Applied, status(t, s, "u").State, "%v", status(t, s, "u").Err)
		require.Equal(t, ds.Applied, status(t, s, "v").State, "%v", status(t, s, "v").Err)

		x.by(func() { x.lose(eth0) })
		looks()
		require.NoError(t, s.Put(Box{Name: "w", Needs: "eth0"}))
		synctest.Wait()
		require.ErrorIs(t, status(t, s, "w").Err, ds.ErrMissing)
		require.Empty(t, x.violations)
	})
}

// So does what a kind finds that nobody had until now.
func TestWhatANewKindFindsIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, on := newTarget(), ds.NewTarget()
		x.add(&item{kind: "ball", name: "on", shape: 1})
		box, ball := boxes(x), balls(x)
		box.Target, box.Requires = on, nil
		ball.Target, ball.Requires = on, nil
		s := ds.NewStore()
		defer runOn(t, ds.New(box), s)()
		require.NoError(t, s.Put(Box{Name: "u", Needs: "on"}))
		synctest.Wait()
		require.ErrorIs(t, status(t, s, "u").Err, ds.ErrMissing)
		_, err := ds.New(ball).Plan(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, ds.Applied, status(t, s, "u").State, "%v", status(t, s, "u").Err)
		require.Empty(t, x.violations)
	})
}
