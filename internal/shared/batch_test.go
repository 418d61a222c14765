// SPDX-License-Identifier: Apache-2.0

package shared

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each is answered what was so after it asked, few questions serve many, and who errs
// tells all who asked.
func TestBatch(t *testing.T) {
	var now, asked atomic.Int64
	b := NewBatch(func(_ context.Context, all []int) (map[int]int64, error) {
		asked.Add(1)
		time.Sleep(time.Millisecond) // as a target does, while others come to ask
		out := map[int]int64{}
		for _, q := range all {
			out[q] = now.Load()
		}
		return out, nil
	})
	var group sync.WaitGroup
	for q := range 64 {
		group.Go(func() {
			for range 200 {
				before := now.Add(1)
				a, err := b.Ask(t.Context(), q)
				require.NoError(t, err)
				require.GreaterOrEqual(t, a, before)
			}
		})
	}
	group.Wait()
	require.Less(t, asked.Load(), int64(64*200/4))

	boom := errors.New("boom")
	fails := NewBatch(func(context.Context, []int) (map[int]int, error) { return nil, boom })
	_, err := fails.Ask(t.Context(), 1)
	require.ErrorIs(t, err, boom)
}
