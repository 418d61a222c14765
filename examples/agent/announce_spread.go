// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// spread keeps what the host says of a member of an overlay's network to others equal to
// what is true: it begins when VPP has confirmed the member. What was said stays as long as it is in doubt: all others
// would forget the member, whom VPP perhaps serves on.
func (a *announcer) spread(who string, said, doubted []translate.Sighting) {
	if a.world == nil {
		return
	}
	before, now := a.spreads[who], map[string]bool{}
	for _, g := range said {
		now[g.Name()] = true
		if a.compared[g.Name()] {
			a.world.Set(g.Name(), g.Value())
		} else { // of two the newer is believed, and a host that had it since, and died, says so on
			a.compared[g.Name()] = true
			a.world.SetSince(g.Name(), g.Value(), a.inbox.SaidElsewhere(g))
		}
	}
	for _, g := range doubted {
		delete(a.compared, g.Name())
		if before[g.Name()] {
			now[g.Name()] = true
		}
	}
	for name := range before {
		if !now[name] && !a.spreadByOthers(who, name) {
			delete(a.compared, name)
			a.world.Clear(name)
		}
	}
	if a.spreads[who] = now; len(now) == 0 {
		delete(a.spreads, who)
	}
}

// heardAgain is told that etcd is heard again.
func (a *announcer) heardAgain() {
	a.away.Store(true)
	a.touched.Add()
}

// compareAgain compares all that is said with what others said meanwhile. Not more often: two that both have somebody would write in turns
// for ever.
func (a *announcer) compareAgain() {
	if a.world == nil || !a.away.Swap(false) {
		return
	}
	clear(a.compared)
	names, _ := a.inbox.Names()
	for _, name := range names {
		a.spreadPort(name)
	}
}

// spreadByOthers says whether somebody else has the address by now: a port goes, and another
// gets its address.
func (a *announcer) spreadByOthers(who, name string) bool {
	for other, names := range a.spreads {
		if other != who && names[name] {
			return true
		}
	}
	return false
}

// reached sorts what is to be said of a member by whether VPP has all by which others reach it, or that is in doubt.
func (a *announcer) reached(said []translate.Sighting, by ...desiredstate.Key) (yes, doubted []translate.Sighting) {
	switch is, doubt := a.stands(by...); {
	case is:
		return said, nil
	case doubt:
		return nil, said
	}
	return nil, nil
}

// spreadPort says it of a port, whatever becomes of its filters. Sure: it is not in doubt. Where a VM is of which another host says that it
// has it, its own driver shows: until the switch of a live migration it runs there, and the port is ready here.
func (a *announcer) spreadPort(name string) (sure bool) {
	if a.world == nil {
		return true
	}
	sure = true
	var said, doubted []translate.Sighting
	if p, known, _ := a.inbox.Look(name); known {
		said, doubted = a.reached(p.Sightings(), p.Reach()...)
		sure = len(doubted) == 0
		if at, _ := p.Place(); p.Believed() && a.inbox.Claimed(at) {
			if runs, known := a.runs(p); !runs {
				said, doubted, sure = nil, slices.Concat(said, doubted), sure && known
			}
		}
	}
	a.spread(wants.OfPort(name), said, doubted)
	return sure
}

// spreadDoors says it of routers.
func (a *announcer) spreadDoors() (sure bool) {
	if a.world == nil {
		return true
	}
	routing := a.inbox.Routing()
	var said, doubted []translate.Sighting
	for name, door := range routing.Doors {
		for _, v := range routing.Voices[name] {
			yes, perhaps := a.reached(door.Sightings(a.inbox.Site, door.MAC, v.Addr), append(door.Reach(name, door.MAC), v.By)...)
			said, doubted = append(said, yes...), append(doubted, perhaps...)
		}
	}
	a.spread(wants.OfRouter(""), said, doubted)
	return len(doubted) == 0
}

// settleWorld takes back what an earlier agent said to others and is no longer so, once VPP had its say about everything,
// however long that takes.
func (a *announcer) settleWorld() {
	if a.world == nil || a.toldTrue || !a.inbox.Complete() || a.store.Count(desiredstate.Pending) > 0 {
		return
	}
	sure := a.spreadDoors()
	names, _ := a.inbox.Names()
	for _, name := range names {
		sure = a.spreadPort(name) && sure
	}
	if sure {
		a.world.Settle()
		a.toldTrue = true
	}
}
