// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
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

// Those who share a turn have it at once; who has one alone waits for all of them, and those who come after him wait for him.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		c, a := w.pipe(), vppnet.InterfaceKey("a")
		defer c.Close()
		var order []string
		note := func(what string) { order = append(order, what) }
		first, err := c.Share(t.Context(), a)
		require.NoError(t, err)
		second, err := c.Share(t.Context(), a)
		require.NoError(t, err)

		go func() {
			done, err := c.Turn(t.Context(), a)
			require.NoError(t, err)
			note("alone")
			done()
		}()
		synctest.Wait()
		go func() {
			done, err := c.Share(t.Context(), a)
			require.NoError(t, err)
			note("shared")
			done()
		}()
		synctest.Wait()
		require.Empty(t, order)
		first()
		first()
		synctest.Wait()
		require.Empty(t, order, "the second one has it still")
		second()
		synctest.Wait()
		require.ElementsMatch(t, []string{"alone", "shared"}, order)

		ctx, cancel := context.WithCancel(t.Context())
		done, err := c.Turn(t.Context(), a)
		require.NoError(t, err)
		cancel()
		_, err = c.Share(ctx, a)
		require.ErrorIs(t, err, context.Canceled)
		done()
	})
}

// What is to be done once is done once, and again only after it failed.
func TestOnce(t *testing.T) {
	vpp := vpptest.New(t)
	c, other := dialVPP(t, vpp.Socket()), dialVPP(t, vpp.Socket())
	a, calls, fails := vppnet.InterfaceKey("a"), 0, errors.New("not this time")
	once := func(c *vppnet.Conn, k desiredstate.Key, err error) error {
		return c.Once(t.Context(), k, func() error { calls++; return err })
	}
	require.ErrorIs(t, once(c, a, fails), fails)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { _ = once(c, a, nil) })
	}
	all.Wait()
	require.Equal(t, 2, calls)
	require.NoError(t, once(c, a, fails))
	require.ErrorIs(t, once(c, vppnet.InterfaceKey("b"), fails), fails)
	require.ErrorIs(t, once(other, a, fails), fails)
}

// A turn that is ended twice ends once: the second time it could be another's.
func TestATurnEndsOnce(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	done, err := c.Turn(t.Context(), vppnet.InterfaceKey("a"))
	require.NoError(t, err)
	done()
	other, err := c.Turn(t.Context(), vppnet.InterfaceKey("a"))
	require.NoError(t, err)
	done()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Turn(ctx, vppnet.InterfaceKey("a"))
	require.ErrorIs(t, err, context.Canceled, "it is the other's turn")
	other()
}
