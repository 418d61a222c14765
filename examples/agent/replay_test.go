// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/mirror"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

var update = flag.Bool("update", false, "write the golden files")

// written is a change of a key, as a real neutron-server made it.
type written struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	What  string          `json:"what"`
}

// gone says whether the key was deleted.
func (w written) gone() bool { return string(w.Value) == "null" }

func recorded(t *testing.T, file string) (out []written) {
	t.Helper()
	f, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	if file == "driver.jsonl" { // its UUIDs were numbered, and devices are called by the beginning of one
		f = numbered.ReplaceAll(f, []byte("00000$2$1$2"))
	}
	for d := json.NewDecoder(bytes.NewReader(f)); d.More(); {
		var w written
		require.NoError(t, d.Decode(&w))
		out = append(out, w)
	}
	return out
}

// theHosts are those of the recording.
func theHosts() []translate.Site {
	one := map[string]string{"physnet1": nic, "underlay": nic + "/2"}
	two := map[string]string{"physnet1": nic, "physext": nic + "/1", "underlay": nic + "/2"}
	hosts := []translate.Site{
		{Host: "comp1", Physnets: one, Dir: "/run/vms"},
		{Host: "comp2", Physnets: one, Dir: "/run/vms"},
		{Host: "net1", Physnets: two, Dir: "/run/vms"},
	}
	for i := range hosts {
		overlay(&hosts[i], netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", i+1)))
	}
	return hosts
}

// overlay makes a site reach the others by GPE, on the NIC of its underlay.
func overlay(site *translate.Site, address netip.Prefix) {
	site.Overlay = translate.GPE{Underlay: site.Underlay("underlay", address)}
}

// teller tells an inbox what lies in etcd, as a Follower would.
type teller struct {
	*inbox
	etcd  map[string][]byte
	fresh []follow.Range
}

func newTeller(site translate.Site, etcd map[string][]byte) *teller {
	x := &teller{inbox: newInbox(site, desiredstate.NewStore(), slog.New(slog.DiscardHandler)), etcd: etcd}
	x.groups.follow = func(r follow.Range) { x.fresh = append(x.fresh, r) }
	x.remotes.follow, x.taps.follow = x.groups.follow, x.groups.follow
	x.settled(true)
	return x
}

func (x *teller) tell(key string, value []byte, there bool) {
	x.put(key, value, there)
	for len(x.fresh) > 0 {
		r := x.fresh[0]
		x.fresh = x.fresh[1:]
		in := map[string][]byte{}
		for k, v := range x.etcd {
			if r.Has(k) {
				in[k] = v
			}
		}
		x.listed(r, in)
	}
	x.settled(false)
}

// short names UUIDs by their last digits.
var short shortener

type shortener struct{}

func (shortener) Replace(s string) string {
	return strings.ReplaceAll(known.ReplaceAllString(s, "#"), "/networking-vpp/", "")
}

var (
	numbered = regexp.MustCompile("00000000(-0000-4000-8000-000000000)([0-9a-f]{3})")
	known    = regexp.MustCompile("00000[0-9a-f]{3}-0000-4000-8000-000000000")
)

// errors are what is said of the keys of a host, but for what VPP says.
func (x *teller) errors() map[string]string {
	out := map[string]string{}
	for _, name := range x.known() {
		var said []string
		p, _, wrong := x.look(name)
		for _, err := range []error{wrong, p.Lacks} {
			if err != nil {
				said = append(said, err.Error())
			}
		}
		if said = append(said, x.trouble(p)...); len(said) > 0 {
			out["ports/"+name] = strings.Join(said, "; ")
		}
	}
	for _, name := range x.unservedNames() {
		out[name] = x.unserved(name).Error()
	}
	for name, p := range x.routers.now.Parts {
		if p.Wrong != nil {
			out["routers/"+name] = p.Wrong.Error()
		} else if p.Lacks != nil {
			out["routers/"+name] = "in part: " + strings.ReplaceAll(p.Lacks.Error(), "\n", "; ")
		}
	}
	return out
}

// What a real neutron-server wrote, change by change: beside each stands what is said of it
// from then on (+), or no more (-). All else is served.
func TestARealServersKeys(t *testing.T) {
	etcd := map[string][]byte{}
	var hosts []*teller
	for _, site := range theHosts() {
		require.NoError(t, site.Validate())
		hosts = append(hosts, newTeller(site, etcd))
	}
	var b strings.Builder
	before := make([]map[string]string, len(hosts))
	for i, w := range recorded(t, "driver.jsonl") {
		if w.gone() {
			delete(etcd, w.Key)
		} else {
			etcd[w.Key] = w.Value
		}
		fmt.Fprintf(&b, "%3d %s (%s)\n", i+1, short.Replace(w.Key), w.What)
		for n, x := range hosts {
			x.tell(w.Key, w.Value, !w.gone())
			now := x.errors()
			for _, name := range slices.Sorted(maps.Keys(before[n])) {
				if now[name] != before[n][name] {
					fmt.Fprintf(&b, "      - %s %s\n", x.site.Host, short.Replace(name))
				}
			}
			for _, name := range slices.Sorted(maps.Keys(now)) {
				if now[name] != before[n][name] {
					fmt.Fprintf(&b, "      + %s %s: %s\n", x.site.Host, short.Replace(name), short.Replace(now[name]))
				}
			}
			before[n] = now
			require.Empty(t, x.routers.refused, "step %d: nothing conflicts", i+1)
			for key := range x.store.Statuses() {
				if o, wanted := x.store.Want(key); wanted {
					require.NoError(t, o.Validate(), "step %d", i+1)
				}
			}
		}
	}
	for _, x := range hosts {
		fmt.Fprintf(&b, "\n%s wants\n", x.site.Host)
		for key := range x.store.Statuses() {
			o, wanted := x.store.Want(key)
			if !wanted {
				continue // there is no VPP that it could have left
			}
			if s, ok := o.(acl.Set); ok && !strings.HasPrefix(s.Name, "spoof") {
				fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(short.Replace(s.String()), "\n", "\n  "))
			} else {
				fmt.Fprintf(&b, "  %s\n", short.Replace(key.String()))
			}
		}
	}
	golden(t, "driver", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test -update writes it anew")
}

// replay is the recording played to agents of its hosts, each with a VPP.
type replay struct {
	*rig
	agents []*running
	before map[string]string // what stood there after the last step
}

func newReplay(r *rig, start func(site translate.Site) spot) *replay {
	x := &replay{rig: r, before: map[string]string{}}
	for _, site := range theHosts() {
		site.Dir = r.TempDir()
		at := start(site)
		x.agents = append(x.agents, r.agent(at.site, at.socket, func(a *agent) {
			a.announcer.patience, a.wires.ns = 0, at.ns
		}))
	}
	return x
}

// spot is where a host's agent runs.
type spot struct {
	site   translate.Site // as it is there
	socket string         // VPP's
	ns     string         // Linux's network namespace; "": none, wires are left out
}

// inMemory starts a VPP that has the uplinks of a host.
func inMemory(t *testing.T) func(translate.Site) spot {
	return func(site translate.Site) spot {
		var opts []vpptest.Option
		for _, name := range site.PhysnetNames() {
			opts = append(opts, vpptest.WithInterface(site.Physnets[name]))
		}
		return spot{site, vpptest.New(t, opts...).Socket(), ""}
	}
}

// state is what agents say of ports that have a key, and of all that is wrong.
func (x *replay) state() map[string]string {
	out := map[string]string{}
	for _, a := range x.agents {
		host := a.site.Host
		ports, revs := x.said(host, "ports/")
		errs, _ := x.said(host, "errors/")
		taps, err := x.client.Get(x.Context(), translate.TapState(host, ""), clientv3.WithPrefix())
		require.NoError(x, err)
		for _, kv := range taps.Kvs {
			out[host+" "+strings.TrimPrefix(string(kv.Key), translate.TapState(host, ""))] = "active"
		}
		put, err := x.client.Get(x.Context(), a.site.Ports(), clientv3.WithPrefix())
		require.NoError(x, err)
		for _, kv := range put.Kvs {
			name := strings.TrimPrefix(string(kv.Key), a.site.Ports())
			how := "absent"
			if ports[name] != "" {
				how = "bound"
				if revs[name] < kv.ModRevision {
					how = "bound, but not since its key was put"
				}
			}
			out[host+" ports/"+name] = how
			delete(ports, name)
		}
		for name := range ports {
			out[host+" ports/"+name] = "has no key"
		}
		for name, why := range errs {
			out[host+" errors/"+name] = why
		}
	}
	return out
}

// vpps are the objects in VPP; what they are is what is wanted, as nothing is amiss.
func (x *replay) vpps() map[string]string {
	out := map[string]string{}
	for _, a := range x.agents {
		have, _ := x.found(a.site, a.vpp)
		exempt := map[string]int{}
		for key, f := range have {
			if id, ok := f.Spec.(nat.Identity); ok { // of each address of a subnet, and a route to it
				exempt[id.Table]++
				continue
			}
			if r, ok := f.Spec.(l3.Route); ok && r.Prefix.IsSingleIP() && len(r.Paths) == 1 && strings.HasPrefix(r.Paths[0].Table, "router-") {
				continue
			}
			text, err := json.Marshal(f.Spec)
			require.NoError(x, err)
			out[a.site.Host+" vpp "+x.name(a.site, key.String())] = string(text)
		}
		for table, n := range exempt {
			out[fmt.Sprintf("%s vpp %d nat-identity of %s", a.site.Host, n, table)] = ""
		}
	}
	return out
}

// name calls uplinks by what they are.
func (x *replay) name(site translate.Site, key string) string {
	for _, physnet := range site.PhysnetNames() {
		key = strings.ReplaceAll(key+" ", vppnet.Foreign(site.Physnets[physnet])+" ", "NIC:"+physnet+" ")
		key = strings.TrimSuffix(key, " ")
	}
	return key
}

// idle says whether no agent has anything to do.
func (x *replay) idle() bool {
	for _, a := range x.agents {
		for _, s := range a.store.Statuses() {
			if s.State != desiredstate.Applied || s.Leaving {
				return false
			}
		}
	}
	return true
}

// changes tells rows that differ: + is there now, - no more, ~ is another.
func (x *replay) changes(now map[string]string) (out []string) {
	for name, is := range now {
		switch was, ok := x.before[name]; {
		case !strings.Contains(name, " vpp ") && was != is:
			out = append(out, fmt.Sprintf("      + %s: %s", short.Replace(name), short.Replace(is)))
		case !ok:
			out = append(out, "      + "+short.Replace(name))
		case was != is:
			out = append(out, "      ~ "+short.Replace(name))
		}
	}
	for name := range x.before {
		if _, still := now[name]; !still {
			out = append(out, "      - "+short.Replace(name))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[8:], b[8:]) })
	return out
}

// now is how everything stands.
func (x *replay) now() map[string]string {
	out := x.vpps()
	maps.Copy(out, x.state())
	return out
}

// plays the recording, and holds each step against the table: what agents say, and what
// VPPs hold.
func (x *replay) plays(put func(written)) {
	x.Helper()
	table, err := os.ReadFile("testdata/driver-steps.golden")
	if !*update {
		require.NoError(x, err)
	}
	steps := strings.SplitAfter(string(table), "\n\n")
	var all strings.Builder
	for i, w := range recorded(x.T, "driver.jsonl") {
		put(w)
		step, now := "", map[string]string{}
		look := func() string {
			now = x.now()
			rows := append([]string{fmt.Sprintf("%3d %s (%s)", i+1, short.Replace(w.Key), w.What)}, x.changes(now)...)
			return strings.Join(rows, "\n") + "\n\n"
		}
		if *update {
			end := time.Now().Add(30 * time.Second)
			for same := 0; same < 3; time.Sleep(60 * time.Millisecond) { // until nothing changes
				require.True(x, time.Now().Before(end), "an agent is at work still, step %d:\n%s", i+1, step)
				if is := look(); is == step && x.idle() {
					same++
				} else {
					step, same = is, 0
				}
			}
		} else {
			require.Less(x, i, len(steps))
			end := time.Now().Add(30 * time.Second)
			for step = look(); step != steps[i] || !x.idle(); step = look() {
				if time.Now().After(end) {
					require.Equal(x, steps[i], step, "step %d", i+1)
					require.Fail(x, "an agent is at work still", "step %d", i+1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
		all.WriteString(step)
		x.before = now
	}
	if *update {
		golden(x.T, "driver-steps", all.String())
	}
}

// latest is a text as it is when it is printed.
type latest string

func (l *latest) String() string { return string(*l) }

// By agents, on VPPs in memory: after each change the table says how everything stands.
func TestARealServersKeysStepByStep(t *testing.T) {
	r := newRig(t)
	newReplay(r, inMemory(t)).plays(func(w written) {
		if w.gone() {
			r.set(w.Key, "")
		} else {
			r.set(w.Key, string(w.Value))
		}
	})
}

// The same on real VPPs. TAP ports are veth pairs, for kernels without vhost-net: VPP's
// interfaces on them have the same names.
func TestARealServersKeysOnRealVPPs(t *testing.T) {
	r := newRig(t)
	x := newReplay(r, func(site translate.Site) spot {
		ns := string(netrig.New(t, site.Host))
		v := vpptest.Real(t, vpptest.InNetNS(ns))
		site.Veth = true
		site.Physnets = maps.Clone(site.Physnets)
		for i, name := range site.PhysnetNames() {
			r.loopback(v.Socket())
			site.Physnets[name] = fmt.Sprintf("loop%d", i)
		}
		overlay(&site, site.Overlay.Under().Address)
		return spot{site, v.Socket(), ns}
	})
	x.plays(func(w written) {
		if w.gone() {
			r.set(w.Key, "")
		} else {
			r.set(w.Key, string(w.Value))
		}
	})
}

// All of it at once, as the real server writes it: to an etcd v2, with a mirror. In the end
// each port that is there is said to be bound, by a write that is newer than its key's
// last, or has an error; and both etcds are equal.
func TestARealServersKeysByEtcdV2(t *testing.T) {
	old := realEtcd(t, "--enable-v2")
	keys, err := etcd.DialV2(old.url, etcd.Access{})
	require.NoError(t, err)
	r := newRig(t)
	m := mirror.Mirror{V2: keys, V3: r.client, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() { stop(); <-done }()

	x := newReplay(r, inMemory(t))
	all := recorded(t, "driver.jsonl")
	there := map[string]string{}
	for _, w := range all {
		if w.gone() {
			var e v2.Error
			if _, err = keys.Delete(t.Context(), w.Key, nil); errors.As(err, &e) && e.Code == v2.ErrorCodeNotFile {
				_, err = keys.Delete(t.Context(), w.Key, &v2.DeleteOptions{Dir: true}) // as the driver does
			}
			if err != nil {
				require.ErrorAs(t, err, &e)
				require.Contains(t, []int{v2.ErrorCodeKeyNotFound, v2.ErrorCodeDirNotEmpty}, e.Code)
			}
			delete(there, w.Key)
			continue
		}
		_, err = keys.Set(t.Context(), w.Key, string(w.Value), nil)
		require.NoError(t, err)
		there[w.Key] = string(w.Value)
	}
	var last string
	state := func() string {
		rows := []string{}
		now := x.state()
		for _, name := range slices.Sorted(maps.Keys(now)) {
			rows = append(rows, short.Replace(name)+" "+short.Replace(now[name]))
		}
		return strings.Join(rows, "\n") + "\n"
	}
	if *update {
		time.Sleep(10 * time.Second)
		last = state()
	} else {
		want, err := os.ReadFile("testdata/driver-state.golden")
		require.NoError(t, err)
		require.Eventually(t, func() bool { last = state(); return last == string(want) && x.idle() }, 60*time.Second, 50*time.Millisecond, "last:\n%v", (*latest)(&last))
	}
	golden(t, "driver-state", last)
	for key, value := range there {
		got, err := r.client.Get(t.Context(), key)
		require.NoError(t, err)
		require.Len(t, got.Kvs, 1, key)
		require.Equal(t, value, string(got.Kvs[0].Value), key)
	}
	tree := func() map[string]string { // the state, as the driver sees it
		out := map[string]string{}
		got, err := keys.Get(t.Context(), "/networking-vpp/state", &v2.GetOptions{Recursive: true, Quorum: true})
		require.NoError(t, err)
		var walk func(*v2.Node)
		walk = func(n *v2.Node) {
			if !n.Dir {
				out[n.Key] = n.Value
			}
			for _, c := range n.Nodes {
				walk(c)
			}
		}
		walk(got.Node)
		return out
	}
	is := map[string]string{}
	got, err := r.client.Get(t.Context(), "/networking-vpp/state", clientv3.WithPrefix())
	require.NoError(t, err)
	for _, kv := range got.Kvs {
		is[string(kv.Key)] = string(kv.Value)
	}
	require.Eventually(t, func() bool { return maps.Equal(is, tree()) }, 10*time.Second, 20*time.Millisecond)
	require.Contains(t, is, "/networking-vpp/state/comp1/alive")
}
