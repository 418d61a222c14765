// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/vppnet"
)

// spread keeps what the host says of a member of an overlay's network to others equal to
// what is true: it begins when VPP has confirmed the member.
func (a *announcer) spread(who string, said []translate.Sighting) {
	if a.world == nil {
		return
	}
	now := map[string]bool{}
	for _, g := range said {
		now[g.Name()] = true
		a.world.Set(g.Name(), g.Value())
	}
	for _, name := range a.spreads[who] {
		if !now[name] && !a.spreadByOthers(who, name) {
			a.world.Clear(name)
		}
	}
	if a.spreads[who] = slices.Collect(maps.Keys(now)); len(now) == 0 {
		delete(a.spreads, who)
	}
}

// spreadByOthers says whether somebody else has the address by now: a port goes, and another
// gets its address.
func (a *announcer) spreadByOthers(who, name string) bool {
	for other, names := range a.spreads {
		if other != who && slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// spreadDoors says it of routers.
func (a *announcer) spreadDoors() {
	if a.world == nil {
		return
	}
	routing := a.inbox.Routing()
	var said []translate.Sighting
	for name, door := range routing.Doors {
		link, _ := a.store.Status(vppnet.LinkKey(name))
		for _, v := range routing.Voices[name] {
			if by, _ := a.store.Status(v.By); link.State == desiredstate.Applied && by.State == desiredstate.Applied {
				said = append(said, door.Sightings(a.inbox.Site, door.MAC, v.Addr)...)
			}
		}
	}
	a.spread(wants.OfRouter(""), said)
}
