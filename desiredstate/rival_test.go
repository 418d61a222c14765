// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"errors"
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

func boxesOn(x *target, on *ds.Target) *ds.Kind[Box] {
	k := boxes(x)
	k.Target = on
	k.Requires[0].(*ds.Kind[Thing]).Target = on
	return k
}

// rivals are two components with a Run each, of which the second wants box a otherwise than the first,
// which has it.
func rivals(t *testing.T, test func(t *testing.T, x *target, e, other *ds.Engine, has, waits *ds.Store)) {
	synctest.Test(t, func(t *testing.T) {
		x, on := newTarget(), ds.NewTarget()
		e, other := ds.New(boxesOn(x, on)), ds.New(boxesOn(x, on))
		has, waits := ds.NewStore(), ds.NewStore()
		defer runOn(t, e, has)()
		defer runOn(t, other, waits)()
		require.NoError(t, has.Put(Box{Name: "a", Color: 1}))
		require.NoError(t, has.Wait(t.Context(), thingKey("a")))
		require.NoError(t, waits.Put(Box{Name: "a", Color: 2}))
		time.Sleep(time.Minute)
		isRefused(t, waits, "a")
		test(t, x, e, other, has, waits)
		require.Empty(t, x.violations)
	})
}

func isRefused(t *testing.T, s *ds.Store, name string) {
	t.Helper()
	st := status(t, s, name)
	require.Equal(t, ds.Blocked, st.State, "%+v", st)
	require.ErrorIs(t, st.Err, ds.ErrConflict)
}

func isApplied(t *testing.T, s *ds.Store, name string) {
	t.Helper()
	st := status(t, s, name)
	require.Equal(t, ds.Applied, st.State, "%+v", st)
}

// Who was first has it repaired, whoever looks first at what somebody has changed or taken away.
func TestTheFirstKeepsWhatIsChangedByHand(t *testing.T) {
	hands := map[string]func(x *target){
		"changed":               func(x *target) { x.items[1].color = 5 },
		"as the other wants it": func(x *target) { x.items[1].color = 2 },
		"gone":                  func(x *target) { x.lose(1) },
	}
	for name, hand := range hands {
		t.Run(name, func(t *testing.T) {
			for _, firstLooks := range []bool{true, false} {
				rivals(t, func(t *testing.T, x *target, e, other *ds.Engine, has, waits *ds.Store) {
					x.by(func() { hand(x) })
					if firstLooks {
						e.Forget()
					} else {
						other.Forget()
					}
					time.Sleep(time.Minute)
					require.Equal(t, "box a color=1 shape=7\n", x.String())
					isApplied(t, has, "a")
					isRefused(t, waits, "a")
				})
			}
		})
	}
}

// It can change it, and when it wants it no more, or ends, the other has it.
func TestTheFirstDecides(t *testing.T) {
	rivals(t, func(t *testing.T, x *target, _, _ *ds.Engine, has, waits *ds.Store) {
		require.NoError(t, has.Put(Box{Name: "a", Color: 3}))
		time.Sleep(time.Minute)
		require.Equal(t, "box a color=3 shape=7\n", x.String())
		isApplied(t, has, "a")
		isRefused(t, waits, "a")

		has.Delete(thingKey("a"))
		time.Sleep(time.Minute)
		require.Equal(t, "box a color=2 shape=7\n", x.String())
		isApplied(t, waits, "a")

		require.NoError(t, has.Put(Box{Name: "a", Color: 4}))
		time.Sleep(time.Minute)
		isRefused(t, has, "a")
		require.NoError(t, waits.Put(Box{Name: "a", Color: 5}))
		time.Sleep(time.Minute)
		require.Equal(t, "box a color=5 shape=7\n", x.String())
		isApplied(t, waits, "a")
		isRefused(t, has, "a")
	})
}

// What the target chose, which the first reading after that finds, is no difference.
func TestTheFirstIsNotRefusedForAReading(t *testing.T) {
	rivals(t, func(t *testing.T, x *target, e, other *ds.Engine, has, waits *ds.Store) {
		for range 3 {
			e.Forget()
			time.Sleep(time.Minute)
			other.Forget()
			time.Sleep(time.Minute)
			isApplied(t, has, "a")
			isRefused(t, waits, "a")
		}
		require.Equal(t, 1, x.written())
	})
}

// After a restart who finds it as it wants it has it, whoever begins. If neither does, one has it, not none.
func TestAfterARestartOneIsFirst(t *testing.T) {
	for _, found := range []int{1, 2, 9} {
		for range 8 { // either may look first
			synctest.Test(t, func(t *testing.T) {
				x, on := newTarget(), ds.NewTarget()
				x.add(&item{kind: "box", name: "a", color: found, shape: 7})
				one, two := ds.NewStore(), ds.NewStore()
				require.NoError(t, one.Put(Box{Name: "a", Color: 1}))
				require.NoError(t, two.Put(Box{Name: "a", Color: 2}))
				e, other := ds.New(boxesOn(x, on)), ds.New(boxesOn(x, on))
				e.Begun = func([]ds.Found) { time.Sleep(time.Second) } // until both have begun
				other.Begun = e.Begun
				defer runOn(t, e, one)()
				defer runOn(t, other, two)()
				time.Sleep(time.Minute)
				loser := two
				if st := status(t, one, "a"); st.State != ds.Applied {
					loser = one
				}
				isRefused(t, loser, "a")
				if found == 9 {
					require.Equal(t, 1, x.written())
					return
				}
				require.Zero(t, x.written(), "who has it keeps it")
			})
		}
	}
}

// What two want by different words, and have, neither loses.
func TestWhatBothHaveIsNoConflict(t *testing.T) {
	rivals(t, func(t *testing.T, x *target, e, other *ds.Engine, has, waits *ds.Store) {
		require.NoError(t, waits.Put(Box{Name: "a", Color: 1, Shape: 7})) // the other leaves the shape to the target
		time.Sleep(time.Minute)
		e.Forget()
		other.Forget()
		time.Sleep(time.Minute)
		isApplied(t, has, "a")
		isApplied(t, waits, "a")
		require.Equal(t, 1, x.written())
	})
}

// A call leaves to the Runs what they want, and one for which the target refuses an object has nothing.
func TestWhoHasNothingIsNotFirst(t *testing.T) {
	rivals(t, func(t *testing.T, x *target, e, other *ds.Engine, has, waits *ds.Store) {
		for _, color := range []int{2, 9} { // the one that waits has said nothing by its store of 9
			_, err := other.Ensure(t.Context(), Box{Name: "a", Color: color})
			require.ErrorIs(t, err, ds.ErrConflict)
		}
		x.by(func() {
			x.fail = func(_ int, op string) outcome {
				if op == "create b" {
					return refused
				}
				return works
			}
		})
		require.NoError(t, has.Put(Box{Name: "b", Color: 1}))
		time.Sleep(time.Minute)
		x.heal()
		require.NoError(t, waits.Put(Box{Name: "b", Color: 2}))
		require.NoError(t, waits.Wait(t.Context(), thingKey("b")))
		time.Sleep(time.Hour)
		isRefused(t, has, "b")
		isApplied(t, waits, "b")
		require.Equal(t, "box a color=1 shape=7\nbox b color=2 shape=7\n", x.String())
	})
}

// Whatever the stores of three components say of the same few things, and whatever fails or is changed by hand meanwhile,
// in the end each thing is as one of those wants it that want it at all, unless that one lacks something for it, and the
// others are told so.
func TestQuarrelsAreSettled(t *testing.T) {
	for seed := range int64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			x, on := newTarget(), ds.NewTarget()
			var stores []*ds.Store
			var engines []*ds.Engine
			for range 3 {
				e, s := ds.New(boxesOn(x, on)), ds.NewStore()
				e.RetryMax, e.MaxPrune = time.Second, 1
				s.Complete()
				defer runOn(t, e, s)()
				stores, engines = append(stores, s), append(engines, e)
			}
			for range 30 {
				i := r.Intn(3)
				quarrel(t, r, x, stores[i], engines[i])
				time.Sleep([]time.Duration{0, 0, time.Millisecond, 10 * time.Second}[r.Intn(4)])
			}
			x.heal()
			for range 2 { // what the target chose is known when it has been read
				time.Sleep(time.Hour)
				for _, e := range engines {
					e.Forget()
				}
			}
			time.Sleep(time.Hour)
			require.Empty(t, ds.EngineFaults(engines[0]))
			settled(t, x, stores)
			if t.Failed() {
				t.Logf("by seed %d\n%s", seed, x)
			}
		})
	}
}

// quarrel has somebody say or do something.
func quarrel(t *testing.T, r *rand.Rand, x *target, s *ds.Store, e *ds.Engine) {
	name := []string{"a", "b", "c"}[r.Intn(3)]
	want := Box{Name: name, Color: r.Intn(3), Shape: []int{0, 7, 8}[r.Intn(3)]}
	if name != "a" && r.Intn(2) == 0 {
		want.Needs = "a"
	}
	switch r.Intn(8) {
	case 0:
		s.Delete(want.Key())
	case 1:
		x.by(func() {
			for _, id := range x.ids() {
				if name != "a" && x.items[id].name == name {
					x.lose(id)
				}
			}
		})
	case 2:
		x.by(func() {
			for _, it := range x.items {
				it.color = r.Intn(4)
			}
		})
	case 3:
		chance := rand.New(rand.NewSource(r.Int63()))
		x.by(func() { x.fail = func(int, string) outcome { return outcome(chance.Intn(3)) } })
	case 4:
		x.heal()
	case 5:
		e.Forget()
	default:
		require.NoError(t, s.Put(want))
	}
}

// settled checks that who has what it wants is told so, and who has not, too.
func settled(t *testing.T, x *target, stores []*ds.Store) {
	there := map[string]Box{}
	for _, it := range x.items {
		b := Box{Name: it.name, Color: it.color, Shape: it.shape}
		for _, n := range it.needs {
			b.Needs = x.items[n].name
		}
		there[it.name] = b
	}
	meant := map[string]bool{}
	for i, s := range stores {
		for k, st := range s.Statuses() {
			o, wanted := s.Want(k)
			require.True(t, wanted, "%d %s %+v", i, k, st)
			want, has, state := o.(Box), there[k.Name], ds.Blocked
			if want.Shape == 0 {
				want.Shape = has.Shape
			}
			if want == has {
				state = ds.Applied
			}
			assert.Equal(t, state, st.State, "%d %+v %v", i, want, st.Err)
			meant[k.Name] = meant[k.Name] || want == has || errors.Is(st.Err, ds.ErrMissing)
		}
	}
	for name := range there {
		assert.True(t, meant[name], name)
	}
}
