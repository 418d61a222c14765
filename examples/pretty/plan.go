// SPDX-License-Identifier: Apache-2.0

package pretty

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fatih/color"

	"github.com/vppkit/vppkit/desiredstate"
)

var paints = map[desiredstate.Action]*color.Color{
	desiredstate.Create:  color.New(color.FgGreen),
	desiredstate.Update:  color.New(color.FgYellow),
	desiredstate.Replace: color.New(color.FgMagenta),
	desiredstate.Delete:  color.New(color.FgRed),
	desiredstate.Block:   color.New(color.Faint),
	desiredstate.Keep:    nil,
}

// Failed is how what failed is painted.
var Failed = color.New(color.FgRed, color.Bold)

// Plan writes a plan in an order in which it can be done: what goes, then the rest, each thing
// after what it depends on. What differs is beside and below the object.
func Plan(out io.Writer, p *desiredstate.Plan) error {
	var rows []Row
	for _, s := range ordered(p.Steps) {
		var notes []string
		if s.Err != nil {
			notes = append(notes, s.Err.Error())
		}
		for _, c := range s.Diff() {
			notes = append(notes, c.String())
		}
		if s.Disturbs > desiredstate.DisturbsTraffic { // less is what the sign says
			notes = append(notes, "disturbs "+s.Disturbs.String())
		}
		if s.Unverified {
			notes = append(notes, "unverified")
		}
		if s.Surplus > 0 {
			notes = append(notes, fmt.Sprintf("removing %d of the same name", s.Surplus))
		}
		rows = append(rows, noted([]string{s.Action.String(), s.Kind, s.Key.String()}, notes, paints[s.Action])...)
	}
	if len(rows) > 0 {
		if err := Table(out, []string{"", "KIND", "OBJECT", "WHAT"}, rows); err != nil {
			return err
		}
	}
	return summary(out, p.String())
}

// noted is a row with notes, the first beside it and the others below.
func noted(cells, notes []string, paint *color.Color) []Row {
	rows := []Row{{Cells: cells, Paint: paint}}
	for i, n := range notes {
		if i > 0 {
			rows = append(rows, Row{Cells: make([]string, len(cells)), Paint: paint})
		}
		rows[i].Cells = append(rows[i].Cells, n)
	}
	return rows
}

// summary writes what a plan says below its steps: what could not be read, and a count.
func summary(out io.Writer, text string) error {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	colours := Coloured(out)
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\n")
		var c *color.Color
		switch {
		case i == len(lines)-1:
			c = head
		case strings.HasPrefix(line, "! "):
			c = Failed
		default:
			continue
		}
		if _, err := fmt.Fprintln(out, paint(c, line, colours)); err != nil {
			return err
		}
	}
	return nil
}

// Report writes what became of each object: what failed last, where it is seen.
func Report(out io.Writer, r desiredstate.Report) error {
	var rows []Row
	for _, x := range slices.SortedStableFunc(slices.Values(r), func(a, b desiredstate.Result) int {
		return cmp.Compare(weight(a), weight(b))
	}) {
		cells, c := []string{x.Action.String(), x.Key.String(), "", "done"}, paints[x.Action]
		if x.Err == nil && x.Action != desiredstate.Delete {
			cells[2] = fmt.Sprint(x.ID)
		}
		switch {
		case x.Err != nil:
			cells[3], c = x.Err.Error(), Failed
		case x.Action == desiredstate.Keep:
			cells[3] = "as wanted"
		}
		rows = append(rows, Row{Cells: cells, Paint: c})
	}
	if len(rows) > 0 {
		if err := Table(out, []string{"", "OBJECT", "ID", "WHAT"}, rows); err != nil {
			return err
		}
	}
	failed := 0
	for _, x := range r {
		if x.Err != nil {
			failed++
		}
	}
	_, err := fmt.Fprintf(out, "%d changed, %d not done, of %d\n", r.Changed(), failed, len(r))
	return err
}

func weight(r desiredstate.Result) int {
	switch {
	case r.Err != nil:
		return 2
	case r.Action != desiredstate.Keep:
		return 1
	}
	return 0
}

// ordered puts what goes first, from the leaves, then all else, from the roots.
func ordered(steps []*desiredstate.Step) []*desiredstate.Step {
	deps := map[desiredstate.Key][]desiredstate.Key{}
	for _, s := range steps {
		deps[s.Key] = object(s).Deps()
	}
	depths := map[desiredstate.Key]int{}
	var depth func(k desiredstate.Key) int
	depth = func(k desiredstate.Key) int {
		if d, ok := depths[k]; ok {
			return d
		}
		depths[k] = 0 // ends a circle
		d := 0
		for _, on := range deps[k] {
			if _, ok := deps[on]; ok {
				d = max(d, depth(on)+1)
			}
		}
		depths[k] = d
		return d
	}
	return slices.SortedStableFunc(slices.Values(steps), func(a, b *desiredstate.Step) int {
		if x := cmp.Compare(phase(a), phase(b)); x != 0 {
			return x
		}
		if a.Action == desiredstate.Delete {
			return cmp.Compare(depth(b.Key), depth(a.Key))
		}
		return cmp.Compare(depth(a.Key), depth(b.Key))
	})
}

func phase(s *desiredstate.Step) int {
	switch s.Action {
	case desiredstate.Delete:
		return 0
	case desiredstate.Block:
		return 2
	}
	return 1
}

// object is what a step is about.
func object(s *desiredstate.Step) desiredstate.Object {
	if s.Want != nil {
		return s.Want
	}
	return s.Have
}
