// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
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
		who := fmt.Sprintf("VPP %s, %d ports: ", r.VPP, r.Ports)
		switch r.Job {
		case cold:
			say(r.Ratio <= 1.25, "%scold in %.2f x the floor, want at most 1.25", who, r.Ratio)
		case converged:
			say(r.Ratio <= 1.5 && r.Writes == 0, "%sconverged in %.2f x the raw dumps with %d writes, want at most 1.5 with 0", who, r.Ratio, r.Writes)
		case addOne, changeOne:
			least := r
			for _, other := range all {
				if other.VPP == r.VPP && other.Job == r.Job && other.System == r.System && other.Ports < least.Ports {
					least = other
				}
			}
			if times := r.Seconds / least.Seconds; least.Ports < r.Ports {
				say(times <= 1.2 && r.Messages == least.Messages, "%s%s in %.2f x the time at %d ports, %d messages against %d; want at most 1.2, as many",
					who, r.Job, times, least.Ports, r.Messages, least.Messages)
			}
		case agentRestart:
			say(r.Seconds <= 1 && r.Writes == 0, "%sagent restart in %s with %d writes, want at most 1s with 0", who, short(r.Seconds), r.Writes)
		}
	}
}
