// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is one job, done once by one system; a line of JSON.
type result struct {
	VPP      string  `json:"vpp"` // its version, "sim" for vpptest's; "(warm)": not fresh
	Job      string  `json:"job"`
	System   string  `json:"system"`
	Workload string  `json:"workload"`
	Ports    int     `json:"ports"` // or what else the workload counts
	Seconds  float64 `json:"seconds"`
	Messages int     `json:"messages"` // to VPP, pings included, without the handshake
	Writes   int     `json:"writes"`   // those of them that can change VPP
	Ratio    float64 `json:"ratio"`    // of the time to that of the floor, which for a look at everything is the bare dumps

	// CPU is this process's, so the in-memory VPP's too, and not the agent's, which is another.
	CPU      float64 `json:"cpu_seconds,omitempty"`
	CPURatio float64 `json:"cpu_ratio,omitempty"`

	// BytesPerObject is what the engine holds after the job beyond the wanted objects; on the
	// in-memory VPP what that holds too. Of the agent it is all that its process holds.
	BytesPerObject float64 `json:"bytes_per_object,omitempty"`
}

// group is results that differ only in their numbers.
type group struct {
	Workload, VPP, Job, System string
	Ports                      int
}

// results keeps the order in which they came.
type results []result

// sum has one result for each group, with the median of each number.
func (all results) sum() results {
	var order []group
	members := map[group]results{}
	for _, r := range all {
		g := group{r.Workload, r.VPP, r.Job, r.System, r.Ports}
		if members[g] == nil {
			order = append(order, g)
		}
		members[g] = append(members[g], r)
	}
	var out results
	for _, g := range order {
		m := members[g]
		out = append(out, result{
			Workload: g.Workload, VPP: g.VPP, Job: g.Job, System: g.System, Ports: g.Ports,
			Seconds:  median(m, func(r result) float64 { return r.Seconds }),
			Messages: median(m, func(r result) int { return r.Messages }),
			Writes:   median(m, func(r result) int { return r.Writes }),
			Ratio:    median(m, func(r result) float64 { return r.Ratio }),

			CPU:            median(m, func(r result) float64 { return r.CPU }),
			CPURatio:       median(m, func(r result) float64 { return r.CPURatio }),
			BytesPerObject: median(m, func(r result) float64 { return r.BytesPerObject }),
		})
	}
	return out
}

func median[T cmp.Ordered](all results, of func(result) T) T {
	var values []T
	for _, r := range all {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// newest is the last that came of a group.
func (all results) newest(vpp, job, system string, ports int) (result, bool) {
	for _, r := range slices.Backward(all) {
		if r.VPP == vpp && r.Job == job && r.System == system && r.Ports == ports {
			return r, true
		}
	}
	return result{}, false
}

// json prints a line.
func (r result) json(out io.Writer) error { return json.NewEncoder(out).Encode(r) }

// benchstat prints a line as "go test -bench" does.
func (r result) benchstat(out io.Writer) error {
	var name strings.Builder
	for _, part := range strings.Split(r.Job, "-") {
		name.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	_, err := fmt.Fprintf(out, "Benchmark%s/vpp=%s/system=%s/%s=%d 1 %.0f ns/op %d messages %d writes %.3f x-floor\n",
		name.String(), strings.ReplaceAll(r.VPP, " ", ""), r.System, r.Workload, r.Ports, r.Seconds*1e9, r.Messages, r.Writes, r.Ratio)
	return err
}

// tables prints all jobs of one VPP and size beside each other.
func (all results) tables(out io.Writer) error {
	for len(all) > 0 {
		first := all[0]
		mine := func(r result) bool {
			return r.VPP == first.VPP && r.Ports == first.Ports && r.Workload == first.Workload
		}
		fmt.Fprintf(out, "VPP %s, %d %s\n\n", first.VPP, first.Ports, first.Workload)
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "JOB\tSYSTEM\tTIME\tx FLOOR\tx CPU\tMESSAGES\tWRITES")
		job := ""
		for _, r := range slices.SortedStableFunc(slices.Values(all), byJob) {
			if !mine(r) {
				continue
			}
			if r.Job == job {
				r.Job = ""
			} else {
				job = r.Job
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.2f\t%d\t%d\n", r.Job, r.System, short(r.Seconds), r.Ratio, r.CPURatio, r.Messages, r.Writes)
		}
		fmt.Fprintln(t)
		if err := t.Flush(); err != nil {
			return err
		}
		all = slices.DeleteFunc(slices.Clone(all), mine)
	}
	return nil
}

func byJob(a, b result) int { return slices.Index(everyJob, a.Job) - slices.Index(everyJob, b.Job) }

// short is a time with three digits.
func short(seconds float64) string {
	d := time.Duration(seconds * 1e9)
	for unit := time.Nanosecond; ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

// earlier is what the engine of an earlier build took for a workload, from a file of lines of JSON.
func earlier(file, workload string) (out results, err error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var r result
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("--before %s: %w", file, err)
		}
		if r.System == engineSystem && r.Workload == workload {
			r.System = earlierSystem
			out = append(out, r)
		}
	}
}
