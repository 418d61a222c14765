// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"sync"
	"time"
)

// A FaultKind says what goes wrong with a request.
type FaultKind int

// The kinds of faults. VPP stands for the one that executes: the in-memory VPP, or
// the one behind a Proxy.
const (
	Drop      FaultKind = iota + 1 // executed, never answered
	Refuse                         // not executed; answered with Fault.Retval (a dump: with nothing)
	Delay                          // executed after Fault.Delay; everything behind it waits, as behind a busy VPP
	Stall                          // as Delay, until Heal
	CutBefore                      // the connection is closed before the request is executed
	CutAfter                       // executed; the connection is closed before the answer
)

// A Fault makes requests fail. It counts the requests that it could apply to, from
// the moment it is injected, over all connections.
type Fault struct {
	Message string        // name without CRC; "" is any request but control_ping and the handshake
	Writes  bool          // of those, only what can change VPP: what the method Writes counts
	Nth     int           // the first request to fail, from 1; 0 is 1
	Times   int           // how many fail in a row from there; 0 is 1, negative is all until Heal
	Kind    FaultKind     // what happens to them
	Retval  int32         // for Refuse
	Delay   time.Duration // for Delay
}

// faults are those injected and not yet used up. The zero value is ready.
type faults struct {
	mu     sync.Mutex
	live   []*liveFault
	healed chan struct{} // closed by Heal; made when first waited for
}

type liveFault struct {
	Fault
	seen int
}

// Inject adds a fault. Several can be live; the one injected first wins a request
// that more than one would hit, and all of them count it.
func (f *faults) Inject(fault Fault) {
	fault.Nth = max(fault.Nth, 1)
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live = append(f.live, &liveFault{Fault: fault})
}

// FailWrite makes the nth request from now, counted from 1, of those that can change
// VPP fail: refused with -1 or, if lost, executed and never answered.
func (f *faults) FailWrite(nth int, lost bool) {
	fault := Fault{Writes: true, Nth: nth, Kind: Refuse, Retval: -1}
	if lost {
		fault.Kind = Drop
	}
	f.Inject(fault)
}

// Heal removes all faults and lets stalled requests go on.
func (f *faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live = nil
	if f.healed != nil {
		close(f.healed)
		f.healed = nil
	}
}

// hit counts a request and returns the fault that it meets; its zero value is none.
func (f *faults) hit(name string, writes bool) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found Fault
	live := f.live[:0]
	for _, l := range f.live {
		if (l.Message == name || l.Message == "" && name != "control_ping") && (writes || !l.Writes) {
			l.seen++
			if l.seen >= l.Nth && found.Kind == 0 {
				found = l.Fault
			}
		}
		if l.Times < 0 || l.seen < l.Nth+l.Times-1 {
			live = append(live, l)
		}
	}
	clear(f.live[len(live):])
	f.live = live
	return found
}

// wait holds a request for as long as its fault says, or until done is closed.
func (f *faults) wait(fault Fault, done <-chan struct{}) {
	switch fault.Kind {
	case Delay:
		select {
		case <-time.After(fault.Delay):
		case <-done:
		}
	case Stall:
		f.mu.Lock()
		if f.healed == nil {
			f.healed = make(chan struct{})
		}
		healed := f.healed
		f.mu.Unlock()
		select {
		case <-healed:
		case <-done:
		}
	}
}
