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
}

// dueTime is how long a VPP that may be there has to confirm what was said.
const dueTime = 5 * time.Second

func (a *announcer) run(ctx context.Context) error {
	due := time.AfterFunc(dueTime, a.settle)
	defer due.Stop()
	for key, status := range a.store.Watch(ctx) {
		for _, s := range a.store.Sources(key) {
			if name, ok := strings.CutPrefix(s, source("")); ok {
				a.port(name)
			} else if physnet, ok := strings.CutPrefix(s, uplink("")); ok {
				a.physnet(physnet)
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
	return a.inbox.listed() && a.store.Count(desiredstate.Pending) == 0
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
	case status.State == desiredstate.Applied:
		a.board.Set(bound, p.State(p.Handles(a.store)))
		a.board.Clear(problem)
	case status.State == desiredstate.Pending && !a.settled.Load():
	case status.Err != nil:
		a.board.Clear(bound)
		a.board.Set(problem, reason(cause(a.store, p)))
	default:
		a.board.Clear(bound)
		a.board.Clear(problem)
	}
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

// cause says why a port is not whole: not that one part of it waits for
// another, but what the first of them waits for, or was refused.
func cause(s *desiredstate.Store, p translate.Port) string {
	waits := map[desiredstate.Key]bool{}
	for _, o := range p.Objects() {
		status, _ := s.Status(o.Key())
		waits[o.Key()] = status.Err != nil
	}
	var out []string
	for _, o := range p.Objects() {
		status, _ := s.Status(o.Key())
		within := func(k desiredstate.Key) bool { return waits[k] }
		if status.Err != nil && !slices.ContainsFunc(status.BlockedBy, within) {
			out = append(out, fmt.Sprintf("%s: %v", o.Key(), status.Err))
		}
	}
	return strings.Join(out, "; ")
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
