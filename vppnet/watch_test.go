// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"go.fd.io/govpp/binapi/memclnt"

	"github.com/vppkit/vppkit/vppnet"
)

// wantEvents makes VPP count subscriptions, and refuse a second one as it does.
func wantEvents(w *wire) *atomic.Int32 {
	var n atomic.Int32
	w.answer["want_interface_events"] = func(p *peer, q question) {
		var retval int32
		if n.Add(1) > 1 {
			retval = int32(api.INVALID_REGISTRATION)
		}
		p.reply(q, &interfaces.WantInterfaceEventsReply{Retval: retval})
	}
	return &n
}

func linkUp(index int) *interfaces.SwInterfaceEvent {
	return &interfaces.SwInterfaceEvent{
		SwIfIndex: interface_types.InterfaceIndex(index),
		Flags:     interface_types.IF_STATUS_API_FLAG_ADMIN_UP | interface_types.IF_STATUS_API_FLAG_LINK_UP,
	}
}

func TestWatchersShareOneSubscription(t *testing.T) {
	w := newWire(t)
	n := wantEvents(w)
	c := w.dial()
	ctx, cancel := context.WithCancel(t.Context())
	a, err := c.Watch(ctx)
	require.NoError(t, err)
	b, err := c.Watch(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n.Load())

	w.peers[0].event(linkUp(3))
	want := vppnet.LinkEvent{Index: 3, AdminUp: true, LinkUp: true}
	require.Equal(t, want, <-a)
	require.Equal(t, want, <-b)

	cancel()
	_, open := <-a
	require.False(t, open)
	w.peers[0].event(&interfaces.SwInterfaceEvent{SwIfIndex: 3, Deleted: true})
	require.Equal(t, vppnet.LinkEvent{Index: 3, Deleted: true}, <-b)
	w.stop()
	_, open = <-b
	require.False(t, open)
}

func TestWatchAfterSomebodySubscribed(t *testing.T) {
	w := newWire(t)
	n := wantEvents(w)
	c := w.dial()
	_, err := interfaces.NewServiceClient(c).WantInterfaceEvents(t.Context(), &interfaces.WantInterfaceEvents{EnableDisable: 1})
	require.NoError(t, err)
	events, err := c.Watch(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, n.Load())
	w.peers[0].event(linkUp(3))
	require.EqualValues(t, 3, (<-events).Index)
}

func TestEventLossIsReported(t *testing.T) {
	w := newWire(t)
	wantEvents(w)
	c := w.dial()
	events, err := c.Watch(t.Context())
	require.NoError(t, err)
	const sent = vppnet.MaxEvents + 1000
	for i := range sent {
		w.peers[0].send(clientIndex, linkUp(i))
	}
	w.peers[0].flush()
	require.Eventually(t, func() bool { return c.Stats().Received >= sent+3 }, 30*time.Second, time.Millisecond)
	require.NoError(t, ping(t.Context(), c), "and nobody else waited for it")

	var got, lost uint64
	for got+lost < sent {
		e := <-events
		// The last ones are lost, so that has an event of its own, unless the Watch had taken one of
		// those before when they came.
		if lost += e.Lost; e.Index == ^uint32(0) {
			continue
		}
		require.EqualValues(t, got+lost, e.Index)
		got++
	}
	require.NotZero(t, lost)
	require.Equal(t, lost, c.Stats().Lost)

	w.peers[0].event(linkUp(1))
	require.Zero(t, (<-events).Lost)
	require.Zero(t, c.Stats().Queued)
}

func TestWatcherCountsItsLosses(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	a, err := c.WatchEvent(t.Context(), &interfaces.SwInterfaceEvent{})
	require.NoError(t, err)
	const sent = vppnet.MaxEvents + 1000
	for i := range sent {
		w.peers[0].send(clientIndex, linkUp(i))
	}
	w.peers[0].flush()
	require.Eventually(t, func() bool { return c.Stats().Received >= sent+2 }, 30*time.Second, time.Millisecond)
	lost := a.(vppnet.Watcher).Lost()
	require.NotZero(t, lost)
	for range sent - lost {
		<-a.Events()
	}
	a.Close()
	_, open := <-a.Events()
	require.False(t, open)
}

// Ids shift with VPP's set of plugins: a watcher must follow the name.
func TestEventsFollowTheirName(t *testing.T) {
	for range 3 {
		w := newWire(t) // other ids each time
		wantEvents(w)
		c := w.dial()
		events, err := c.Watch(t.Context())
		require.NoError(t, err)
		w.peers[0].event(linkUp(9))
		require.EqualValues(t, 9, (<-events).Index)
	}
}

// An event whose client index looks like a context, which nobody watches, is no reply.
func TestUnwatchedEventReachesNobody(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_set_flags"] = func(p *peer, q question) {
		p.send(q.context, linkUp(1))
		p.reply(q, &interfaces.SwInterfaceSetFlagsReply{})
	}
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceSetFlags{})
	require.NoError(t, setFlags(t.Context(), c))
}

func TestWatchFailsIfVPPRefuses(t *testing.T) {
	w := newWire(t)
	w.answer["want_interface_events"] = func(p *peer, q question) {
		p.reply(q, &interfaces.WantInterfaceEventsReply{Retval: -1})
	}
	c := w.dial()
	_, err := c.Watch(t.Context())
	require.ErrorIs(t, err, api.UNSPECIFIED)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Watch(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// Who watches what is no event would take answers from those who wait for them.
func TestAReplyCannotBeWatched(t *testing.T) {
	w := newWire(t)
	c := w.dial(vppnet.WithReplyTimeout(10 * time.Second))
	_, err := c.WatchEvent(t.Context(), &memclnt.ControlPingReply{})
	require.ErrorContains(t, err, "control_ping_reply: it is the reply to a request")
	require.NoError(t, c.Invoke(t.Context(), &memclnt.ControlPing{}, &memclnt.ControlPingReply{}))
}
