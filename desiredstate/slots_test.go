// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// Who is to move does not keep a place for those who would share it.
func TestWhoMovesKeepsNoPlaceForOthers(t *testing.T) {
	x := newTarget()
	e := engine(x)
	syncs(t, e, Ball{Name: "m", Slot: "s"})
	_, err := e.Ensure(t.Context(), Box{Name: "a", Slot: "s"}, Ball{Name: "b", Slot: "s", Needs: "a"}, Ball{Name: "m", Slot: "t"})
	require.ErrorIs(t, err, ds.ErrConflict)
	require.Equal(t, "ball m color=0 shape=7 slot=t\nbox a color=0 shape=7 slot=s\n", x.String())
	require.Empty(t, x.violations)
}

// Who has what only one can have keeps it, whoever else wants it, for as long as it wants it. When it goes, the first
// by name has it of those that wait for it by then, however they came; and of those that come meanwhile, somebody.
func TestWhoHasItKeepsIt(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type step struct {
			put      []ds.Object
			meantime bool // what is deleted goes while these come
			delete   []ds.Key
		}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		var steps []step
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			var s step
			for range rapid.IntRange(0, 2).Draw(r, "puts") {
				s.put = append(s.put, Box{Name: name.Draw(r, "put"), Slot: "s"})
			}
			s.meantime = rapid.Bool().Draw(r, "meantime")
			for range rapid.IntRange(0, 1).Draw(r, "deletes") {
				s.delete = append(s.delete, thingKey(name.Draw(r, "delete")))
			}
			steps = append(steps, s)
		}
		synctest.Test(t, func(t *testing.T) {
			x, s := newTarget(), ds.NewStore()
			defer runOn(t, engine(x), s)()
			wanted, has := map[string]bool{}, ""
			settle := func(anybody bool) {
				synctest.Wait()
				if !wanted[has] {
					has = ""
					for _, n := range slices.Sorted(maps.Keys(wanted)) {
						if has == "" || anybody && strings.HasPrefix(x.String(), "box "+n+" ") {
							has = n
						}
					}
				}
				want := ""
				if has != "" {
					want = fmt.Sprintf("box %s color=0 shape=7 slot=s\n", has)
				}
				require.Equal(t, want, x.String(), "%v", steps)
			}
			for _, step := range steps {
				require.NoError(t, s.Put(step.put...))
				for _, o := range step.put {
					wanted[o.Key().Name] = true
				}
				if !step.meantime {
					settle(false)
				}
				s.Delete(step.delete...)
				for _, k := range step.delete {
					delete(wanted, k.Name)
				}
				settle(step.meantime)
			}
			require.Empty(t, x.violations)
		})
	})
}
