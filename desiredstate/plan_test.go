// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

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
