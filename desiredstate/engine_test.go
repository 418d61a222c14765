// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	ds "github.com/vppkit/vppkit/desiredstate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func engine(t *target) *ds.Engine { return ds.New(boxes(t), balls(t)) }

func syncs(t *testing.T, e *ds.Engine, want ...ds.Object) ds.Report {
	t.Helper()
	r, err := e.Sync(t.Context(), want...)
	require.NoError(t, err)
	return r
}

func TestSyncReachesWhatIsWantedAndStops(t *testing.T) {
	x := newTarget()
	e := engine(x)
	want := []ds.Object{Box{Name: "a"}, Box{Name: "b", Needs: "a", Color: 3}, Ball{Name: "c", Needs: "a,b", Slot: "s"}}
	syncs(t, e, want...)
	require.Equal(t, "ball c color=0 shape=7 slot=s needs=a needs=b\nbox a color=0 shape=7\nbox b color=3 shape=7 needs=a\n", x.String())
	writes := x.writes
	syncs(t, e, want...)
	e.Forget()
	syncs(t, e, want...)
	syncs(t, engine(x), want...) // a new engine adopts all
	require.Equal(t, writes, x.writes)
	e.MaxPrune = 1
	syncs(t, e)
	require.Empty(t, x.String())
	require.Empty(t, x.violations)
}

func TestEnsureAndRemoveLeaveTheRestAlone(t *testing.T) {
	x := newTarget()
	e := engine(x)
	syncs(t, e, Box{Name: "a", Shape: 1}, Box{Name: "b", Needs: "a", Color: 4})
	_, err := e.Remove(t.Context(), thingKey("a"))
	require.ErrorIs(t, err, ds.ErrInUse)
	// b is not mentioned, but hangs on a: it comes back as it was.
	r, err := e.Ensure(t.Context(), Box{Name: "a", Shape: 2})
	require.NoError(t, err)
	require.Len(t, r, 2)
	require.Equal(t, "box a color=0 shape=2\nbox b color=4 shape=7 needs=a\n", x.String())
	id, err := e.ID(thingKey("a"))
	require.NoError(t, err)
	require.Equal(t, id, r[0].ID)
	_, err = e.Remove(t.Context(), thingKey("a"), thingKey("b"), thingKey("never was"))
	require.NoError(t, err)
	require.Empty(t, x.String())
	require.Empty(t, x.violations)
}

func TestLostOutcomeIsReadBeforeItIsRetried(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	x.fail = func(int, string) outcome { return lost }
	_, err := k.Ensure(t.Context(), Box{Name: "a"})
	require.ErrorIs(t, err, errTarget)
	require.ErrorContains(t, err, "create thing/a")
	x.heal()
	dumps := x.dumps
	_, err = k.Ensure(t.Context(), Box{Name: "a"})
	require.NoError(t, err)
	require.Greater(t, x.dumps, dumps)
	require.Equal(t, 1, x.writes)
	require.Equal(t, "box a color=0 shape=7\n", x.String())
}

func TestOneChangeCostsOneChange(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	for i := range 100 {
		_, err := k.Ensure(t.Context(), Box{Name: fmt.Sprint(i)})
		require.NoError(t, err)
	}
	require.Equal(t, 2, x.dumps)
	require.Equal(t, 100, x.writes)
}

func TestMassDeleteIsRefusedUntilConfirmed(t *testing.T) {
	x := newTarget()
	e := engine(x)
	var want []ds.Object
	for i := range 40 {
		want = append(want, Box{Name: fmt.Sprint(i)})
	}
	syncs(t, e, want...)
	_, err := e.Sync(t.Context(), want[:19]...)
	require.ErrorIs(t, err, ds.ErrMassDelete)
	require.Equal(t, 40, x.writes)
	p, err := e.Plan(t.Context(), want[:19]...)
	require.NoError(t, err)
	p.Confirm()
	_, err = e.Apply(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, x.items, 19)
}

func TestMisuseIsReported(t *testing.T) {
	x := newTarget()
	_, err := ds.New(boxes(x), boxes(x)).Plan(t.Context())
	require.ErrorContains(t, err, `two kinds are named "box"`)
	_, err = engine(x).Ensure(t.Context(), Thing{"a"})
	require.ErrorIs(t, err, ds.ErrInvalid)
	_, err = ds.New(boxes(x)).Ensure(t.Context(), Ball{Name: "b"})
	require.ErrorIs(t, err, ds.ErrUnknownKind)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = engine(x).Ensure(ctx, Box{Name: "a"})
	require.ErrorIs(t, err, context.Canceled)
}

func TestDecode(t *testing.T) {
	e := engine(newTarget())
	o, err := e.Decode("box", []byte(`{"Name":"a","Color":3}`))
	require.NoError(t, err)
	require.Equal(t, Box{Name: "a", Color: 3}, o)
	for _, bad := range []string{`{"Name":1}`, `{"Size":1}`, `{} {}`, `{`, ``} {
		_, err = e.Decode("box", []byte(bad))
		require.Error(t, err, bad)
	}
	_, err = e.Decode("cube", nil)
	require.ErrorIs(t, err, ds.ErrUnknownKind)
}

// What only shows when it is tried, that something else has to come first, costs one
// more try and no more; what depends on it waits meanwhile.
func TestWhatComesTooEarlyIsTriedOnceMore(t *testing.T) {
	x := newTarget()
	hidden, user := balls(x), boxes(x)
	create, tries := hidden.Create, 0
	hidden.Create = func(ctx context.Context, v *ds.View, b Ball) (uint32, error) {
		tries++
		if _, err := v.ID(thingKey("z")); err != nil {
			return 0, fmt.Errorf("%w: there is no z", ds.ErrEarly)
		}
		return create(ctx, v, b)
	}
	e := ds.New(hidden, user)
	e.Parallel = 1
	var heard []string
	e.Observe = func(ev ds.Event) {
		if ev.Key == thingKey("a") && ev.Type != ds.Drift {
			heard = append(heard, fmt.Sprint(ev.Type))
		}
	}
	_, err := e.Ensure(t.Context(), Ball{Name: "a"}, Box{Name: "on", Needs: "a"})
	require.ErrorIs(t, err, ds.ErrEarly)
	require.ErrorContains(t, err, "there is no z")
	require.Equal(t, 2, tries)
	require.Empty(t, x.String())

	heard = nil
	syncs(t, e, Ball{Name: "a"}, Box{Name: "on", Needs: "a"}, Box{Name: "y"}, Box{Name: "z", Needs: "y"})
	require.Equal(t, 4, tries)
	require.Equal(t, []string{fmt.Sprint(ds.Started), fmt.Sprint(ds.Done)}, heard)
	require.Empty(t, x.violations)
}
