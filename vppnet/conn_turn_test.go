// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestTurn(t *testing.T) {
	vpp := vpptest.New(t)
	c, other := dialVPP(t, vpp.Socket()), dialVPP(t, vpp.Socket())
	a, b := vppnet.InterfaceKey("a"), vppnet.InterfaceKey("b")

	in, most := 0, 0
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			done, err := c.Turn(t.Context(), a)
			if err == nil {
				in++
				most = max(most, in)
				in--
				done()
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, most)

	done, err := c.Turn(t.Context(), a)
	require.NoError(t, err)
	for _, free := range []func() (func(), error){
		func() (func(), error) { return c.Turn(t.Context(), b) },
		func() (func(), error) { return other.Turn(t.Context(), a) },
	} {
		end, err := free()
		require.NoError(t, err)
		end()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Turn(ctx, a)
	require.ErrorIs(t, err, context.Canceled)
	done()
	done, err = c.Turn(t.Context(), a)
	require.NoError(t, err)
	done()
}
