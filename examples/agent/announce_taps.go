// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/vppnet"
)

// tap announces how a service or a flow stands. What was said stays as long as it is in doubt: other hosts would
// take down their ends of it, and this one its own then, though VPP perhaps copies on. Sure: it is not in doubt.
func (a *announcer) tap(name string) (sure bool) {
	t, known, wrong := a.inbox.LookTap(name)
	var said []string
	if wrong != nil {
		said = append(said, wrong.Error())
	}
	if known && t.Lacks != nil {
		said = append(said, t.Lacks.Error())
	}
	yes, doubted := known, false
	if known {
		var keys, reach []desiredstate.Key
		for _, o := range t.Objects {
			keys = append(keys, o.Key())
		}
		for _, uuid := range t.Ports { // whatever becomes of their filters: other hosts' flows hang on what is said
			p, _ := a.inbox.PortOf(uuid)
			reach = append(reach, vppnet.InterfaceKey(p.Interface()), vppnet.BridgeKey(p.Network())) // their numbers are said
			reach = append(reach, p.Reach()...)
		}
		yes, doubted = a.stands(append(reach, keys...)...)
		said = append(said, wants.Causes(a.store, keys)...)
	}
	switch {
	case yes:
		a.tapped.Set(name, t.State(a.store))
	case !doubted:
		a.tapped.Clear(name)
	}
	if len(said) == 0 && doubted && !a.settled.Load() {
		return !doubted
	}
	a.problem(wants.OfUnserved(name), "errors/"+pathSegments(name), strings.Join(said, "; "))
	return !doubted
}

// stands says whether VPP has all of these, or that it perhaps has them.
func (a *announcer) stands(all ...desiredstate.Key) (yes, doubted bool) {
	yes = true
	for _, k := range all {
		switch status, _ := a.store.Status(k); {
		case status.State == desiredstate.Applied:
		case status.State == desiredstate.Pending, errors.Is(status.Err, desiredstate.ErrUnread):
			yes, doubted = false, true
		default:
			return false, false
		}
	}
	return yes, doubted
}

// settleTaps takes back what an earlier agent said of services and flows and is no longer so, once VPP had its say about
// everything, however long that takes.
func (a *announcer) settleTaps() {
	if a.tapsTrue || !a.inbox.Complete() || a.store.Count(desiredstate.Pending) > 0 {
		return
	}
	sure := true
	for _, name := range a.inbox.TapNames() {
		sure = a.tap(name) && sure
	}
	if sure {
		a.tapped.Settle()
		a.tapsTrue = true
	}
}
