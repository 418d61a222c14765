// SPDX-License-Identifier: Apache-2.0

package desiredstate

import (
	"fmt"
	"slices"
)

// StoreFaults says which invariants of a store do not hold.
func StoreFaults(s *Store) (bad []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	say := func(f string, a ...any) { bad = append(bad, fmt.Sprintf(f, a...)) }
	unsure, counts := 0, map[State]int{}
	for k, x := range s.entries {
		if x.key != k {
			say("key %s %s", k, x.key)
		}
		if !x.status().sure() {
			unsure++
		}
		counts[x.stands.state]++
		if (x.want != nil) != (len(x.by) > 0) {
			say("%s want %v by %d", k, x.want, len(x.by))
		}
		if x.stands.leaving != (x.want == nil) {
			say("%s leaving %v want %v", k, x.stands.leaving, x.want)
		}
		for i, w := range x.by {
			if w.at >= len(w.wants) || w.wants[w.at].entry != x || w.wants[w.at].at != i {
				say("%s by %s at %d", k, w.name, w.at)
			}
			if s.sources[w.name] != w.source {
				say("source %s is not known", w.name)
			}
		}
		for _, m := range x.missing {
			if _, ok := s.vanished[m][k]; !ok {
				say("%s missing %s, which has not vanished with it", k, m)
			}
		}
		if len(x.missing) > 0 && x.want != nil {
			say("%s missing and wanted", k)
		}
	}
	for n, src := range s.sources {
		if len(src.wants) == 0 {
			say("source %s empty", n)
		}
		for i, m := range src.wants {
			if s.entries[m.key] != m.entry || m.by[m.at].source != src || m.by[m.at].at != i {
				say("source %s mention %s", n, m.key)
			}
		}
	}
	for n, keys := range s.vanished {
		if len(keys) == 0 {
			say("vanished %s empty", n)
		}
		for k := range keys {
			if s.entries[k] == nil || !slices.Contains(s.entries[k].missing, n) {
				say("vanished %s %s", n, k)
			}
		}
	}
	for k := range s.held {
		if s.entries[k] == nil || s.entries[k].want != nil {
			say("held %s", k)
		}
	}
	if unsure != s.unsure {
		say("unsure %d is %d", s.unsure, unsure)
	}
	for st, n := range s.counts {
		if counts[st] != n {
			say("count %s %d is %d", st, n, counts[st])
		}
	}
	if len(s.waits) > 0 {
		say("waits %d", len(s.waits))
	}
	return bad
}

// EngineFaults says which invariants of an engine at rest do not hold.
func EngineFaults(e *Engine) (bad []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sweep()
	say := func(f string, a ...any) { bad = append(bad, fmt.Sprintf(f, a...)) }
	doubts := 0
	owned, held := map[*kind]int{}, map[*kind]int{}
	referred := map[string]int{}
	for k, n := range e.nodes {
		if n.key != k || n.dropped {
			say("node %s %s dropped %v", k, n.key, n.dropped)
		}
		if n.suspect {
			doubts++
		}
		if n.ref != nil {
			referred[k.Space]++
		}
		if n.readers != 0 || n.writers != 0 || n.waiting != nil || n.plan != nil || n.found != nil {
			say("%s readers %d writers %d waiting %v plan %v found %v", k, n.readers, n.writers, n.waiting, n.plan, n.found)
		}
		if !n.exists() && len(n.users) == 0 && !n.suspect && e.lent[n] == nil {
			say("%s means nothing", k)
		}
		for _, a := range n.have {
			held[a.kind]++
			if !a.foreign {
				owned[a.kind]++
			}
		}
		for i, u := range n.users {
			if e.nodes[u.key] != u {
				say("%s user %s unknown", k, u.key)
			}
			if !slices.ContainsFunc(u.deps, func(x edge) bool { return x.on == n && x.at == i }) {
				say("%s user %s at %d", k, u.key, i)
			}
		}
		for _, d := range n.deps {
			if d.at >= len(d.on.users) || d.on.users[d.at] != n {
				say("%s dep %s", k, d.on.key)
			}
			if e.nodes[d.on.key] != d.on {
				say("%s dep %s unknown", k, d.on.key)
			}
		}
		if n.takes != nil {
			for _, r := range n.takes.holds {
				if !slices.Contains(e.holders[r], n) {
					say("%s holds %s", k, r)
				}
			}
			for _, sh := range n.takes.shares {
				if e.sharers[sh.of][sh.at] != n {
					say("%s shares %s", k, sh.of)
				}
			}
		}
		if n.shown.there != (n.exists() || e.lent[n] != nil) {
			say("%s shown %v exists %v", k, n.shown, n.exists())
		}
	}
	for r, ns := range e.holders {
		for _, n := range ns {
			if n.takes == nil || !slices.Contains(n.takes.holds, r) {
				say("holder %s %s", r, n.key)
			}
		}
	}
	for r, ns := range e.sharers {
		for _, n := range ns {
			if n.takes == nil || n.takes.share(r) == nil {
				say("sharer %s %s", r, n.key)
			}
		}
	}
	if doubts != e.doubts {
		say("doubts %d is %d", e.doubts, doubts)
	}
	for _, k := range e.world.kinds {
		if k.owned != owned[k] || k.held != held[k] {
			say("kind %s owned %d is %d held %d is %d", k.name, k.owned, owned[k], k.held, held[k])
		}
	}
	for sp, n := range e.referred {
		if referred[sp] != n {
			say("referred %s %d is %d", sp, n, referred[sp])
		}
	}
	if e.flying != 0 {
		say("flying %d", e.flying)
	}
	for sp, m := range e.view.names {
		c := 0
		for id, n := range m {
			for ; n != nil; n = n.alike {
				if n.shown.id != id || !n.shown.there {
					say("name %s %d %s", sp, id, n.key)
				}
				if c++; c > 1<<20 {
					say("loop")
					break
				}
			}
		}
		want := 0
		for k, n := range e.nodes {
			if k.Space == sp && n.shown.there {
				want++
			}
		}
		if want != c {
			say("names %s %d is %d", sp, c, want)
		}
	}
	return bad
}
