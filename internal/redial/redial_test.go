// SPDX-License-Identifier: Apache-2.0

package redial_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/redial"
)

var (
	absent = errors.New("nobody is there")
	never  = errors.New("nobody ever will be")
)

func isNever(err error) bool { return !errors.Is(err, absent) }

func TestDial(t *testing.T) {
	tries, told := 0, 0
	c, err := redial.Dial(t.Context(), func(context.Context) (int, error) {
		if tries++; tries < 3 {
			return 0, absent
		}
		return tries, nil
	}, isNever, func(err error, wait time.Duration) {
		require.ErrorIs(t, err, absent)
		require.Positive(t, wait)
		told++
	})
	require.NoError(t, err)
	require.Equal(t, 3, c)
	require.Equal(t, 2, told)

	tries = 0
	_, err = redial.Dial(t.Context(), func(context.Context) (int, error) { tries++; return 0, never }, isNever, nil)
	require.Equal(t, never, err)
	require.Equal(t, 1, tries)
}

// Whose time is over is told what it was that it waited for, even if a dialer's clock ran out first.
func TestDialGivesUp(t *testing.T) {
	for name, late := range map[string]func(ctx context.Context) error{
		"between tries": func(ctx context.Context) error { return absent },
		"within a call": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"before a call": func(context.Context) error {
			_, err := (&net.Dialer{Deadline: time.Now().Add(-time.Second)}).Dial("unix", "/nowhere")
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		tries := 0
		_, err := redial.Dial(ctx, func(ctx context.Context) (int, error) {
			if tries++; tries == 1 {
				return 0, absent
			}
			return 0, late(ctx)
		}, isNever, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.ErrorIs(t, err, absent, name)
		require.Greater(t, tries, 1, name)
	}
}

func TestFollow(t *testing.T) {
	calls, told := 0, 0
	dial := func(context.Context) (int, error) { calls++; return calls, nil }
	require.NoError(t, redial.Follow(t.Context(), dial, func(_ context.Context, c int) error {
		if c < 3 {
			return absent
		}
		return nil
	}, func(err error, wait time.Duration) {
		require.ErrorIs(t, err, absent)
		require.LessOrEqual(t, wait, time.Second)
		told++
	}))
	require.Equal(t, 3, calls)
	require.Equal(t, 2, told)

	require.Equal(t, never, redial.Follow(t.Context(), func(context.Context) (int, error) { return 0, never },
		func(context.Context, int) error { panic("there is no connection") }, nil))
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, redial.Follow(ctx, dial, func(context.Context, int) error { cancel(); return nil }, nil), context.Canceled)
}
