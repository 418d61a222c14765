// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const faultsDoc = "../../docs/faults.md"

// campaign is how all rows went on one sort of VPP.
type campaign struct {
	VPP  string    `json:"vpp"`
	Took float64   `json:"took"` // seconds
	Rows []outcome `json:"rows"`
}

func runFile(real bool) string {
	if real {
		return filepath.Join("testdata", "faults", "real.json")
	}
	return filepath.Join("testdata", "faults", "memory.json")
}

// record keeps how all rows went, with -update, if all of them were run, and writes the table anew.
func record(t *testing.T, all []outcome, vpp string, began time.Time, real bool) {
	t.Helper()
	order := map[string]int{}
	for i, f := range faults() {
		order[f.what] = i
	}
	slices.SortFunc(all, func(x, y outcome) int { return cmp.Compare(order[x.What], order[y.What]) })
	if !*update || t.Failed() {
		return
	}
	text, err := json.MarshalIndent(campaign{vpp, time.Since(began).Seconds(), all}, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(runFile(real)), 0o755))
	require.NoError(t, os.WriteFile(runFile(real), append(text, '\n'), 0o644))
	require.NoError(t, os.MkdirAll(filepath.Dir(faultsDoc), 0o755))
	require.NoError(t, os.WriteFile(faultsDoc, []byte(faultsTable(t)), 0o644))
}

func lastRun(t *testing.T, real bool) (r campaign) {
	t.Helper()
	text, err := os.ReadFile(runFile(real))
	if real && errors.Is(err, fs.ErrNotExist) {
		return campaign{VPP: "a real VPP"}
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r))
	return r
}

// The table in the docs is what the last runs that were kept say of the rows that there are.
func TestFaultsTable(t *testing.T) {
	if *update {
		require.NoError(t, os.WriteFile(faultsDoc, []byte(faultsTable(t)), 0o644))
	}
	text, err := os.ReadFile(faultsDoc)
	require.NoError(t, err)
	require.Equal(t, faultsTable(t), string(text), "go test ./examples/agent -run 'TestFaults$' -update")
}

const faultsHead = `# What happens to a host, and what holds all the same

Written by a test: %[1]s of examples/agent makes each of these happen to an agent that serves four ports which nobody
touches, and others that come, change and go, beside objects of others in the same VPP. What is drawn is drawn
by a seed. It runs in continuous integration with a VPP in memory, and by %[2]s on an installed VPP.

After each time, and for all of the time, is checked:

- **I1** VPP becomes what etcd says, and nothing else of ours is there; a plan of another connection is empty, and each port is
  looked at in VPP: its bridge domain, its filters, its link. How long that took at most, from when the fault was over, is in the table.
- **I2** What others have in VPP is as it was: interfaces, bridge domains, ACLs, and what looks like ours.
- **I3** No message takes a port out of service whose key did not change. (Traffic over restarts is what other tests are about.)
- **I4** No message leaves a port open: it is up only in its bridge domain and behind its filters, in whatever order all fails.
- **I5** A port is said to be bound only when VPP has confirmed that it is up, and not where there is no VPP.
- **I6** Nothing is tried in a hot loop; a good port is served while others are bad.
- **I7** No goroutine is left over: at the end there are as many as at first, give or take eight that are about to end.
- **I8** Whoever asks the agent (readyz), or looks into etcd, hears of it within 5 seconds.
- **I9** What is as it is wanted costs no message that changes something, for two audits and a list of etcd.

What takes more than one host, or none, has tests of its own: routers that move to another node when a VPP dies or a key says so
(%[3]s), a thousand hosts that start, change and restart on one etcd (%[4]s), two writers that may write whatever they want
(%[5]s), a journal on a full disk (%[6]s), and one whose writer is killed 500 times (%[7]s).

`

// faultsTable is the document.
func faultsTable(t *testing.T) string {
	t.Helper()
	runs := []campaign{lastRun(t, false), lastRun(t, true)}
	var out strings.Builder
	fmt.Fprintf(&out, faultsHead, "`TestFaults`", "`make faults`",
		"`TestRoutersMoveToTheStandby`, `TestRoutersMoveWithoutEtcd`", "`TestCrowd`", "`TestHostileWriters`", "`TestTheDiskIsFull`", "`TestKills -kills 500`")
	for _, r := range runs {
		if len(r.Rows) == 0 {
			continue
		}
		times := 0
		for _, o := range r.Rows {
			times += o.Times
		}
		fmt.Fprintf(&out, "%s: %d faults, %d times, all held, in %.0f s.\n", r.VPP, len(r.Rows), times, r.Took)
	}
	fmt.Fprintf(&out, "\n| what happens | how | checked | %s | %s |\n| --- | --- | --- | --- | --- |\n", runs[0].VPP, runs[1].VPP)
	for _, f := range faults() {
		fmt.Fprintf(&out, "| %s | %s | %s |", f.what, f.how, f.invariants())
		for i, r := range runs {
			at := slices.IndexFunc(r.Rows, func(o outcome) bool { return o.What == f.what })
			switch {
			case at >= 0:
				o := r.Rows[at]
				fmt.Fprintf(&out, " %d × by seed %d, held, %.1f s |", o.Times, o.Seed, o.Slowest)
			case i == 1:
				out.WriteString(" - |")
			default:
				require.Fail(t, "not run", f.what)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}
