// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// Thousands of ports that change at once are handed to the engine some at a time, the newest and the
// oldest in turn: whoever comes then does not wait for all of them, and nobody for ever.

// A batch is of so many ports, which a VPP makes in some 50 ms; the next one comes when no more than so
// many objects are left of it.
const (
	batch   = 32
	nextAt  = 32
	recheck = 3 * time.Millisecond
)

// split takes from what changed the ports that are not handed over yet. Those that go, go at once.
func (b *Inbox) split() map[string]change {
	var come []string
	for name, c := range b.changed {
		if c.there {
			come = append(come, name)
		}
	}
	if len(come) <= batch || b.leaving() {
		return nil
	}
	slices.SortFunc(come, func(x, y string) int { return cmp.Compare(b.changed[x].turn, b.changed[y].turn) })
	rest := map[string]change{}
	keep := come[batch/2 : len(come)-batch/2]
	if b.store.Count(desiredstate.Pending) > nextAt { // the oldest have been waiting for these
		keep = come[:len(come)-batch/2]
	}
	for _, name := range keep {
		rest[name] = b.changed[name]
		delete(b.changed, name)
	}
	return rest
}

// leaving says whether there are groups that nobody is in any more: their sets go after the ports.
func (b *Inbox) leaving() bool {
	for name := range b.groups.changed {
		if b.groups.all[name] == nil {
			return true
		}
	}
	return false
}

// resume goes on with what was not handed over, when there is room.
func (b *Inbox) resume(rest map[string]change) {
	maps.Copy(b.changed, rest)
	if b.behind = len(rest) > 0; b.behind {
		b.later()
	}
}

func (b *Inbox) later() {
	time.AfterFunc(recheck, func() {
		if b.store.Count(desiredstate.Pending) > nextAt {
			b.later()
			return
		}
		b.ring()
	})
}

// CaughtUp says whether all that was heard is handed over.
func (b *Inbox) CaughtUp() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.behind
}
