// SPDX-License-Identifier: Apache-2.0

package desiredstate_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ds "github.com/vppkit/vppkit/desiredstate"
)

// Time goes on only when all of them are in the target.
func TestIndependentCallsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		k := boxes(x)
		_, err := k.Ensure(t.Context(), Box{Name: "base"})
		require.NoError(t, err)
		x.delay = time.Hour
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				_, err := k.Ensure(t.Context(), Box{Name: fmt.Sprint(i), Needs: "base"})
				require.NoError(t, err)
			})
		}
		all.Wait()
		require.Equal(t, 32, x.maxActive)
		require.Empty(t, x.violations)
	})
}

func TestSameObjectFromManyGoroutinesIsMadeOnce(t *testing.T) {
	x := newTarget()
	k := boxes(x)
	x.delay = time.Millisecond
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			r, err := k.Ensure(t.Context(), Box{Name: "one"})
			require.NoError(t, err)
			require.EqualValues(t, 1, r[0].ID)
		})
	}
	all.Wait()
	require.Equal(t, 1, x.writes)
}

func TestNoWaveWaitsForItsSlowest(t *testing.T) {
	x := newTarget()
	e := engine(x)
	slow := make(chan struct{})
	released := false
	x.fail = func(_ int, op string) outcome {
		if op == "create top" && !released {
			released = true
			close(slow)
		}
		return works
	}
	// slow and mid are of one depth; top needs mid alone.
	e.Observe = func(ev ds.Event) {
		if ev.Type == ds.Started && ev.Key.Name == "slow" {
			select {
			case <-slow:
			case <-time.After(10 * time.Second):
				t.Error("top waits for slow")
			}
		}
	}
	syncs(t, e, Box{Name: "mid"}, Box{Name: "slow"}, Box{Name: "top", Needs: "mid"})
}

// Who wants what another call is removing gets it: the calls are in line.
func TestEnsureDuringRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTarget()
		e := engine(x)
		syncs(t, e, Box{Name: "a"})
		x.delay = 5 * time.Millisecond
		done := make(chan error)
		go func() {
			_, err := e.Remove(t.Context(), thingKey("a"))
			done <- err
		}()
		time.Sleep(time.Millisecond)
		r, err := e.Ensure(t.Context(), Box{Name: "a"})
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.Equal(t, 1, r.Changed(), "%v", r)
		require.Contains(t, x.String(), "box a")
	})
}
