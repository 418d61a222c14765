// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/vpptest"
)

var (
	faultSeed  = flag.Uint64("faults.seed", 1, "of what is drawn in TestFaults")
	faultTimes = flag.Float64("faults.times", 1, "how many times as often as usual each fault happens")
)

// fault is a row of the matrix: something that happens to a host, and what holds all the same.
type fault struct {
	what string // happens
	how  string // it is made to
	n    int    // times, in a quick run

	killed  bool     // the agent is a process of its own
	process bool     // etcd is; it is on a real VPP in any case
	members int      // of an etcd that has several, without a wire
	etcd    []string // its flags
	with    func(*agent)
	virtual bool // only an in-memory VPP can do it

	once func(w *world) // begins and ends it once
	also string         // what of the invariants once checks itself
	died bool           // VPP dies of it, or is another one: packets are lost
}

// faults is the matrix.
func faults() []fault {
	var all []fault
	for _, rows := range [][]fault{faultsOfVPP(), faultsOfAgents(), faultsOfClocks(), faultsOfEtcd(), faultsOfKeys()} {
		all = append(all, rows...)
	}
	return all
}

// invariants are what is checked after each time, or after the last one.
func (f fault) invariants() string {
	all := []string{"I1", "I2", "I4", "I5", "I9"}
	if !f.died {
		all = append(all, "I3")
	}
	if !f.killed {
		all = append(all, "I7")
	}
	all = append(all, strings.Fields(f.also)...)
	slices.Sort(all)
	return strings.Join(all, " ")
}

// outcome is how a row went.
type outcome struct {
	What    string  `json:"what"`
	Times   int     `json:"times"`
	Seed    uint64  `json:"seed"`
	Slowest float64 `json:"slowest"` // seconds until all was as wanted again
}

// Each row of the matrix happens, as often as it says, by a seed, and what shall hold of a host at any
// time does. See docs/faults.md, which this writes with -update.
func TestFaults(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { runFaults(t, false) })
}

// The same on an installed VPP, which takes longer: make faults.
func TestFaultsReal(t *testing.T) {
	if !*onReal {
		t.Skip("NOT RUN ON A REAL VPP: see make faults")
	}
	runFaults(t, true)
}

var onReal = flag.Bool("faults.real", false, "run TestFaultsReal")

// runFaults runs rows, some at a time: most of their time they wait.
func runFaults(t *testing.T, real bool) {
	began, name := time.Now(), "in memory"
	if real {
		v, err := vpptest.Real(t).Version()
		require.NoError(t, err)
		name = "VPP " + v
	}
	var mu sync.Mutex
	var all []outcome
	var g errgroup.Group
	if g.SetLimit(4); real {
		g.SetLimit(2)
	}
	for _, f := range faults() {
		if f.virtual && real {
			continue
		}
		g.Go(func() error {
			row := strings.NewReplacer(" ", "_", ",", "").Replace(f.what)
			o := outcome{What: f.what, Times: max(1, int(float64(f.n)**faultTimes)), Seed: seedOf(f.what)}
			t.Run(row, func(t *testing.T) {
				o.Slowest = f.run(t, o.Times, o.Seed, real).Seconds()
				mu.Lock()
				defer mu.Unlock()
				all = append(all, o)
			})
			return nil
		})
	}
	_ = g.Wait()
	record(t, all, name, began, real)
}

// seedOf has each row draw something else.
func seedOf(what string) uint64 {
	h := fnv.New64()
	fmt.Fprint(h, what)
	return h.Sum64()%1000 + 1000**faultSeed
}

// run has a fault happen, and returns how long it took at most until all was as wanted again.
func (f fault) run(t *testing.T, n int, seed uint64, real bool) (slowest time.Duration) {
	w := newWorld(t, &f, seed, real)
	goroutines := ofWorld(t)
	for range n {
		f.once(w)
		took := w.settle()
		slowest = max(slowest, took)
		require.Equal(t, w.hands, w.foreign(w.site, w.vpp.Socket()), "I2: what others have in VPP")
		i4, i5 := w.see.objections()
		require.Empty(t, i4, "I4: what was open")
		require.Empty(t, i5, "I5: what was said and was not so")
		if by := w.see.disturbances(still()); !f.died {
			require.Empty(t, by, "I3: ports that nobody touched were")
		}
	}
	began := w.proxy.Writes()
	time.Sleep(max(auditEvery, listEvery) + 300*time.Millisecond)
	require.Equal(t, began, w.proxy.Writes(), "I9: messages that change a VPP that is as wanted: %v", lastOf(w.proxy.Sent(), 40))
	if !f.killed {
		require.Eventually(t, func() bool { return ofWorld(t) <= goroutines+8 }, 20*time.Second, 100*time.Millisecond, "I7: goroutines, %d at first", goroutines)
	}
	t.Logf("%d times: as wanted after %v at most", n, slowest.Round(time.Millisecond))
	return slowest
}

func lastOf(all []string, n int) []string { return all[max(0, len(all)-n):] }

// ofWorld counts the goroutines of a world's agent.
func ofWorld(t *testing.T) (n int) {
	var text bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&text, 1))
	count := 0
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Sscanf(line, "%d @", &count); err != nil && strings.HasPrefix(line, "# labels:") && strings.Contains(line, fmt.Sprintf("%q", t.Name())) {
			n += count
		}
	}
	return n
}
