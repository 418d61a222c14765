// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// stranded is a target with things of ours and of others, and a plan that does a bit of
// everything to it.
func stranded(t *testing.T) (*target, *ds.Engine, []ds.Object) {
	x := newTarget()
	x.fickle = true // what it had picked is to be as it was, too
	x.add(&item{kind: "box", name: "theirs", foreign: true})
	e := engine(x)
	e.MaxPrune = 1
	first := []ds.Object{Box{Name: "base", Shape: 1}, Box{Name: "top", Needs: "base"}, Box{Name: "paint", Color: 1}, Box{Name: "keep"}}
	syncs(t, e, append(first, Box{Name: "old", Slot: "s", Color: 1})...)
	syncs(t, e, append(first, Box{Name: "old", Slot: "s"})...)
	return x, e, []ds.Object{
		Box{Name: "base", Shape: 2},
		Box{Name: "top", Needs: "base,theirs"},
		Box{Name: "paint", Color: 2},
		Box{Name: "keep"},
		Ball{Name: "new", Slot: "s"},
		Box{Name: "on", Needs: "new"},
	}
}

// Whatever fails, refused or with its outcome lost, all is as it was, or else what is not
// is named.
func TestCommitIsWholeOrNotAtAll(t *testing.T) {
	for _, how := range []outcome{refused, lost} {
		for nth := 1; ; nth++ {
			x, e, want := stranded(t)
			before := x.String()
			p, err := e.Plan(t.Context(), want...)
			require.NoError(t, err)
			from := x.writes
			x.fail = func(n int, _ string) outcome {
				if n == from+nth {
					return how
				}
				return works
			}
			e.Parallel = 1
			_, err = e.Commit(t.Context(), p)
			if err == nil {
				require.Greater(t, nth, 5, "each write failed once")
				require.NotEqual(t, before, x.String())
				require.Empty(t, x.violations)
				break
			}
			var failed *ds.CommitError
			require.ErrorAs(t, err, &failed, "%v", err)
			require.ErrorIs(t, err, errTarget)
			require.Equal(t, before, x.String(), "%s, write %d: %v", fmt.Sprint(how), nth, err)
			require.Empty(t, failed.Differs)
			require.Empty(t, failed.Unknown)
			require.NotEmpty(t, failed.Restored)
			require.NotContains(t, err.Error(), "not tried")
			require.Empty(t, x.violations)
			_, err = e.Sync(t.Context(), want...) // it is of use afterwards
			require.NoError(t, err)
		}
	}
}

// A way back that fails too is said, object by object.
func TestCommitThatCannotGoBack(t *testing.T) {
	x, e, want := stranded(t)
	p, err := e.Plan(t.Context(), want...)
	require.NoError(t, err)
	from := x.writes
	x.fail = func(n int, _ string) outcome {
		if n > from+3 {
			return refused
		}
		return works
	}
	e.Parallel = 1
	_, err = e.Commit(t.Context(), p)
	var failed *ds.CommitError
	require.ErrorAs(t, err, &failed)
	require.NotEmpty(t, failed.Differs)
	require.ErrorContains(t, err, "not as before: ")
	require.Error(t, failed.Undo)

	// Where the target has gone, nobody knows.
	x, e, want = stranded(t)
	p, err = e.Plan(t.Context(), want...)
	require.NoError(t, err)
	x.fail = func(int, string) outcome { return refused }
	x.blind = true
	_, err = e.Commit(t.Context(), p)
	require.ErrorAs(t, err, &failed)
	require.NotEmpty(t, failed.Unknown, "%v", err)
	require.ErrorContains(t, err, "unknown: ")
}

func TestCommitRefusesWhatIsBlocked(t *testing.T) {
	x, e, _ := stranded(t)
	p, err := e.PlanEnsure(t.Context(), Box{Name: "fine"}, Box{Name: "waits", Needs: "nobody"})
	require.NoError(t, err)
	writes := x.writes
	_, err = e.Commit(t.Context(), p)
	require.ErrorIs(t, err, ds.ErrMissing)
	require.Equal(t, writes, x.writes)
}

// secretive are boxes of which the target does not show what they need, so that is no difference.
func secretive(x *target) *ds.Kind[Box] {
	k := boxes(x)
	fill, dump := k.Fill, k.Dump
	k.Fill = func(have ds.Actual[Box], want Box) Box {
		want = fill(have, want)
		want.Needs = have.Spec.Needs
		return want
	}
	k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
		all, err := dump(ctx, v)
		for i := range all {
			all[i].Spec.Needs = ""
		}
		return all, err
	}
	return k
}

// What the target does not show is in what is found, so that it can be put back.
func TestFoundKnowsWhatWasWanted(t *testing.T) {
	x := newTarget()
	k := secretive(x)
	e := ds.New(k)
	syncs(t, e, Box{Name: "a"}, Box{Name: "b", Needs: "a", Color: 4})
	for _, shape := range []int{0, 7, 7} { // which the target chose is known once it is read
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		require.Equal(t, Box{Name: "b", Needs: "a", Color: 4, Shape: shape}, found[1].Spec)
		e.Forget()
		syncs(t, e, Box{Name: "a"}, Box{Name: "b", Needs: "a", Color: 4})
	}
}

// What is taken along by a call that does not speak of it comes back as it was wanted, and is known to be.
func TestWhatIsTakenAlongComesBackAsWanted(t *testing.T) {
	x := newTarget()
	e := ds.New(secretive(x))
	a, b := Box{Name: "a"}, Box{Name: "b", Needs: "a", Color: 4}
	syncs(t, e, a, b)
	for a.Shape = range 4 { // is made anew
		e.Forget() // what the target chose is found
		_, err := e.Ensure(t.Context(), a)
		require.NoError(t, err)
		require.Contains(t, x.String(), "box b color=4 shape=7 needs=a")
		e.Forget()
		found, err := e.Found(t.Context())
		require.NoError(t, err)
		require.Equal(t, Box{Name: "b", Needs: "a", Color: 4, Shape: 7}, found[1].Spec)
	}
	require.Empty(t, x.violations)
}

func TestDisruptionIsSaidAndRefused(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	k.Disturbs = func(a ds.Action, have ds.Actual[Box], want Box) ds.Disruption {
		if a == ds.Update && have.Spec.Color > want.Color {
			return ds.DisturbsSessions
		}
		if a == ds.Delete && have.Spec.Name == "all" {
			return ds.DisturbsTarget
		}
		return ds.DisturbsNothing
	}
	e := ds.New(k)
	e.MaxPrune = 1
	syncs(t, e, Box{Name: "a", Color: 5}, Box{Name: "b"}, Box{Name: "all"}, Box{Name: "user", Needs: "a"})
	want := []ds.Object{Box{Name: "a", Color: 3}, Box{Name: "b", Color: 1}, Box{Name: "c", Slot: "s", Color: 2}, Box{Name: "user", Needs: "a"}}
	p, err := e.Plan(t.Context(), want...)
	require.NoError(t, err)
	require.Equal(t, ds.DisturbsTarget, p.Disturbs())
	require.Equal(t, `~ thing/a (box), disturbs sessions
      Color: 5 -> 3
- thing/all (box), disturbs the whole target
~ thing/b (box)
      Color: 0 -> 1
+ thing/c (box)
      Name: "c"
      Slot: "s"
      Color: 2
1 to create, 2 to update, 1 to delete, 1 as wanted
`, p.Details())

	e.Refuse = ds.NoMoreThan(ds.DisturbsTraffic)
	r, err := e.Ensure(t.Context(), want...)
	require.ErrorIs(t, err, ds.ErrRefused)
	require.ErrorContains(t, err, "it would disturb sessions")
	a, _ := r.Of(thingKey("a"))
	require.Equal(t, ds.Block, a.Action)
	b, _ := r.Of(thingKey("b"))
	require.NoError(t, b.Err)
	_, err = e.Remove(t.Context(), thingKey("all"))
	require.ErrorIs(t, err, ds.ErrRefused)
	require.Contains(t, x.String(), "box all")
}

// A dry run of anything writes nothing, and makes the checks of a real one.
func TestDryRuns(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	k.Check = func(_ *ds.View, b Box) error {
		if b.Slot == "elsewhere" {
			return errors.New("slot elsewhere is not in the rack")
		}
		return nil
	}
	e := ds.New(k)
	syncs(t, e, Box{Name: "a"}, Box{Name: "b", Needs: "a"})
	e.Forget()
	writes := x.writes
	p, err := e.PlanEnsure(t.Context(), Box{Name: "a", Shape: 3}, Box{Name: "c", Slot: "elsewhere"})
	require.NoError(t, err)
	require.Equal(t, `± thing/a (box)
      Shape: 7 -> 3
± thing/b (box)
? thing/c (box): invalid: slot elsewhere is not in the rack
2 to replace, 1 blocked
`, p.String())
	p, err = e.PlanRemove(t.Context(), thingKey("a"))
	require.NoError(t, err)
	require.Equal(t, "? thing/a (box): in use by thing/b\n1 blocked\n", p.String())
	p, err = e.PlanRemove(t.Context(), thingKey("a"), thingKey("b"))
	require.NoError(t, err)
	require.Equal(t, 2, p.Count(ds.Delete))
	require.Equal(t, writes, x.writes)
	_, err = e.Apply(t.Context(), p)
	require.NoError(t, err)
	require.Empty(t, x.String())
}

func TestListReadsReferencesToo(t *testing.T) {
	x := newTarget()
	x.add(&item{kind: "box", name: "theirs", foreign: true})
	e := ds.New(boxes(x), things(x))
	syncs(t, e, Box{Name: "a"})
	x.add(&item{kind: "ball", name: "b"})
	all, err := ds.List[Thing](t.Context(), e)
	require.NoError(t, err)
	var names []string
	for _, a := range all {
		names = append(names, a.Spec.Name)
	}
	slices.Sort(names)
	require.Equal(t, []string{"a", "b", "theirs"}, names)
	_, err = ds.List[Ball](t.Context(), e)
	require.ErrorIs(t, err, ds.ErrUnknownKind)
}

// What cannot be read is an error of its List.
func TestListOfWhatCannotBeRead(t *testing.T) {
	k := boxes(newTarget())
	broken := errors.New("broken")
	k.Dump = func(context.Context, *ds.View) ([]ds.Actual[Box], error) { return nil, broken }
	all, err := ds.List[Box](t.Context(), ds.New(k))
	require.ErrorIs(t, err, broken)
	require.Empty(t, all)
}

// Readings and what drifted are told, to all who observe.
func TestReadingsAndDriftAreObserved(t *testing.T) {
	x := newTarget()
	e := engine(x)
	var reads, drifts []string
	e.Observe = ds.Observers(nil, func(ev ds.Event) {
		if ev.Type == ds.Read {
			reads = append(reads, fmt.Sprintf("%s %d", ev.Kind, ev.Count))
		}
	}, func(ev ds.Event) {
		if ev.Type == ds.Drift {
			drifts = append(drifts, fmt.Sprint(ev.Key, ev.Changes))
		}
	})
	syncs(t, e, Box{Name: "a", Shape: 7})
	x.by(func() {
		for _, i := range x.items {
			i.color = 9
		}
	})
	reads = nil
	e.Forget()
	syncs(t, e, Box{Name: "a", Shape: 7})
	require.Equal(t, []string{"thing/a [Color: 0 -> 9]"}, drifts)
	slices.Sort(reads)
	require.Equal(t, []string{"ball 0", "box 1", "thing 1"}, reads)
}

// Work on one object that takes too long has failed, and nobody else waits for it.
func TestOneObjectHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		create := k.Create
		k.Create = func(ctx context.Context, v *ds.View, b Box) (uint32, error) {
			if b.Name == "slow" {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return create(ctx, v, b)
		}
		e := ds.New(k)
		e.Limit = time.Second
		start := time.Now()
		r, err := e.Ensure(t.Context(), Box{Name: "slow"}, Box{Name: "quick"}, Box{Name: "on", Needs: "slow"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		quick, _ := r.Of(thingKey("quick"))
		require.NoError(t, quick.Err)
		on, _ := r.Of(thingKey("on"))
		require.ErrorIs(t, on.Err, ds.ErrFailed)
	})
}
