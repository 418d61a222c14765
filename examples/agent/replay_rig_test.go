// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

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
