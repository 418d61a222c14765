// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// filtered is a target on which the ball "filter" loses its effect when the box "port" goes, or whatever has its slot.
type filtered struct {
	*target
	on     *ds.Target
	broken bool // the filter has no effect, and no reading shows it
	mended int
}

func newFiltered() *filtered { return &filtered{target: newTarget(), on: ds.NewTarget()} }

func (f *filtered) ports() *ds.Kind[Box] {
	k := boxesOn(f.target, f.on)
	k.Undoes = func(b Box) []ds.Key {
		if b.Slot != "place" {
			return nil
		}
		return []ds.Key{thingKey("filter")}
	}
	remove := k.Delete
	k.Delete = func(ctx context.Context, v *ds.View, have ds.Actual[Box]) error {
		before := f.size()
		err := remove(ctx, v, have)
		if have.Spec.Slot == "place" && f.size() < before {
			f.by(func() { f.broken = true })
		}
		return err
	}
	return k
}

func (f *filtered) filters() *ds.Kind[Ball] {
	k := ballsOn(f.target, f.on)
	update := k.Update
	k.Update = func(ctx context.Context, v *ds.View, have ds.Actual[Ball], want Ball) error {
		err := update(ctx, v, have, want)
		if err == nil && have.Broken != "" {
			f.by(func() { f.broken, f.mended = false, f.mended+1 })
		}
		return err
	}
	return k
}

func (f *filtered) works(t *testing.T, mended int) {
	t.Helper()
	f.by(func() {
		require.False(t, f.broken, "the filter has no effect")
		require.Equal(t, mended, f.mended)
		require.Empty(t, f.violations)
	})
}

// failing has an operation fail.
func (f *filtered) failing(op string, how outcome) {
	f.by(func() {
		f.fail = func(_ int, what string) outcome {
			if strings.HasPrefix(what, op) {
				return how
			}
			return works
		}
	})
}

var (
	theFilter = Ball{Name: "filter", Color: 1, Needs: "vm"}
	thePort   = Box{Name: "port", Slot: "place"}
	theOther  = Box{Name: "other", Slot: "place"}
)

// A call of whatever undoes a filter mends it, though it is not what the call is about: of another engine, too, and of another
// component.
func TestWhatACallUndoesIsMended(t *testing.T) {
	f := newFiltered()
	ports, filters := f.ports(), f.filters()
	e := ds.New(ports, filters)
	syncs(t, e, Box{Name: "vm"}, theFilter, thePort)
	writes := f.written()
	costs := func(n int) {
		t.Helper()
		require.Equal(t, writes+n, f.written())
		writes += n
	}

	p, err := e.PlanRemove(t.Context(), thePort.Key())
	require.NoError(t, err)
	require.Equal(t, "~ thing/filter (ball)\n      broken: thing/port goes, and it has no effect by that -> (none)\n- thing/port (box)\n1 to update, 1 to delete\n", p.String())
	_, err = e.Remove(t.Context(), thePort.Key())
	require.NoError(t, err)
	f.works(t, 1)
	costs(2)
	_, err = e.Ensure(t.Context(), thePort)
	require.NoError(t, err)
	_, err = e.Ensure(t.Context(), theFilter)
	require.NoError(t, err)
	f.works(t, 1)
	costs(1)

	moved := thePort
	moved.Shape = 3
	_, err = e.Ensure(t.Context(), moved) // made anew
	require.NoError(t, err)
	f.works(t, 2)
	costs(3)

	_, err = ports.Remove(t.Context(), thePort)
	require.NoError(t, err)
	f.works(t, 3)
	_, err = ports.Ensure(t.Context(), theOther)
	require.NoError(t, err)
	costs(3)

	own := ds.New(ports)
	own.MaxPrune = 1
	syncs(t, own, Box{Name: "vm"}) // the balls are another component's
	f.works(t, 4)
	costs(2)
	syncs(t, own, Box{Name: "vm"})
	costs(0)
	require.Contains(t, f.String(), "ball filter color=1 shape=7 needs=vm")

	syncs(t, own, Box{Name: "vm"}, thePort)
	costs(1)
	_, err = e.Remove(t.Context(), thePort.Key(), theFilter.Key()) // it goes by name
	require.NoError(t, err)
	costs(2)
	f.by(func() { require.Equal(t, 4, f.mended) })
}

// What was undone is broken until it is mended: if the plan that takes the port away comes to nothing after that, the next has it mended.
func TestWhatIsUndoneIsBrokenUntilItIsMended(t *testing.T) {
	changed := theFilter
	changed.Color = 2
	faults := map[string]func(f *filtered, cancel func()){
		"the answer to the removal is lost": func(f *filtered, _ func()) { f.failing("delete port", lost) },
		"the caller has gone": func(f *filtered, cancel func()) {
			f.by(func() { f.fail = func(int, string) outcome { cancel(); return works } })
		},
	}
	for what, fault := range faults {
		for how, filter := range map[string]Ball{"": theFilter, ", and it changes": changed} {
			t.Run(what+how, func(t *testing.T) {
				f := newFiltered()
				e := ds.New(f.ports(), f.filters())
				e.MaxPrune = 1
				syncs(t, e, Box{Name: "vm"}, theFilter, thePort)
				ctx, cancel := context.WithCancel(t.Context())
				fault(f, cancel)
				_, err := e.Sync(ctx, Box{Name: "vm"}, filter)
				require.Error(t, err)
				require.True(t, f.broken)
				f.heal()
				syncs(t, e, Box{Name: "vm"}, filter, thePort)
				f.works(t, 1)
				require.Zero(t, syncs(t, e, Box{Name: "vm"}, filter, thePort).Changed(), "once")
			})
		}
	}
}

// A commit that fails after the port has gone, and before the filter is mended, leaves both as they were.
func TestTheWayBackMendsWhatIsUndone(t *testing.T) {
	f := newFiltered()
	e := ds.New(f.ports(), f.filters())
	e.MaxPrune = 1
	syncs(t, e, Box{Name: "vm"}, theFilter, thePort)
	before := f.String()
	p, err := e.Plan(t.Context(), Box{Name: "vm"}, theFilter, theOther)
	require.NoError(t, err)
	f.failing("delete port", lost)
	_, err = e.Commit(t.Context(), p)
	var failed *ds.CommitError
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.Differs)
	require.Equal(t, before, f.String())
	f.works(t, 1)
}

// One component has the ports, another the filters: a Run mends what its own pass undoes, and what
// another's, though the answer to that is lost.
func TestOfTwoRunsOneMendsWhatTheOtherUndoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFiltered()
		ports, filters := ds.NewStore(), ds.NewStore()
		e, other := ds.New(f.ports()), ds.New(f.filters())
		defer runOn(t, e, ports)()
		defer runOn(t, other, filters)()
		ports.Complete()
		filters.Complete()
		require.NoError(t, ports.Put(Box{Name: "vm"}, thePort))
		require.NoError(t, filters.Put(theFilter))
		settled := func(mended int) {
			t.Helper()
			time.Sleep(time.Hour)
			f.works(t, mended)
			isApplied(t, filters, "filter")
			_, known := ports.Status(theFilter.Key())
			require.False(t, known)
			require.Empty(t, ds.EngineFaults(e), "%s", f)
			writes := f.written()
			time.Sleep(time.Hour)
			require.Equal(t, writes, f.written())
		}
		settled(0)
		for i := range 3 {
			ports.Delete(thePort.Key())
			settled(2*i + 1)
			require.NoError(t, ports.Put(thePort))
			settled(2*i + 1)
			f.failing("delete port", lost)
			ports.Delete(thePort.Key())
			synctest.Wait()
			f.heal()
			settled(2*i + 2)
			require.NoError(t, ports.Put(thePort))
			settled(2*i + 2)
		}
	})
}

// What a plan has not been asked about, and has to be made anew as it is undone, takes along what hangs on it.
func TestWhatIsUndoneAndIsToBeMadeAnewTakesAlongItsUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFiltered(), ds.NewStore()
		filters, refuses := f.filters(), true
		filters.Foresee = func(context.Context, *ds.View, uint32, Ball) error {
			if refuses {
				return errTarget
			}
			return nil
		}
		e := ds.New(f.ports(), filters)
		e.RetryMin, e.RetryMax = time.Hour, time.Hour
		defer runOn(t, e, s)()
		require.NoError(t, s.Put(Box{Name: "vm"}, theFilter, thePort, Ball{Name: "user", Needs: "filter"}))
		synctest.Wait()
		anew := theFilter
		anew.Shape = 3
		require.NoError(t, s.Put(anew))
		synctest.Wait()
		require.Equal(t, ds.Failing, status(t, s, "filter").State)
		refuses = false
		s.Delete(thePort.Key())
		synctest.Wait()
		isApplied(t, s, "filter")
		isApplied(t, s, "user")
		require.Equal(t, "ball filter color=1 shape=3 needs=vm\nball user color=0 shape=7 needs=filter\nbox vm color=0 shape=7\n", f.String())
		require.Empty(t, f.violations)
	})
}
