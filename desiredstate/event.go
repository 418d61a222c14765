// SPDX-License-Identifier: Apache-2.0

package desiredstate

import "time"

// EventType says what an Event is about.
type EventType string

// What an engine tells its observer.
const (
	Planned    EventType = "planned"     // Plan is about to be carried out, or was asked for
	Started    EventType = "started"     // work on Key began
	Done       EventType = "done"        // Action on Key succeeded, after Took
	Failed     EventType = "failed"      // Action on Key failed with Err, after Took
	Waiting    EventType = "waiting"     // Key is blocked: Err says by what
	Drift      EventType = "drift"       // Key was found other than it was left, in what Changes says
	Read       EventType = "read"        // Kind was read: Count objects, after Took
	ReadFailed EventType = "read failed" // Kind could not be read: Err
	HeldBack   EventType = "held back"   // Run: too much would be removed, and waits for Store.Confirm of Token: Err
	Converged  EventType = "converged"   // Run: all that is wanted is in, and nothing else
)

// Event tells an observer what happens; logs, metrics and progress are made of
// it, outside of the engine.
type Event struct {
	Type   EventType
	Kind   string // of Read and ReadFailed
	Count  int    // of Read
	Key    Key
	Action Action
	ID     uint32
	Err    error
	Took   time.Duration
	Plan   *Plan

	// Changes are, of Drift, from what it was to what it is, if it still is there and was
	// before.
	Changes []Change
	Token   string // of HeldBack; Store.Held tells the rest
}

func (e *Engine) observe(ev Event) {
	if e.Observe != nil {
		e.Observe(ev)
	}
}

// Observers makes one observer of several, which are told in this order. Nil ones are not.
func Observers(all ...func(Event)) func(Event) {
	return func(ev Event) {
		for _, o := range all {
			if o != nil {
				o(ev)
			}
		}
	}
}
