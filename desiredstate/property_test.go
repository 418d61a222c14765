// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// world draws wants at random: dependencies that may be missing or circular,
// slots that collide, kinds that change, names that are taken.
func world(t *rapid.T) []ds.Object {
	names := []string{"a", "b", "c", "d", "e", "f", "theirs"}
	n := rapid.IntRange(0, len(names)).Draw(t, "n")
	chosen := rapid.Permutation(names).Draw(t, "names")[:n]
	var out []ds.Object
	for _, name := range chosen {
		b := Box{
			Name:  name,
			Color: rapid.IntRange(0, 2).Draw(t, "color"),
			Shape: rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "shape"),
			Slot:  rapid.SampledFrom([]string{"", "", "", "s1", "s2", "theirs"}).Draw(t, "slot"),
		}
		needs := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 2, rapid.ID[string]).Draw(t, "needs")
		slices.Sort(needs)
		if rapid.IntRange(0, 9).Draw(t, "circular") > 0 { // most often only on smaller names
			needs = slices.DeleteFunc(needs, func(o string) bool { return o >= name && o != "theirs" })
		}
		b.Needs = strings.Join(needs, ",")
		if rapid.Bool().Draw(t, "ball") {
			out = append(out, Ball(b))
		} else {
			out = append(out, b)
		}
	}
	return out
}

func asBox(o ds.Object) Box {
	if b, ok := o.(Ball); ok {
		return Box(b)
	}
	return o.(Box)
}

func isBall(o ds.Object) bool { _, is := o.(Ball); return is }

// foreigners puts in what is not ours and must stay as it is.
func foreigners(x *target) {
	x.add(&item{kind: "box", name: "theirs", color: 9, foreign: true})
	x.add(&item{kind: "ball", name: "other", slot: "theirs", foreign: true})
}

func foreignPart(x *target) string {
	var out []string
	for l := range strings.Lines(x.String()) {
		if strings.Contains(l, "foreign") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "")
}

// converges syncs until nothing fails but what the wants themselves forbid.
func converges(t require.TestingT, ctx context.Context, x *target, e *ds.Engine, want []ds.Object) {
	x.heal()
	e.Forget()
	var p *ds.Plan
	for round := 0; ; round++ {
		require.Less(t, round, 4, "does not converge: %v\n%s", p, x)
		var err error
		p, err = e.Plan(ctx, want...)
		require.NoError(t, err)
		if p.Empty() {
			break
		}
		p.Confirm()
		_, err = e.Apply(ctx, p)
		require.NotErrorIs(t, err, errTarget)
		e.Forget()
	}
	blocked := map[ds.Key]error{}
	for _, s := range p.Steps {
		blocked[s.Key] = s.Err
	}
	byName := map[string]*item{}
	for _, i := range x.items {
		if i.foreign {
			continue
		}
		require.Nil(t, byName[i.name], "surplus %s\n%s", i.name, x)
		byName[i.name] = i
	}
	for _, o := range want {
		b := asBox(o)
		i := byName[b.Name]
		delete(byName, b.Name)
		if err := blocked[o.Key()]; err != nil {
			justified(t, x, want, blocked, o, err)
			continue
		}
		require.NotNil(t, i, "%s is neither there nor blocked", b.Name)
		require.Equal(t, b.Color, i.color)
		if b.Shape != 0 {
			require.Equal(t, b.Shape, i.shape)
		}
		require.Equal(t, b.Slot, i.slot)
		require.Len(t, i.needs, len(o.Deps()))
	}
	require.Empty(t, byName, "not wanted, but there")
	require.Empty(t, x.violations)
}

// justified checks that the wants themselves keep b from being applied.
func justified(t require.TestingT, x *target, want []ds.Object, blocked map[ds.Key]error, wanted ds.Object, err error) {
	b := asBox(wanted)
	switch {
	case b.Name == "theirs" || b.Slot == "theirs", strings.Contains(err.Error(), ds.ErrCycle.Error()):
		return
	case b.Slot != "" && slices.ContainsFunc(want, func(o ds.Object) bool {
		return asBox(o).Slot == b.Slot && asBox(o).Name != b.Name && !(isBall(o) && isBall(wanted))
	}):
		return
	}
	for _, i := range x.items { // held by one that is itself kept from changing
		if b.Slot != "" && i.slot == b.Slot && i.name != b.Name && blocked[thingKey(i.name)] != nil {
			return
		}
	}
	for _, d := range b.Deps() {
		absent := true
		for _, i := range x.items {
			absent = absent && i.name != d.Name
		}
		if absent || blocked[d] != nil { // a blocked one may be about to go
			return
		}
	}
	require.Fail(t, "blocked without reason", "%s: %v\n%s", b.Name, err, x)
}

func TestAlwaysConvergesWhateverFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		x := newTarget()
		foreigners(x)
		before := foreignPart(x)
		e := engine(x)
		e.Parallel = rapid.SampledFrom([]int{1, 2, 64}).Draw(t, "parallel")
		e.MaxPrune = 1
		seed := rapid.Uint32().Draw(t, "seed")
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			want := world(t)
			rate := rapid.SampledFrom([]uint32{0, 10, 40}).Draw(t, "failures %")
			x.by(func() {
				x.fail = func(n int, _ string) outcome {
					h := (uint32(n)*2654435761 + seed) >> 8
					if h%100 >= rate {
						return works
					}
					return refused + outcome(h>>7&1)
				}
			})
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0:
				_, _ = e.Ensure(ctx, want...)
			case 1:
				keys := make([]ds.Key, len(want))
				for i, o := range want {
					keys[i] = o.Key()
				}
				_, _ = e.Remove(ctx, keys...)
			case 2: // another hand, and another engine on the same target
				x.by(func() {
					for id, i := range x.items {
						users := slices.ContainsFunc(x.ids(), func(u uint32) bool { return slices.Contains(x.items[u].needs, id) })
						if !i.foreign && !users {
							x.lose(id)
							break
						}
					}
				})
				e = engine(x)
				e.MaxPrune = 1
			default:
				_, _ = e.Sync(ctx, want...)
			}
			require.Empty(t, x.violations)
		}
		converges(t, ctx, x, e, world(t))
		require.Equal(t, before, foreignPart(x))
	})
}

func TestConcurrentCallsKeepTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		x := newTarget()
		foreigners(x)
		e := engine(x)
		e.MaxPrune = 1
		var all sync.WaitGroup
		for range rapid.IntRange(2, 6).Draw(t, "callers") {
			want, remove := world(t), rapid.Bool().Draw(t, "remove")
			all.Go(func() {
				for _, o := range want {
					if remove {
						_, _ = e.Remove(ctx, o.Key())
					} else {
						_, _ = e.Ensure(ctx, o)
					}
				}
			})
		}
		all.Wait()
		require.Empty(t, x.violations)
		converges(t, ctx, x, e, world(t))
	})
}

// An engine that was told all is of the same mind as one that reads it all.
func TestReadingInPlaceEqualsReadingAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		x := newTarget()
		foreigners(x)
		e := engine(x)
		e.MaxPrune = 1
		for range 3 {
			_, _ = e.Sync(ctx, world(t)...)
		}
		kept, err := e.Found(ctx)
		require.NoError(t, err)
		anew, err := engine(x).Found(ctx)
		require.NoError(t, err)
		show := func(list []ds.Found) string {
			var b strings.Builder
			for _, f := range list {
				s := asBox(f.Spec)
				if s.Shape == 0 {
					s.Shape = 7 // the target's choice, which the engine need not have read
				}
				fmt.Fprintln(&b, f.Kind, f.Key, f.ID, s, f.Foreign)
			}
			return b.String()
		}
		require.Equal(t, show(anew), show(kept))
	})
}
