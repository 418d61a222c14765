// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// tap announces how a service or a flow stands.
func (a *announcer) tap(name string) {
	t, known, wrong := a.inbox.LookTap(name)
	var said []string
	if wrong != nil {
		said = append(said, wrong.Error())
	}
	if known && t.Lacks != nil {
		said = append(said, t.Lacks.Error())
	}
	status, pending := desiredstate.Status{State: desiredstate.Applied}, false
	if known {
		sum := func(s desiredstate.Status, _ bool) {
			pending = pending || s.State == desiredstate.Pending
			if s.State != desiredstate.Applied {
				status = s
			}
		}
		for _, uuid := range t.Ports {
			p, _ := a.inbox.PortOf(uuid)
			for _, k := range p.Reach() { // whatever becomes of its filters: other hosts' flows hang on what is said
				sum(a.store.Status(k))
			}
		}
		if len(t.Objects) > 0 {
			sum(a.store.Source(wants.OfTap(name)))
		}
		var keys []desiredstate.Key
		for _, o := range t.Objects {
			keys = append(keys, o.Key())
		}
		said = append(said, wants.Causes(a.store, keys)...)
	}
	switch {
	case known && status.State == desiredstate.Applied:
		a.tapped.Set(name, t.State(a.store))
	case !pending || a.settled.Load():
		a.tapped.Clear(name)
	}
	if len(said) == 0 && known && pending && !a.settled.Load() {
		return
	}
	a.problem(wants.OfUnserved(name), "errors/"+pathSegments(name), strings.Join(said, "; "))
}
