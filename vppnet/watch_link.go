// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"os"

	"go.fd.io/govpp/api"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
)

// LinkEvent says that something about an interface changed. VPP sends edges,
// and joins those that come together: an interface that goes up and is set up
// may show as either, one that is created as neither, and one that is deleted
// and created anew in one moment not as deleted. So take it as a reason to read
// the interface, not for its state.
type LinkEvent struct {
	Index   uint32 // sw_if_index
	AdminUp bool
	LinkUp  bool
	Deleted bool

	// Lost is the number of events that were lost before this one because
	// the reader was too slow: read all interfaces anew. If no event follows
	// the loss, one without an interface (Index is ^uint32(0)) reports it.
	Lost uint64
}

// linkEvents is our one subscription with VPP, which refuses a second one.
type linkEvents struct {
	turn       chan struct{} // a lock that can be waited for with a context
	subscribed bool
}

// Watch delivers what happens to interfaces, VPP's own and foreign ones too,
// from now on; what is there already is not reported. The channel is closed
// when ctx ends or the Conn dies. A reader that is more than 4096 events late
// loses some, and is told by LinkEvent.Lost.
//
// Any number of watchers share one subscription with VPP, which lasts as long as the Conn.
func (c *Conn) Watch(ctx context.Context) (<-chan LinkEvent, error) {
	s, err := c.subscribe(&interfaces.SwInterfaceEvent{})
	if err != nil {
		return nil, err
	}
	if err := c.wantLinkEvents(ctx); err != nil {
		c.unsubscribe(s)
		return nil, err
	}
	events := make(chan LinkEvent)
	err = c.start(func() {
		defer close(events)
		defer c.unsubscribe(s)
		for {
			msg, lost, ok := s.next(ctx, c.done)
			if !ok {
				return
			}
			select {
			case events <- linkEvent(msg, lost):
			case <-ctx.Done():
				return
			case <-c.done:
				return
			}
		}
	})
	if err != nil {
		return nil, &Error{Message: "sw_interface_event", Err: err}
	}
	return events, nil
}

func linkEvent(msg api.Message, lost uint64) LinkEvent {
	e, ok := msg.(*interfaces.SwInterfaceEvent)
	if !ok {
		return LinkEvent{Index: ^uint32(0), Lost: lost}
	}
	return LinkEvent{
		Index:   uint32(e.SwIfIndex),
		AdminUp: e.Flags&interface_types.IF_STATUS_API_FLAG_ADMIN_UP != 0,
		LinkUp:  e.Flags&interface_types.IF_STATUS_API_FLAG_LINK_UP != 0,
		Deleted: e.Deleted,
		Lost:    lost,
	}
}

func (c *Conn) wantLinkEvents(ctx context.Context) error {
	select {
	case c.links.turn <- struct{}{}:
		defer func() { <-c.links.turn }()
	case <-ctx.Done():
		return &Error{Message: "want_interface_events", Err: ctx.Err()}
	}
	if c.links.subscribed {
		return nil
	}
	want := &interfaces.WantInterfaceEvents{EnableDisable: 1, PID: uint32(os.Getpid())}
	err := c.Invoke(ctx, want, &interfaces.WantInterfaceEventsReply{})
	// Somebody, or an earlier call of unknown outcome, has subscribed on this connection before.
	if err != nil && !errors.Is(err, api.INVALID_REGISTRATION) {
		return err
	}
	c.links.subscribed = true
	return nil
}
