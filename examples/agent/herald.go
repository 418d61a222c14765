// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/dirty"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// herald tells the hosts of a network where routers' addresses are, whenever these
// came to be there: VPP does not, and hosts that know another MAC for one, that of the
// host that served it before, keep to it for a while.
type herald struct {
	inbox *wants.Inbox
	store *desiredstate.Store
	log   *slog.Logger
	say   func(ctx context.Context, index uint32, addrs ...netip.Addr) error
	fresh *dirty.Set[desiredstate.Key] // what the engine has made or changed
}

func newHerald(b *wants.Inbox, s *desiredstate.Store, log *slog.Logger, c *vppnet.Conn) *herald {
	return &herald{
		inbox: b, store: s, log: log, fresh: dirty.New[desiredstate.Key](),
		say: func(ctx context.Context, index uint32, addrs ...netip.Addr) error {
			return l3.Announce(ctx, c, index, addrs...)
		},
	}
}

// hear is told what an engine does.
func (h *herald) hear(e desiredstate.Event) {
	if e.Type != desiredstate.Done || e.Action == desiredstate.Delete {
		return
	}
	h.fresh.Add(e.Key)
}

// together is how long the herald waits for more: what comes up is made of many objects.
const together = 50 * time.Millisecond

// run speaks until ctx ends.
func (h *herald) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.fresh.Bell:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(together):
		}
		h.speak(ctx, h.fresh.Take())
	}
}

// speak says what is new of the addresses, once their link is up.
func (h *herald) speak(ctx context.Context, fresh map[desiredstate.Key]bool) {
	voices := h.inbox.Routing().Voices
	for _, door := range slices.Sorted(maps.Keys(voices)) {
		all := fresh[vppnet.LinkKey(door)] || fresh[vppnet.InterfaceKey(door)]
		var addrs []netip.Addr
		var by []desiredstate.Key
		for _, v := range voices[door] {
			if all || fresh[v.By] {
				addrs, by = append(addrs, v.Addr), append(by, v.By)
			}
		}
		link, _ := h.store.Want(vppnet.LinkKey(door))
		if l, _ := link.(vppnet.LinkState); len(addrs) == 0 || !l.Up {
			continue // all is said when it comes up
		}
		state, _ := h.store.Status(vppnet.LinkKey(door))
		if state.State == desiredstate.Pending {
			h.fresh.Add(by...) // the engine is still at it
		}
		if state.State != desiredstate.Applied {
			continue
		}
		if err := h.say(ctx, state.ID, addrs...); err != nil && ctx.Err() == nil {
			h.log.Warn("cannot announce addresses", "interface", door, "err", err)
		}
	}
}
