// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// Entry is one thing that happened.
type Entry struct {
	At     time.Time     `json:"at"`
	What   string        `json:"what"`             // "done", "failed", "waiting", "drift", "held back", "converged", or a word of the program's
	Object string        `json:"object,omitempty"` // "" if it is about none
	Action string        `json:"action,omitempty"` // the sign: + ~ ± -
	Took   time.Duration `json:"took_ns,omitempty"`
	Error  string        `json:"error,omitempty"`
	Detail string        `json:"detail,omitempty"` // of a drift: what had changed
	Times  int           `json:"times,omitempty"`  // how often in a row, if more than once; At is the last time
}

func (e Entry) String() string {
	out := []string{e.At.Format("2006-01-02 15:04:05.000"), e.What}
	for _, part := range []string{e.Action, e.Object} {
		if part != "" {
			out = append(out, part)
		}
	}
	if e.Took > 0 {
		out = append(out, e.Took.Round(time.Microsecond).String())
	}
	if why := cmp.Or(e.Error, e.Detail); why != "" {
		out = append(out, strings.ReplaceAll(why, "\n", "; "))
	}
	if e.Times > 1 {
		out = append(out, fmt.Sprintf("(%d times)", e.Times))
	}
	return strings.Join(out, " ")
}

// mostText is what is kept of an error.
const mostText = 500

// History remembers what happened last, a bounded number of things. What repeats itself is
// one. It is safe for concurrent use.
type History struct {
	mu   sync.Mutex
	ring []Entry
	next int // the place of the oldest, once the ring is full
}

// NewHistory makes one that remembers n things, at least one.
func NewHistory(n int) *History { return &History{ring: make([]Entry, 0, max(1, n))} }

// Event remembers what an engine tells, but for what merely begins; for Engine.Observe.
func (h *History) Event(e desiredstate.Event) {
	x := Entry{What: string(e.Type), Took: e.Took}
	if e.Key != (desiredstate.Key{}) {
		x.Object = e.Key.String()
	}
	if e.Action != 0 {
		x.Action = e.Action.String()
	}
	if e.Err != nil {
		x.Error = e.Err.Error()
	}
	switch e.Type {
	case desiredstate.Planned, desiredstate.Started, desiredstate.Read:
		return
	case desiredstate.ReadFailed:
		x.Object = e.Kind
	case desiredstate.Drift:
		var said []string
		for _, c := range e.Changes {
			said = append(said, fmt.Sprint(c))
		}
		x.Detail = strings.Join(said, ", ")
	}
	h.Note(x)
}

// Note remembers something else.
func (h *History) Note(x Entry) {
	if x.At.IsZero() {
		x.At = time.Now()
	}
	x.Error, x.Detail = short(x.Error), short(x.Detail)
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := h.last(); last != nil {
		same := *last
		same.At, same.Took, same.Times = x.At, x.Took, x.Times
		if same == x {
			x.Times = max(1, last.Times) + 1
			*last = x
			return
		}
	}
	if len(h.ring) < cap(h.ring) {
		h.ring = append(h.ring, x)
		return
	}
	h.ring[h.next] = x
	h.next = (h.next + 1) % len(h.ring)
}

func (h *History) last() *Entry {
	if len(h.ring) == 0 {
		return nil
	}
	return &h.ring[(h.next+len(h.ring)-1)%len(h.ring)]
}

func short(s string) string {
	if len(s) <= mostText {
		return s
	}
	return strings.ToValidUTF8(s[:mostText], "") + "…"
}

// Entries are what is remembered, the oldest first.
func (h *History) Entries() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(append([]Entry{}, h.ring[h.next:]...), h.ring[:h.next]...)
}
