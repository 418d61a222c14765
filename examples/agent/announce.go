// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/publish"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// announcer puts on the board what VPP confirmed, and takes off what is no
// longer so.
//
// An agent that starts finds the keys that an earlier one left. They stay until
// VPP had its say about each port, or did not in due time: a restart of the
// agent shall not look to Neutron like one of all ports.
type announcer struct {
	inbox   *inbox
	store   *desiredstate.Store
	board   *publish.Board
	settled atomic.Bool
	saying  sync.Mutex // what is said last is what was looked at last

	failing map[desiredstate.Key]string // why sets of groups are not as wanted; of run
}

// dueTime is how long a VPP that may be there has to confirm what was said.
const dueTime = 5 * time.Second

func (a *announcer) run(ctx context.Context) error {
	due := time.AfterFunc(dueTime, a.settle)
	defer due.Stop()
	a.failing = map[desiredstate.Key]string{}
	for key, status := range a.store.Watch(ctx) {
		for _, s := range a.store.Sources(key) {
			if name, ok := strings.CutPrefix(s, source("")); ok {
				a.port(name)
			} else if physnet, ok := strings.CutPrefix(s, uplink("")); ok {
				a.physnet(physnet)
			} else if group, ok := strings.CutPrefix(s, shared("")); ok {
				a.group(group, key, status)
			}
		}
		if status.State != desiredstate.Pending && !a.settled.Load() && a.verdict() {
			a.settle()
		}
	}
	return ctx.Err()
}

// verdict says whether VPP had its say about everything.
func (a *announcer) verdict() bool {
	return a.inbox.complete() && a.store.Count(desiredstate.Pending) == 0
}

// settle makes pending mean untrue from now on.
func (a *announcer) settle() {
	names, loaded := a.inbox.names()
	if !loaded || a.settled.Swap(true) {
		return
	}
	for _, name := range names {
		a.port(name)
	}
	for physnet := range a.inbox.site.Physnets {
		a.physnet(physnet)
	}
	a.board.Settle()
}

// port announces how the port of a key stands.
func (a *announcer) port(name string) {
	a.saying.Lock()
	defer a.saying.Unlock()
	p, known, wrong := a.inbox.look(name)
	status, _ := a.store.Source(source(name))
	bound, problem := "ports/"+name, "errors/"+segment(name)
	switch {
	case wrong != nil:
		a.board.Clear(bound)
		a.board.Set(problem, reason(wrong.Error()))
	case !known:
		a.board.Clear(bound)
		a.board.Clear(problem)
	case status.State == desiredstate.Pending && !a.settled.Load():
	default:
		if status.State == desiredstate.Applied {
			a.board.Set(bound, p.State(p.Handles(a.store)))
		} else {
			a.board.Clear(bound)
		}
		if why := a.why(p); why != "" {
			a.board.Set(problem, reason(why))
		} else {
			a.board.Clear(problem)
		}
	}
}

// group announces how the ports of a group stand, if something else is wrong now
// with one of its sets: a port can be bound while VPP refuses what its group has
// come to be.
func (a *announcer) group(name string, key desiredstate.Key, status desiredstate.Status) {
	why := ""
	if status.Err != nil {
		why = status.Err.Error()
	}
	if why == a.failing[key] {
		return
	}
	if a.failing[key] = why; why == "" {
		delete(a.failing, key)
	}
	for _, port := range a.inbox.in(name) {
		a.port(port)
	}
}

// why says what is wrong with a port: with the keys of its groups, and in VPP.
func (a *announcer) why(p translate.Port) string {
	said := a.inbox.trouble(p)
	wrong := func(k desiredstate.Key) bool { status, _ := a.store.Status(k); return status.Err != nil }
	status, _ := a.store.Source(source(p.UUID))
	if status.Err != nil || slices.ContainsFunc(p.Shared(), wrong) {
		said = append(said, cause(a.store, p)...)
	}
	return strings.Join(said, "; ")
}

// physnet announces a physical network as long as its interface is there.
func (a *announcer) physnet(name string) {
	a.saying.Lock()
	defer a.saying.Unlock()
	status, _ := a.store.Source(uplink(name))
	switch {
	case status.State == desiredstate.Applied:
		a.board.Set("physnets/"+name, "1")
	case status.State == desiredstate.Pending && !a.settled.Load():
	default:
		a.board.Clear("physnets/" + name)
	}
}

// cause says why a port is not whole, or its groups are not: not that one part of
// it waits for another, but what the first of them waits for, or was refused.
func cause(s *desiredstate.Store, p translate.Port) (out []string) {
	failed := map[desiredstate.Key]desiredstate.Status{}
	keys := p.Shared()
	for _, o := range p.Objects() {
		keys = append(keys, o.Key())
	}
	for _, k := range keys {
		if status, _ := s.Status(k); status.Err != nil {
			failed[k] = status
		}
	}
	said := map[string]bool{}
	for _, k := range keys {
		within := func(by desiredstate.Key) bool { return failed[by].Err != nil }
		status, wrong := failed[k]
		if !wrong || slices.ContainsFunc(status.BlockedBy, within) || said[status.Err.Error()] {
			continue
		}
		said[status.Err.Error()] = true
		out = append(out, fmt.Sprintf("%s: %v", k, status.Err))
	}
	return out
}

func reason(why string) string {
	out, err := json.Marshal(struct {
		Error string `json:"error"`
	}{why})
	if err != nil {
		return "{}" // strings always marshal
	}
	return string(out)
}

// segment makes one part of a key of any name, however hostile.
func segment(name string) string {
	s := url.PathEscape(name)
	if len(s) <= 128 {
		return s
	}
	sum := sha256.Sum256([]byte(name))
	return s[:64] + "~" + hex.EncodeToString(sum[:8])
}
