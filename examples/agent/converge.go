// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
)

// convergence says up to which revision of etcd each key of the host is in VPP, or reported
// wrong, for whoever waits for what he wrote. What he wrote of this host is answered at once;
// what all hosts have in common, a group's rules, a while later, or each change of them cost etcd a
// write of each host.
type convergence struct {
	reached atomic.Int64 // all keys up to here are in the store
	mine    atomic.Int64 // counts changes of the host's own
	told    atomic.Int64 // said, for others to read

	heard, answered int64 // of mine

	said  int64
	next  time.Time       // when it is said for others' keys
	later bool            // somebody rings then
	owed  map[string]bool // sources that were announced since it was said
}

// converged is its key.
const converged = "converged"

// lazily is how long others' keys wait, twice that at most.
const lazily = 10 * time.Second

// converge says how far all is, if that can be said now. Whatever moved up to that revision was
// touched before it was reached, so it is announced once more when nothing is pending.
func (a *announcer) converge(at int64) {
	c := &a.convergence
	if at < c.said { // another etcd
		a.board.Clear(converged)
		c.said = 0
		c.told.Store(0)
	}
	if at == c.said || !a.settled.Load() || !a.inbox.Complete() || !a.inbox.CaughtUp() || a.store.Count(desiredstate.Pending) > 0 {
		return
	}
	own := c.mine.Load()
	mine := own != c.answered
	if wait := time.Until(c.next); !mine && wait > 0 {
		if !c.later {
			c.later = true
			time.AfterFunc(wait, func() { a.touched.Add() })
		}
		return
	}
	for s := range c.owed {
		a.look(s)
	}
	for _, since := range a.wrong {
		if !since.IsZero() {
			return // it is said when it has lasted
		}
	}
	if c.heard == own {
		c.answered = own
	}
	c.heard = own // what was told last may be beyond that revision: it is answered with the next one
	clear(c.owed)
	c.said, c.later = at, false
	c.told.Store(at)
	c.next = time.Now().Add(lazily + rand.N(lazily))
	a.board.SetSince(converged, fmt.Sprintf(`{"revision":%d}`, at), at)
}
