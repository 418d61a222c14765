// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"maps"
	"slices"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// taps are the services and flows of tap-as-a-service: who is to get copies of what passes
// ports. What other hosts say of theirs is read as far as flows need it.
type taps struct {
	site             translate.Site
	follow, unfollow func(follow.Range)

	services map[string]translate.TapService
	flows    map[string]translate.TapFlow
	wrong    map[string]error  // keys that cannot be read, or are not proven, by name below Site.Keys
	said     map[string][]byte // what lies at the keys that are followed
	followed map[string]bool
	now      map[string]translate.Tap   // what comes of each
	refused  map[string]error           // by the store
	of       map[string]map[string]bool // names, by UUID of a port that they need
	taken    map[translate.Way]bool     // by networks of the host: what copies are to go by
	touched  map[string]bool            // names whose keys have changed
	stale    bool                       // now is not what it should be
	missed   bool                       // a key was in no list any more, and nobody said that it is deleted
}

func newTaps(site translate.Site) *taps {
	return &taps{
		site: site, follow: func(follow.Range) {}, unfollow: func(follow.Range) {},
		services: map[string]translate.TapService{}, flows: map[string]translate.TapFlow{}, wrong: map[string]error{},
		said: map[string][]byte{}, followed: map[string]bool{}, now: map[string]translate.Tap{}, refused: map[string]error{},
		of: map[string]map[string]bool{}, touched: map[string]bool{},
	}
}

// OfTap names what wants the objects of a service or a flow.
func OfTap(name string) string { return "tap/" + name }

// IsTap says whether the name of a key, below Site.Keys, is of a service or a flow.
func IsTap(name string) bool {
	return strings.HasPrefix(name, translate.TapServices) || strings.HasPrefix(name, translate.TapFlows)
}

// known lists all keys that are there.
func (x *taps) known() []string {
	out := slices.Collect(maps.Keys(x.wrong))
	for id := range x.services {
		out = append(out, translate.TapServices+id)
	}
	for id := range x.flows {
		out = append(out, translate.TapFlows+id)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listed takes all keys of the host.
func (x *taps) listed(values map[string][]byte, open func(name string, value []byte) ([]byte, error)) {
	for _, name := range x.known() {
		if _, still := values[name]; !still {
			x.put(name, nil, false, open)
			x.missed = true
		}
	}
	for name, value := range values {
		if IsTap(name) {
			x.put(name, value, true, open)
		}
	}
}

// put takes the value of a service's or a flow's key; it is there, or not. One that is not
// proven says nothing.
func (x *taps) put(name string, value []byte, there bool, open func(name string, value []byte) ([]byte, error)) {
	x.stale, x.touched[name] = true, true
	delete(x.wrong, name)
	var err error
	if there {
		if value, err = open(name, value); err != nil {
			x.wrong[name] = err
			return
		}
	}
	if id, ok := strings.CutPrefix(name, translate.TapServices); ok {
		delete(x.services, id)
		var t translate.TapService
		if there {
			if t, err = x.site.TapService(id, value); err == nil {
				x.services[id] = t
			}
		}
	} else if id, ok := strings.CutPrefix(name, translate.TapFlows); ok {
		delete(x.flows, id)
		var t translate.TapFlow
		if there {
			if t, err = x.site.TapFlow(id, value); err == nil {
				x.flows[id] = t
			}
		}
	}
	if err != nil {
		x.wrong[name] = err
	}
	want := map[string]bool{}
	for _, key := range x.site.TapElsewhere(x.flows) {
		if want[key] = true; !x.followed[key] {
			x.follow(follow.Range(key))
		}
	}
	for key := range x.followed {
		if !want[key] {
			x.unfollow(follow.Range(key))
			delete(x.said, key)
		}
	}
	x.followed = want
}

// heard takes what lies at a key of others.
func (x *taps) heard(key string, value []byte, there bool) {
	if !x.followed[key] {
		return
	}
	x.stale = true
	if delete(x.said, key); there {
		x.said[key] = value
	}
}

// isElsewhere says whether a key is one that flows may need.
func isElsewhere(key string) bool {
	return strings.HasPrefix(key, translate.Taps) || strings.HasPrefix(key, translate.TapTargets)
}

// work looks at all anew if anything has changed, and returns what each source wants that is
// told anew, and whose state may be another.
func (x *taps) work(ports map[string]translate.Port, r *routers, moved map[string]bool) (wants map[string][]desiredstate.Object, names map[string]bool) {
	for port := range moved {
		x.stale = x.stale || len(x.services)+len(x.flows) > 0 && isNeeded(x, port)
	}
	if taken := x.taking(ports, r); !maps.Equal(taken, x.taken) {
		x.taken, x.stale = taken, true
	}
	wants, names = map[string][]desiredstate.Object{}, x.touched
	if !x.stale {
		return wants, names
	}
	x.stale, x.touched = false, map[string]bool{}
	before := x.now
	x.now = x.site.Taps(translate.Tapping{
		Services: x.services, Flows: x.flows, Elsewhere: x.said, Taken: x.taken,
		Port: func(uuid string) (translate.Port, bool) { return portOf(ports, uuid) },
	})
	x.of = map[string]map[string]bool{}
	for name, t := range x.now {
		names[name], wants[OfTap(name)] = true, t.Objects
		for _, port := range t.Ports {
			if x.of[port] == nil {
				x.of[port] = map[string]bool{}
			}
			x.of[port][name] = true
		}
	}
	for name := range before {
		if _, still := x.now[name]; !still {
			names[name] = true
			if !x.missed {
				wants[OfTap(name)] = nil
			}
		}
	}
	return wants, names
}

// taking are the ways of networks of the host that have a number which copies are to go by.
func (x *taps) taking(ports map[string]translate.Port, r *routers) map[translate.Way]bool {
	numbers, out := map[uint32]bool{}, map[translate.Way]bool{}
	for _, t := range x.services {
		numbers[t.Number] = true
	}
	for _, t := range x.flows {
		numbers[t.Number] = true
	}
	if len(numbers) == 0 {
		return out
	}
	take := func(nets ...translate.Net) {
		for _, n := range nets {
			if way := n.Way(); numbers[way.Number] {
				out[way] = true
			}
		}
	}
	for _, p := range ports {
		take(p.Net)
	}
	for _, p := range r.ports {
		take(p.Net)
	}
	for _, f := range r.floats {
		take(f.External, f.Internal)
	}
	return out
}

// portOf finds a port, or a subport, by its UUID.
func portOf(ports map[string]translate.Port, uuid string) (translate.Port, bool) {
	if p, ok := ports[uuid]; ok {
		return p, true
	}
	for _, p := range ports {
		if p.UUID == uuid {
			return p, true
		}
	}
	return translate.Port{}, false
}

// isNeeded says whether a service or flow names a port, by the name of the port's key.
func isNeeded(x *taps, port string) bool {
	uuid := port[strings.LastIndexByte(port, '/')+1:]
	for _, t := range x.services {
		if t.Port == uuid {
			return true
		}
	}
	for _, t := range x.flows {
		if t.Source == uuid {
			return true
		}
	}
	return false
}

// assignTaps tells the store, also of what it refused before. It adds to names those that are, or were,
// refused.
func (b *Inbox) assignTaps(wants map[string][]desiredstate.Object, names map[string]bool) {
	x := b.taps
	before := x.refused
	for name := range before {
		wants[OfTap(name)] = x.now[name].Objects
	}
	x.refused = map[string]error{}
	for source, err := range askOrNothing(b.store, slices.Sorted(maps.Keys(wants)), wants) {
		x.refused[strings.TrimPrefix(source, OfTap(""))] = err
	}
	for _, refused := range []map[string]error{before, x.refused} {
		for name := range refused {
			if !sameError(before[name], x.refused[name]) {
				names[name] = true
			}
		}
	}
}

// LookTap says what the key of a service or a flow means.
func (b *Inbox) LookTap(name string) (t translate.Tap, known bool, wrong error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, known = b.taps.now[name]
	switch {
	case b.taps.wrong[name] != nil:
		wrong = b.taps.wrong[name]
	case t.Wrong != nil:
		wrong = t.Wrong
	default:
		wrong = b.taps.refused[name]
	}
	return t, known && t.Wrong == nil && b.taps.refused[name] == nil, wrong
}

// TapNames lists all services and flows.
func (b *Inbox) TapNames() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taps.known()
}

// TapsOf lists the services and flows that need a port, by the name of its key.
func (b *Inbox) TapsOf(port string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.taps.of[port[strings.LastIndexByte(port, '/')+1:]]))
}

// PortOf is the port, or the subport, with this UUID; false: it is not here.
func (b *Inbox) PortOf(uuid string) (translate.Port, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return portOf(b.ports, uuid)
}

// all is what all services and flows want.
func (x *taps) all() map[string][]desiredstate.Object {
	out := map[string][]desiredstate.Object{}
	for name, t := range x.now {
		out[OfTap(name)] = t.Objects
	}
	return out
}

// errors says what is wrong with services and flows, by name.
func (x *taps) errors() map[string]error {
	out := map[string]error{}
	for name, t := range x.now {
		for _, err := range []error{t.Lacks, t.Wrong, x.refused[name]} {
			if err != nil {
				out[name] = err
			}
		}
	}
	for name, err := range x.wrong {
		out[name] = err
	}
	return out
}
