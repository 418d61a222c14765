// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"slices"
	"strings"
	"sync"
)

// A journal remembers which messages passed. Its zero value is ready.
type journal struct {
	mu     sync.Mutex
	names  []string
	writes int
}

// note says whether the message can change VPP.
func (j *journal) note(name string, msg []byte) (writes bool) {
	writes = !readsOnly(name, msg)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names = append(j.names, name)
	if writes {
		j.writes++
	}
	return writes
}

// Writes is how many requests arrived, since the start or ResetLog, that can change
// VPP: all but dumps, gets, show_*, want_*, pings and the handshake. A request that
// VPP refuses counts too. An l2_flags with an empty bitmap changes nothing, is the
// way to read a port's features, and does not count.
func (j *journal) Writes() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.writes
}

// Sent returns the names of all messages that arrived since the start or ResetLog,
// oldest first, without CRC and without the handshake (sockclnt_*).
func (j *journal) Sent() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.names)
}

// ResetLog makes Writes and Sent start anew.
func (j *journal) ResetLog() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names, j.writes = nil, 0
}

// readsOnly tells by its name whether a request leaves VPP as it is.
func readsOnly(name string, msg []byte) bool {
	switch name {
	case "control_ping", "get_first_msg_id", "get_api_json", "api_versions", "memclnt_keepalive", "feature_is_enabled":
		return true
	case "l2_flags":
		return len(msg) >= 19 && [4]byte(msg[15:19]) == [4]byte{}
	}
	for _, part := range []string{"_dump", "_get"} {
		if strings.HasSuffix(name, part) || strings.Contains(name, part+"_") {
			return true
		}
	}
	for _, start := range []string{"show_", "want_"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	if strings.Contains(name, "_show_") { // as in nat44_show_running_config
		return true
	}
	return false
}
