// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// hat hides the color of a thing as long as it is on it: the target shows the hat's, and gives the thing its own
// back when the hat goes.
type hat struct{ On, Kind string }

func (h hat) Key() ds.Key     { return ds.Key{Space: "top", Name: h.On} } // it comes last in a plan
func (h hat) Validate() error { return nil }

func (h hat) Deps() []ds.Key {
	if h.Kind == "bowler" {
		return nil // nothing tells that it is on a box
	}
	return []ds.Key{thingKey(h.On)}
}

const hatColor = 99

// hats are on boxes of the target, whose colors they show.
type hats struct {
	x    *target
	on   map[string]string // by what is on it, the kind of hat
	own  map[string]int    // colors below hats
	fail error             // of the next removal
}

func (h *hats) of(name string) *item {
	for _, i := range h.x.items {
		if i.name == name {
			return i
		}
	}
	return nil
}

func (h *hats) kind() *ds.Kind[hat] {
	return &ds.Kind[hat]{
		Name: "hat",
		Dump: func(context.Context, *ds.View) (out []ds.Actual[hat], err error) {
			h.x.by(func() {
				for on, kind := range h.on {
					out = append(out, ds.Actual[hat]{Spec: hat{on, kind}})
				}
			})
			return out, nil
		},
		Create: func(_ context.Context, _ *ds.View, w hat) (uint32, error) {
			return 0, h.x.write("hat on "+w.On, func() {
				i := h.of(w.On)
				if i == nil {
					h.x.violate("a hat on nothing")
					return
				}
				h.on[w.On], h.own[w.On] = w.Kind, i.color
				i.color = hatColor
			})
		},
		Delete: func(_ context.Context, _ *ds.View, have ds.Actual[hat]) error {
			if h.fail != nil {
				return h.fail
			}
			return h.x.write("hat off "+have.Spec.On, func() {
				delete(h.on, have.Spec.On)
				if i := h.of(have.Spec.On); i != nil {
					i.color = h.own[have.Spec.On]
				}
			})
		},
		Covers: func(w hat) []ds.Key { return []ds.Key{thingKey(w.On)} },
	}
}

func (h *hats) wears(name string) (is bool) {
	h.x.by(func() { is = h.on[name] != "" })
	return is
}

// under makes boxes know that they may be below a hat.
func (h *hats) under(k *ds.Kind[Box]) *ds.Kind[Box] {
	dump, fill, update := k.Dump, k.Fill, k.Update
	k.Dump = func(ctx context.Context, v *ds.View) ([]ds.Actual[Box], error) {
		all, err := dump(ctx, v)
		for i := range all {
			if h.wears(all[i].Spec.Name) {
				all[i].Covered, all[i].Spec.Color = true, -1
			}
		}
		return all, err
	}
	k.Fill = func(have ds.Actual[Box], want Box) Box {
		if want = fill(have, want); have.Covered {
			want.Color = have.Spec.Color
		}
		return want
	}
	k.Update = func(ctx context.Context, v *ds.View, have ds.Actual[Box], want Box) error {
		if h.wears(want.Name) && want.Color != have.Spec.Color {
			h.x.by(func() { h.x.violate("update %s below its hat", want.Name) })
		}
		return update(ctx, v, have, want)
	}
	return k
}

func wardrobe() (*target, *hats, func() *ds.Engine) {
	x := newTarget()
	h := &hats{x: x, on: map[string]string{}, own: map[string]int{}}
	return x, h, func() *ds.Engine { return ds.New(h.under(boxes(x)), h.kind()) }
}

// What is hidden is not compared as long as it is, and right as soon as it is not, whether the target was read
// meanwhile or not, and whoever had put the hat on.
func TestWhatIsHidden(t *testing.T) {
	for name, again := range map[string]func(e *ds.Engine, anew func() *ds.Engine) *ds.Engine{
		"known":   func(e *ds.Engine, _ func() *ds.Engine) *ds.Engine { return e },
		"read":    func(e *ds.Engine, _ func() *ds.Engine) *ds.Engine { e.Forget(); return e },
		"another": func(_ *ds.Engine, anew func() *ds.Engine) *ds.Engine { return anew() },
	} {
		for to := range 4 { // colors
			t.Run(fmt.Sprint(name, to), func(t *testing.T) {
				x, h, anew := wardrobe()
				e := anew()
				syncs(t, e, Box{Name: "a", Color: 1}, hat{"a", "bowler"})
				require.Equal(t, "box a color=99 shape=7\n", x.String())
				e = again(e, anew)
				p, err := e.Plan(t.Context(), Box{Name: "a", Color: to}, hat{"a", "bowler"})
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%v", p)
				syncs(t, e, Box{Name: "a", Color: to}, hat{"a", "bowler"})
				e = again(e, anew)
				syncs(t, e, Box{Name: "a", Color: to}, hat{"a", "top"}) // one for the other
				require.Equal(t, "top", h.on["a"])
				require.Equal(t, "box a color=99 shape=7\n", x.String())
				e = again(e, anew)
				e.MaxPrune = 1
				r := syncs(t, e, Box{Name: "a", Color: to})
				require.Equal(t, fmt.Sprintf("box a color=%d shape=7\n", to), x.String(), "%v", r)
				require.Empty(t, x.violations)
				p, err = anew().Plan(t.Context(), Box{Name: "a", Color: to})
				require.NoError(t, err)
				require.Empty(t, p.Steps, "%v", p)
				syncs(t, e, Box{Name: "a", Color: to + 1}) // and it counts again
				require.Equal(t, fmt.Sprintf("box a color=%d shape=7\n", to+1), x.String())
			})
		}
	}
}

// Together with the hat, the plan shows it; what cannot be taken off keeps it from being tried.
func TestWhatIsHiddenComesRightAfterwards(t *testing.T) {
	x, h, anew := wardrobe()
	e := anew()
	e.MaxPrune = 1
	syncs(t, e, Box{Name: "a", Color: 1}, hat{"a", "bowler"})
	e.Forget()
	p, err := e.Plan(t.Context(), Box{Name: "a", Color: 2})
	require.NoError(t, err)
	require.Equal(t, "~ thing/a (box)\n      Color: -1 -> 2\n- top/a (hat)\n1 to update, 1 to delete\n", p.String())
	h.fail = errors.New("stuck")
	_, err = e.Apply(t.Context(), p)
	require.ErrorIs(t, err, h.fail)
	require.Empty(t, x.violations)
	h.fail = nil
	syncs(t, e, Box{Name: "a", Color: 2})
	require.Equal(t, "box a color=2 shape=7\n", x.String())
	require.Empty(t, x.violations)

	// And what is to be below one has its own color first.
	syncs(t, e, Box{Name: "a", Color: 3}, hat{"a", "bowler"})
	require.Empty(t, x.violations)
	require.Equal(t, map[string]int{"a": 3}, h.own)
}

// Who takes the hat off and says nothing of what is below leaves that as the target has it; what is wanted of it
// counts again from then on.
func TestWhatIsHiddenNoMoreCounts(t *testing.T) {
	for _, read := range []bool{false, true} {
		x, _, anew := wardrobe()
		e := anew()
		syncs(t, e, Box{Name: "a", Color: 1}, hat{"a", "bowler"})
		if read {
			e.Forget()
		}
		_, err := e.Ensure(t.Context(), Box{Name: "a", Color: 5})
		require.NoError(t, err)
		_, err = e.Remove(t.Context(), hat{On: "a"}.Key())
		require.NoError(t, err)
		require.Equal(t, "box a color=1 shape=7\n", x.String())
		_, err = e.Ensure(t.Context(), Box{Name: "a", Color: 5})
		require.NoError(t, err)
		require.Equal(t, "box a color=5 shape=7\n", x.String())
		require.Empty(t, x.violations)
	}
}

// Whatever is wanted one after the other, read or not meanwhile, and whatever failed or came to pass unheard of, in
// the end each box has the color that is wanted, seen or hidden.
func TestHiddenProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, h, anew := wardrobe()
		e := anew()
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			var want []ds.Object
			colors, hatted := map[string]int{}, map[string]bool{}
			for _, name := range []string{"a", "b"} {
				if !rapid.Bool().Draw(t, "box "+name) {
					continue
				}
				colors[name] = rapid.IntRange(0, 3).Draw(t, "color")
				want = append(want, Box{Name: name, Color: colors[name], Shape: rapid.IntRange(1, 2).Draw(t, "shape")})
				if hatted[name] = rapid.Bool().Draw(t, "hat"); hatted[name] {
					want = append(want, hat{name, rapid.SampledFrom([]string{"cap", "top"}).Draw(t, "kind")})
				}
			}
			switch rapid.IntRange(0, 3).Draw(t, "meanwhile") {
			case 0:
				e.Forget()
			case 1:
				e = anew()
			}
			e.MaxPrune = 1
			if at := rapid.IntRange(0, 6).Draw(t, "fails"); at > 0 {
				first, what := x.written(), rapid.SampledFrom([]outcome{refused, lost}).Draw(t, "how")
				x.by(func() {
					x.fail = func(n int, _ string) outcome {
						if n == first+at {
							return what
						}
						return works
					}
				})
				_, _ = e.Sync(t.Context(), want...)
				x.heal()
			}
			if rapid.Bool().Draw(t, "reads") {
				e.Forget()
			}
			_, err := e.Sync(t.Context(), want...)
			require.NoError(t, err)
			require.Empty(t, x.violations)
			for name, color := range colors {
				if hatted[name] {
					require.Equal(t, hatColor, h.of(name).color)
				} else {
					require.Equal(t, color, h.of(name).color, name)
				}
			}
			require.Len(t, x.items, len(colors))
			p, err := anew().Plan(t.Context(), want...)
			require.NoError(t, err)
			require.Empty(t, p.Steps, "%v", p)
		}
	})
}

// A store's hat that goes is as good as a call's.
func TestRunSetsWhatWasHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, h, anew := wardrobe()
		e, s := anew(), ds.NewStore()
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, s, time.Minute) }()
		require.NoError(t, s.Put(Box{Name: "a", Color: 1}, hat{"a", "bowler"}))
		s.Complete()
		require.NoError(t, s.Wait(ctx))
		require.NoError(t, s.Put(Box{Name: "a", Color: 2}))
		require.NoError(t, s.Wait(ctx))
		require.Equal(t, "box a color=99 shape=7\n", x.String())
		s.Delete(hat{On: "a"}.Key())
		require.NoError(t, s.Wait(ctx))
		require.Equal(t, "box a color=2 shape=7\n", x.String())
		require.Empty(t, h.on)
		require.Empty(t, x.violations)
		end()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
