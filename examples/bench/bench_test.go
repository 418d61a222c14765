// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/binapi/l2"

	"github.com/vppkit/vppkit/vpptest"
)

// measured runs a benchmark on the in-memory VPP, and returns its lines of JSON.
func measured(t *testing.T, b *bench) results {
	t.Helper()
	var out bytes.Buffer
	if b.workload == "" {
		b.workload = portsWorkload
	}
	b.out, b.errs, b.sim, b.json, b.count, b.repeat = &out, io.Discard, true, true, 1, 7
	b.settle = 50 * time.Millisecond
	require.NoError(t, b.run(t.Context()))
	var all results
	for d := json.NewDecoder(&out); ; {
		d.DisallowUnknownFields()
		var r result
		err := d.Decode(&r)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, r)
	}
}

func (all results) at(t *testing.T, job, system string, ports int) result {
	t.Helper()
	r, ok := all.newest("sim", job, system, ports)
	require.True(t, ok, "%s by %s with %d ports is missing", job, system, ports)
	return r
}

// Every system does every job.
func TestAll(t *testing.T) {
	const ports = minPorts
	all := measured(t, &bench{acl: true, ports: []int{ports}, jobs: allJobs, systems: allSystems})
	require.Len(t, all, len(allJobs)*len(allSystems))
	for _, job := range allJobs {
		floor := all.at(t, job, floorSystem, ports)
		require.Equal(t, 1.0, floor.Ratio)
		for _, system := range allSystems {
			r := all.at(t, job, system, ports)
			require.Positive(t, r.Seconds, "%s by %s", job, system)
			require.InDelta(t, r.Seconds/floor.Seconds, r.Ratio, 1e-6, "%s by %s", job, system)
			require.LessOrEqual(t, r.Writes, r.Messages)
		}
	}
	require.Zero(t, all.at(t, agentRestart, agentSystem, ports).Writes)
	require.Equal(t, 7, all.at(t, addOne, agentSystem, ports).Writes)
}

// What the engine costs in messages, which is the same on every machine.
func TestMessages(t *testing.T) {
	t.Run("plain", func(t *testing.T) { messages(t, false) })
	t.Run("filtered", func(t *testing.T) { messages(t, true) })
}

func messages(t *testing.T, filtered bool) {
	few, many := minPorts, 10*minPorts
	all := measured(t, &bench{
		acl: filtered, server: true, ports: []int{few, many},
		jobs: allJobs, systems: []string{floorSystem, sequentialSystem, engineSystem},
	})
	each, ends := map[string]int{}, 0 // messages of a job for each port, and for all
	for _, ports := range []int{few, many} {
		for _, job := range allJobs {
			floor := all.at(t, job, floorSystem, ports)
			require.Equal(t, floor.Writes, all.at(t, job, sequentialSystem, ports).Writes, job)
			require.Equal(t, floor.Writes, all.at(t, job, engineSystem, ports).Writes, "%s writes no more than it must", job)
		}
		fleet := 1 + 6*ports/perVLAN + 3*ports // the uplink, networks, ports
		if filtered {
			fleet += 2 + 2*ports/perVLAN + 4*ports               // the sets of all, of groups, and what a port has for itself
			each = map[string]int{converged: 2, agentRestart: 2} // is it in effect, and in all three places?
			ends = 2                                             // a ping ends either questions
		}
		for _, job := range []string{cold, vppRestart, teardown} {
			require.Equal(t, fleet, all.at(t, job, engineSystem, ports).Writes, job)
		}
		for _, job := range []string{converged, agentRestart} {
			require.Zero(t, all.at(t, job, engineSystem, ports).Writes, job)
		}
		require.Equal(t, all.at(t, converged, floorSystem, ports).Messages+ends, all.at(t, converged, engineSystem, ports).Messages, "a look at everything is the dumps")
	}
	for _, job := range []string{addOne, changeOne, converged, agentRestart} {
		one, other := all.at(t, job, engineSystem, few), all.at(t, job, engineSystem, many)
		again := proofs(max(one.Seconds, other.Seconds))
		require.InDelta(t, one.Messages+each[job]*(many-few), other.Messages, float64(again), "%s costs as many messages, whatever the total", job)
	}
}

// proofs is how many messages it takes to prove handles now and then: of two spaces, each 50 ms, so none but on a
// machine that is slow.
func proofs(seconds float64) int { return 4 * int(seconds/0.05) }

// What is bound to a port is read for many at once before a filter is: how many meet is a matter of luck. Of a set of
// MACs the tables are, one port after the other, before and after it is bound, and no more.
func TestColdReadsTogether(t *testing.T) {
	const ports = 1000
	all := measured(t, &bench{acl: true, ports: []int{ports}, jobs: []string{cold}, systems: []string{floorSystem, engineSystem}})
	engine, floor := all.at(t, cold, engineSystem, ports), all.at(t, cold, floorSystem, ports)
	require.Equal(t, floor.Writes, engine.Writes)
	t.Logf("%.2f times the floor's messages", float64(engine.Messages)/float64(floor.Messages))
	require.Less(t, float64(engine.Messages), 1.45*float64(floor.Messages))
}

// A VPP that is somebody's is as it was afterwards, and is not touched if it holds
// what could not be told from the benchmark's.
func TestGiven(t *testing.T) {
	v := vpptest.New(t, vpptest.WithInterface("GigabitEthernet0/8/0"))
	w, err := openWire(v.Socket(), new(tally))
	require.NoError(t, err)
	defer w.close()
	require.NoError(t, w.each([]ask{{request: &l2.BridgeDomainAddDelV2{BdID: 7, IsAdd: true, BdTag: "theirs"}}}))
	before := v.String()
	args := []string{"--vpp", v.Socket(), "--ports", "20", "--systems", "floor,sequential,engine", "--repeat", "1"}
	var out bytes.Buffer
	require.NoError(t, command(t.Context(), args, &out, io.Discard))
	require.Equal(t, before, v.String())
	require.Contains(t, out.String(), "(warm)")
	require.NotContains(t, out.String(), vppRestart, "it is not ours to kill")

	require.NoError(t, w.each([]ask{{request: &l2.BridgeDomainAddDelV2{BdID: 8, IsAdd: true, BdTag: "net-vpp/x"}}}))
	before = v.String()
	v.ResetLog()
	require.ErrorContains(t, command(t.Context(), args, &out, io.Discard), `"net-vpp/x"`)
	require.Zero(t, v.Writes())
	require.Equal(t, before, v.String())
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	svg, image := filepath.Join(dir, "x.svg"), filepath.Join(dir, "x.png")
	var out bytes.Buffer
	args := []string{"--sim", "--ports", "20,40", "--systems", "engine", "--jobs", "cold,converged", "--repeat", "1", "--count", "2"}
	require.NoError(t, command(t.Context(), append(args, "--benchstat", "--plot", svg), &out, io.Discard))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2*2*2*2)
	for _, line := range lines {
		require.Regexp(t, regexp.MustCompile(`^Benchmark(Cold|Converged)/vpp=sim/system=(floor|engine)/ports=[24]0 1 [0-9.]+ ns/op( [0-9.]+ [a-z-]+){3}$`), line)
	}
	f, err := os.Open(svg)
	require.NoError(t, err)
	defer f.Close()
	for d := xml.NewDecoder(f); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}

	out.Reset()
	require.NoError(t, command(t.Context(), append(args, "--plot", image), &out, io.Discard))
	require.Contains(t, out.String(), "cold in ")
	f, err = os.Open(image)
	require.NoError(t, err)
	defer f.Close()
	_, err = png.Decode(f)
	require.NoError(t, err)
}

// A plot shows what an engine took that is another build's by now.
func TestBefore(t *testing.T) {
	dir := t.TempDir()
	svg, before := filepath.Join(dir, "x.svg"), filepath.Join(dir, "before.json")
	args := []string{"--sim", "--workload", "fib", "--objects", "20", "--jobs", "cold"}
	var lines bytes.Buffer
	require.NoError(t, command(t.Context(), append(args, "--json"), &lines, io.Discard))
	require.NoError(t, os.WriteFile(before, lines.Bytes(), 0o600))
	args = append(args, "--plot", svg)
	require.NoError(t, command(t.Context(), append(args, "--before", before), io.Discard, io.Discard))
	drawn, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(drawn), "engine, earlier")
	require.NotContains(t, string(drawn), "floor, earlier")

	require.NoError(t, os.WriteFile(before, []byte("{"), 0o600))
	require.ErrorContains(t, command(t.Context(), append(args, "--before", before), io.Discard, io.Discard), before)
}

func TestFlags(t *testing.T) {
	for _, args := range []string{
		"--ports 19", "--ports 40941", "--ports x", "--ports 20,", "--jobs warm", "--systems", "--count 0",
		"--sim --vpp /x", "--vhost-user-mode x", "--json --benchstat", "--plot x.jpg", "--before x", "now",
	} {
		var errs bytes.Buffer
		require.ErrorIs(t, command(t.Context(), strings.Fields(args), io.Discard, &errs), errUsage, args)
		require.NotEmpty(t, errs.String(), args)
	}
}

// A median is one of the values, and as many are below as above.
func TestSum(t *testing.T) {
	var all results
	for _, s := range []float64{3, 1, 2} {
		all = append(all, result{Job: cold, System: floorSystem, Ports: 20, Seconds: s, Messages: int(10 * s)})
	}
	all = append(all, result{Job: cold, System: engineSystem, Ports: 20, Seconds: 7})
	require.Equal(t, results{
		{Job: cold, System: floorSystem, Ports: 20, Seconds: 2, Messages: 20},
		{Job: cold, System: engineSystem, Ports: 20, Seconds: 7},
	}, all.sum())
	require.Equal(t, "1.23ms", short(0.0012345))
	require.Equal(t, "999ns", short(0.000000999))
}

// The floor and the engine do the same to VPP, message by message, for each workload. How many looks meet is a matter
// of luck where other programs run: they are few in one of three times.
func TestWorkloads(t *testing.T) {
	for _, w := range workloads {
		name := w().name
		t.Run(name, func(t *testing.T) {
			const size, times = 240, 3
			var many []string
			for n := 0; n == 0 || n < times && len(many) > 0; n++ {
				all := measured(t, &bench{workload: name, ports: []int{size}, jobs: everyJob, systems: []string{floorSystem, engineSystem}})
				many = manyLooks(t, w(), all, size)
				require.Equal(t, size, all.at(t, cold, floorSystem, size).Writes)
				require.Positive(t, all.at(t, cold, engineSystem, size).BytesPerObject)
			}
			require.Empty(t, many)
		})
	}
}

// manyLooks says of which jobs the engine, which writes the same, looks more often than it may.
func manyLooks(t *testing.T, w *workload, all results, size int) (many []string) {
	t.Helper()
	for _, job := range []string{cold, converged, changeMany, agentRestart, teardown} {
		floor, engine := all.at(t, job, floorSystem, size), all.at(t, job, engineSystem, size)
		require.Equal(t, w.name, engine.Workload)
		require.Equal(t, floor.Writes, engine.Writes, job)
		looks := size + proofs(engine.Seconds) // or each object would have its own, and what ends it
		if job == teardown {
			looks += size * w.looks
		}
		if w.own != nil { // which is of an earlier pass, and proven by itself if none wait with it
			looks += size
		}
		if more := engine.Messages - engine.Writes - floor.Messages + floor.Writes; more > looks {
			many = append(many, fmt.Sprintf("%s: %d looks more than by hand, %d may be", job, more, looks))
		}
	}
	return many
}

// No two prefixes of the full table are the same, or within each other.
func TestPrefixesAreApart(t *testing.T) {
	const many = 300_000
	seen := make(map[netip.Prefix]bool, many)
	for n := range many {
		p := prefix(n)
		require.Equal(t, p, p.Masked())
		require.False(t, seen[p], p)
		seen[p] = true
	}
	for p := range seen {
		for bits := 20; bits < p.Bits(); bits++ {
			shorter, err := p.Addr().Prefix(bits)
			require.NoError(t, err)
			require.False(t, seen[shorter], "%s in %s", p, shorter)
		}
	}
}
