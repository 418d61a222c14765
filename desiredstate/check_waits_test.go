// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// What a Check refuses for what others are is looked at again once these are otherwise, by whatever error it was refused.
func TestWhatACheckRefusesWaitsForWhatItLookedAt(t *testing.T) {
	for name, refusal := range map[string]error{"conflict": ds.ErrConflict, "foreign": ds.ErrForeign, "invalid": ds.ErrInvalid, "plain": errors.New("no")} {
		for _, needs := range []string{"b", ""} { // which it depends on, or only looks at
			for change, to := range map[string]ds.Object{"updated": Ball{Name: "b", Color: 2}, "replaced": Ball{Name: "b", Shape: 2}, "made": nil} {
				t.Run(fmt.Sprint(name, " needs=", needs, " ", change), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						x := newTarget()
						k := boxes(x)
						k.Check = func(v *ds.View, _ Box) error {
							if b, ok := v.Known(thingKey("b")).(Ball); ok && (b.Color == 2 || b.Shape == 2) {
								return nil
							}
							return fmt.Errorf("%w: b is wrong", refusal)
						}
						e, s := ds.New(k, balls(x)), ds.NewStore()
						defer runOn(t, e, s)()
						if to != nil {
							require.NoError(t, s.Put(Ball{Name: "b"}))
							require.NoError(t, s.Wait(t.Context(), thingKey("b")))
						} else {
							to = Ball{Name: "b", Color: 2}
						}
						require.NoError(t, s.Put(Box{Name: "u", Needs: needs}))
						time.Sleep(time.Hour)
						require.NotContains(t, x.String(), "box u")
						require.NoError(t, s.Put(to))
						time.Sleep(time.Hour)
						require.Contains(t, x.String(), "box u", "what it was refused for has changed an hour ago")
					})
				})
			}
		}
	}
}

// Of those that refuse each other, none is looked at for ever, and the first is made once the other is not wanted any more.
func TestWhoRefuseEachOtherRest(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			x := newTarget()
			var checks atomic.Int64
			k := boxes(x)
			k.Check = func(v *ds.View, want Box) error {
				checks.Add(1)
				for _, o := range []string{"a", "b", "c"} {
					if v.Known(thingKey(o)) != nil && o != want.Name {
						return fmt.Errorf("%w: %s is wanted too", ds.ErrConflict, o)
					}
				}
				return nil
			}
			e, s := ds.New(k), ds.NewStore()
			defer runOn(t, e, s)()
			for _, n := range []string{"a", "b", "c", "a", "b"} {
				go func() { _ = s.Put(Box{Name: n, Color: len(n)}) }()
			}
			time.Sleep(24 * time.Hour)
			require.Less(t, checks.Load(), int64(200))
			s.Delete(thingKey("a"))
			s.Delete(thingKey("c"))
			time.Sleep(24 * time.Hour)
			require.Contains(t, x.String(), "box b")
			require.Less(t, checks.Load(), int64(300))
		})
	}
}
