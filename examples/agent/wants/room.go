// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Room is for how many ports there is. VPP dies of more: its acl plugin maps memory for
// each filtered port, and Linux lets a process have so many maps.
type Room struct{ Ports, Filtered int }

// Of maps, a filtered port takes 18 (measured), and VPP some for itself.
const (
	mapsOfPort = 18
	mapsOfVPP  = 5000
	mostPorts  = 10000
)

// What lies below the keys of a host is not followed at all beyond so many keys and bytes: whoever may write
// there shall not let an agent grow. VPP stays as it is then.
const (
	mostKeys  = 25000
	mostBytes = 64 << 20
)

// findRoom asks Linux.
func findRoom() Room {
	r := Room{Ports: mostPorts, Filtered: mostPorts}
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return r
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		r.Filtered = min(r.Filtered, max(1, (n-mapsOfVPP)/mapsOfPort))
	}
	return r
}

// admit refuses, of the ports that changed, those for which there is no room, and takes in who
// waited when there is. Who is served stays.
func (b *Inbox) admit() {
	for name, c := range b.waiting { // who left has made room, perhaps
		if _, changed := b.changed[name]; !changed && b.makesRoom() {
			delete(b.waiting, name)
			b.become(name, c)
		}
	}
	all, filtered := 0, 0
	for name, p := range b.ports {
		if _, changed := b.changed[name]; !changed {
			all++
			if p.Filtered {
				filtered++
			}
		}
	}
	had := b.had()
	order := slices.SortedFunc(maps.Keys(b.changed), func(x, y string) int {
		return cmp.Or(had[x]-had[y], strings.Compare(x, y))
	})
	for _, name := range order {
		c := b.changed[name]
		delete(b.waiting, name)
		if !c.there || c.wrong != nil {
			continue
		}
		var why error
		was, served := b.ports[name]
		switch {
		case served && (was.Filtered || !c.port.Filtered):
		case c.port.Filtered && filtered >= b.Room.Filtered:
			why = fmt.Errorf("there are %d filtered ports: VPP would die of more, see vm.max_map_count", filtered)
		case all >= b.Room.Ports:
			why = fmt.Errorf("there are %d ports, the most that a host serves", all)
		}
		if why != nil {
			b.waiting[name] = c
			c.wrong = why
			b.become(name, c)
			continue
		}
		all++
		if c.port.Filtered {
			filtered++
		}
	}
}

// had are the places of the ports that changed: who is served already comes first, then who was by an
// earlier agent.
func (b *Inbox) had() map[string]int {
	const served, was, fresh = 0, 1, 2
	earlier := map[string]bool{}
	for _, name := range b.earlier {
		earlier[name] = true
	}
	out := make(map[string]int, len(b.changed))
	for name, c := range b.changed {
		if _, is := b.ports[name]; is {
			out[name] = served
		} else if earlier[name] || c.port.In(b.found) {
			out[name] = was
		} else {
			out[name] = fresh
		}
	}
	return out
}

// makesRoom says whether anybody goes, or loses his filters.
func (b *Inbox) makesRoom() bool {
	for name, c := range b.changed {
		if was, ok := b.ports[name]; ok && (!c.there || c.wrong != nil || was.Filtered && !c.port.Filtered) {
			return true
		}
	}
	return false
}
