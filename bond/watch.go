// SPDX-License-Identifier: Apache-2.0

package bond

import (
	"context"
	"time"

	"github.com/vppkit/vppkit/vppnet"
)

// An Event says that a member is in another State than before.
type Event struct {
	Old State // zero: it was no member, or has not been looked at before
	New State // zero: it is a member no more
}

// DefaultInterval is how often Watch looks if it is not told.
const DefaultInterval = time.Second

// Watch delivers how all members are, each as an Event without an Old, and from then on
// what changes, until ctx ends or the Conn dies; then the channel is closed.
//
// VPP tells nobody of what LACP finds out, so it is asked again after each interval (0:
// DefaultInterval), and as soon as anything happens to an interface. What comes and goes
// between two looks is not seen. A look that fails is left out: the next one says all.
func Watch(ctx context.Context, c *vppnet.Conn, interval time.Duration) (<-chan Event, error) {
	if interval <= 0 {
		interval = DefaultInterval
	}
	links, err := c.Watch(ctx)
	if err != nil {
		return nil, err
	}
	first, err := States(ctx, c)
	if err != nil {
		return nil, err
	}
	w := &watch{events: make(chan Event), known: map[uint32]State{}}
	go func() {
		defer close(w.events)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for now := first; w.tell(ctx, c, now); {
			select {
			case <-tick.C:
			case _, more := <-links:
				if !more {
					return
				}
				drain(links)
			}
			var err error
			if now, err = States(ctx, c); err != nil {
				now = w.before
			}
		}
	}()
	return w.events, nil
}

// drain takes what else has happened: one look is enough for all.
func drain(links <-chan vppnet.LinkEvent) {
	for {
		select {
		case _, more := <-links:
			if !more {
				return
			}
		default:
			return
		}
	}
}

type watch struct {
	events chan Event
	before []State
	known  map[uint32]State // the same by index
}

// tell sends what has changed. False: nobody listens any more.
func (w *watch) tell(ctx context.Context, c *vppnet.Conn, now []State) bool {
	there := make(map[uint32]State, len(now))
	var events []Event
	for _, s := range now {
		there[s.Index] = s
		if old := w.known[s.Index]; old != s {
			events = append(events, Event{old, s})
		}
	}
	for _, old := range w.before {
		if _, still := there[old.Index]; !still {
			events = append(events, Event{Old: old})
		}
	}
	w.before, w.known = now, there
	for _, e := range events {
		select {
		case w.events <- e:
		case <-ctx.Done():
			return false
		case <-c.Done():
			return false
		}
	}
	return true
}
