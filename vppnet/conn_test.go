// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"
	"go.fd.io/govpp/binapi/vpe"

	"github.com/vppkit/vppkit/vppnet"
)

var _ api.Connection = (*vppnet.Conn)(nil)

func ping(ctx context.Context, c *vppnet.Conn) error {
	return c.Invoke(ctx, &memclnt.ControlPing{}, &memclnt.ControlPingReply{})
}

func setFlags(ctx context.Context, c *vppnet.Conn) error {
	_, err := interfaces.NewServiceClient(c).SwInterfaceSetFlags(ctx, &interfaces.SwInterfaceSetFlags{SwIfIndex: 7})
	return err
}

func silence(*peer, question) {}

func TestPendingCallsFailWhenVPPDies(t *testing.T) {
	w := newWire(t)
	var asked sync.WaitGroup
	asked.Add(100)
	w.answer["sw_interface_set_flags"] = func(*peer, question) { asked.Done() }
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	errs := make(chan error, 100)
	for range 100 {
		go func() { errs <- setFlags(context.Background(), c) }()
	}
	stream, err := c.NewStream(context.Background())
	require.NoError(t, err)
	links, err := c.WatchEvent(context.Background(), &interfaces.SwInterfaceEvent{})
	require.NoError(t, err)
	asked.Wait()
	w.stop()

	for range 100 {
		err := <-errs
		require.ErrorIs(t, err, vppnet.ErrDisconnected)
		var e *vppnet.Error
		require.ErrorAs(t, err, &e)
		require.True(t, e.Unknown, "VPP may have executed it")
	}
	_, err = stream.RecvMsg()
	require.ErrorIs(t, err, vppnet.ErrDisconnected)
	_, open := <-links.Events()
	require.False(t, open)
	<-c.Done()
	require.ErrorIs(t, c.Err(), vppnet.ErrDisconnected)

	err = ping(context.Background(), c)
	require.ErrorIs(t, err, vppnet.ErrDisconnected)
	var e *vppnet.Error
	require.ErrorAs(t, err, &e)
	require.False(t, e.Unknown, "it was never sent")
}

func TestLateReplyReachesNobody(t *testing.T) {
	for name, abandon := range map[string]func(*vppnet.Conn) error{
		"timed out": func(c *vppnet.Conn) error { return setFlags(context.Background(), c) },
		"cancelled": func(c *vppnet.Conn) error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			return setFlags(ctx, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			first := make(chan question, 1)
			w.answer["sw_interface_set_flags"] = func(p *peer, q question) { first <- q }
			w.answer["show_version"] = func(p *peer, q question) {
				select {
				case q := <-first:
					p.reply(q, &interfaces.SwInterfaceSetFlagsReply{Retval: -1})
				default:
				}
				p.reply(q, &vpe.ShowVersionReply{Version: "25.10"})
			}
			c := w.dial(vppnet.WithReplyTimeout(100 * time.Millisecond))
			c.Uses(&interfaces.SwInterfaceSetFlags{})

			err := abandon(c)
			var e *vppnet.Error
			require.ErrorAs(t, err, &e)
			require.True(t, e.Unknown)
			require.Equal(t, name == "timed out", errors.Is(err, vppnet.ErrTimeout))
			require.Equal(t, name == "cancelled", errors.Is(err, context.DeadlineExceeded))

			var version vpe.ShowVersionReply
			require.NoError(t, c.Invoke(t.Context(), &vpe.ShowVersion{}, &version))
			require.Equal(t, "25.10", version.Version)
			require.EqualValues(t, 1, c.Stats().Late)
			require.Zero(t, c.Stats().Pending)
		})
	}
}

func TestCancelledBeforeSendingSendsNothing(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := ping(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	var e *vppnet.Error
	require.ErrorAs(t, err, &e)
	require.False(t, e.Unknown)
	require.NoError(t, ping(t.Context(), c))
	require.Equal(t, []string{"control_ping"}, w.requests())
}

func TestTwoConnsShareNothing(t *testing.T) {
	w1, w2 := newWire(t), newWire(t)
	w1.answer["sw_interface_set_flags"] = silence
	w2.answer["sw_interface_set_flags"] = func(p *peer, q question) {
		time.Sleep(200 * time.Millisecond)
		p.reply(q, &interfaces.SwInterfaceSetFlagsReply{})
	}
	c1, c2 := w1.dial(vppnet.WithReplyTimeout(50*time.Millisecond)), w2.dial()
	c1.Uses(&interfaces.SwInterfaceSetFlags{})
	require.ErrorIs(t, setFlags(t.Context(), c1), vppnet.ErrTimeout)
	require.ErrorIs(t, setFlags(t.Context(), c2), vppnet.ErrNotAllowed)
	c2.Uses(&interfaces.SwInterfaceSetFlags{})
	require.NoError(t, setFlags(t.Context(), c2), "the timeout is that of the other Conn")
	c1.Close()
	require.NoError(t, ping(t.Context(), c2))
}

func TestCloseFromManySides(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_set_flags"] = silence
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	errs := make(chan error)
	go func() { errs <- setFlags(context.Background(), c) }()
	require.Eventually(t, func() bool { return c.Stats().Pending == 1 }, 30*time.Second, time.Millisecond)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { c.Close() })
	}
	all.Wait()
	require.ErrorIs(t, <-errs, vppnet.ErrClosed)
	require.ErrorIs(t, c.Err(), vppnet.ErrClosed)
	require.ErrorIs(t, ping(t.Context(), c), vppnet.ErrClosed)
	_, err := c.NewStream(t.Context())
	require.ErrorIs(t, err, vppnet.ErrClosed)
	_, err = c.WatchEvent(t.Context(), &interfaces.SwInterfaceEvent{})
	require.ErrorIs(t, err, vppnet.ErrClosed)
	_, err = c.Watch(t.Context())
	require.ErrorIs(t, err, vppnet.ErrClosed)
}

func TestContextsSkipWhatIsPending(t *testing.T) {
	w := newWire(t)
	held := make(chan question, 1)
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) { held <- q }
	contexts := make(chan uint32, 10)
	w.answer["control_ping"] = func(p *peer, q question) {
		contexts <- q.context
		p.reply(q, &memclnt.ControlPingReply{})
	}
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	<-contexts
	vppnet.SetLastContext(c, 0)
	go setFlags(t.Context(), c)
	require.EqualValues(t, 1, (<-held).context)
	vppnet.SetLastContext(c, vppnet.MaxContext-1)
	require.NoError(t, ping(t.Context(), c))
	require.NoError(t, ping(t.Context(), c))
	require.EqualValues(t, vppnet.MaxContext, <-contexts)
	require.EqualValues(t, 2, <-contexts, "0 means no context, 1 is pending")
}

// Thousands of callers, all replies out of order, each with a number of its own.
func TestEveryCallerGetsItsOwnReply(t *testing.T) {
	const callers = 2000
	w := newWire(t)
	var held []question
	w.answer["create_loopback_instance"] = func(p *peer, q question) {
		q.body = append([]byte(nil), q.body...)
		held = append(held, q)
		if len(held) < 100 {
			return
		}
		for i := range held {
			q := held[len(held)-1-i]
			var m interfaces.CreateLoopbackInstance
			if err := m.Unmarshal(q.body); err != nil {
				t.Error(err)
			}
			p.reply(q, &interfaces.CreateLoopbackInstanceReply{SwIfIndex: interface_types.InterfaceIndex(m.UserInstance)})
		}
		held = held[:0]
	}
	c := w.dial()
	c.Uses(&interfaces.CreateLoopbackInstance{})
	client := interfaces.NewServiceClient(c)
	var all sync.WaitGroup
	for i := range uint32(callers) {
		all.Go(func() {
			r, err := client.CreateLoopbackInstance(context.Background(), &interfaces.CreateLoopbackInstance{UserInstance: i})
			if err != nil || uint32(r.SwIfIndex) != i {
				t.Errorf("caller %d: %v, %v", i, r, err)
			}
		})
	}
	all.Wait()
}

func TestTraceTellsEachRequestOnce(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) { p.reply(q, &interfaces.SwInterfaceSetFlagsReply{Retval: -2}) }
	w.answer["sw_interface_dump"] = silence
	var mu sync.Mutex
	var got []string
	c := w.dial(vppnet.WithTrace(func(t vppnet.Trace) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(t.Message, " ", t.Context > 0, " ", t.Err))
	}))
	require.ErrorIs(t, setFlags(t.Context(), c), vppnet.ErrNotAllowed)
	c.Uses(&interfaces.SwInterfaceSetFlags{}, &interfaces.SwInterfaceDump{})
	require.Error(t, setFlags(t.Context(), c))
	_, err := vppnet.Collect(interfaces.NewServiceClient(c).SwInterfaceDump(t.Context(), &interfaces.SwInterfaceDump{}))
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{
		"control_ping true <nil>", "show_version true <nil>",
		"sw_interface_set_flags false sw_interface_set_flags: message not declared: sw_interface_set_flags_f5aec1b8: call Uses(&interfaces.SwInterfaceSetFlags{}) on the Conn first",
		"sw_interface_set_flags true sw_interface_set_flags: VPPApiError: Invalid sw_if_index (-2)",
		"sw_interface_dump true <nil>", "control_ping true <nil>",
	}, got)
}
