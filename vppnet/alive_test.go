// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/vppnet"
)

// Times in these tests are those of synctest: they cost nothing.

func TestWedgedVPPIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.answer["sw_interface_set_flags"] = silence
		c := w.pipe(vppnet.WithWedgedAfter(30*time.Second), vppnet.WithReplyTimeout(10*time.Second))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{})
		hang(w)
		begin := time.Now()
		require.ErrorIs(t, setFlags(context.Background(), c), vppnet.ErrTimeout)
		require.InDelta(t, 10, time.Since(begin).Seconds(), 1)
		<-c.Done()
		require.ErrorIs(t, c.Err(), vppnet.ErrWedged)
		require.InDelta(t, 30, time.Since(begin).Seconds(), 1.1)
	})
}

func TestSilentIdleVPPIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		c := w.pipe()
		defer c.Close()
		time.Sleep(10 * time.Minute)
		require.NoError(t, c.Err(), "idle is not dead")
		require.Zero(t, c.Stats().Late, "what Conn asks itself is not late")
		require.InDelta(t, 60, len(w.requests()), 5, "six signs of life a minute")
		hang(w)
		begin := time.Now()
		<-c.Done()
		require.ErrorIs(t, c.Err(), vppnet.ErrWedged)
		require.LessOrEqual(t, time.Since(begin), 45*time.Second)
	})
}

// hang makes VPP ignore all that comes, though it still reads.
func hang(w *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.answer {
		w.answer[name] = silence
	}
}

// One request that takes long, one that is answered after it, and a
// trickle of answers for longer than the limit.
func TestBusyVPPIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.answer["sw_interface_set_flags"] = func(p *peer, q question) {
			time.Sleep(25 * time.Second)
			p.reply(q, &interfaces.SwInterfaceSetFlagsReply{})
			p.flush()
		}
		w.answer["sw_interface_dump"] = func(p *peer, q question) {
			for range 10 {
				time.Sleep(25 * time.Second)
				p.reply(q, &interfaces.SwInterfaceDetails{})
				p.flush()
			}
		}
		c := w.pipe(vppnet.WithReplyTimeout(10 * time.Minute))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceDump{})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := setFlags(context.Background(), c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got, err := vppnet.Collect(dump(context.Background(), c))
		require.NoError(t, err)
		require.Len(t, got, 10)
	})
}

// VPP stops reading; senders fill what there is between it and us.
func TestVPPThatStopsReadingIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		block := make(chan struct{})
		w.answer["sw_interface_set_flags"] = func(*peer, question) { <-block }
		c := w.pipe(vppnet.WithReplyTimeout(time.Hour))
		c.Uses(&interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceSetInterfaceName{})
		begin := time.Now()
		go setFlags(context.Background(), c)
		errs := make(chan error, 30000) // more than twice what may wait: a late writer takes all that waits at once
		for range cap(errs) {
			go func() {
				errs <- c.Invoke(context.Background(), &interfaces.SwInterfaceSetInterfaceName{}, &interfaces.SwInterfaceSetInterfaceNameReply{})
			}()
		}
		// One that finds no room does not wait longer than it wants to, and has sent nothing.
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := setFlags(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, 1, time.Since(begin).Seconds(), 0.1)
		var e *vppnet.Error
		require.ErrorAs(t, err, &e)
		require.False(t, e.Unknown)

		for range cap(errs) {
			require.ErrorIs(t, <-errs, vppnet.ErrWedged)
		}
		require.InDelta(t, 30, time.Since(begin).Seconds(), 3)
		require.NoError(t, c.Close())
		close(block)
	})
}

// VPP does not read for longer than the limit, but sends: no reason to cut it off.
func TestVPPThatReadsLateButTalksIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.answer["sw_interface_set_flags"] = func(p *peer, q question) {
			for range 10 {
				time.Sleep(20 * time.Second)
				p.event(&interfaces.SwInterfaceEvent{SwIfIndex: interface_types.InterfaceIndex(1)})
			}
			p.reply(q, &interfaces.SwInterfaceSetFlagsReply{})
		}
		c := w.pipe(vppnet.WithReplyTimeout(time.Hour))
		defer c.Close()
		c.Uses(&interfaces.SwInterfaceSetFlags{})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := setFlags(context.Background(), c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestDialWaitsForVPP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		tries := 0
		begin := time.Now()
		c, err := vppnet.Dial(t.Context(), "", "me", vppnet.WithTransport(func() (net.Conn, error) {
			tries++
			ours, theirs := net.Pipe()
			switch {
			case tries < 5:
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			case tries == 5: // VPP dies while we shake hands
				go func() { theirs.Read(make([]byte, 100)); theirs.Close() }()
			case tries == 6: // VPP accepts, and is too busy to answer
				go func() { time.Sleep(time.Minute); theirs.Close() }()
			default:
				go w.serve(theirs)
			}
			return ours, nil
		}))
		require.NoError(t, err)
		require.Equal(t, 7, tries)
		require.Less(t, time.Since(begin), 15*time.Second)
		require.NoError(t, ping(t.Context(), c))
		c.Close()
		time.Sleep(time.Minute)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = vppnet.Dial(ctx, "/no/such/socket", "me")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no such file", "the reason is told")
	})
}
