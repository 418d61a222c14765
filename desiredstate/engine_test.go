// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

func TestPlanIsAReadableDryRun(t *testing.T) {
	x := newTarget()
	x.add(&item{kind: "box", name: "theirs", foreign: true})
	e := engine(x)
	syncs(t, e, Box{Name: "keep"}, Box{Name: "paint"}, Box{Name: "base", Shape: 1}, Box{Name: "top", Needs: "base"}, Box{Name: "old"})
	writes := x.writes
	p, err := e.Plan(t.Context(),
		Box{Name: "keep"}, Box{Name: "paint", Color: 2}, Box{Name: "base", Shape: 2}, Box{Name: "top", Needs: "base"},
		Ball{Name: "new"}, Box{Name: "waits", Needs: "nobody,new"}, Box{Name: "theirs"}, Box{Name: "wrong", Color: -1})
	require.NoError(t, err)
	require.Equal(t, `± thing/base (box)
      Shape: 1 -> 2
+ thing/new (ball)
- thing/old (box)
~ thing/paint (box)
      Color: 0 -> 2
? thing/theirs (box): not ours: something of this name is there already: adopt it (Engine.Adopt), or choose another name
± thing/top (box)
? thing/waits (box): missing dependency: thing/nobody
? thing/wrong (box): invalid: color: want 0 or more
1 to create, 1 to update, 2 to replace, 1 to delete, 3 blocked, 1 as wanted
`, p.String())
	require.Equal(t, writes, x.writes)
	data, err := json.MarshalIndent(p, "", " ")
	require.NoError(t, err)
	require.Contains(t, string(data), `"action": "replace"`)
	require.Contains(t, string(data), `"path": "Shape"`)

	r, err := e.Apply(t.Context(), p)
	require.ErrorIs(t, err, ds.ErrMissing)
	require.ErrorIs(t, err, ds.ErrForeign)
	require.ErrorIs(t, err, ds.ErrInvalid)
	require.Equal(t, 5, r.Changed())
	require.Equal(t, `ball new color=0 shape=7
box base color=0 shape=2
box keep color=0 shape=7
box paint color=2 shape=7
box theirs color=0 shape=0 foreign
box top color=0 shape=7 needs=base
`, x.String())
	_, err = e.Apply(t.Context(), p)
	require.ErrorIs(t, err, ds.ErrStale)
	require.Empty(t, x.violations)
}

func TestOrderAcrossReplaceAndMove(t *testing.T) {
	x := newTarget()
	e := engine(x)
	syncs(t, e, Box{Name: "a", Shape: 1}, Box{Name: "b", Needs: "a"}, Box{Name: "c", Needs: "b"}, Box{Name: "z"}, Box{Name: "user", Needs: "z"})
	// a is replaced under b and c; user moves from z, which goes, to c.
	syncs(t, e, Box{Name: "a", Shape: 2}, Box{Name: "b", Needs: "a"}, Box{Name: "c", Needs: "b"}, Box{Name: "user", Needs: "c"})
	require.Equal(t, "box a color=0 shape=2\nbox b color=0 shape=7 needs=a\nbox c color=0 shape=7 needs=b\nbox user color=0 shape=7 needs=c\n", x.String())
	require.Empty(t, x.violations)
}

func TestUpdatesThatWaitForEachOtherBecomeReplacements(t *testing.T) {
	x := newTarget()
	e := engine(x)
	// user leaves old for b, but b can only be replaced after old is gone, which
	// hangs on it.
	syncs(t, e, Box{Name: "b", Shape: 1}, Box{Name: "old", Needs: "b"}, Box{Name: "user", Needs: "old"})
	syncs(t, e, Box{Name: "b", Shape: 2}, Box{Name: "user", Needs: "b"})
	require.Equal(t, "box b color=0 shape=2\nbox user color=0 shape=7 needs=b\n", x.String())
	require.Empty(t, x.violations)
}

func TestKindOfANameChanges(t *testing.T) {
	x := newTarget()
	e := engine(x)
	syncs(t, e, Box{Name: "a"}, Box{Name: "b", Needs: "a"})
	syncs(t, e, Ball{Name: "a"}, Box{Name: "b", Needs: "a"})
	require.Equal(t, "ball a color=0 shape=7\nbox b color=0 shape=7 needs=a\n", x.String())
	require.Empty(t, x.violations)
}

func TestWhatOnlyOneCanHold(t *testing.T) {
	x := newTarget()
	x.add(&item{kind: "box", name: "theirs", slot: "f", foreign: true})
	e := engine(x)
	e.MaxPrune = 1
	_, err := e.Sync(t.Context(), Box{Name: "a", Slot: "s"}, Box{Name: "b", Slot: "s"}, Box{Name: "c", Slot: "f"})
	require.ErrorContains(t, err, "thing/a wants slot/s too")
	require.ErrorContains(t, err, "thing/theirs holds slot/f")
	syncs(t, e, Box{Name: "b", Slot: "s"}) // handed over from a, which goes
	syncs(t, e, Box{Name: "b", Slot: "t"}, Box{Name: "d", Slot: "s"})
	syncs(t, e, Box{Name: "b", Slot: "s"}, Box{Name: "d", Slot: "t"}) // swapped
	require.Equal(t, "box b color=0 shape=7 slot=s\nbox d color=0 shape=7 slot=t\nbox theirs color=0 shape=0 slot=f foreign\n", x.String())
	require.Empty(t, x.violations)
}

// What several have in common one for itself can not have, nor the other way round: who is there
// stays, and of those that come together it is the first by name.
func TestWhatSeveralShare(t *testing.T) {
	x := newTarget()
	x.add(&item{kind: "ball", name: "theirs", slot: "f", foreign: true})
	e := engine(x)
	e.MaxPrune = 1
	_, err := e.Sync(t.Context(), Ball{Name: "a", Slot: "s"}, Box{Name: "b", Slot: "s"}, Ball{Name: "c", Slot: "s"}, Box{Name: "d", Slot: "f"}, Ball{Name: "e", Slot: "f"},
		Box{Name: "f", Slot: "t"}, Ball{Name: "g", Slot: "t"}, Ball{Name: "h", Slot: "t"})
	require.ErrorContains(t, err, "blocked thing/b: conflict: thing/a wants slot/s too")
	require.ErrorContains(t, err, "blocked thing/d: not ours: thing/theirs shares slot/f")
	require.ErrorContains(t, err, "blocked thing/g: conflict: thing/f wants slot/t too")
	require.ErrorContains(t, err, "blocked thing/h: conflict: thing/f wants slot/t too")
	require.Equal(t, "ball a color=0 shape=7 slot=s\nball c color=0 shape=7 slot=s\nball e color=0 shape=7 slot=f\n"+
		"ball theirs color=0 shape=0 slot=f foreign\nbox f color=0 shape=7 slot=t\n", x.String())

	_, err = e.Sync(t.Context(), Box{Name: "0", Slot: "s"}, Ball{Name: "c", Slot: "s"}, Ball{Name: "0t", Slot: "t"}, Box{Name: "f", Slot: "t"})
	require.ErrorContains(t, err, "blocked thing/0: conflict: thing/c shares slot/s")
	require.ErrorContains(t, err, "blocked thing/0t: conflict: thing/f holds slot/t")
	syncs(t, e, Box{Name: "0", Slot: "s"}, Ball{Name: "c", Slot: "t"}, Ball{Name: "0t", Slot: "t"}, Box{Name: "f"}) // each where another was
	require.Empty(t, x.violations)
}

// What is new hangs on the one that stays.
func TestSurplusGoesAndOneStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		x.delay = time.Millisecond
		for range 3 {
			x.add(&item{kind: "box", name: "a", shape: 7})
		}
		x.add(&item{kind: "box", name: "a", shape: 7, color: 5})
		e := engine(x)
		syncs(t, e, Box{Name: "a", Color: 5}, Box{Name: "b", Needs: "a"})
		require.Equal(t, "box a color=5 shape=7\nbox b color=0 shape=7 needs=a\n", x.String())
		require.Empty(t, x.violations)
	})
}

func TestCyclesAndDuplicates(t *testing.T) {
	x := newTarget()
	e := engine(x)
	r, err := e.Sync(t.Context(), Box{Name: "a", Needs: "b"}, Box{Name: "b", Needs: "a"}, Box{Name: "me", Needs: "me"}, Box{Name: "fine"}, Box{Name: "on", Needs: "a"})
	require.ErrorIs(t, err, ds.ErrCycle)
	res, _ := r.Of(thingKey("on"))
	require.ErrorIs(t, res.Err, ds.ErrMissing)
	require.Equal(t, "box fine color=0 shape=7\n", x.String())
	_, err = e.Plan(t.Context(), Box{Name: "a"}, Ball{Name: "a"})
	require.ErrorIs(t, err, ds.ErrDuplicate)
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

// Time goes on only when all of them are in the target.
func TestIndependentCallsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		_, err := k.Ensure(t.Context(), Box{Name: "base"})
		require.NoError(t, err)
		x.delay = time.Hour
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				_, err := k.Ensure(t.Context(), Box{Name: fmt.Sprint(i), Needs: "base"})
				require.NoError(t, err)
			})
		}
		all.Wait()
		require.Equal(t, 32, x.maxActive)
		require.Empty(t, x.violations)
	})
}

func TestSameObjectFromManyGoroutinesIsMadeOnce(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	x.delay = time.Millisecond
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			r, err := k.Ensure(t.Context(), Box{Name: "one"})
			require.NoError(t, err)
			require.EqualValues(t, 1, r[0].ID)
		})
	}
	all.Wait()
	require.Equal(t, 1, x.writes)
}

func TestNoWaveWaitsForItsSlowest(t *testing.T) {
	x := newTarget()
	e := engine(x)
	slow := make(chan struct{})
	released := false
	x.fail = func(_ int, op string) outcome {
		if op == "create top" && !released {
			released = true
			close(slow)
		}
		return works
	}
	// slow and mid are of one depth; top needs mid alone.
	e.Observe = func(ev ds.Event) {
		if ev.Type == ds.Started && ev.Key.Name == "slow" {
			select {
			case <-slow:
			case <-time.After(10 * time.Second):
				t.Error("top waits for slow")
			}
		}
	}
	syncs(t, e, Box{Name: "mid"}, Box{Name: "slow"}, Box{Name: "top", Needs: "mid"})
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

// Who wants what another call is removing gets it: the calls are in line.
func TestEnsureDuringRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e := engine(x)
		syncs(t, e, Box{Name: "a"})
		x.delay = 5 * time.Millisecond
		done := make(chan error)
		go func() {
			_, err := e.Remove(t.Context(), thingKey("a"))
			done <- err
		}()
		time.Sleep(time.Millisecond)
		r, err := e.Ensure(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.Equal(t, 1, r.Changed(), "%v", r)
		require.Contains(t, x.String(), "box a")
	})
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
