// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
)

// errQuarantined: VPP died of it.
var errQuarantined = errors.New("left out until it is changed, or for some minutes")

// quarantine keeps from VPP what it dies of, or it would be fed that again and again, and nobody be
// served. After a death with work under way, objects are worked on one at a time; what then is under
// way at two deaths is put aside, until something else is wanted by its key, or for a while: whoever
// stopped VPP by hand may have met the same object each time. That takes three deaths. What is wanted instead is
// tried at once; if VPP dies of that too, which takes one death more, the next waits, each time longer: who
// changes a key of which VPP dies again and again does not have it die as often.
type quarantine struct {
	mu     sync.Mutex
	last   time.Time                    // VPP died while work was under way
	single bool                         // this VPP is given one object at a time
	turn   chan struct{}                // whose it is
	flying map[desiredstate.Key]suspect // under way
	fell   map[desiredstate.Key]suspect // under way when VPP died; nil: nobody noticed yet
	done   desiredstate.Key             // what was finished last, and when
	at     time.Time
	seen   map[desiredstate.Key]suspect // at a death, alone
	aside  map[desiredstate.Key]suspect

	again time.Duration // after which what is aside is tried once more
	pause time.Duration // how long the third value of a key of which VPP died waits
}

// suspect is what was wanted of an object, nil: its end.
type suspect struct {
	want   desiredstate.Object
	died   time.Time
	values int  // how many of a key VPP died of, of one that is aside
	passed bool // something else was let through since
}

// waits is how long what is wanted instead has to wait.
func (x suspect) waits(pause, most time.Duration) time.Duration {
	if x.values < 2 {
		return 0
	}
	return min(pause<<min(x.values-2, 16), most)
}

const (
	suspicion = 2 * time.Minute        // how long after a death objects are worked on one at a time
	aftermath = 100 * time.Millisecond // how long what VPP has done may be what it dies of
)

// begin prepares an engine for a VPP.
func (q *quarantine) begin(e *desiredstate.Engine) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fell = nil
	q.flying, q.done = map[desiredstate.Key]suspect{}, desiredstate.Key{}
	if q.single = time.Since(q.last) < suspicion; q.single {
		e.Parallel = 1 // of each pass
	}
	q.turn = make(chan struct{}, 1)
	e.Refuse = q.refuse
}

// refuse says why an object is not made as it is wanted.
func (q *quarantine) refuse(s *desiredstate.Step) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	x, is := q.aside[s.Key]
	if !is {
		return nil
	}
	since, same := time.Since(x.died), reflect.DeepEqual(x.want, s.Want)
	switch wait := x.waits(q.pause, q.again); {
	case since > q.again:
		delete(q.aside, s.Key)
		return nil
	case same:
		x.passed = false
		q.aside[s.Key] = x
		return fmt.Errorf("VPP died of it, last at %s: %w", x.died.Format(time.RFC3339), errQuarantined)
	case since < wait:
		return fmt.Errorf("VPP died of %d of its values, so the next is tried at %s: %w", x.values, x.died.Add(wait).Format(time.RFC3339), errQuarantined)
	default:
		x.passed = true
		q.aside[s.Key] = x
		return nil
	}
}

// hear is told what the engine does; want says what is wanted by a key.
func (q *quarantine) hear(e desiredstate.Event, want func(desiredstate.Key) (desiredstate.Object, bool)) {
	if e.Type != desiredstate.Started && e.Type != desiredstate.Done && e.Type != desiredstate.Failed {
		return
	}
	q.mu.Lock()
	single, turn := q.single, q.turn
	q.mu.Unlock()
	if single && e.Type == desiredstate.Started {
		select {
		case turn <- struct{}{}:
		case <-time.After(time.Second): // who had it did not say that he is through
		}
	} else if single {
		defer func() {
			select {
			case <-turn:
			default:
			}
		}()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch e.Type {
	case desiredstate.Started:
		x := suspect{}
		if e.Action != desiredstate.Delete {
			x.want, _ = want(e.Key)
		}
		q.flying[e.Key] = x
	case desiredstate.Done:
		delete(q.flying, e.Key)
		q.done, q.at = e.Key, time.Now()
	default:
		if q.fell == nil && (errors.Is(e.Err, vppnet.ErrDisconnected) || errors.Is(e.Err, context.Canceled)) {
			q.fell = maps.Clone(q.flying) // the first to notice
		}
		delete(q.flying, e.Key)
	}
}

// died takes note of the end of a VPP, and returns what is put aside from now on.
func (q *quarantine) died(want func(desiredstate.Key) (desiredstate.Object, bool)) (aside []desiredstate.Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	under := q.fell
	if under == nil {
		under = q.flying
	}
	if len(under) == 0 && q.done != (desiredstate.Key{}) && time.Since(q.at) < aftermath {
		o, _ := want(q.done)
		under = map[desiredstate.Key]suspect{q.done: {want: o}}
	}
	if len(under) == 0 {
		return nil
	}
	now := time.Now()
	q.last = now
	put := func(k desiredstate.Key, x suspect) {
		if q.aside == nil {
			q.aside = map[desiredstate.Key]suspect{}
		}
		x.died, x.values = now, q.aside[k].values+1
		q.aside[k] = x
		aside = append(aside, k)
	}
	for k, x := range under {
		if q.aside[k].passed { // it was known
			put(k, x)
		}
	}
	if !q.single || len(aside) > 0 {
		return aside
	}
	seen := q.seen
	q.seen = map[desiredstate.Key]suspect{}
	for k, x := range under {
		x.died = now
		q.seen[k] = x
		if before, again := seen[k]; again && reflect.DeepEqual(before.want, x.want) {
			put(k, x)
		}
	}
	return aside
}

// names lists what is put aside.
func (q *quarantine) names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for k, x := range q.aside {
		if !x.passed {
			out = append(out, k.String())
		}
	}
	slices.Sort(out)
	return out
}
