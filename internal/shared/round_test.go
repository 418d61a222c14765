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

// Each is told what was there after it asked, and many share what one takes.
func TestLook(t *testing.T) {
	var now, taken atomic.Int64
	began, release := make(chan struct{}), make(chan struct{})
	r := NewRound(func(context.Context) (int64, error) {
		n := now.Load()
		if taken.Add(1) == 1 {
			close(began)
			<-release
		}
		return n, nil
	})
	var group sync.WaitGroup
	group.Go(func() {
		n, err := r.Join(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	})
	<-began
	now.Store(1)
	for range 100 {
		group.Go(func() {
			n, err := r.Join(t.Context())
			require.NoError(t, err)
			require.Equal(t, int64(1), n, "nobody is told what was before it asked")
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := r.Join(ended)
	require.ErrorIs(t, err, context.Canceled, "who gives up does not wait")
	time.Sleep(50 * time.Millisecond) // for most of them to have asked
	close(release)
	group.Wait()
	require.Less(t, taken.Load(), int64(90), "who asks at once shares")
}

// Who gives up while it looks for others does not end their wait.
func TestLookOfOneWhoGivesUp(t *testing.T) {
	boom := errors.New("boom")
	looking := make(chan struct{}, 1)
	first := true
	r := NewRound(func(ctx context.Context) (int, error) {
		if !first {
			return 7, nil
		}
		first = false
		looking <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := r.Join(ctx); done <- err }()
	<-looking
	told := make(chan int, 1)
	go func() { n, _ := r.Join(t.Context()); told <- n }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, 7, <-told)

	fails := NewRound(func(context.Context) (int, error) { return 0, boom })
	_, err := fails.Join(t.Context())
	require.ErrorIs(t, err, boom)
}
