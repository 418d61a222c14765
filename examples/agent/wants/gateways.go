// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"time"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// Lingering is how long a gateway serves on of which less is said than before. The driver
// changes one by deleting its key, writing a part of it, and then all.
const Lingering = 2 * time.Second

// later is what the key of a gateway that serves on will have come to be, unless more is
// said in time.
type later struct {
	port  translate.RouterPort
	there bool
	due   time.Time
}

// lingers says whether a gateway serves on as it is, although its key says less of it by now.
// If it says as much, it returns what it says, and what was said meanwhile.
func (r *routers) lingers(name string, now translate.RouterPort, there bool) (translate.RouterPort, bool) {
	had, was := r.ports[name]
	next, waits := r.later[name]
	if waits && next.there {
		now = now.After(next.port)
	}
	if was {
		now = now.After(had)
	}
	if r.linger == 0 || !was || !had.External || there && now.Covers(had) {
		delete(r.later, name)
		return now, false
	}
	if !waits {
		next.due = time.Now().Add(r.linger)
		time.AfterFunc(r.linger, func() { r.wake() })
	}
	next.port, next.there = now, there
	r.later[name] = next
	return now, true
}

// lapse takes for true what is due, and says whether anything was.
func (r *routers) lapse(now time.Time) (some bool) {
	for name, l := range r.later {
		if now.Before(l.due) {
			continue
		}
		delete(r.later, name)
		delete(r.ports, name)
		if l.there {
			r.ports[name] = l.port
		}
		r.stale, some = true, true
	}
	return some
}

// lapsed acts on what was said of gateways a while ago, and nobody took back.
func (b *Inbox) lapsed() {
	b.mu.Lock()
	var moved map[string]bool
	if b.routers.lapse(time.Now()) {
		b.remotes.routed(b.routers.ports, b.routers.serving)
		moved = b.reroute()
	}
	b.mu.Unlock()
	for name := range moved {
		b.Moved(OfRouter(name))
	}
}
