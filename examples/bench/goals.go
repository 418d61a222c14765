// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
)

// goals says how far vppkit's engine is from what it is meant to cost.
func (all results) goals(out io.Writer) {
	say := func(met bool, format string, args ...any) {
		verdict := "missed"
		if met {
			verdict = "met"
		}
		fmt.Fprintf(out, "%-6s  %s\n", verdict, fmt.Sprintf(format, args...))
	}
	for _, r := range all {
		if r.System != "engine" {
			continue
		}
		who := fmt.Sprintf("VPP %s, %d %s: ", r.VPP, r.Ports, r.Workload)
		if r.Workload != portsWorkload {
			r.simpleGoals(who, say)
			continue
		}
		switch r.Job {
		case cold:
			say(r.Ratio <= 1.25, "%scold in %.2f x the floor, want at most 1.25", who, r.Ratio)
		case converged:
			say(r.Ratio <= 1.5 && r.Writes == 0, "%sconverged in %.2f x the raw dumps with %d writes, want at most 1.5 with 0", who, r.Ratio, r.Writes)
		case addOne, changeOne:
			few := slices.MinFunc(all, func(a, b result) int { return a.Ports - b.Ports }).Ports
			least, _ := all.newest(r.VPP, r.Job, r.System, few)
			floor, _ := all.newest(r.VPP, r.Job, floorSystem, r.Ports)
			flat, _ := all.newest(r.VPP, r.Job, floorSystem, few)
			if times := r.Seconds / least.Seconds; few < r.Ports {
				say(times <= 1.2 && r.Messages == least.Messages,
					"%s%s in %.2f x the time at %d ports (the floor itself in %.2f x), %d messages against %d; want at most 1.2, as many",
					who, r.Job, times, few, floor.Seconds/flat.Seconds, r.Messages, least.Messages)
			}
		case agentRestart:
			say(r.Seconds <= 1 && r.Writes == 0, "%sagent restart in %s with %d writes, want at most 1s with 0", who, short(r.Seconds), r.Writes)
		}
	}
}

// simpleGoals are those for objects of one message.
func (r result) simpleGoals(who string, say func(met bool, format string, args ...any)) {
	switch r.Job {
	case cold, changeMany:
		say(r.Ratio <= 1.3 && r.CPURatio <= 2, "%s%s in %.2f x the floor and %.2f x its CPU, want at most 1.3 and 2", who, r.Job, r.Ratio, r.CPURatio)
	case converged:
		say(r.Ratio <= 1.2 && r.Writes == 0, "%sconverged in %.2f x the raw dumps with %d writes, want at most 1.2 with 0", who, r.Ratio, r.Writes)
	case agentRestart:
		say(r.Ratio <= 1.5 && r.Writes == 0, "%sprogram restart in %.2f x the raw dumps with %d writes, want at most 1.5 with 0", who, r.Ratio, r.Writes)
	}
}
