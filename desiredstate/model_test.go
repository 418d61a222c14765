// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// wants is what a source wants, or all of them do.
type wants map[ds.Key]ds.Object

func (w wants) list() []ds.Object { return slices.Collect(maps.Values(w)) }

// model is one or two Runs on a target that fails and is slow to read, whose stores are told at random what is
// wanted; and what should have come of that.
type model struct {
	*testing.T
	r       *rand.Rand
	x       *target
	engines []*ds.Engine
	stores  []*ds.Store
	said    []map[string]wants // by each store's sources
	reads   time.Duration      // how long a reading takes, at most
	apart   bool               // the first has the boxes, and the second the balls
	dark    bool               // the balls cannot be read
	end     func()
}

func newModel(t *testing.T, seed int64, engines int, resync time.Duration, apart bool) *model {
	r := rand.New(rand.NewSource(seed))
	m := &model{T: t, r: r, x: newTarget(), apart: apart}
	x, tg := m.x, ds.NewTarget()
	x.delay = time.Duration(r.Intn(3)) * 50 * time.Millisecond
	m.reads = time.Duration(r.Intn(3)) * time.Second
	rate, luck := r.Intn(3)*25, rand.New(rand.NewSource(seed))
	x.by(func() {
		x.fail = func(int, string) outcome {
			if luck.Intn(100) >= rate {
				return works
			}
			return refused + outcome(luck.Intn(2))
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, engines)
	m.end = func() {
		cancel()
		for range m.engines {
			require.ErrorIs(t, <-done, context.Canceled)
		}
		require.Empty(t, x.violations)
	}
	for i := range engines {
		boxes, balls := boxes(x), balls(x)
		boxes.Target, balls.Target = tg, tg
		boxes.Requires[0].(*ds.Kind[Thing]).Target, balls.Requires[0].(*ds.Kind[Thing]).Target = tg, tg
		boxes.Dump, balls.Dump = takesLong(m, boxes.Dump), takesLong(m, balls.Dump)
		balls.Dump = m.inTheDark(balls.Dump)
		kinds := []ds.AnyKind{boxes, balls}
		if apart {
			kinds = kinds[i : i+1]
		}
		e, s := ds.New(kinds...), ds.NewStore()
		e.MaxPrune, e.Parallel = 1, []int{0, 1, 3}[r.Intn(3)]
		s.Complete()
		m.engines, m.stores, m.said = append(m.engines, e), append(m.stores, s), append(m.said, map[string]wants{})
		go func() { done <- e.Run(ctx, s, resync) }()
	}
	return m
}

// takesLong has a Dump tell some time later what there was.
func takesLong[S any](m *model, dump func(context.Context, *ds.View) ([]S, error)) func(context.Context, *ds.View) ([]S, error) {
	return func(ctx context.Context, v *ds.View) ([]S, error) {
		found, err := dump(ctx, v)
		long := time.Duration(0)
		m.x.by(func() { long = m.reads })
		time.Sleep(long)
		return found, err
	}
}

// inTheDark has the balls not be found while it is dark.
func (m *model) inTheDark(dump func(context.Context, *ds.View) ([]ds.Actual[Ball], error)) func(context.Context, *ds.View) ([]ds.Actual[Ball], error) {
	return func(ctx context.Context, v *ds.View) ([]ds.Actual[Ball], error) {
		dark := false
		if m.x.by(func() { dark = m.dark }); dark {
			return nil, errTarget
		}
		return dump(ctx, v)
	}
}

// object draws the i-th object, which depends on some before it.
func (m *model) object(i int) ds.Object {
	name := func(i int) string { return fmt.Sprintf("n%02d", i) }
	b := Box{Name: name(i), Color: m.r.Intn(3), Shape: m.r.Intn(3)}
	var needs []string
	for range m.r.Intn(3) {
		if i > 0 {
			needs = append(needs, name(m.r.Intn(i)))
		}
	}
	slices.Sort(needs)
	b.Needs = strings.Join(slices.Compact(needs), ",")
	if m.apart && i%2 == 1 || !m.apart && m.r.Intn(2) == 0 {
		return Ball(b)
	}
	return b
}

// some draws what a source of a store wants, mostly so that it agrees with what others want, and says whether it does.
func (m *model) some(store, n int, others ...wants) (w wants, agrees bool) {
	w, agrees = wants{}, true
	quarrels := len(m.stores) == 1 && m.r.Intn(4) == 0
	for range m.r.Intn(6) {
		at := m.r.Intn(n)
		if m.apart {
			at = at/2*2 + store // a kind of its engine
		}
		o := m.object(at)
		for _, other := range others {
			if there := other[o.Key()]; there != nil && !quarrels {
				o = there
			}
		}
		w[o.Key()] = o
	}
	for _, other := range others {
		for k, o := range w {
			agrees = agrees && (other[k] == nil || other[k] == o)
		}
	}
	return w, agrees
}

// tell tells a store something, and takes note of it.
func (m *model) tell(i int) {
	s, said := m.stores[i], m.said[i]
	source := []string{"", "A", "B", "C"}[m.r.Intn(4)]
	const n = 12
	var others []wants
	for j, by := range m.said {
		for name, w := range by {
			if j != i || name != source {
				others = append(others, w)
			}
		}
	}
	switch op := m.r.Intn(5); {
	case op == 0 && len(m.stores) == 1: // all sources at once
		all, objects := map[string]wants{}, map[string][]ds.Object{}
		for _, name := range []string{"", "A", "B", "C"} {
			if m.r.Intn(3) > 0 {
				w, agrees := m.some(i, n, slices.Collect(maps.Values(all))...)
				if agrees {
					all[name], objects[name] = w, w.list()
				}
			}
		}
		require.NoError(m, s.Replace(objects))
		m.said[i] = all
	case op == 1:
		w, _ := m.some(i, n, said[""])
		s.Delete(slices.Collect(maps.Keys(w))...)
		for k := range w {
			delete(said[""], k)
		}
	case op == 2 && source == "":
		w, agrees := m.some(i, n, others...)
		err := s.Put(w.list()...)
		require.Equal(m, agrees, err == nil, "%v", err)
		if agrees {
			if said[""] == nil {
				said[""] = wants{}
			}
			maps.Copy(said[""], w)
		}
	default:
		w, agrees := m.some(i, n, others...)
		err := s.Assign(source, w.list()...)
		require.Equal(m, agrees, err == nil, "%v", err)
		if agrees {
			said[source] = w
		}
	}
}

// wanted is what a store was told.
func (m *model) wanted(i int) wants {
	all := wants{}
	for _, w := range m.said[i] {
		maps.Copy(all, w)
	}
	return all
}

// settles checks what came of all that was said, once nothing fails any more.
func (m *model) settles() {
	m.x.by(func() { m.x.fail, m.x.blind, m.dark, m.reads = nil, false, false, 0 })
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	all := wants{}
	for i := range m.stores {
		maps.Copy(all, m.wanted(i))
	}
	// A new engine, that knows nothing but what there is, would do nothing, and blocks the same.
	p, err := engine(m.x).Plan(m.Context(), all.list()...)
	require.NoError(m, err)
	require.True(m, p.Empty(), "a new engine would do\n%s\n%s%s", p, m.statuses(), m.x)
	blocked := map[ds.Key]bool{}
	for _, st := range p.Steps {
		blocked[st.Key] = true
	}
	for i, s := range m.stores {
		mine, told := m.wanted(i), 0
		for k, st := range s.Statuses() {
			state := ds.Applied
			if blocked[k] {
				state = ds.Blocked
			}
			require.NotNil(m, mine[k], "%s is not wanted: %s\n%s", k, st.State, m.x)
			require.Equal(m, state, st.State, "%s: %v\n%s\n%s", k, st.Err, p, m.x)
			told++
		}
		require.Len(m, mine, told)
		require.Empty(m, ds.StoreFaults(s))
	}
	require.Empty(m, ds.EngineFaults(m.engines[0]), "%s", m.x)
	m.isThere(all, blocked)
}

// isThere checks the target by itself: what is not blocked is there as wanted, once, and else nothing that is not wanted.
func (m *model) isThere(all wants, blocked map[ds.Key]bool) {
	there := map[ds.Key]bool{}
	for _, i := range m.x.items {
		k := thingKey(i.name)
		require.False(m, there[k], "%s is there twice\n%s", k, m.x)
		require.NotNil(m, all[k], "%s is there, and not wanted\n%s%s", k, m.statuses(), m.x)
		if there[k] = true; blocked[k] {
			continue
		}
		var needs []string
		for _, u := range i.needs {
			needs = append(needs, m.x.items[u].name)
		}
		slices.Sort(needs)
		is, want := Box{i.name, i.slot, i.color, i.shape, strings.Join(needs, ",")}, asBox(all[k])
		if want.Shape == 0 {
			want.Shape = i.shape
		}
		require.Equal(m, want, is)
		require.Equal(m, isBall(all[k]), i.kind == "ball")
	}
	for k := range all {
		require.True(m, there[k] || blocked[k], "%s", k)
	}
}

func (m *model) statuses() string {
	var b strings.Builder
	for i, s := range m.stores {
		for k, st := range s.Statuses() {
			fmt.Fprintln(&b, i, k, st.State, st.Leaving, st.Err, st.BlockedBy, st.Attempts, m.wanted(i)[k])
		}
	}
	return b.String()
}

// play runs a model by a seed, with fake time.
func play(t *testing.T, seed int64, engines int, resync time.Duration, blinds, apart bool) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("by seed %d", seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, seed, engines, resync, apart)
		for range 25 {
			i := m.r.Intn(engines)
			m.tell(i)
			switch m.r.Intn(10) {
			case 0:
				m.engines[i].Forget()
			case 1: // a dry run, of anything
				w, _ := m.some(i, 12)
				_, err := m.engines[i].PlanEnsure(t.Context(), w.list()...)
				require.NoError(t, err)
			case 2:
				m.x.by(func() { m.x.blind = blinds })
			case 3, 4:
				m.x.by(func() { m.dark = blinds })
			default:
				m.x.by(func() { m.x.blind, m.dark = false, false })
			}
			require.Empty(t, ds.StoreFaults(m.stores[i]))
			time.Sleep([]time.Duration{0, time.Millisecond, 60 * time.Millisecond, 300 * time.Millisecond, 5 * time.Second, 70 * time.Second}[m.r.Intn(6)])
		}
		m.settles()
		m.end()
	})
}

// seeds is how often each model is played.
const seeds = 40

// Whatever a store is told, and whatever fails meanwhile, a Run brings the target to it in the end, and says of each
// object just what a new engine would find: with looks at all and without, and while kinds cannot be read.
func TestARunAgreesWithItsModel(t *testing.T) {
	for seed := range int64(seeds) {
		play(t, 2*seed, 1, 0, seed%2 == 0, false)
		play(t, 2*seed+1, 1, time.Minute, seed%2 == 0, false)
	}
}

// Whatever two stores are told, and whatever fails meanwhile, the Runs of two engines on one target bring it to that in the
// end, and say of each object just what a new engine would find, with looks at all and without, and while kinds cannot be
// read, which each has or one of them; if the stores do not quarrel.
func TestTwoRunsAgreeWithTheirModel(t *testing.T) {
	for seed := range int64(seeds) {
		resync := time.Duration(seed%2) * time.Minute
		play(t, seed, 2, resync, false, false)
		play(t, seed, 2, resync, true, false)
		play(t, seed, 2, resync, true, true)
	}
}
