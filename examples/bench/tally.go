// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"sync/atomic"

	"github.com/vppkit/vppkit/vppnet"
)

// tally counts what was sent to VPP.
type tally struct{ messages, writes atomic.Int64 }

func (t *tally) note(message string) {
	t.messages.Add(1)
	if mutates(message) {
		t.writes.Add(1)
	}
}

func (t *tally) trace(m vppnet.Trace) {
	if m.Context != 0 { // else it was never sent
		t.note(m.Message)
	}
}

func (t *tally) sums() (messages, writes int) {
	return int(t.messages.Load()), int(t.writes.Load())
}

// mutates says whether a request can change what is configured. What vppkit says by the CLI,
// once for a VPP, is how that is to judge sessions.
func mutates(message string) bool {
	for _, reads := range []string{"_dump", "_get", "show_", "want_", "control_ping", "sockclnt_", "l2_flags", "_table_by_interface", "cli_inband"} {
		if strings.Contains(message, reads) {
			return false
		}
	}
	return true
}
