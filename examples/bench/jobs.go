// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// The jobs, in the order in which one life of a VPP goes through them.
const (
	cold         = "cold"          // an empty VPP gets the fleet
	converged    = "converged"     // a look at everything, and nothing to do
	addOne       = "add-one"       // one port more
	changeOne    = "change-one"    // one port moves to another network
	agentRestart = "agent-restart" // who programs VPP starts anew, and finds all there
	vppRestart   = "vpp-restart"   // VPP starts anew, empty, and gets the fleet again
	teardown     = "teardown"      // the fleet goes
)

var allJobs = []string{cold, converged, addOne, changeOne, agentRestart, vppRestart, teardown}

// everyJob has those of all workloads.
var everyJob = []string{cold, converged, addOne, changeOne, changeMany, agentRestart, vppRestart, teardown}

// system is a way to program VPP. Each method returns when VPP has confirmed all.
type system interface {
	prepare(context.Context) error               // for cold; not timed
	cold(context.Context) error                  // connects, too
	converged(context.Context) error             //
	add(ctx context.Context, port int) error     //
	remove(ctx context.Context, port int) error  //
	move(_ context.Context, port, net int) error //
	stop(context.Context) error                  // for restart; not timed
	restart(context.Context) error               // connects, too
	lost(context.Context) error                  // VPP is gone, and the system has noticed; not timed
	back(context.Context) error                  // VPP is there again
	teardown(context.Context) error

	// sent is what was sent to VPP, once all that follows from the last job is.
	sent(context.Context) (messages, writes int)
	close()
}

// job is how one is measured.
type job struct {
	name   string
	before func(context.Context) error // nil: nothing. Neither is timed
	do     func(context.Context) error
	after  func(context.Context) error
	repeat int // the median counts
}

// jobs are those of a system; vpp is nil if it cannot be restarted.
func jobs(s system, f fleet, vpp *target, repeat int) []job {
	extra, moved := f.size, f.size/2
	all := []job{
		{cold, s.prepare, s.cold, nil, 1},
		{converged, nil, s.converged, nil, min(repeat, 5)},
		{
			addOne, nil,
			func(ctx context.Context) error { return s.add(ctx, extra) },
			func(ctx context.Context) error { return s.remove(ctx, extra) },
			repeat,
		},
		{
			changeOne, nil,
			func(ctx context.Context) error { return s.move(ctx, moved, f.elsewhere(moved)) },
			func(ctx context.Context) error { return s.move(ctx, moved, f.network(moved)) },
			repeat,
		},
		{agentRestart, s.stop, s.restart, nil, 1},
	}
	if vpp.restarts() {
		all = append(all, job{vppRestart, func(ctx context.Context) error {
			vpp.Kill()
			if err := s.lost(ctx); err != nil {
				return err
			}
			return vpp.Restart()
		}, s.back, nil, 1})
	}
	return append(all, job{teardown, nil, s.teardown, nil, 1})
}

// measurement is one job done.
type measurement struct {
	took, cpu        time.Duration
	messages, writes int
}

// measure does a job.
func measure(ctx context.Context, s worker, j job) (measurement, error) {
	var all []measurement
	for n := range j.repeat {
		if err := ctx.Err(); err != nil {
			return measurement{}, err // not every system looks at it
		}
		messages, writes := s.sent(ctx) // before all: who has noticed that VPP is back does not wait
		if j.before != nil {
			if err := j.before(ctx); err != nil {
				return measurement{}, fmt.Errorf("before %s: %w", j.name, err)
			}
		}
		if n == 0 {
			runtime.GC() // what others left is not this job's to clear away
		}
		begin, used := time.Now(), cpuTime()
		if err := j.do(ctx); err != nil {
			return measurement{}, fmt.Errorf("%s: %w", j.name, err)
		}
		m := measurement{took: time.Since(begin), cpu: cpuTime() - used}
		m.messages, m.writes = s.sent(ctx)
		m.messages, m.writes = m.messages-messages, m.writes-writes
		all = append(all, m)
		if j.after != nil {
			if err := j.after(ctx); err != nil {
				return measurement{}, fmt.Errorf("after %s: %w", j.name, err)
			}
		}
	}
	slices.SortFunc(all, func(a, b measurement) int { return int(a.took - b.took) })
	return all[len(all)/2], nil
}
