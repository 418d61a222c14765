// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// Who waits for what others change has its turn, whatever it is to do with it.
func TestWhoWaitsHasItsTurn(t *testing.T) {
	for what, mine := range map[string]func(i, has int) ds.Object{
		"changes it":                 func(i, _ int) ds.Object { return Box{Name: "a", Color: 1_000_000 + i} },
		"finds it as it is wanted":   func(_, has int) ds.Object { return Box{Name: "a", Color: has} },
		"makes something else on it": func(i, _ int) ds.Object { return Ball{Name: fmt.Sprint(i), Needs: "a"} },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTarget()
				x.delay = time.Second
				e := engine(x)
				_, err := e.Ensure(t.Context(), Box{Name: "a"})
				require.NoError(t, err)

				ctx, cancel := context.WithCancel(t.Context())
				others := sync.WaitGroup{}
				defer others.Wait()
				defer cancel()
				changes, has := atomic.Int32{}, atomic.Int32{}
				others.Go(func() { // who is done comes again at once, before who waits has woken
					for c := 1; ctx.Err() == nil; c++ {
						_, _ = e.Ensure(ctx, Box{Name: "a", Color: c})
						has.Store(int32(c))
						changes.Add(1)
					}
				})
				most := int32(0)
				for i := range 50 {
					time.Sleep(300 * time.Millisecond)
					before := changes.Load()
					_, err = e.Ensure(t.Context(), mine(i, int(has.Load())))
					require.NoError(t, err)
					most = max(most, changes.Load()-before)
				}
				require.LessOrEqual(t, most, int32(2), "changes by others while one waited")
			})
		})
	}
}
