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
	reads  map[string]bool // declared
}

// note says whether the message can change VPP.
func (j *journal) note(name string, msg []byte) (writes bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	writes = !j.reads[name] && !readsOnly(name, msg)
	j.names = append(j.names, name)
	if writes {
		j.writes++
	}
	return writes
}

// DeclareReads says that requests of these names, without CRC, leave VPP as it is,
// which their names do not show: Writes does not count them, and FailWrite leaves them
// alone. It holds from now on, also over ResetLog and Restart.
func (j *journal) DeclareReads(names ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reads == nil {
		j.reads = make(map[string]bool)
	}
	for _, name := range names {
		j.reads[name] = true
	}
}

// Writes is how many requests arrived, since the start or ResetLog, that can change
// VPP. A request that VPP refuses counts too. All count but the handshake, pings, those
// declared as reads, and those that are known as such:
//
//   - by a word of their names: dump, get, show, lookup, and want at the beginning (a
//     subscription is the client's), as in sw_interface_dump, nat44_show_running_config;
//   - a few others: feature_is_enabled, classify_table_info, …;
//   - l2_flags and bridge_flags with no flag, which is the way to read them, and a
//     cli_inband whose command begins with show.
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

// Reads by name that none of its words tells.
var plainReads = map[string]bool{
	"api_versions":                true,
	"classify_table_by_interface": true,
	"classify_table_ids":          true,
	"classify_table_info":         true,
	"feature_is_enabled":          true,
	"map_summary_stats":           true,
	"memclnt_keepalive":           true,
	"tm_sys_node_read_stats":      true,
	"trace_plugin_msg_ids":        true,
}

// readsOnly tells whether a request leaves VPP as it is.
func readsOnly(name string, msg []byte) bool {
	switch name {
	case "l2_flags", "bridge_flags": // of an interface or a bridge domain, set or clear, flags
		return len(msg) >= 19 && [4]byte(msg[15:19]) == [4]byte{}
	case "cli_inband": // a length, a command
		return len(msg) > 14 && strings.HasPrefix(strings.TrimSpace(string(msg[14:])), "show ")
	}
	words := strings.Split(name, "_")
	for _, word := range words {
		switch word {
		case "dump", "get", "show", "lookup":
			return true
		}
	}
	return words[0] == "want" || plainReads[name] || name == "control_ping" || strings.HasSuffix(name, "_control_ping")
}
