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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	v2 "go.etcd.io/etcd/client/v2"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/mirror"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/internal/netrig"
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
	*wants.Inbox
	store *desiredstate.Store
	etcd  map[string][]byte
	fresh []follow.Range
}

func newTeller(site translate.Site, etcd map[string][]byte) *teller {
	store := desiredstate.NewStore()
	x := &teller{Inbox: wants.New(site, store, slog.New(slog.DiscardHandler)), store: store, etcd: etcd}
	x.Follow = func(r follow.Range) { x.fresh = append(x.fresh, r) }
	x.Settled(true)
	return x
}

func (x *teller) tell(key string, value []byte, there bool) {
	x.Put(key, value, there)
	for len(x.fresh) > 0 {
		r := x.fresh[0]
		x.fresh = x.fresh[1:]
		in := map[string][]byte{}
		for k, v := range x.etcd {
			if r.Has(k) {
				in[k] = v
			}
		}
		x.Listed(r, in)
	}
	x.Settled(false)
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
	names, _ := x.Names()
	for _, name := range names {
		var said []string
		p, _, wrong := x.Look(name)
		for _, err := range []error{wrong, p.Lacks} {
			if err != nil {
				said = append(said, err.Error())
			}
		}
		if said = append(said, x.Trouble(p)...); len(said) > 0 {
			out["ports/"+name] = strings.Join(said, "; ")
		}
	}
	for _, name := range x.UnservedNames() {
		out[name] = x.Unserved(name).Error()
	}
	for name, p := range x.Routing().Parts {
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
					fmt.Fprintf(&b, "      - %s %s\n", x.Site.Host, short.Replace(name))
				}
			}
			for _, name := range slices.Sorted(maps.Keys(now)) {
				if now[name] != before[n][name] {
					fmt.Fprintf(&b, "      + %s %s: %s\n", x.Site.Host, short.Replace(name), short.Replace(now[name]))
				}
			}
			before[n] = now
			for _, name := range x.Routes() {
				_, err, _ := x.Route(name)
				require.NotErrorIs(t, err, desiredstate.ErrConflict, "step %d", i+1)
			}
			for key := range x.store.Statuses() {
				if o, wanted := x.store.Want(key); wanted {
					require.NoError(t, o.Validate(), "step %d", i+1)
				}
			}
		}
	}
	for _, x := range hosts {
		fmt.Fprintf(&b, "\n%s wants\n", x.Site.Host)
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
	for key, value := range there { // also what no state depends on, which may come later
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			got, err := r.client.Get(t.Context(), key)
			require.NoError(c, err)
			require.Len(c, got.Kvs, 1, key)
			require.Equal(c, value, string(got.Kvs[0].Value), key)
		}, 30*time.Second, 10*time.Millisecond)
	}
	// What the driver sees is what the agents said. Both are asked each time: an agent may
	// still say to what revision it is done.
	const said = "/networking-vpp/state"
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		seen := map[string]string{}
		got, err := keys.Get(t.Context(), said, &v2.GetOptions{Recursive: true, Quorum: true})
		require.NoError(c, err)
		var walk func(*v2.Node)
		walk = func(n *v2.Node) {
			if !n.Dir {
				seen[n.Key] = n.Value
			}
			for _, below := range n.Nodes {
				walk(below)
			}
		}
		walk(got.Node)
		is := map[string]string{}
		now, err := r.client.Get(t.Context(), said, clientv3.WithPrefix())
		require.NoError(c, err)
		for _, kv := range now.Kvs {
			is[string(kv.Key)] = string(kv.Value)
		}
		require.Equal(c, is, seen)
		require.Contains(c, is, said+"/comp1/alive")
	}, 30*time.Second, 20*time.Millisecond)
}
