// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"maps"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// What an inbox has to do with its routers.

// Recall learns from what VPP holds whose is what several keys ask for, and how groups were of
// which nothing can be read. It is for an agent that has just been started, whose own memory is
// empty.
func (b *Inbox) Recall(found []desiredstate.Found) {
	b.mu.Lock()
	r := b.routers
	have := map[desiredstate.Key]desiredstate.Object{}
	for _, f := range found {
		if !f.Foreign {
			have[f.Key] = f.Spec
		}
	}
	r.found = have
	if !b.whole {
		b.found = have
	}
	moved := map[string]bool{}
	if b.Site.NoRouters {
		r.found = nil
	}
	b.groups.recall(found)
	if b.whole {
		ports := map[string]bool{}
		for _, name := range b.groups.unread() {
			_ = b.store.Assign(OfGroup(name), b.groups.all[name].sets...) // nobody else wants a group's sets
			b.tell(name, ports)
		}
		for port := range ports {
			defer b.Moved(OfPort(port))
		}
	}
	if b.loaded && !b.Site.NoRouters {
		r.stale = true
		moved = b.reroute()
	}
	b.mu.Unlock()
	for name := range moved {
		b.Moved(OfRouter(name))
	}
}

// reroute looks at all routers, if all is known, and returns which keys come to something
// else.
func (b *Inbox) reroute() map[string]bool {
	if !b.loaded {
		return nil
	}
	wants, moved := b.routers.work()
	b.routers.assign(wants, moved)
	b.assignRemotes(b.remotes.work(b.depleted()))
	return moved
}

// Serve has the host serve its routers, or be silent.
func (b *Inbox) Serve(on bool) {
	b.mu.Lock()
	r := b.routers
	var moved map[string]bool
	if r.serving != on {
		r.serving, r.stale = on, true
		b.remotes.routed(r.ports, on)
		moved = b.reroute()
	}
	b.mu.Unlock()
	for name := range moved {
		b.Moved(OfRouter(name))
	}
}

// Needing lists the keys of routers that need an object.
func (b *Inbox) Needing(k desiredstate.Key) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.routers.needing[k]))
}

// Routes lists the keys of routers.
func (b *Inbox) Routes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.routers.now.Parts))
}

// Route says how a key of a router stands, and what is wrong with it.
func (b *Inbox) Route(name string) (s desiredstate.State, err error, known bool) { //nolint:revive // what is wrong is no failure
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.routers.status(name)
}

// Routing is what comes of the keys of routers. It is never changed.
func (b *Inbox) Routing() translate.Routing {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.routers.now
}

// Linger has gateways that serve outlast a value of their key that has none; see Lingering.
func (b *Inbox) Linger(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routers.linger = d
}
