// SPDX-License-Identifier: Apache-2.0

package vppnet

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.fd.io/govpp/api"
)

// maxEvents bounds the events that a watcher holds for a slow reader. Unlike a
// dump, events have no end, and a reader that misses some can read the state anew.
const maxEvents = 4096

// WatchEvent delivers the events of the type of event, until ctx ends, Close is
// called or the Conn dies; then the channel is closed. It does not ask VPP to
// send them: that takes the "want" request of the event.
//
// The watcher is a [Watcher]: events that its reader was too slow for are
// counted. Each has a buffer of 4096 events.
func (c *Conn) WatchEvent(ctx context.Context, event api.Message) (api.Watcher, error) {
	s, err := c.subscribe(event)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{sub: s, events: make(chan api.Message), cancel: cancel}
	err = c.start(func() {
		defer cancel()
		defer close(w.events)
		defer c.unsubscribe(s)
		w.deliver(ctx, c.done)
	})
	if err != nil {
		cancel()
		return nil, &Error{Message: event.GetMessageName(), Err: err}
	}
	return w, nil
}

// Watcher is what WatchEvent returns.
type Watcher interface {
	api.Watcher

	// Lost counts the events that were dropped because the reader was too
	// slow. It is set before the next event after the gap is delivered.
	Lost() uint64
}

type watcher struct {
	sub    *subscription
	events chan api.Message
	cancel context.CancelFunc
}

func (w *watcher) Events() <-chan api.Message { return w.events }

func (w *watcher) Close() { w.cancel() }

func (w *watcher) Lost() uint64 {
	w.sub.mu.Lock()
	defer w.sub.mu.Unlock()
	return w.sub.total
}

func (w *watcher) deliver(ctx context.Context, done <-chan struct{}) {
	for {
		event, _, ok := w.sub.next(ctx, done)
		if !ok {
			return
		}
		if event == nil {
			continue
		}
		select {
		case w.events <- event:
		case <-ctx.Done():
			return
		case <-done:
			return
		}
	}
}

// subscription collects the events of one type for one reader.
type subscription struct {
	conn *Conn
	id   uint16
	typ  reflect.Type
	more chan struct{} // there is something for next

	mu     sync.Mutex
	events []event
	gap    uint64 // lost since the last of events
	total  uint64 // lost ever
}

type event struct {
	msg  api.Message
	lost uint64 // just before it
}

// errNoEvent: whoever waits for the reply would wait in vain.
var errNoEvent = errors.New("it is the reply to a request, and no event")

func (c *Conn) subscribe(event api.Message) (*subscription, error) {
	if isNil(event) {
		return nil, errNil
	}
	if event.GetMessageType() == api.ReplyMessage && strings.HasSuffix(event.GetMessageName(), "_reply") {
		return nil, &Error{Message: event.GetMessageName(), Err: errNoEvent}
	}
	id, err := c.table.id(event)
	if err != nil {
		return nil, &Error{Message: event.GetMessageName(), Err: err}
	}
	s := &subscription{conn: c, id: id, typ: reflect.TypeOf(event).Elem(), more: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, &Error{Message: event.GetMessageName(), Err: c.err}
	}
	c.events[id] = append(c.events[id], s)
	return s, nil
}

func (c *Conn) unsubscribe(s *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.events[s.id], s); i >= 0 {
		c.events[s.id] = slices.Delete(c.events[s.id], i, i+1)
	}
	if len(c.events[s.id]) == 0 {
		delete(c.events, s.id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.stats.queued.Add(-int64(len(s.events)))
	s.events = nil
}

// add is called by the reader of the Conn.
func (s *subscription) add(msg []byte) {
	m := reflect.New(s.typ).Interface().(api.Message)
	err := unmarshal(msg, m)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || len(s.events) >= maxEvents {
		s.gap++
		s.total++
		s.conn.stats.lost.Add(1)
	} else {
		s.events = append(s.events, event{m, s.gap})
		s.gap = 0
		s.conn.stats.queued.Add(1)
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// next waits for the next event and the number of those lost before it. If
// there is none after a loss, msg is nil. It is not ok once ctx or done end.
func (s *subscription) next(ctx context.Context, done <-chan struct{}) (msg api.Message, lost uint64, ok bool) {
	for {
		if msg, lost := s.pop(); msg != nil || lost > 0 {
			return msg, lost, true
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return nil, 0, false
		case <-done:
			return nil, 0, false
		}
	}
}

func (s *subscription) pop() (api.Message, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		lost := s.gap
		s.gap = 0
		return nil, lost
	}
	e := s.events[0]
	s.events[0] = event{}
	s.events = s.events[1:]
	s.conn.stats.queued.Add(-1)
	return e.msg, e.lost
}
