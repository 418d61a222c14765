// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"

	"github.com/vppkit/vppkit/vppnet"
)

// A reply that VPP is beyond is lost, long before the reply timeout.
func TestLostReplyIsToldFromALateOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.answer["sw_interface_set_flags"] = silence
		c := w.pipe(vppnet.WithReplyTimeout(time.Hour), vppnet.WithLostAfter(time.Second))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{})
		for range 3 {
			begin := time.Now()
			require.ErrorIs(t, setFlags(context.Background(), c), vppnet.ErrTimeout)
			require.InDelta(t, 1, time.Since(begin).Seconds(), 0.2)
		}
		require.Zero(t, c.Stats().Late, "what Conn asks itself is not late")
		require.Zero(t, c.Stats().Pending)
	})
}

// A VPP that is busy for longer has lost nothing, neither of what it works at nor of
// what waits behind it.
func TestBusyVPPHasLostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.answer["sw_interface_set_flags"] = func(p *peer, q question) {
			time.Sleep(10 * time.Second)
			p.reply(q, &interfaces.SwInterfaceSetFlagsReply{})
			p.flush()
		}
		c := w.pipe(vppnet.WithReplyTimeout(time.Hour), vppnet.WithLostAfter(time.Second))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{})
		errs := make(chan error)
		for range 5 {
			go func() { errs <- setFlags(context.Background(), c) }()
		}
		for range 5 {
			require.NoError(t, <-errs)
		}
	})
}

// Without it, nobody is asked.
func TestNothingIsLostUnlessAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.answer["sw_interface_set_flags"] = silence
		c := w.pipe(vppnet.WithReplyTimeout(9 * time.Second))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{})
		begin := time.Now()
		require.ErrorIs(t, setFlags(context.Background(), c), vppnet.ErrTimeout)
		require.InDelta(t, 9, time.Since(begin).Seconds(), 1)
	})
}

// The ping that asks after what is late can get lost itself.
func TestLostPingIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		pong := w.answer["control_ping"]
		var mu sync.Mutex
		lose := 0
		w.answer["control_ping"] = func(p *peer, q question) {
			mu.Lock()
			defer mu.Unlock()
			if lose > 0 {
				lose--
				return
			}
			pong(p, q)
		}
		w.answer["sw_interface_set_flags"] = silence
		c := w.pipe(vppnet.WithReplyTimeout(10*time.Minute), vppnet.WithLostAfter(time.Second), vppnet.WithWedgedAfter(time.Hour))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{})
		mu.Lock()
		lose = 1
		mu.Unlock()
		_ = setFlags(context.Background(), c) // in 10 minutes at the latest
		begin := time.Now()
		require.ErrorIs(t, setFlags(context.Background(), c), vppnet.ErrTimeout)
		require.Less(t, time.Since(begin), time.Minute)
	})
}
