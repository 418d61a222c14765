// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Condition is something that is amiss with the host as a whole, not with one of its keys.
type Condition struct {
	Error string    `json:"error"`
	Since time.Time `json:"since"`
}

// condition names, by which they stand in etcd below conditions/.
const (
	vppAway   = "vpp"    // there is none, or none that lives
	vppLacks  = "lacks"  // it cannot do all
	etcdAway  = "etcd"   // nothing is heard of it, or of one of its members
	heldBack  = "held"   // removals wait for somebody's word
	drifted   = "drift"  // somebody changed what is the agent's, a while ago at most
	deadly    = "deadly" // objects that VPP dies of
	unreadVPP = "unread" // VPP does not show all
	remains   = "left"   // what nobody wants any more, and VPP does not remove
	tooMany   = "errors" // more keys are wrong than errors are written
)

// driftLasts is how long a drift that was repaired is told of.
const driftLasts = 10 * time.Minute

// health is what is known of all that is not in the store.
type health struct {
	mu      sync.Mutex
	away    string // why there is no VPP
	ends    []time.Time
	drifts  int
	drift   time.Time
	last    string           // what drifted last
	unread  string           // what VPP would not show, at the last reading
	members map[string]error // of etcd that do not answer
	now     map[string]Condition
}

// note changes what is known.
func (h *health) note(f func(h *health)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

// amiss says all that is amiss now.
func (a *agent) amiss() map[string]string {
	out := map[string]string{}
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = slices.DeleteFunc(h.ends, func(at time.Time) bool { return time.Since(at) > driftLasts })
	died := ""
	if n := len(h.ends); n > 1 {
		died = fmt.Sprintf("VPP was lost %d times in the last %v", n, driftLasts)
	}
	v := a.connected.Load()
	switch {
	case v == nil && h.away != "":
		out[vppAway] = strings.Join(nonEmpty("VPP is away", h.away, died), ": ")
	case died != "":
		out[vppAway] = died
	}
	if v != nil && len(v.lacks) > 0 {
		out[vppLacks] = strings.Join(v.lacks, "; ")
	}
	if lost := a.etcdLost.Load(); lost != nil {
		out[etcdAway] = *lost
	} else {
		for _, m := range slices.Sorted(maps.Keys(h.members)) {
			out[etcdAway] = strings.Join(nonEmpty(out[etcdAway], fmt.Sprintf("%s: %v", m, h.members[m])), "; ")
		}
	}
	if held, ok := a.store.Held(); ok {
		out[heldBack] = fmt.Sprintf("%d objects are not removed before somebody confirms %s: %v", len(held.Keys), held.Token, held.Err)
	}
	if h.drifts > 0 && time.Since(h.drift) < driftLasts {
		out[drifted] = fmt.Sprintf("%d objects were found changed since the agent started, last %s at %s", h.drifts, h.last, h.drift.Format(time.RFC3339))
	}
	if aside := a.deadly.names(); len(aside) > 0 {
		out[deadly] = fmt.Sprintf("VPP dies of %d objects, which are left out until they are changed, or for some minutes: %s", len(aside), strings.Join(aside, ", "))
	}
	if n := a.announcer.silent.Load(); n > 0 {
		out[tooMany] = fmt.Sprintf("%d more keys are wrong, of which no error is written", n)
	}
	if left := a.announcer.left(); len(left) > 0 {
		out[remains] = fmt.Sprintf("VPP does not remove %d objects that nobody wants any more: %s", len(left), strings.Join(left[:min(len(left), 8)], "; "))
	}
	if h.unread != "" {
		out[unreadVPP] = h.unread
	}
	for name, why := range out {
		out[name] = cut(why)
	}
	return out
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// lasts is how long something is amiss before it is said in etcd: a start is nothing amiss.
const lasts = 1500 * time.Millisecond

// look takes what is amiss for the conditions of now, and puts on the board what is new.
func (a *agent) look() map[string]Condition {
	amiss := a.amiss()
	h := &a.health
	h.mu.Lock()
	defer h.mu.Unlock()
	now := map[string]Condition{}
	for name, why := range amiss {
		c, known := h.now[name]
		if !known {
			c.Since = time.Now()
		}
		c.Error = why
		now[name] = c
		if text, err := json.Marshal(c); err == nil && time.Since(c.Since) >= lasts {
			a.board.Set("conditions/"+name, string(text))
		}
	}
	for name := range h.now {
		if _, still := now[name]; !still {
			a.board.Clear("conditions/" + name)
		}
	}
	h.now = now
	return now
}

// watchHealth says each second what is amiss, until ctx ends.
func (a *agent) watchHealth(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.probe(ctx) })
	g.Go(func() error {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			a.look()
			a.lag()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-every.C:
			}
		}
	})
	return g.Wait()
}

// probe asks each member of etcd whether it is there: a client that has another one left says
// nothing of it.
func (a *agent) probe(ctx context.Context) error {
	for {
		if members := a.etcd.Endpoints(); len(members) > 1 {
			gone := map[string]error{}
			var mu sync.Mutex
			var g sync.WaitGroup
			for _, m := range members {
				g.Go(func() {
					short, cancel := context.WithTimeout(ctx, 3*time.Second)
					defer cancel()
					if _, err := a.etcd.Status(short, m); err != nil {
						mu.Lock()
						defer mu.Unlock()
						gone[m] = err
					}
				})
			}
			g.Wait()
			a.health.note(func(h *health) { h.members = gone })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(probeEvery):
		}
	}
}

// probeEvery is how often.
const probeEvery = 5 * time.Second
