// SPDX-License-Identifier: Apache-2.0

package vppnet_test

import (
	"context"
	"errors"
	"io"
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

// interfacesUpTo answers a dump with n interfaces.
func interfacesUpTo(n int) func(*peer, question) {
	return func(p *peer, q question) {
		for i := range n {
			p.reply(q, &interfaces.SwInterfaceDetails{SwIfIndex: interface_types.InterfaceIndex(i), InterfaceName: "loop"})
		}
	}
}

func dump(ctx context.Context, c *vppnet.Conn) (interfaces.RPCService_SwInterfaceDumpClient, error) {
	c.Uses(&interfaces.SwInterfaceDump{})
	return interfaces.NewServiceClient(c).SwInterfaceDump(ctx, &interfaces.SwInterfaceDump{})
}

func TestSlowReaderNeverShortensDump(t *testing.T) {
	const n = 5000
	w := newWire(t)
	w.answer["sw_interface_dump"] = interfacesUpTo(n)
	c := w.dial()
	s, err := dump(t.Context(), c)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.Stats().Queued == n+1 }, 30*time.Second, time.Millisecond, "all of it is held, and accounted")
	for i := range n {
		if i%1000 == 0 {
			time.Sleep(150 * time.Millisecond)
		}
		m, err := s.Recv()
		require.NoError(t, err)
		require.EqualValues(t, i, m.SwIfIndex)
	}
	_, err = s.Recv()
	require.Equal(t, io.EOF, err)
	require.Zero(t, c.Stats().Queued)
	require.Zero(t, c.Stats().Streams)
}

func TestSlowReaderDelaysNobody(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_dump"] = interfacesUpTo(1000)
	c := w.dial()
	s, err := dump(t.Context(), c)
	require.NoError(t, err)
	begin := time.Now()
	for range 1000 {
		_, err := s.Recv()
		require.NoError(t, err)
		require.NoError(t, ping(t.Context(), c), "a request within the loop over a dump")
	}
	require.Less(t, time.Since(begin), 5*time.Second)
	require.NoError(t, s.Close())
}

func TestDumpCutByDeathIsAnError(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_dump"] = func(p *peer, q question) {
		interfacesUpTo(10)(p, q)
		p.flush()
		p.conn.Close()
	}
	c := w.dial()
	all, err := vppnet.Collect(dump(t.Context(), c))
	require.ErrorIs(t, err, vppnet.ErrDisconnected)
	require.False(t, errors.Is(err, io.EOF), "or a loop until EOF would take it for the end")
	require.Nil(t, all)
}

func TestStreamIsOverAfterATimeout(t *testing.T) {
	w := newWire(t)
	var held question
	w.answer["sw_interface_dump"] = func(p *peer, q question) { held = q }
	quiet := true
	pong := w.answer["control_ping"]
	w.answer["control_ping"] = func(p *peer, q question) {
		if held.name == "" || !quiet {
			pong(p, q)
			return
		}
		quiet = false
	}
	c := w.dial(vppnet.WithReplyTimeout(50 * time.Millisecond))
	s, err := dump(t.Context(), c)
	require.NoError(t, err)
	_, err = s.Recv()
	require.ErrorIs(t, err, vppnet.ErrTimeout)
	_, err = s.Recv()
	require.ErrorIs(t, err, vppnet.ErrTimeout)
	require.ErrorIs(t, s.SendMsg(&memclnt.ControlPing{}), vppnet.ErrTimeout)
	require.NoError(t, ping(t.Context(), c))
	require.Zero(t, c.Stats().Streams)
}

func TestStreamSendsAndReceivesConcurrently(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	for range 200 {
		s, err := c.NewStream(t.Context())
		require.NoError(t, err)
		var both sync.WaitGroup
		both.Go(func() {
			for range 5 {
				if err := s.SendMsg(&vpe.ShowVersion{}); err != nil {
					t.Error(err)
				}
			}
		})
		both.Go(func() {
			for range 5 {
				if m, err := s.RecvMsg(); err != nil {
					t.Error(err)
				} else if _, ok := m.(*vpe.ShowVersionReply); !ok {
					t.Errorf("%T", m)
				}
			}
		})
		both.Wait()
		require.NoError(t, s.Close())
	}
}

func TestAbandonedStreamIsFreed(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_dump"] = interfacesUpTo(100)
	c := w.dial()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := dump(ctx, c)
	require.NoError(t, err)
	_, err = s.Recv()
	require.NoError(t, err)
	require.Equal(t, 1, c.Stats().Streams)
	cancel() // and never closed
	require.Eventually(t, func() bool { return c.Stats().Streams == 0 && c.Stats().Queued == 0 }, 30*time.Second, time.Millisecond)
	_, err = s.Recv()
	require.ErrorIs(t, err, context.Canceled)

	s, err = dump(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = s.Recv()
	require.ErrorIs(t, err, vppnet.ErrClosed)
	require.Zero(t, c.Stats().Streams)
	_, err = c.NewStream(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCursorStyleGet(t *testing.T) {
	w := newWire(t)
	retval := api.EAGAIN
	w.answer["sw_interface_tx_placement_get"] = func(p *peer, q question) {
		for i := range uint32(3) { // details with a client_index before the context
			p.reply(q, &interfaces.SwInterfaceTxPlacementDetails{QueueID: i})
		}
		p.reply(q, &interfaces.SwInterfaceTxPlacementGetReply{Retval: int32(retval), Cursor: 3})
	}
	c := w.dial()
	c.Uses(&interfaces.SwInterfaceTxPlacementGet{})
	for _, want := range []error{api.EAGAIN, io.EOF} {
		s, err := interfaces.NewServiceClient(c).SwInterfaceTxPlacementGet(t.Context(), &interfaces.SwInterfaceTxPlacementGet{})
		require.NoError(t, err)
		for i := range 3 {
			m, _, err := s.Recv()
			require.NoError(t, err)
			require.EqualValues(t, i, m.QueueID)
		}
		_, r, err := s.Recv()
		require.Equal(t, want, err)
		require.EqualValues(t, 3, r.Cursor)
		retval = 0
	}
	require.Zero(t, c.Stats().Streams)
}

func TestUnknownAnswerEndsTheStreamOnly(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_dump"] = func(p *peer, q question) {
		p.raw(frame([]byte{0xff, 0xfe, byte(q.context >> 24), byte(q.context >> 16), byte(q.context >> 8), byte(q.context)}))
	}
	c := w.dial()
	_, err := vppnet.Collect(dump(t.Context(), c))
	require.ErrorIs(t, err, vppnet.ErrUnexpectedReply)
	require.NoError(t, ping(t.Context(), c))
}

// A second tree of bindings: equal name and CRC, other Go types. Its root is
// the parent of this package.
type (
	otherDump    struct{ interfaces.SwInterfaceDump }
	otherDetails struct{ interfaces.SwInterfaceDetails }
	otherEvent   struct{ interfaces.SwInterfaceEvent }
)

func init() {
	api.RegisterMessage(new(otherDump), "otherDump")
	api.RegisterMessage(new(otherDetails), "otherDetails")
	api.RegisterMessage(new(otherEvent), "otherEvent")
}

func TestSecondTreeOfBindings(t *testing.T) {
	w := newWire(t)
	w.answer["sw_interface_dump"] = interfacesUpTo(2)
	c := w.dial()
	require.Equal(t, []string{"sw_interface_details_6c221fc7", "sw_interface_dump_aa610c27"}, c.Uses(&otherDump{}))

	s, err := c.NewStream(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.SendMsg(&otherDump{}))
	require.NoError(t, s.SendMsg(&memclnt.ControlPing{})) // that tree has no memclnt
	for range 2 {
		m, err := s.RecvMsg()
		require.NoError(t, err)
		require.IsType(t, &otherDetails{}, m)
	}
	m, err := s.RecvMsg()
	require.NoError(t, err)
	require.IsType(t, &memclnt.ControlPingReply{}, m)
	require.NoError(t, s.Close())

	all, err := vppnet.Collect(dump(t.Context(), c))
	require.NoError(t, err)
	require.Len(t, all, 2, "and govpp's own on the same Conn")

	events, err := c.WatchEvent(t.Context(), &otherEvent{})
	require.NoError(t, err)
	w.peers[0].event(&interfaces.SwInterfaceEvent{SwIfIndex: 5})
	require.EqualValues(t, 5, (<-events.Events()).(*otherEvent).SwIfIndex)
}

// A ctx that ends before anything was asked leaves nothing unknown.
func TestStreamThatAskedNothingKnowsItsOutcome(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.NewStream(ctx)
	require.NoError(t, err)
	cancel()
	_, err = s.RecvMsg()
	var e *vppnet.Error
	require.ErrorAs(t, err, &e)
	require.False(t, e.Unknown, "nothing left for VPP: %v", err)
	require.EqualError(t, err, "stream: context canceled")
}

// What NewStream fails with is an *Error, as errors.go says.
func TestNewStreamFailsWithError(t *testing.T) {
	w := newWire(t)
	c := w.dial()
	c.Close()
	_, err := c.NewStream(t.Context())
	require.ErrorIs(t, err, vppnet.ErrClosed)
	var e *vppnet.Error
	require.ErrorAs(t, err, &e)
}
