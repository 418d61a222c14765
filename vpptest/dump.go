// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"fmt"
	"strings"
)

// A dump is the text that String returns, in the making.
type dump struct{ strings.Builder }

// line adds one line: its words, without those that are empty.
func (d *dump) line(words ...string) {
	sep := ""
	for _, w := range words {
		if w != "" {
			d.WriteString(sep)
			d.WriteString(w)
			sep = " "
		}
	}
	d.WriteByte('\n')
}

// when is the formatted text if ok, else nothing.
func when(ok bool, format string, args ...any) string {
	if !ok {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// String is the whole configuration of VPP as text, in a fixed order and without what
// differs from one life to the next: two dumps are equal when nothing was changed. It
// includes what no message can read. The first line of one that died says of what.
func (v *VPP) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := new(dump)
	if v.died != "" {
		d.line("died:", v.died)
	}
	for _, state := range v.life.states {
		state(d)
	}
	return d.String()
}
