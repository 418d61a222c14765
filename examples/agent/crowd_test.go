// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var crowdSize = flag.Int("crowd", 100, "`hosts` of TestCrowd")

// TestCrowd has many hosts on one etcd, each with a VPP in memory, and counts
// what a change on one of them costs the others and etcd. For figures:
//
//	go test ./examples/agent -run TestCrowd -crowd 1000 -timeout 30m -v
func TestCrowd(t *testing.T) {
	const portsEach = 4
	r := realEtcd(t)
	host := func(i int) string { return fmt.Sprintf("host-%04d", i) }
	n := *crowdSize
	for i := range n {
		for p := range portsEach {
			r.put(host(i), uuid(i*portsEach+p), port(100+p/2))
		}
	}

	vpps, sites := make([]*vpptest.VPP, n), make([]translate.Site, n)
	for i := range n {
		vpps[i], sites[i] = memory(t), r.siteOf(host(i), nic)
	}
	start := func() []*running {
		all := make([]*running, n)
		var started sync.WaitGroup
		for i := range n {
			started.Go(func() { all[i] = r.agent(sites[i], vpps[i].Socket(), unhurried) })
		}
		started.Wait()
		for _, a := range all {
			require.NoError(t, a.store.Wait(t.Context()))
		}
		require.Eventually(t, func() bool { return r.count("state/", "/ports/") == n*portsEach }, 5*time.Minute, 50*time.Millisecond)
		return all
	}
	before, begin := r.metrics(), time.Now()
	all := start()
	r.tell("cold start of all", n, before, begin)
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("%d KiB of heap and %d goroutines for each host, its VPP included", m.HeapAlloc/uint64(n)>>10, runtime.NumGoroutine()/n)

	before, begin = r.metrics(), time.Now()
	time.Sleep(5 * time.Second)
	r.tell("nothing", n, before, begin)

	// One port of one host changes: that host hears of it, and nobody else.
	before, begin = r.metrics(), time.Now()
	heard := hearing(all)
	r.put(host(0), uuid(0), port(200))
	require.Eventually(t, func() bool {
		said, _ := r.said(host(0), "ports/")
		return strings.Contains(said[uuid(0)], "physnet1.vlan.200") || strings.Contains(said[uuid(0)], `"segmentation_id":200`)
	}, longest, time.Millisecond)
	t.Logf("a port was changed in %v", time.Since(begin))
	require.NoError(t, all[0].store.Wait(t.Context()))
	after := r.tell("one port changed", n, before, begin)
	require.EqualValues(t, 1, after.since(before, "etcd_debugging_mvcc_events_total"), "events that etcd sent")
	for i, count := range heard() {
		if i == 0 {
			require.Positive(t, count)
		} else {
			require.Zero(t, count, "host %d was told of a port of host 0", i)
		}
	}

	// All agents start at once, on VPPs that have everything.
	for _, a := range all {
		a.stop()
	}
	before, begin = r.metrics(), time.Now()
	all = start()
	r.tell("restart of all", n, before, begin)
	for i, a := range all {
		require.Zero(t, a.writes.Load(), "host %d: messages that change VPP", i)
	}
	r.crowdInOneGroup(all, vpps, func(i int, value string) { r.put(host(i), uuid(i*portsEach), value) })
}

// unhurried is an agent that looks at nothing by itself, and gives a VPP time: what it costs is counted.
func unhurried(a *agent) {
	a.audit = time.Hour
	a.dial = append(a.dial, vppnet.WithReplyTimeout(time.Minute))
}

// crowdInOneGroup puts a port of every host into one security group, whose members
// may reach each other, and counts what a change to the group costs, and one to a
// group that nobody here is in.
func (r *rig) crowdInOneGroup(all []*running, vpps []*vpptest.VPP, put func(host int, value string)) {
	const ours, others = 1, 2
	ip := func(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>14, i>>7&127, i<<1&255) } // no two are neighbours
	// A host has it when VPP confirmed the set, from such a prefix and so many members.
	has := func(a *running, prefix netip.Addr, members int) bool {
		o, _ := a.store.Want(acl.SetKey(acl.ToSet(gid(ours))))
		set, ok := o.(acl.Set)
		if !ok || len(set.Rules) != 2*(members+1) || !slices.ContainsFunc(set.Rules, func(r acl.Rule) bool { return r.Src.Addr() == prefix }) {
			return false
		}
		status, _ := a.store.Status(set.Key())
		return status.State == desiredstate.Applied
	}
	wait := func(prefix string, members int) {
		deadline := time.Now().Add(5 * time.Minute)
		for i, a := range all {
			for !has(a, netip.MustParseAddr(prefix), members) {
				require.True(r, time.Now().Before(deadline), "host %d has not heard of it", i)
				time.Sleep(time.Millisecond)
			}
		}
	}
	n := len(all)

	before, begin := r.metrics(), time.Now()
	r.group(ours, ssh("192.0.2.0", gid(ours)))
	for i := range n { // before anybody follows them: else each costs n events
		r.member(ours, i, `["`+ip(i)+`"]`)
	}
	for i := range n {
		put(i, secured(100, ip(i), gid(ours)))
	}
	wait("192.0.2.0", n)
	for _, a := range all {
		r.converged(a)
	}
	r.tell("a port of each came to be in one group", n, before, begin)
	writes := int64(0)
	for _, a := range all {
		writes = max(writes, a.writes.Load())
	}
	r.Logf("at most %d messages that change a VPP", writes)

	// change does something to groups, of which every VPP hears by so many messages.
	change := func(what string, events, messages int, do, wait func()) {
		r.Helper()
		before := r.quiet()
		for _, v := range vpps {
			v.ResetLog()
		}
		begin := time.Now()
		do()
		wait()
		after := r.tell(what, n, before, begin)
		if after.since(before, "Watch") == 0 { // nobody's stream broke off, whose events come twice
			require.EqualValues(r, events, after.since(before, "etcd_debugging_mvcc_events_total"), "events that etcd sent: %s", what)
		}
		require.LessOrEqual(r, int(after.since(before, "Txn")), n, "what is said of ports stays as it is; a host may say once how far it is: %s", what)
		for i, v := range vpps {
			sent := slices.DeleteFunc(v.Sent(), func(m string) bool { return m == "control_ping" }) // signs of life
			require.Len(r, sent, messages, "host %d: %s", i, what)
		}
	}
	change("a rule of the group changed", n, 2, // whose set it is, and its rules
		func() { r.group(ours, ssh("198.51.100.0", gid(ours))) }, func() { wait("198.51.100.0", n) })
	change("a member joined the group", n, 2,
		func() { r.member(ours, n, `["`+ip(n)+`"]`) }, func() { wait("198.51.100.0", n+1) })
	change("another group changed", 0, 0, func() {
		r.group(others, ssh("192.0.2.0", gid(ours)))
		r.member(others, n, `["`+ip(n)+`"]`)
	}, func() { time.Sleep(time.Second) })
}

// hearing counts, for each agent, the statuses that change.
func hearing(all []*running) func() []int {
	counts := make([]int, len(all))
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	for i, a := range all {
		ready := make(chan struct{})
		left := a.store.Count(desiredstate.Applied)
		watching.Go(func() {
			for range a.store.Watch(ctx) {
				if left--; left == 0 {
					close(ready)
				} else if left < 0 {
					mu.Lock()
					counts[i]++
					mu.Unlock()
				}
			}
		})
		<-ready
	}
	return func() []int {
		cancel()
		watching.Wait()
		return counts
	}
}

// count counts the keys below a prefix that contain some text.
func (r *rig) count(below, text string) (n int) {
	got, err := r.client.Get(r.Context(), "/networking-vpp/"+below, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(r, err)
	for _, kv := range got.Kvs {
		if strings.Contains(string(kv.Key), text) {
			n++
		}
	}
	return n
}

// figures are etcd's own, by name.
type figures map[string]float64

func (f figures) since(before figures, name string) float64 { return f[name] - before[name] }

// quiet are the figures when nobody has heard anything for a second: of what agents say of a change
// before, or see in a last look at their links.
func (r *rig) quiet() figures {
	r.Helper()
	const heard = "etcd_debugging_mvcc_events_total"
	now := r.metrics()
	for still := time.Now(); time.Since(still) < time.Second; time.Sleep(50 * time.Millisecond) {
		if next := r.metrics(); next[heard] != now[heard] {
			now, still = next, time.Now()
		}
	}
	return r.metrics()
}

func (r *rig) metrics() figures {
	r.Helper()
	got, err := http.Get(r.url + "/metrics")
	require.NoError(r, err)
	defer func() { _ = got.Body.Close() }()
	out := figures{}
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		name, labels, _ := strings.Cut(name, "{")
		v, err := strconv.ParseFloat(value, 64)
		if strings.HasPrefix(name, "#") || err != nil {
			continue
		}
		if _, method, ok := strings.Cut(labels, `grpc_method="`); ok && name == "grpc_server_started_total" {
			method, _, _ = strings.Cut(method, `"`)
			out[method] += v
		}
		out[name] += v
	}
	return out
}

// tell logs what something cost etcd.
func (r *rig) tell(what string, hosts int, before figures, begin time.Time) figures {
	r.Helper()
	took, now := time.Since(begin), r.metrics()
	var calls []string
	for _, method := range []string{"Range", "Txn", "Put", "LeaseGrant", "Watch"} {
		if n := now.since(before, method); n > 0 {
			calls = append(calls, fmt.Sprintf("%s %.0f", method, n))
		}
	}
	r.Logf("%d hosts, %s: %v, etcd used %.2f s of CPU, got %.0f KiB and sent %.0f KiB; %.0f events to %.0f watchers; calls: %s",
		hosts, what, took.Round(time.Millisecond), now.since(before, "process_cpu_seconds_total"),
		now.since(before, "etcd_network_client_grpc_received_bytes_total")/1024,
		now.since(before, "etcd_network_client_grpc_sent_bytes_total")/1024,
		now.since(before, "etcd_debugging_mvcc_events_total"), now["etcd_debugging_mvcc_watcher_total"], strings.Join(calls, ", "))
	return now
}
