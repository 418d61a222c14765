// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
)

// attachments are the VMs on the ports of one VPP, as far as it shows them. A VM that comes
// up or goes is an event of its port's link. One that is started paused, as Nova does until
// the port is bound, has only connected, of which there is no event: while a port waits for
// its VM they are looked at each second, and otherwise each five.
type attachments struct {
	*agent
	c    *vppnet.Conn
	name func(space string, id uint32) (string, bool)
	bell chan struct{}

	mu     sync.Mutex
	looked bool
	here   map[uint32]bool // ports that have one, by sw_if_index
	runs   map[uint32]bool // of these, whose VM's own driver runs
	maybe  map[uint32]bool // of the others, those to be looked at once more
}

func newAttachments(a *agent, c *vppnet.Conn, e *desiredstate.Engine) *attachments {
	return &attachments{agent: a, c: c, name: e.Name, bell: make(chan struct{}, 1), here: map[uint32]bool{}}
}

// stir has them looked at soon.
func (x *attachments) stir() {
	select {
	case x.bell <- struct{}{}:
	default:
	}
}

// hear is told what an engine does: a port that was made has no VM yet, whoever had its number
// before.
func (x *attachments) hear(e desiredstate.Event) {
	if e.Type != desiredstate.Done || e.Key.Space != vppnet.InterfaceKey("").Space {
		return
	}
	x.mu.Lock()
	delete(x.here, e.ID)
	delete(x.runs, e.ID)
	delete(x.maybe, e.ID)
	x.mu.Unlock()
	x.stir()
}

// run looks until ctx ends.
func (x *attachments) run(ctx context.Context) {
	const again = 150 * time.Millisecond
	often := x.looks
	for {
		pause := 5 * often
		switch waiting, unsure, err := x.look(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			x.log.Warn("cannot look for VMs", "err", err)
			pause = often
		case unsure:
			pause = again
		case waiting:
			pause = often
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		case <-x.bell:
			time.Sleep(20 * time.Millisecond) // more comes together
		}
	}
}

// look asks VPP, and has those ports announced anew whose VM came, runs now, or went. It says whether
// there are ports without one, and whether one has to be looked at once more to tell: of a
// port that it has just made, VPP does not know yet whether it can connect.
func (x *attachments) look(ctx context.Context) (waiting, unsure bool, err error) {
	all, err := vhost.Guests(ctx, x.c)
	if err != nil {
		return false, false, err
	}
	x.mu.Lock()
	here, runs, maybe := map[uint32]bool{}, map[uint32]bool{}, map[uint32]bool{}
	var news []uint32
	for _, g := range all {
		switch was := x.here[g.Index]; {
		case g.Running, g.Attached() && (was || x.maybe[g.Index]):
			here[g.Index] = true
			if g.Running {
				runs[g.Index] = true
			}
			if !was || g.Running && !x.runs[g.Index] {
				news = append(news, g.Index)
			}
		case g.Attached():
			maybe[g.Index], unsure = true, true
		default:
			waiting = true
		}
	}
	for index := range x.here {
		if !here[index] {
			news = append(news, index)
		}
	}
	first := !x.looked && !unsure
	x.looked, x.here, x.runs, x.maybe = x.looked || first, here, runs, maybe
	x.mu.Unlock()
	if first {
		names, _ := x.inbox.Names()
		for _, name := range names {
			x.announcer.touched.Add(wants.OfPort(name))
		}
		return waiting, unsure, nil
	}
	for _, index := range news {
		if name, ok := x.name(vppnet.InterfaceKey("").Space, index); ok {
			_, id, _ := strings.Cut(name, "-")
			for _, port := range append(x.inbox.SubportNames(id), id) {
				x.announcer.touched.Add(wants.OfPort(port))
			}
		}
	}
	return waiting, unsure, nil
}

// has says whether there is a VM on the port with this number; not known: nobody looked yet.
func (x *attachments) has(index uint32) (there, known bool) {
	if !x.known() {
		return false, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.here[index], true
}

// running says whether the VM on the port with this number runs; not known: nobody looked yet.
func (x *attachments) running(index uint32) (yes, known bool) {
	if !x.known() {
		return false, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.runs[index], true
}

// known says whether anybody has looked.
func (x *attachments) known() bool {
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.looked
}
