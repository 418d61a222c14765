// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// trunk announces what is wrong with a trunk and its subports, which nobody waits for.
func (a *announcer) trunk(parent string) {
	var said []string
	pending := false
	if err := a.inbox.Unserved(wants.Trunks + parent); err != nil {
		said = append(said, err.Error())
	}
	for _, name := range a.inbox.SubportNames(parent) {
		p, known, wrong := a.inbox.Look(name)
		status, _ := a.store.Source(wants.OfPort(name))
		why := ""
		switch {
		case wrong != nil:
			why = wrong.Error()
		case known && status.State == desiredstate.Pending && !a.settled.Load():
			pending = true
			continue
		case known:
			why = a.why(p, status)
		}
		if why != "" {
			said = append(said, fmt.Sprintf("subport %s: %s", strings.TrimPrefix(name, wants.SubportName(parent, "")), why))
		}
	}
	key := "errors/" + pathSegments(wants.Trunks+parent)
	if len(said) > 0 {
		a.board.Set(key, reason(strings.Join(said, "; ")))
	} else if !pending {
		a.board.Clear(key)
	}
}
