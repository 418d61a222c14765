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
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

var hostileFor = flag.Duration("hostile", 6*time.Second, "how long TestHostileWriters's writers write")

// Bounds of what two writers can do who may write whatever they want below the keys of one host.
const (
	hostileDelay  = 100 * time.Millisecond // to ports of another host, beside what a program takes that only answers
	hostileGrowth = 400 << 20              // of the agent of that host, in bytes
)

// Two writers with all rights on the subtree of one host do what they can: neither are ports of another
// host delayed, nor does the agent of that host grow beyond a bound.
//
// What the machine and etcd take is told from what the agent takes by a program that answers a key by a key, and does
// nothing else: its key is put with each port's. Of each answer the difference counts.
func TestHostileWriters(t *testing.T) {
	t.Setenv("GOGC", "100") // the bound is of what Go does if nobody says otherwise
	r := rigOn(t, etcdtest.Start(t, "--quota-backend-bytes", fmt.Sprint(int64(4)<<30), "--snapshot-count", "1000000").URL())
	v := memory(t)
	victim, _ := r.start("run", "--etcd", r.url, "--vpp", v.Socket(), "--host", "h1", "--physnet", "physnet1="+nic,
		"--vhost-user-dir", shortDir(t), "--socket", "", "--bound", "vpp")
	other, _ := r.start("run", "--etcd", r.url, "--vpp", "sim", "--host", "h2", "--physnet", "physnet1="+nic,
		"--vhost-user-dir", shortDir(t), "--socket", "", "--bound", "vpp")
	for _, host := range []string{"h1", "h2"} {
		r.put(host, uuid(0), port(100))
		r.bound(host, uuid(0))
	}
	ready := r.client.Watch(t.Context(), echoed, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-ready
	r.role("echo", r.url)
	<-ready
	var quiet, loud answers
	for range 30 {
		quiet.add(r.answer("h2"))
	}
	before := resident(t, victim)

	var ends []func() string
	for i := range 2 {
		ends = append(ends, r.role("hostile", r.url, "h1", strconv.Itoa(i)))
	}
	most := before
	time.Sleep(time.Second)
	const enough, times = 40, 3 // to say what is so of a hundred; and on a machine that has more to do than that
	for n := 0; n == 0 || n < times && len(loud.late()) > 0; n++ {
		loud = answers{}
		for began := time.Now(); time.Since(began) < *hostileFor || len(loud.port) < enough; time.Sleep(20 * time.Millisecond) {
			loud.add(r.answer("h2"))
			most = max(most, resident(t, victim))
		}
	}
	var keys, bytes int64
	for _, end := range ends {
		var k, b int64
		_, err := fmt.Sscanf(end(), "%d %d", &k, &b)
		require.NoError(t, err)
		keys, bytes = keys+k, bytes+b
	}
	t.Logf("%d writes of %d MB below the other host's keys, %d ports bound meanwhile", keys, bytes>>20, len(loud.port))
	require.Greater(t, keys, int64(0))
	for what, a := range map[string]*answers{"else": &quiet, "meanwhile": &loud} {
		t.Logf("%s: a port is bound after %s; a program that only answers does after %s; the agent takes more by %s", what, spread(a.port), spread(a.echo), spread(a.ours))
	}
	t.Logf("the agent of the host grew from %d to %d MB; it took %v of CPU, that of the other %v", before>>20, most>>20, cpu(t, victim), cpu(t, other))
	require.Empty(t, loud.late())
	require.Less(t, most-before, int64(hostileGrowth))
}

// answers are how long a port takes to be bound, how long a program that only answers takes to do that, and by how much
// the first is longer, each time.
type answers struct{ port, echo, ours []time.Duration }

func (a *answers) add(port, echo time.Duration) {
	a.port, a.echo, a.ours = append(a.port, port), append(a.echo, echo), append(a.ours, max(0, port-echo))
}

// late says of which of a hundred the agent takes longer than it may.
func (a *answers) late() (of []int) {
	for percent, most := range map[int]time.Duration{
		// Where that program takes half of it, the machine has no such bound; and some tens are asked, so what kept that
		// program once can keep the agent as often as five times of a hundred.
		50: max(hostileDelay, 2*at(a.echo, 50)),
		95: max(hostileDelay, 2*at(a.echo, 95), at(a.echo, 100)),
		// One process or the other may be kept from its turn once: the longest of each say nothing of each other.
		100: 10 * hostileDelay,
	} {
		if at(a.ours, percent) >= most {
			of = append(of, percent)
		}
	}
	return of
}

// spread sums up some durations.
func spread(all []time.Duration) string {
	return fmt.Sprintf("%v at the median, %v 95 times of 100, %v at most", at(all, 50), at(all, 95), at(all, 100))
}

// Keys that only an echo reads, and writes.
const (
	asks   = "/nobody/asks/"
	echoed = "/nobody/answers/"
)

// answer puts a port of a host and, at once, what the echo answers, and returns how long each takes.
func (r *rig) answer(host string) (took, echo time.Duration) {
	r.Helper()
	name := uuid(1000 + rand.IntN(1<<30))
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	bound := r.client.Watch(ctx, "/networking-vpp/state/"+host+"/ports/"+name, clientv3.WithCreatedNotify())
	said := r.client.Watch(ctx, echoed+name, clientv3.WithCreatedNotify())
	<-bound
	<-said
	key := "/networking-vpp/nodes/" + host + "/ports/" + name
	_, err := r.client.Txn(ctx).Then(clientv3.OpPut(key, port(100)), clientv3.OpPut(asks+name, "x")).Commit()
	require.NoError(r, err)
	began := time.Now()
	for range 2 {
		var w clientv3.WatchResponse
		select {
		case w = <-bound:
			took, bound = time.Since(began), nil
		case w = <-said:
			echo, said = time.Since(began), nil
		}
		require.NoError(r, w.Err())
		require.NotEmpty(r, w.Events)
	}
	_, err = r.client.Txn(ctx).Then(clientv3.OpDelete(key), clientv3.OpDelete(asks+name), clientv3.OpDelete(echoed+name)).Commit()
	require.NoError(r, err)
	return took, echo
}

// echo answers each key that asks by one, until ctx ends, and says first that it is there.
func echo(ctx context.Context, client *clientv3.Client) {
	for w := range client.Watch(ctx, asks, clientv3.WithPrefix(), clientv3.WithFilterDelete(), clientv3.WithCreatedNotify()) {
		if w.Created {
			_, _ = client.Put(ctx, echoed+"ready", "x")
		}
		for _, e := range w.Events {
			_, _ = client.Put(ctx, echoed+strings.TrimPrefix(string(e.Kv.Key), asks), "x")
		}
	}
}

// at is the value that so many of a hundred are not above.
func at(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*percent/100].Round(100 * time.Microsecond)
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

// hostile writes what hurts most below the keys of a host, until ctx ends, and returns how many keys, and bytes.
func hostile(ctx context.Context, client *clientv3.Client, host string, seed uint64) (keys, bytes int) {
	random := rand.New(rand.NewPCG(seed, 0))
	root := "/networking-vpp/nodes/" + host + "/"
	megabyte := strings.Repeat("\x00\xff", 700<<9)
	deep := `{"security_groups":` + strings.Repeat("[", 60000)
	for n := 0; ctx.Err() == nil; n++ {
		var groups []string
		var ops []clientv3.Op
		put := func(key, value string) {
			ops = append(ops, clientv3.OpPut(root+key, value))
			bytes += len(value)
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
		if _, err := client.Txn(ctx).Then(ops...).Commit(); err == nil {
			keys += len(ops)
		}
	}
	return keys, bytes
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
