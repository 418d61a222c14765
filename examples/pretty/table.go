// SPDX-License-Identifier: Apache-2.0

// Package pretty writes for people what a program found, plans and did: aligned, in the order
// in which it is done, and in colour on a terminal.
package pretty

import (
	"bytes"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"
)

// Row is a line of a table, and how it is painted; nil: not at all.
type Row struct {
	Cells []string
	Paint *color.Color
}

// Table writes rows below a header, with aligned columns. It is coloured if out is a terminal
// and nobody objects; see Coloured.
func Table(out io.Writer, header []string, rows []Row) error {
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	write := func(cells []string) {
		// A tab or a new line in a cell would make another cell or row of what is after it.
		flat := strings.NewReplacer("\t", " ", "\n", "; ").Replace
		for i := range header {
			if i > 0 {
				_, _ = t.Write([]byte{'\t'})
			}
			if i < len(cells) { // one that lacks its last would end the column
				_, _ = t.Write([]byte(flat(cells[i])))
			}
		}
		_, _ = t.Write([]byte{'\n'})
	}
	write(header)
	for _, r := range rows {
		write(r.Cells)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	// Colours are put on whole lines, after they were aligned: they have no width.
	colours := Coloured(out)
	for i, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		c := head
		if i > 0 {
			c = rows[i-1].Paint
		}
		if _, err := io.WriteString(out, paint(c, line, colours)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

var head = color.New(color.Bold)

func paint(c *color.Color, line string, colours bool) string {
	if c == nil || !colours || line == "" {
		return line
	}
	own := *c // whether it colours is kept in it
	own.EnableColor()
	return own.Sprint(line)
}

// Coloured says whether what is written to out may have colours: it is a terminal that has
// some, and NO_COLOR is not set (https://no-color.org).
func Coloured(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
