// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// hook hangs on what need not be there.
type hook struct{ Name, On string }

func hookKey(name string) ds.Key { return ds.Key{Space: "hook", Name: name} }

func (h hook) Key() ds.Key { return hookKey(h.Name) }
func (h hook) Deps() []ds.Key {
	if h.On == "" {
		return nil
	}
	return []ds.Key{hookKey(h.On)}
}
func (h hook) Validate() error { return nil }

// One reading finds that the last that hung on something let go of it, and that it is there by now.
func TestLetGoOfAndThere(t *testing.T) {
	there := []ds.Actual[hook]{{Spec: hook{Name: "a", On: "z"}, ID: 1}}
	e := ds.New(&ds.Kind[hook]{
		Name: "hook",
		Dump: func(context.Context, *ds.View) ([]ds.Actual[hook], error) { return there, nil },
		Create: func(_ context.Context, _ *ds.View, h hook) (uint32, error) {
			require.Fail(t, "it is there", h)
			return 0, nil
		},
		Update: func(context.Context, *ds.View, ds.Actual[hook], hook) error { return nil },
		Delete: func(context.Context, *ds.View, ds.Actual[hook]) error { return nil },
	})
	found, err := e.Found(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 1)

	there = []ds.Actual[hook]{{Spec: hook{Name: "a"}, ID: 1}, {Spec: hook{Name: "z"}, ID: 2}}
	e.Forget()
	found, err = e.Found(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	report, err := e.Ensure(t.Context(), hook{Name: "z"})
	require.NoError(t, err)
	require.Equal(t, ds.Report{{Action: ds.Keep, Key: hookKey("z"), ID: 2}}, report)
}

// hookNames are those that are drawn, hungOn what such a hook hangs on.
var (
	hookNames = []string{"a", "b", "c", "d", "e"}
	hungOn    = append([]string{""}, hookNames...)
)

// peg is what there is besides hooks, to be hung on; a reference kind names both.
type peg struct{ Name string }

func (p peg) Key() ds.Key     { return hookKey(p.Name) }
func (p peg) Deps() []ds.Key  { return nil }
func (p peg) Validate() error { return nil }

// hooks is a target of which anybody may change anything at any time.
type hooks struct {
	all  []ds.Actual[hook]
	pegs []ds.Actual[peg]
	next uint32
}

func (h *hooks) kinds() []ds.AnyKind {
	named := &ds.Kind[peg]{
		Name: "peg",
		Dump: func(context.Context, *ds.View) ([]ds.Actual[peg], error) {
			out := slices.Clone(h.pegs)
			for _, a := range h.all {
				out = append(out, ds.Actual[peg]{Spec: peg{a.Spec.Name}, ID: a.ID, Foreign: a.Foreign})
			}
			return out, nil
		},
	}
	at := func(id uint32) int {
		return slices.IndexFunc(h.all, func(a ds.Actual[hook]) bool { return a.ID == id })
	}
	return []ds.AnyKind{named, &ds.Kind[hook]{
		Name:     "hook",
		Requires: []ds.AnyKind{named},
		Dump:     func(context.Context, *ds.View) ([]ds.Actual[hook], error) { return slices.Clone(h.all), nil },
		Create: func(_ context.Context, _ *ds.View, want hook) (uint32, error) {
			h.next++
			h.all = append(h.all, ds.Actual[hook]{Spec: want, ID: h.next})
			return h.next, nil
		},
		Update: func(_ context.Context, _ *ds.View, have ds.Actual[hook], want hook) error {
			i := at(have.ID)
			if i < 0 {
				return errTarget
			}
			h.all[i].Spec = want
			return nil
		},
		Delete: func(_ context.Context, _ *ds.View, have ds.Actual[hook]) error {
			if i := at(have.ID); i >= 0 {
				h.all = slices.Delete(h.all, i, i+1)
			}
			return nil
		},
	}}
}

// byHand is a change that nobody tells the engine of.
func (h *hooks) byHand(r *rapid.T) {
	name := rapid.SampledFrom(hookNames)
	on := rapid.SampledFrom(hungOn)
	some := rapid.IntRange(0, 7).Draw(r, "which")
	switch what := rapid.IntRange(0, 6).Draw(r, "by hand"); {
	case what < 2:
		h.next++
		h.all = append(h.all, ds.Actual[hook]{
			Spec: hook{name.Draw(r, "name"), on.Draw(r, "on")}, ID: h.next, Foreign: rapid.IntRange(0, 3).Draw(r, "foreign") == 0,
		})
	case what == 2:
		h.next++
		h.pegs = append(h.pegs, ds.Actual[peg]{Spec: peg{name.Draw(r, "name")}, ID: h.next, Foreign: true})
	case what == 3 && len(h.pegs) > 0:
		h.pegs = slices.Delete(h.pegs, 0, 1)
	case len(h.all) == 0:
	case what == 4:
		h.all = slices.Delete(h.all, some%len(h.all), some%len(h.all)+1)
	case what == 5:
		h.all[some%len(h.all)].Spec.On = on.Draw(r, "on")
	default: // in another order, under another number
		i := some % len(h.all)
		h.next++
		a := h.all[i]
		a.ID = h.next
		h.all = append(slices.Delete(h.all, i, i+1), a)
	}
}

// Whatever changed, and whatever an engine did meanwhile, a reading finds what is there.
func TestAReadingIsTheTruth(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := &hooks{}
		e := ds.New(h.kinds()...)
		e.MaxPrune, e.Parallel = 1, 1
		ctx := context.Background()
		for range rapid.IntRange(1, 12).Draw(r, "rounds") {
			for range rapid.IntRange(0, 4).Draw(r, "hands") {
				h.byHand(r)
			}
			o := hook{
				rapid.SampledFrom(hookNames).Draw(r, "name"),
				rapid.SampledFrom(hungOn).Draw(r, "on"),
			}
			switch rapid.IntRange(0, 3).Draw(r, "call") { // what comes of it is not the question
			case 0:
				_, _ = e.Ensure(ctx, o)
			case 1:
				_, _ = e.Remove(ctx, o.Key())
			case 2:
				_, _ = e.Sync(ctx, o)
			}
			e.Forget()
			found, err := e.Found(ctx)
			require.NoError(r, err)
			var have []ds.Actual[hook]
			for _, f := range found {
				have = append(have, ds.Actual[hook]{Spec: f.Spec.(hook), ID: f.ID, Foreign: f.Foreign})
			}
			byID := func(a, b ds.Actual[hook]) int { return cmp.Compare(a.ID, b.ID) }
			slices.SortFunc(have, byID)
			require.Equal(r, slices.SortedFunc(slices.Values(h.all), byID), have)
			for _, a := range h.all {
				_, err := e.ID(a.Spec.Key())
				require.NoError(r, err, a)
			}
		}
		h.settles(r, e)
	})
}

// foreign says whether somebody else has something of a name, or hangs on it.
func (h *hooks) foreign(name string) bool {
	return slices.ContainsFunc(h.pegs, func(a ds.Actual[peg]) bool { return a.Spec.Name == name }) ||
		slices.ContainsFunc(h.all, func(a ds.Actual[hook]) bool { return a.Foreign && (a.Spec.Name == name || a.Spec.On == name) })
}

// settles has an engine bring about what is drawn, and checks that all is so which is not blocked, and
// nothing else of ours.
func (h *hooks) settles(r *rapid.T, e *ds.Engine) {
	ctx := context.Background()
	var want []ds.Object
	for _, name := range hookNames {
		if rapid.Bool().Draw(r, "wanted") {
			on := rapid.SampledFrom(hungOn).Draw(r, "on")
			want = append(want, hook{name, on})
		}
	}
	for range 3 { // what is blocked by what goes may come the next time
		_, _ = e.Sync(ctx, want...)
		e.Forget()
	}
	p, err := e.Plan(ctx, want...)
	require.NoError(r, err)
	require.True(r, p.Empty(), "%s", p)
	blocked := map[ds.Key]bool{}
	for _, s := range p.Steps {
		blocked[s.Key] = true
	}
	ours := map[ds.Key][]hook{}
	for _, a := range h.all {
		if !a.Foreign {
			ours[a.Spec.Key()] = append(ours[a.Spec.Key()], a.Spec)
		}
	}
	for _, o := range want {
		if !blocked[o.Key()] {
			require.Equal(r, []hook{o.(hook)}, ours[o.Key()], "%s", p)
		} else if o.(hook).On == "" { // for want of nothing, so it is in others' hands
			require.True(r, h.foreign(o.(hook).Name), "%s", p)
		}
		delete(ours, o.Key())
	}
	for k := range ours { // what cannot go, says so
		require.True(r, blocked[k], "%s: %s", k, p)
	}
}
