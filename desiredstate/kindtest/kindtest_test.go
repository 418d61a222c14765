// SPDX-License-Identifier: Apache-2.0

package kindtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/desiredstate/kindtest"
)

// Flag is a coloured piece of cloth, found by its name.
type Flag struct{ Name, Color string }

func (f Flag) Key() desiredstate.Key    { return desiredstate.Key{Space: "flag", Name: f.Name} }
func (f Flag) Deps() []desiredstate.Key { return nil }
func (f Flag) Validate() error {
	if f.Name == "" || f.Color == "" {
		return errors.New("a flag has a name and a colour")
	}
	return nil
}

// mast is what flags fly from. Theirs are those whose name starts with "their".
type mast struct {
	mu     sync.Mutex        // the engine unmakes several at once
	flags  map[string]string // colour by name
	writes int
	fault  int // the write that fails; 0: none
	lost   bool
}

func newMast() *mast { return &mast{flags: map[string]string{"theirs": "white"}} }

func (m *mast) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.flags)) {
		fmt.Fprintln(&b, name, m.flags[name])
	}
	return b.String()
}

var errWind = errors.New("too much wind")

func (m *mast) write(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes++; m.writes == m.fault {
		if m.lost {
			f()
		}
		return errWind
	}
	f()
	return nil
}

// heed writes unless it is told to stop.
func (m *mast) heed(ctx context.Context, f func()) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return m.write(f)
}

func flags(m *mast) *desiredstate.Kind[Flag] {
	set := func(ctx context.Context, f Flag) error { return m.heed(ctx, func() { m.flags[f.Name] = f.Color }) }
	return &desiredstate.Kind[Flag]{
		Name: "flag",
		Dump: func(ctx context.Context, _ *desiredstate.View) (out []desiredstate.Actual[Flag], err error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			for name, color := range m.flags {
				out = append(out, desiredstate.Actual[Flag]{Spec: Flag{name, color}, Foreign: strings.HasPrefix(name, "their")})
			}
			return out, nil
		},
		Create: func(ctx context.Context, _ *desiredstate.View, f Flag) (uint32, error) { return 0, set(ctx, f) },
		Update: func(ctx context.Context, _ *desiredstate.View, _ desiredstate.Actual[Flag], f Flag) error {
			return set(ctx, f)
		},
		Delete: func(ctx context.Context, _ *desiredstate.View, f desiredstate.Actual[Flag]) error {
			return m.heed(ctx, func() { delete(m.flags, f.Spec.Name) })
		},
	}
}

func worldOf(m *mast, k *desiredstate.Kind[Flag]) kindtest.World[Flag] {
	return kindtest.World[Flag]{
		Kind: k, State: m.String, Writes: func() int { return m.writes },
		Fault: func(nth int, lost bool) { m.fault, m.lost = m.writes+nth, lost },
		Heal:  func() { m.fault = 0 },
	}
}

func someFlags() *rapid.Generator[Flag] {
	return rapid.Custom(func(t *rapid.T) Flag {
		return Flag{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), rapid.SampledFrom([]string{"red", "green", "blue"}).Draw(t, "color")}
	})
}

func TestLaws(t *testing.T) {
	m := newMast()
	kindtest.Run(t, kindtest.Suite[Flag]{
		Gen: someFlags(),
		Open: func(testing.TB) kindtest.World[Flag] {
			w := worldOf(m, flags(m))
			w.Base = []desiredstate.Object{Flag{"base", "black"}}
			return w
		},
	})
}

func TestLawsOfAWorldThatShowsLittle(t *testing.T) {
	m := newMast()
	kindtest.Run(t, kindtest.Suite[Flag]{
		Gen: someFlags(), Checks: 1,
		Open: func(testing.TB) kindtest.World[Flag] {
			return kindtest.World[Flag]{Kind: flags(m), Writes: func() int { return m.writes }}
		},
	})
}

// Each law catches a kind that breaks it.
func TestBrokenKinds(t *testing.T) {
	ctx := t.Context()
	red, green := Flag{"a", "red"}, Flag{"a", "green"}
	type kind = desiredstate.Kind[Flag]
	type world = kindtest.World[Flag]
	for _, tc := range []struct {
		name string
		ruin func(m *mast, k *kind)
		law  func(w world) error
		err  string
	}{
		{
			"refuses what is valid",
			func(_ *mast, k *kind) {
				k.Create = func(context.Context, *desiredstate.View, Flag) (uint32, error) { return 0, errWind }
			},
			func(w world) error { return kindtest.Accepted(ctx, w, red) },
			"the target refuses what Validate passes: create flag/a: too much wind",
		},
		{
			"invalid",
			func(*mast, *kind) {},
			func(w world) error { return kindtest.Accepted(ctx, w, Flag{}) },
			"the generated object is not valid: a flag has a name",
		},
		{
			"does not see the colour",
			func(_ *mast, k *kind) {
				dump := k.Dump
				k.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Flag], error) {
					all, err := dump(ctx, v)
					for i := range all {
						all[i].Spec.Color = ""
					}
					return all, err
				}
			},
			func(w world) error { return kindtest.Idempotent(ctx, w, red) },
			"ensured again after Forget: 1 writes, want none",
		},
		{
			"flies two",
			func(m *mast, k *kind) {
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					m.flags["second"] = f.Color
					return create(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.Faithful(ctx, w, red) },
			"- flag/second",
		},
		{
			"takes away what it cannot make",
			func(_ *mast, k *kind) {
				k.Update = nil
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					if f.Color == "green" {
						return 0, errWind
					}
					return create(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.Unharmed(ctx, w, red, green) },
			"refused {Name:a Color:green}: want nothing to do, found:\n+ flag/a",
		},
		{
			"loses what it cannot make beside others",
			func(m *mast, k *kind) {
				k.Update = nil
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					if f.Color == "green" && m.flags["b"] == "green" {
						return 0, errWind
					}
					return create(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.Spared(ctx, w, red, green, Flag{"b", "green"}, Flag{"c", "blue"}) },
			"{Name:a Color:red} becomes {Name:a Color:green}, which is refused (replace flag/a: too much wind), beside [{Name:b Color:green} {Name:c Color:blue}]: want nothing to do, found:\n+ flag/a",
		},
		{
			"has room for short names alone",
			func(_ *mast, k *kind) { shortNames(k) },
			func(w world) error { return kindtest.Labelled(ctx, w, red) },
			"a plan does not refuse a name of 512 bytes: create flag/axxx",
		},
		{
			"has room for the names of few colours",
			func(_ *mast, k *kind) {
				k.Update = nil
				shortNames(k)
				k.Check = func(_ *desiredstate.View, f Flag) error {
					if len(f.Name) > 60 {
						return errWind
					}
					return nil
				}
			},
			func(w world) error { return kindtest.Labelled(ctx, w, red, green) },
			"Color:green} is refused (replace flag/a",
		},
		{
			"refuses nothing",
			func(*mast, *kind) {},
			func(w world) error { return kindtest.Unharmed(ctx, w, red, green) },
			"the target takes it",
		},
		{
			"changes nothing",
			func(_ *mast, k *kind) {
				k.Update = func(context.Context, *desiredstate.View, desiredstate.Actual[Flag], Flag) error { return nil }
			},
			func(w world) error { return kindtest.Changeable(ctx, w, red, green) },
			`Color: "red" -> "green"`,
		},
		{
			"sleeps",
			func(_ *mast, k *kind) {
				dump := k.Dump
				k.Dump = func(ctx context.Context, v *desiredstate.View) ([]desiredstate.Actual[Flag], error) {
					if v.Kept() != nil {
						return nil, desiredstate.ErrUnchanged
					}
					v.Keep("all that was there")
					return dump(ctx, v)
				}
			},
			func(w world) error { return kindtest.Watchful(ctx, w, red) },
			"with {Name:a Color:red}, who reads again finds",
		},
		{
			"leaves the rope",
			func(m *mast, k *kind) {
				remove := k.Delete
				k.Delete = func(ctx context.Context, v *desiredstate.View, f desiredstate.Actual[Flag]) error {
					m.flags["theirs, the rope"] = "grey"
					return remove(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.Removable(ctx, w, red) },
			"the target is not as it was",
		},
		{
			"takes theirs down",
			func(m *mast, k *kind) {
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					delete(m.flags, "theirs")
					return create(ctx, v, f)
				}
			},
			func(w world) error { return kindtest.Harmless(ctx, w, w.State(), red) },
			"was there before and is gone, or changed: theirs white",
		},
		{
			"leaves what it failed to make",
			func(m *mast, k *kind) {
				create := k.Create
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					id, err := create(ctx, v, f)
					if err != nil {
						m.flags["their looks"] = f.Color
					}
					return id, err
				}
			},
			func(w world) error { return kindtest.Repairable(ctx, w, nil, &red) },
			"their looks red",
		},
		{
			"never tries twice",
			func(m *mast, k *kind) {
				create, failed := k.Create, false
				k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
					if failed {
						return 0, errWind
					}
					id, err := create(ctx, v, f)
					failed = err != nil
					return id, err
				}
			},
			func(w world) error { return kindtest.Repairable(ctx, w, nil, &red) },
			"from nothing to {Name:a Color:red}, message 1 is refused, then tried again by the same engine: still not repaired",
		},
		{
			"trusts a refused removal",
			func(m *mast, k *kind) {
				remove := k.Delete
				k.Delete = func(ctx context.Context, v *desiredstate.View, f desiredstate.Actual[Flag]) error {
					_ = remove(ctx, v, f)
					return nil
				}
			},
			func(w world) error { return kindtest.Repairable(ctx, w, &red, nil) },
			"message 1 is refused",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMast()
			k := flags(m)
			tc.ruin(m, k)
			err := tc.law(worldOf(m, k))
			require.ErrorContains(t, err, tc.err)
		})
	}
	m := newMast()
	none := func(context.Context, *desiredstate.View) ([]desiredstate.Actual[secret], error) { return nil, nil }
	w := kindtest.World[secret]{Kind: &desiredstate.Kind[secret]{Name: "secret", Dump: none}}
	require.ErrorContains(t, kindtest.Portable(w, secret{m}), "decoded as")
}

// shortNames leaves no room for names of more than 60 bytes, 59 in green.
func shortNames(k *desiredstate.Kind[Flag]) {
	create := k.Create
	k.Create = func(ctx context.Context, v *desiredstate.View, f Flag) (uint32, error) {
		if len(f.Name) > 60 || len(f.Name) == 60 && f.Color == "green" {
			return 0, errWind
		}
		return create(ctx, v, f)
	}
}

// secret does not survive JSON.
type secret struct{ m *mast }

func (s secret) Key() desiredstate.Key    { return desiredstate.Key{} }
func (s secret) Deps() []desiredstate.Key { return nil }
func (s secret) Validate() error          { return nil }

// A law is a function that says what is broken.
func ExampleRepairable() {
	m := newMast()
	world := kindtest.World[Flag]{
		Kind:   flags(m),
		State:  m.String,
		Writes: func() int { return m.writes },
		Fault:  func(nth int, lost bool) { m.fault, m.lost = m.writes+nth, lost },
		Heal:   func() { m.fault = 0 },
	}
	red, blue := Flag{"mine", "red"}, Flag{"mine", "blue"}
	fmt.Println(kindtest.Repairable(context.Background(), world, &red, &blue))
	fmt.Print(m)
	// Output:
	// <nil>
	// theirs white
}

type pair struct{ Name, Value string }

func (p pair) Key() desiredstate.Key    { return desiredstate.Key{Space: "pair", Name: p.Name} }
func (p pair) Deps() []desiredstate.Key { return nil }
func (p pair) Validate() error          { return nil }

// Equal is wrong: it does not look at Value.
func (p pair) Equal(o pair) bool { return p.Name == o.Name }

func TestToldApart(t *testing.T) {
	require.NoError(t, kindtest.ToldApart(pair{"a", "1"}, pair{"b", "1"}))
	require.ErrorContains(t, kindtest.ToldApart(pair{"a", "1"}, pair{"a", "2"}), "by Equal {Name:a Value:1} is {Name:a Value:2}")
}
