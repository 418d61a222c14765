// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/vpptest"
)

// Whatever the order of the keys, and whatever comes and goes meanwhile, what is wanted
// in the end is what the keys say in the end, and whose is what of what several ask for;
// so it is when nothing is left.
func TestAnyOrderOfRouters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": nic}, Dir: "/run/vms"}
		wanted := func(r translate.Routing, s *desiredstate.Store) (out []string) {
			for k := range s.Statuses() {
				if o, ok := s.Want(k); ok {
					out = append(out, fmt.Sprintf("%s %+v", k, o))
				}
			}
			for name, p := range r.Parts {
				out = append(out, fmt.Sprint(name, p.Network, p.Sources, p.Needs, p.Wrong != nil, p.Lacks != nil)) // in what words, depends on who came first
			}
			slices.Sort(out)
			return out
		}
		all := tenants()
		all[legKey(3, 101)] = leg(3, 101, "192.168.1.1/24") // in one network with another router
		all[exitKey(3)] = exit(3, 901, "198.51.100.9/24", "198.51.100.1")
		all[floatKey(3)] = float(901, 101, "198.51.100.10", "192.168.1.11")
		names := slices.Sorted(maps.Keys(all))
		fresh := func() (*wants.Inbox, *desiredstate.Store) {
			s := desiredstate.NewStore()
			b := wants.New(site, s, slog.New(slog.DiscardHandler))
			b.Settled(true)
			return b, s
		}
		b, s := fresh()
		root := b.Site.Routers()
		now := map[string]string{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := rapid.SampledFrom(names).Draw(t, "key")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				now[name] = all[name]
				b.Put(root+name, []byte(all[name]), true)
			case 3:
				delete(now, name)
				b.Put(root+name, nil, false)
			case 4:
				now[name] = "junk"
				b.Put(root+name, []byte("junk"), true)
			default:
				b.Settled(rapid.Bool().Draw(t, "listed"))
			}
		}
		b.Settled(false)
		none, o := fresh()
		nothing := wanted(none.Routing(), o)
		once := routingOf(site, now, b.Routing().Holds)
		for source, objects := range once.Wants {
			require.NoError(t, o.Assign(source, objects...))
		}
		require.Equal(t, wanted(once, o), wanted(b.Routing(), s))

		b.Listed(follow.Range(root), nil)
		b.Settled(false)
		require.Equal(t, nothing, wanted(b.Routing(), s))
	})
}

// Routers change in any way, also while the agent is away; each time VPP comes to hold
// what is wanted, and nothing else, and another agent has nothing to do.
func TestRoutersWander(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		for seed := range uint64(2) {
			v := memory(t)
			wander(newRig(t), v.Socket(), nic, seed, 30)
		}
	})
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), newRig(t)
		r.loopback(v.Socket())
		wander(r, v.Socket(), "loop0", 9, 30)
	})
}

// unworded is what others are told of a routing: in what words something is refused, depends on who came first.
func unworded(r translate.Routing) translate.Routing {
	parts := map[string]translate.Part{}
	for name, p := range r.Parts {
		for _, err := range []*error{&p.Wrong, &p.Lacks} {
			if *err != nil {
				*err = errors.New("")
			}
		}
		parts[name] = p
	}
	return translate.Routing{Wants: r.Wants, Parts: parts, Voices: r.Voices, Doors: r.Doors, Holds: r.Holds}
}

func wander(r *rig, vpp, uplink string, seed uint64, steps int) {
	random := rand.New(rand.NewPCG(seed, 1))
	site := r.siteOf("h1", uplink)
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	some := map[string]func() string{
		legKey(1, 101): func() string {
			return pick(leg(1, 101, "192.168.1.1/24"), leg(1, 101, "192.168.1.254/24"), leg(1, 101, "10.0.0.1/8"), leg(7, 101, "192.168.1.1/24"), leg(1, 111, "192.168.1.1/24"))
		},
		legKey(1, 102): func() string { return pick(leg(1, 102, "192.168.2.1/24"), leg(1, 102, "2001:db8:2::1/64")) },
		legKey(1, 103): func() string { return pick(leg(1, 102, "2001:db8:3::1/64"), leg(1, 103, "2001:db8:1::1/64")) },
		exitKey(1): func() string {
			off := func(v string) string { return strings.Replace(v, `"enable_snat":true`, `"enable_snat":false`, 1) }
			return pick(exit(1, 900, "203.0.113.101/24", "203.0.113.1"), exit(1, 901, "203.0.113.101/24", "203.0.113.1"), exit(1, 900, "203.0.113.109/24", "203.0.113.2"),
				off(exit(1, 900, "203.0.113.101/24", "203.0.113.1")), exit(1, 900, "2001:db8:f::101/64", "2001:db8:f::1"),
				exit(1, 900, "203.0.113.101/24", "203.0.113.1", `"routes":[{"destination":"10.5.0.0/16","nexthop":"192.168.1.7"},{"destination":"10.6.0.0/16","nexthop":"203.0.113.7"}]`))
		},
		legKey(2, 201): func() string { return pick(leg(2, 201, "192.168.1.1/24"), leg(2, 101, "192.168.1.1/24")) },
		exitKey(2): func() string {
			return pick(exit(2, 900, "203.0.113.151/24", "203.0.113.1"), exit(2, 901, "203.0.113.151/25", "203.0.113.129"))
		},
		floatKey(1): func() string {
			return pick(float(900, 101, "203.0.113.102", "192.168.1.11"), float(901, 101, "203.0.113.103", "192.168.1.11"))
		},
		floatKey(2): func() string {
			return pick(float(900, 201, "203.0.113.152", "192.168.1.11"), float(900, 101, "203.0.113.102", "192.168.1.12"))
		},
	}
	names := slices.Sorted(maps.Keys(some))
	keys := map[string]string{}
	move := func() {
		for range 1 + random.IntN(4) {
			name := names[random.IntN(len(names))]
			if random.IntN(4) == 0 {
				delete(keys, name)
			} else {
				keys[name] = some[name]()
			}
			r.routing("h1", name, keys[name])
		}
	}
	often := func(a *agent) {
		a.resync = time.Minute
		a.watcher = func(e desiredstate.Event) {
			if e.Type == desiredstate.HeldBack { // what went meanwhile may be much of what there is
				_ = a.store.Confirm(e.Token)
			}
		}
	}
	a := r.agent(site, vpp, often)
	heard := func() {
		r.Helper()
		now, err := r.client.Get(r.Context(), site.Routers(), clientv3.WithPrefix())
		require.NoError(r, err)
		want := map[string]string{}
		for _, kv := range now.Kvs {
			want[strings.TrimPrefix(string(kv.Key), site.Routers())] = string(kv.Value)
		}
		require.Equal(r, keys, want)
		require.Eventually(r, func() bool {
			is := a.inbox.Routing()
			return reflect.DeepEqual(unworded(routingOf(site, keys, is.Holds)), unworded(is))
		}, 10*time.Second, 10*time.Millisecond)
		r.converged(a)
	}
	for step := range steps {
		move()
		if step%3 == 0 {
			heard()
		}
		if step%5 == 4 {
			heard()
			time.Sleep(500 * time.Millisecond) // it has looked since
			heard()
			a.stop()
			if step%2 == 0 {
				move()
			}
			a = r.agent(site, vpp, often)
			heard()
			if step%2 != 0 {
				require.Zero(r, a.writes.Load(), "step %d", step)
			}
		}
	}
	for _, name := range names {
		delete(keys, name)
		r.routing("h1", name, "")
	}
	heard()
	left, _ := r.found(site, vpp)
	require.Len(r, left, 1, "but for the uplink's link")
}

// routingOf is what keys come to all at once, if whose is what is known.
func routingOf(site translate.Site, keys map[string]string, whose translate.Holds) translate.Routing {
	ports, floats, wrong := map[string]translate.RouterPort{}, map[string]translate.FloatingIP{}, map[string]error{}
	for name, value := range keys {
		var err error
		if translate.IsFloatingIP(name) {
			floats[name], err = site.FloatingIP(name, []byte(value))
		} else {
			ports[name], err = site.RouterPort(name, []byte(value))
		}
		if err != nil {
			delete(floats, name)
			delete(ports, name)
			wrong[name] = err
		}
	}
	r := site.Routing(ports, floats, true, whose)
	for name, err := range wrong {
		r.Parts[name] = translate.Part{Wrong: err}
	}
	return r
}
