// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"encoding/json"
	"time"
)

// State is where a wanted object stands.
type State string

// The comments complete the sentence "the object is …".
const (
	Pending State = "pending" // not looked at yet, or there is no target
	Applied State = "applied" // in the target, as wanted
	Blocked State = "blocked" // not there as wanted, because of something else: see Err
	Failing State = "failing" // refused by the target; tried again at NextTry
	Invalid State = "invalid" // wrong by itself; waits for its next change
	Left    State = "left"    // not wanted, and not removed: see Engine.Prune
)

// Status is the state of one object, and how it got there.
type Status struct {
	State     State
	ID        uint32    // the target's handle, if it is there
	Err       error     // why it is not applied
	BlockedBy []Key     // what it waits for
	Since     time.Time // when it got into this State
	Attempts  int       // failures in a row
	NextTry   time.Time // zero: when something changes
	Leaving   bool      // no longer wanted, not gone yet

	// Unverified: it is Applied as far as was told; the target cannot be asked.
	Unverified bool
}

// standing is a Status in less memory: nearly all objects are Applied.
type standing struct {
	state               State
	since               time.Time
	id                  uint32
	leaving, unverified bool
	trouble             *trouble // nil: none
}

// trouble is what a Status has of what is not Applied.
type trouble struct {
	err       error
	blockedBy []Key
	attempts  int
	nextTry   time.Time
}

func (s Status) brief() standing {
	out := standing{state: s.State, since: s.Since, id: s.ID, leaving: s.Leaving, unverified: s.Unverified}
	if s.Err != nil || s.BlockedBy != nil || s.Attempts != 0 || !s.NextTry.IsZero() {
		out.trouble = &trouble{s.Err, s.BlockedBy, s.Attempts, s.NextTry}
	}
	return out
}

// status is the inverse of Status.brief.
func (x *entry) status() Status {
	b := &x.stands
	out := Status{State: b.state, ID: b.id, Since: b.since, Leaving: b.leaving, Unverified: b.unverified}
	if t := b.trouble; t != nil {
		out.Err, out.BlockedBy, out.Attempts, out.NextTry = t.err, t.blockedBy, t.attempts, t.nextTry
	}
	return out
}

// MarshalJSON words the error and leaves out what is zero.
func (s Status) MarshalJSON() ([]byte, error) {
	out := struct {
		State     State      `json:"state"`
		ID        uint32     `json:"id,omitempty"`
		Error     string     `json:"error,omitempty"`
		BlockedBy []string   `json:"blocked_by,omitempty"`
		Since     *time.Time `json:"since,omitempty"`
		Attempts  int        `json:"attempts,omitempty"`
		NextTry   *time.Time `json:"next_try,omitempty"`
		Leaving   bool       `json:"leaving,omitempty"`

		Unverified bool `json:"unverified,omitempty"`
	}{State: s.State, ID: s.ID, Attempts: s.Attempts, Leaving: s.Leaving, Unverified: s.Unverified}
	if s.Err != nil {
		out.Error = s.Err.Error()
	}
	for _, k := range s.BlockedBy {
		out.BlockedBy = append(out.BlockedBy, k.String())
	}
	if !s.Since.IsZero() {
		out.Since = &s.Since
	}
	if !s.NextTry.IsZero() {
		out.NextTry = &s.NextTry
	}
	return json.Marshal(out)
}

// worse orders states for a summary of several objects.
func (s State) worse(o State) bool { return s.rank() > o.rank() }

func (s State) rank() int {
	switch s {
	case Invalid:
		return 4
	case Failing:
		return 3
	case Blocked:
		return 2
	case Pending:
		return 1
	}
	return 0
}
