// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
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
		hosts[i].Overlay = translate.GPE{Underlay: hosts[i].Underlay("underlay", netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", i+1)))}
	}
	return hosts
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
	x.remotes.follow = x.groups.follow
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
var short = strings.NewReplacer("00000000-0000-4000-8000-000000000", "#", "/networking-vpp/", "")

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

// The same by agents, on VPPs in memory: in the end each port that is there is said to be
// bound, by a write that is newer than its key's last, or has an error; and VPP holds all
// of what is served.
func TestARealServersKeysInVPP(t *testing.T) {
	r := newRig(t)
	var agents []*running
	for _, site := range theHosts() {
		var opts []vpptest.Option
		for _, name := range site.PhysnetNames() {
			opts = append(opts, vpptest.WithInterface(site.Physnets[name]))
		}
		site.Dir = r.TempDir()
		agents = append(agents, r.agent(site, vpptest.New(t, opts...).Socket()))
	}
	keys := recorded(t, "driver.jsonl")
	for _, w := range keys {
		if w.gone() {
			r.set(w.Key, "")
		} else {
			r.set(w.Key, string(w.Value))
		}
	}
	var last string
	state := func() string {
		var b strings.Builder
		for _, a := range agents {
			host := a.site.Host
			ports, revs := r.said(host, "ports/")
			errs, _ := r.said(host, "errors/")
			put, err := r.client.Get(r.Context(), a.site.Ports(), clientv3.WithPrefix())
			require.NoError(r, err)
			for _, kv := range put.Kvs {
				name := strings.TrimPrefix(string(kv.Key), a.site.Ports())
				how := "absent"
				if ports[name] != "" {
					how = "bound"
					if revs[name] < kv.ModRevision {
						how = "bound, but not since its key was put"
					}
				}
				fmt.Fprintf(&b, "%s %s %s\n", host, short.Replace(name), how)
				delete(ports, name)
			}
			for name := range ports {
				fmt.Fprintf(&b, "%s %s has no key\n", host, short.Replace(name))
			}
			for _, name := range slices.Sorted(maps.Keys(errs)) {
				fmt.Fprintf(&b, "%s errors/%s %s\n", host, short.Replace(name), short.Replace(errs[name]))
			}
		}
		return b.String()
	}
	if !*update {
		want, err := os.ReadFile("testdata/driver-state.golden")
		require.NoError(t, err)
		require.Eventually(t, func() bool { last = state(); return last == string(want) }, 30*time.Second, 50*time.Millisecond, "last:\n%s", &last)
	} else {
		time.Sleep(8 * time.Second)
	}
	golden(t, "driver-state", state())
	for _, a := range agents {
		for key, s := range a.store.Statuses() {
			require.Equal(t, desiredstate.Applied, s.State, "%s %s: %v", a.site.Host, key, s.Err)
		}
	}
}
