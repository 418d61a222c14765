// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

var hostileFor = flag.Duration("hostile", 6*time.Second, "how long TestHostileWriters's writers write")

// Bounds of what two writers can do who may write whatever they want below the keys of one host.
const (
	hostileDelay  = 100 * time.Millisecond // to ports of another host, at the median; and for 95 of 100 beside what etcd itself takes
	hostileGrowth = 400 << 20              // of the agent of that host, in bytes
)

// Two writers with all rights on the subtree of one host do what they can: neither are ports of another
// host delayed, nor does the agent of that host grow beyond a bound.
func TestHostileWriters(t *testing.T) {
	r := rigOn(t, etcdtest.Start(t, "--quota-backend-bytes", fmt.Sprint(int64(4)<<30), "--snapshot-count", "1000000").URL())
	var agents [2]*os.Process
	for i, host := range []string{"h1", "h2"} {
		v, site := memory(t), r.siteOf(host, nic)
		agents[i], _ = r.start("run", "--etcd", r.url, "--vpp", v.Socket(), "--host", host, "--physnet", "physnet1="+nic,
			"--vhost-user-dir", site.Dir, "--socket", "", "--bound", "vpp")
		r.put(host, uuid(0), port(100))
		r.bound(host, uuid(0))
	}
	quiet := r.delays("h2", port(100), 30, time.Millisecond)
	before := resident(t, agents[0])

	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	var keys, bytes atomic.Int64
	for i := range 2 {
		writing.Go(func() { r.hostile(ctx, "h1", uint64(i), &keys, &bytes) })
	}
	most := before
	writing.Go(func() {
		for ctx.Err() == nil {
			most = max(most, resident(t, agents[0]))
			time.Sleep(50 * time.Millisecond)
		}
	})
	time.Sleep(time.Second)
	var loud, bare []time.Duration
	for began := time.Now(); time.Since(began) < *hostileFor; {
		loud = append(loud, r.delays("h2", port(100), 1, 20*time.Millisecond)...)
		bare = append(bare, r.there(), r.there())
	}
	slices.Sort(loud)
	slices.Sort(bare)
	stop()
	writing.Wait()
	for what, all := range map[string][]time.Duration{"etcd alone has a key and tells of it, of which a port needs two, after": bare, "a port is bound after": loud} {
		t.Logf("%s %v at the median, %v 95 times of 100, %v 99 times, %v at most", what, at(all, 50), at(all, 95), at(all, 99), at(all, 100))
	}
	for what, p := range map[string]*os.Process{"the agent of the host": agents[0], "that of another": agents[1], "etcd, and the writers": nil} {
		t.Logf("%s: %v of CPU", what, cpu(t, p))
	}
	later, agents95 := at(loud, 50)-at(quiet, 50), at(loud, 95)-2*at(bare, 95)
	t.Logf("%d writes of %d MB: a port of another host is bound after %v at the median, %v at most, else %v and %v; the agent grew from %d to %d MB at most",
		keys.Load(), bytes.Load()>>20, loud[len(loud)/2].Round(100*time.Microsecond), loud[len(loud)-1].Round(100*time.Microsecond),
		quiet[len(quiet)/2].Round(100*time.Microsecond), quiet[len(quiet)-1].Round(100*time.Microsecond), before>>20, most>>20)
	require.Less(t, later, hostileDelay)
	require.Less(t, agents95, hostileDelay)
	require.Less(t, most-before, int64(hostileGrowth))
}

// at is the value that so many of a hundred are not above.
func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(100 * time.Microsecond)
}

// there is how long it takes until etcd has a key that nobody reads, and says so.
func (r *rig) there() time.Duration {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	said := r.client.Watch(ctx, "/nobody/reads/this", clientv3.WithCreatedNotify())
	<-said
	began := time.Now()
	_, err := r.client.Put(ctx, "/nobody/reads/this", "x")
	require.NoError(r, err)
	<-said
	return time.Since(began)
}

// delays are how long ports take to be bound, from when etcd has them.
func (r *rig) delays(host, value string, n int, pause time.Duration) (out []time.Duration) {
	r.Helper()
	for range n {
		name := uuid(1000 + rand.IntN(100000))
		key := "/networking-vpp/state/" + host + "/ports/" + name
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		said := r.client.Watch(ctx, key)
		r.put(host, name, value)
		began := time.Now()
		if w, ok := <-said; !ok || w.Err() != nil {
			require.Fail(r, "not bound", "%s: %v", name, w.Err())
		}
		out = append(out, time.Since(began))
		cancel()
		r.unplug(host, name)
		time.Sleep(pause)
	}
	slices.Sort(out)
	return out
}

// hostile writes what hurts most below the keys of a host, until ctx ends.
func (r *rig) hostile(ctx context.Context, host string, seed uint64, keys, bytes *atomic.Int64) {
	random := rand.New(rand.NewPCG(seed, 0))
	root := "/networking-vpp/nodes/" + host + "/"
	megabyte := strings.Repeat("\x00\xff", 700<<9)
	deep := `{"security_groups":` + strings.Repeat("[", 60000)
	for n := 0; ctx.Err() == nil; n++ {
		var groups []string
		var ops []clientv3.Op
		put := func(key, value string) {
			ops = append(ops, clientv3.OpPut(root+key, value))
			bytes.Add(int64(len(value)))
		}
		fresh := uuid(random.IntN(1 << 31))
		switch random.IntN(7) {
		case 0:
			put("ports/"+fresh, megabyte)
		case 1:
			for i := range 100 {
				put(fmt.Sprintf("ports/%d-%d-%d", seed, n, i), "junk")
			}
		case 2:
			for range 1000 {
				groups = append(groups, gid(random.IntN(1<<31)))
			}
			put("ports/"+fresh, secured(100+random.IntN(3000), "10.0.0.1", groups...))
		case 3:
			for range 100 {
				put("ports/"+uuid(random.IntN(50)), port(100+random.IntN(50)))
				ops = ops[len(ops)-1:]
			}
		case 4:
			put("ports/"+fresh, deep)
			put("trunks/"+fresh, strings.Replace(deep, "security_groups", "sub_ports", 1))
		case 5:
			put("routers/floatingip/"+fresh, "{}")
			put("routers/"+fresh, deep)
			put("no/such/family/"+fresh, "x")
		case 6:
			for range 100 {
				put("ports/"+uuid(1000+random.IntN(1<<31)), port(100+random.IntN(4000)))
			}
		}
		if _, err := r.client.Txn(ctx).Then(ops...).Commit(); err == nil {
			keys.Add(int64(len(ops)))
		}
	}
}

// resident is how much memory a process has, in bytes.
func resident(t *testing.T, p *os.Process) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib int64
	_, err = fmt.Sscanf(strings.TrimSpace(rest), "%d", &kib)
	require.NoError(t, err)
	return kib << 10
}

// Of thousands of keys that are wrong some are said to be, and how many are not.
func TestManyErrorsAreCounted(t *testing.T) {
	r, v := newRig(t), memory(t)
	path, page := paged(t)
	r.agent(r.siteOf("h1", nic), v.Socket(), page)
	for i := range 30 {
		var ops []clientv3.Op
		for j := range 100 {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("/networking-vpp/nodes/h1/ports/%d-%d", i, j), "junk"))
		}
		_, err := r.client.Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
	}
	r.amissIs(path, "errors", "more keys are wrong, of which no error is written", true)
	errors := func() int { said, _ := r.said("h1", "errors/"); return len(said) }
	require.Eventually(t, func() bool { return errors() >= mostErrors }, 10*time.Second, 20*time.Millisecond)
	require.LessOrEqual(t, errors(), mostErrors+1)
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	_, err := r.client.Delete(t.Context(), "/networking-vpp/nodes/h1/ports/", clientv3.WithPrefix())
	require.NoError(t, err)
	r.amissIs(path, "errors", "more keys are wrong, of which no error is written", false)
	require.Eventually(t, func() bool { return errors() == 0 }, 10*time.Second, 20*time.Millisecond)
}

// cpu is what a process has used; nil: this one and those of its children that were waited for.
func cpu(t *testing.T, p *os.Process) time.Duration {
	t.Helper()
	name := "self"
	if p != nil {
		name = fmt.Sprint(p.Pid)
	}
	text, err := os.ReadFile("/proc/" + name + "/stat")
	require.NoError(t, err)
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.Atoi(f[11])
	require.NoError(t, err)
	system, err := strconv.Atoi(f[12])
	require.NoError(t, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}
