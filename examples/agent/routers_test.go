// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arping"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/follow"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// rid and fid number routers and floating IPs; lid is the port of a router in a VLAN.
func rid(n int) string { return fmt.Sprintf("%08x-0a7e-4ac2-a1a1-3b6a6d0c0003", n) }
func fid(n int) string { return fmt.Sprintf("%08x-f10a-4ac2-a1a1-3b6a6d0c0004", n) }

func legKey(router, vlan int) string { return rid(router) + "/" + uuid(0x1000+vlan) }
func exitKey(router int) string      { return rid(router) + "/" + uuid(0x100) }
func floatKey(n int) string          { return "floatingip/" + fid(n) }

// leg is the value of a router's interface in a VLAN, as the driver writes it.
func leg(router, vlan int, addr string) string {
	p := netip.MustParsePrefix(addr)
	return fmt.Sprintf(`{"port_id":%q,"loopback_mac":"fa:16:3e:01:%02x:%02x","gateway_ip":%q,"subnet_id":"s","fixed_ips":[],`+
		`"network_id":"n","is_ipv6":%v,"prefixlen":%d,"mtu":1500,"segmentation_id":%d,"net_type":"vlan","physnet":"physnet1","vrf_id":%d}`,
		uuid(0x1000+vlan), vlan>>8, vlan&0xff, p.Addr(), p.Addr().Is6(), p.Bits(), vlan, router)
}

// exit is the value of a router's gateway in a VLAN; more members go to the end.
func exit(router, vlan int, addr, next string, more ...string) string {
	p := netip.MustParsePrefix(addr)
	return fmt.Sprintf(`{"id":%q,"name":"r","admin_state_up":true,"external_gateway_info":{"network_id":"x","enable_snat":true,`+
		`"external_fixed_ips":[]},"gw_port_id":"g","vrf_id":%d,"external_physnet":"physnet1","external_segmentation_id":%d,`+
		`"external_net_type":"vlan","mtu":1500,"loopback_mac":"fa:16:3e:02:00:%02x","gateways":[[%q,%d,%v]],"external_gateway_ip":%q%s}`,
		rid(router), router, vlan, router, p.Addr(), p.Bits(), p.Addr().Is6(), next, strings.Join(append([]string{""}, more...), ","))
}

// float is the value of a floating IP.
func float(external, internal int, floating, fixed string) string {
	return fmt.Sprintf(`{"external_physnet":"physnet1","external_net_type":"vlan","external_segmentation_id":%d,"internal_physnet":"physnet1",`+
		`"internal_net_type":"vlan","internal_segmentation_id":%d,"fixed_ip_address":%q,"floating_ip_address":%q}`, external, internal, fixed, floating)
}

// routing writes a key below routers/; "": none any more.
func (r *rig) routing(host, name, value string) {
	r.Helper()
	r.set("/networking-vpp/nodes/"+host+"/routers/"+name, value)
}

// tenants are two routers with the same networks inside, on one external network, and
// their floating IPs.
func tenants() map[string]string {
	return map[string]string{
		legKey(1, 101): leg(1, 101, "192.168.1.1/24"),
		legKey(1, 102): leg(1, 102, "192.168.2.1/24"),
		legKey(1, 103): leg(1, 103, "2001:db8:1::1/64"),
		exitKey(1):     exit(1, 900, "203.0.113.101/24", "203.0.113.1", `"routes":[{"destination":"10.5.0.0/16","nexthop":"192.168.1.7"},{"destination":"10.5.0.0/16","nexthop":"192.168.2.7"}]`),
		legKey(2, 201): leg(2, 201, "192.168.1.1/24"),
		exitKey(2):     exit(2, 900, "203.0.113.151/24", "203.0.113.1"),
		floatKey(1):    float(900, 101, "203.0.113.102", "192.168.1.11"),
		floatKey(2):    float(900, 201, "203.0.113.152", "192.168.1.11"),
	}
}

// routed waits until the inbox knows just these keys, and VPP holds what they want.
func (r *rig) routed(a *running, keys map[string]string) {
	r.Helper()
	require.Eventually(r, func() bool {
		known := a.inbox.routes()
		if len(known) != len(keys) {
			return false
		}
		for _, k := range known {
			if _, ok := keys[k]; !ok {
				return false
			}
		}
		return true
	}, 20*time.Second, time.Millisecond)
	r.converged(a)
}

func TestRoutersInMemory(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	r.bound("h1")
	r.converged(a)
	empty := v.String()

	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	said, _ := r.said("h1", "errors/")
	require.Empty(t, said)
	have, _ := r.found(site, v.Socket())
	want := func(k desiredstate.Key) { t.Helper(); require.Contains(t, have, k) }
	red, blue := "router-"+rid(1), "router-"+rid(2)
	want(l3.TableKey(red))
	want(l3.RouteKey(red, netip.MustParsePrefix("0.0.0.0/0")))
	require.Len(t, have[l3.RouteKey(red, netip.MustParsePrefix("10.5.0.0/16"))].Spec.(l3.Route).Paths, 2)
	want(nat.AddressKey(netip.MustParseAddr("203.0.113.101")))
	want(nat.MappingKey("fip-" + fid(2)))
	want(l3.AdvertisementKey("bvi-physnet1.vlan.103"))
	require.Equal(t, blue, have[nat.MappingKey("fip-"+fid(2))].Spec.(nat.Mapping).Table)
	require.Equal(t, uint32(1), have[l3.TableKey(red)].ID)
	require.Equal(t, "fa:16:3e:01:00:65", have[vppnet.InterfaceKey("bvi-physnet1.vlan.101")].Spec.(vppnet.Loopback).MAC.String())
	for _, vlan := range []int{101, 102, 103, 201, 900} {
		l := have[vppnet.LinkKey(fmt.Sprintf("bvi-physnet1.vlan.%d", vlan))].Spec.(vppnet.LinkState)
		require.True(t, l.Up)
		require.Equal(t, uint32(1500), l.MTU)
	}

	a.stop()
	a = r.agent(site, v.Socket())
	r.routed(a, keys)
	require.Zero(t, a.writes.Load(), "a second agent finds all of it")

	for name := range keys {
		r.routing("h1", name, "")
	}
	r.routed(a, nil)
	require.Equal(t, empty, v.String(), "nothing is left")
}

// Whatever the order of the keys, and whatever comes and goes meanwhile, what is wanted
// in the end is what the keys say in the end, and whose is what of what several ask for;
// so it is when nothing is left.
func TestAnyOrderOfRouters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fresh := func() (*inbox, *desiredstate.Store) {
			s := desiredstate.NewStore()
			site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": nic}, Dir: "/run/vms"}
			return newInbox(site, s, slog.New(slog.DiscardHandler)), s
		}
		wanted := func(b *inbox, s *desiredstate.Store) (out []string) {
			for k := range s.Statuses() {
				if o, ok := s.Want(k); ok {
					out = append(out, fmt.Sprintf("%s %+v", k, o))
				}
			}
			for name, p := range b.routers.now.Parts {
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
		b, s := fresh()
		b.settled(true)
		root := b.site.Routers()
		now := map[string]string{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := rapid.SampledFrom(names).Draw(t, "key")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				now[name] = all[name]
				b.put(root+name, []byte(all[name]), true)
			case 3:
				delete(now, name)
				b.put(root+name, nil, false)
			case 4:
				now[name] = "junk"
				b.put(root+name, []byte("junk"), true)
			default:
				b.settled(rapid.Bool().Draw(t, "listed"))
			}
		}
		b.settled(false)
		once, o := fresh()
		for name, value := range now {
			once.put(root+name, []byte(value), true)
		}
		once.routers.now.Holds = b.routers.now.Holds
		once.settled(true)
		require.Equal(t, wanted(once, o), wanted(b, s))

		b.listed(follow.Range(root), nil)
		b.settled(false)
		none, o := fresh()
		none.settled(true)
		require.Equal(t, wanted(none, o), wanted(b, s))
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
			a.inbox.mu.Lock()
			defer a.inbox.mu.Unlock()
			other := newInbox(site, desiredstate.NewStore(), slog.New(slog.DiscardHandler))
			for name, value := range keys {
				other.put(site.Routers()+name, []byte(value), true)
			}
			other.routers.stale, other.routers.now.Holds = true, a.inbox.routers.now.Holds // whose is what
			other.settled(true)
			return reflect.DeepEqual(other.routers.now, a.inbox.routers.now)
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

// A bridge domain stays as long as a port or a router is in it: networking-vpp took it
// from the router when the last port went.
func TestANetworkOfPortsAndRouters(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(1), port(101))
	keys := map[string]string{legKey(1, 101): leg(1, 101, "192.168.1.1/24")}
	r.routing("h1", legKey(1, 101), keys[legKey(1, 101)])
	r.bound("h1", uuid(1))
	r.routed(a, keys)
	before, _ := r.found(site, v.Socket())
	r.unplug("h1", uuid(1))
	r.bound("h1")
	r.routed(a, keys)
	have, _ := r.found(site, v.Socket())
	bridge := vppnet.BridgeKey("physnet1.vlan.101")
	require.Equal(t, before[bridge].ID, have[bridge].ID)
	for _, k := range []desiredstate.Key{vppnet.BridgePortKey("physnet1.vlan.101"), vppnet.BridgePortKey("bvi-physnet1.vlan.101")} {
		require.Contains(t, have, k)
	}
	require.True(t, have[vppnet.LinkKey("bvi-physnet1.vlan.101")].Spec.(vppnet.LinkState).Up)

	r.put("h1", uuid(2), port(101))
	r.bound("h1", uuid(2))
	r.routing("h1", legKey(1, 101), "")
	r.routed(a, nil)
	have, _ = r.found(site, v.Socket())
	require.Equal(t, before[bridge].ID, have[bridge].ID)
	require.Contains(t, have, vppnet.BridgePortKey("port-"+uuid(2)))
	require.NotContains(t, have, vppnet.BridgePortKey("bvi-physnet1.vlan.101"))
}

// A floating IP that comes before its router waits, and says for what; the page and the
// key of its error say the same.
func TestAFloatingIPWaitsForItsRouter(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	page, paged := paged(t)
	a := r.agent(site, v.Socket(), paged)
	all := tenants()
	key := func(name string) string { t.Helper(); said, _ := r.said("h1", "errors/routers/"); return said[name] }
	says := func(name, what string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got := key(name)
			return what == "" && got == "" || what != "" && strings.Contains(got, what)
		}, 10*time.Second, time.Millisecond, "%s: %s", name, what)
	}
	r.routing("h1", floatKey(1), all[floatKey(1)])
	says(floatKey(1), "waits for a router in physnet1.vlan.101")
	var out strings.Builder
	require.Equal(t, exitWrong, command(t.Context(), []string{"status", "--socket", page}, &out, &out))
	require.Regexp(t, "floatingip/"+fid(1)+` +physnet1.vlan.900 +blocked +waits for a router in physnet1.vlan.101`, out.String())
	r.routing("h1", legKey(1, 101), all[legKey(1, 101)])
	says(floatKey(1), "waits for a gateway of router "+rid(1)+" in physnet1.vlan.900")
	r.routing("h1", exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	says(floatKey(1), "")
	r.converged(a)
	have, _ := r.found(site, v.Socket())
	require.Contains(t, have, nat.MappingKey("fip-"+fid(1)))

	r.routing("h1", legKey(1, 101), "junk")
	says(legKey(1, 101), "not a JSON object")
	says(floatKey(1), "waits for a router")
	r.converged(a)
	have, _ = r.found(site, v.Socket())
	require.NotContains(t, have, nat.MappingKey("fip-"+fid(1)))
	require.NotContains(t, have, vppnet.InterfaceKey("bvi-physnet1.vlan.101"), "what cannot be read wants nothing")

	client, closeEtcd, err := (&options{etcd: r.url}).openEtcd()
	require.NoError(t, err)
	defer closeEtcd()
	_, said, err := dryRun(t.Context(), client, v.Socket(), site, nil, io.Discard)
	require.NoError(t, err)
	require.Contains(t, strings.Join(said, "\n"), "waits for a router")
	require.Contains(t, strings.Join(said, "\n"), "not a JSON object")
}

// With HA, all of it is there, and silent until the host is told to serve.
func TestAStandbyIsSilent(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA = true
	a := r.agent(site, v.Socket())
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	doors := func(up bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			have, _ := r.found(site, v.Socket())
			for _, vlan := range []int{101, 102, 103, 201, 900} {
				l, _ := have[vppnet.LinkKey(fmt.Sprintf("bvi-physnet1.vlan.%d", vlan))].Spec.(vppnet.LinkState)
				if l.Up != up {
					return false
				}
			}
			return true
		}, 10*time.Second, time.Millisecond, "up: %v", up)
		r.converged(a)
	}
	doors(false)
	have, _ := r.found(site, v.Socket())
	require.Contains(t, have, nat.MappingKey("fip-"+fid(1)))
	before := a.writes.Load()
	r.routing("h1", "ha", "1")
	doors(true)
	require.Equal(t, int64(5), a.writes.Load()-before, "five links, and nothing else")
	r.routing("h1", "ha", "0")
	doors(false)
	r.routing("h1", "ha", "1")
	doors(true)
	r.routing("h1", "ha", "maybe")
	doors(false)
	require.Eventually(t, func() bool {
		said, _ := r.said("h1", "errors/routers/")
		return strings.Contains(said["ha"], "want 1 or 0")
	}, 10*time.Second, 10*time.Millisecond)
	r.routing("h1", "ha", "")
	doors(false)
}

// An agent that leaves routers to others reads nothing of them, and leaves NAT alone.
func TestNoRouters(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	c, err := vppnet.Dial(t.Context(), v.Socket(), "other")
	require.NoError(t, err)
	_, err = desiredstate.New(l3.Tables(c), nat.Plugins(c, nat.EndpointDependent)).Ensure(t.Context(), nat.Plugin{Sessions: 1000})
	require.NoError(t, err)
	site := r.siteOf("h1", nic)
	site.NoRouters = true
	r.routing("h1", legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	r.put("h1", uuid(1), port(101))
	before := v.String()
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(1))
	r.converged(a)
	require.NotContains(t, v.String(), "loop")
	r.unplug("h1", uuid(1))
	r.bound("h1")
	r.converged(a)
	require.Contains(t, v.String(), "nat44-ed {inside:0 outside:0 sessions:1000")
	require.Contains(t, before, "nat44-ed {inside:0 outside:0 sessions:1000")
}

// Of two keys that want one thing otherwise, the one that cannot have it says so as long
// as that is so, whether they came one after the other or all at once.
func TestConflictsOfRoutersAreSaid(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	keys := tenants()
	to := func(prefix string) string {
		return exit(1, 900, "203.0.113.101/24", "203.0.113.1", `"routes":[{"destination":"`+prefix+`","nexthop":"203.0.113.9"}]`)
	}
	problem := "routers/" + floatKey(1)
	says := func(conflict bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			said, _ := r.said("h1", "errors/")
			return strings.Contains(said[problem], "203.0.113.102/32") == conflict && (said[problem] != "") == conflict
		}, 10*time.Second, 10*time.Millisecond, "%t", conflict)
	}
	mapped := func(a *running) bool {
		_, wanted := a.store.Want(nat.MappingKey("fip-" + fid(1)))
		return wanted
	}
	a := r.agent(site, v.Socket())
	keys[exitKey(1)] = to("203.0.113.102/32")
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if name != floatKey(1) {
			r.routing("h1", name, keys[name])
		}
	}
	require.Eventually(t, func() bool { return len(a.inbox.routes()) == len(keys)-1 }, 10*time.Second, time.Millisecond)
	r.routing("h1", floatKey(1), keys[floatKey(1)])
	says(true)
	require.False(t, mapped(a))
	state, _, _ := a.inbox.route(floatKey(1))
	require.Equal(t, desiredstate.Blocked, state)

	a.stop()
	a = r.agent(site, v.Socket())
	require.Eventually(t, a.announcer.settled.Load, 20*time.Second, time.Millisecond)
	says(true)
	r.routing("h1", exitKey(1), to("198.51.100.0/24"))
	says(false)
	r.routed(a, keys)
	require.True(t, mapped(a))
}

// A floating IP that serves stays with its host when another that asks for it has a lower
// UUID; also when that comes while the agent is away. It goes over when the first one's key
// does.
func TestAFloatingIPStays(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	a.stop()
	thief := floatKey(0)
	keys[thief] = float(900, 101, "203.0.113.102", "192.168.1.12")
	r.routing("h1", thief, keys[thief])
	a = r.agent(site, v.Socket())
	r.routed(a, keys)
	told := func() bool {
		said, _ := r.said("h1", "errors/")
		return strings.Contains(said["routers/"+thief], "203.0.113.102 is that of "+floatKey(1))
	}
	require.Eventually(t, told, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, a.writes.Load())

	r.routing("h1", legKey(1, 101), "") // and back: the key of the floating IP has not gone
	delete(keys, legKey(1, 101))
	r.routed(a, keys)
	keys[legKey(1, 101)] = tenants()[legKey(1, 101)]
	r.routing("h1", legKey(1, 101), keys[legKey(1, 101)])
	r.routed(a, keys)
	require.Eventually(t, told, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		have, _ := r.found(site, v.Socket())
		return have[nat.MappingKey("fip-"+fid(1))].Spec != nil && have[nat.MappingKey("fip-"+fid(0))].Spec == nil
	}, 10*time.Second, 10*time.Millisecond)

	delete(keys, floatKey(1))
	r.routing("h1", floatKey(1), "")
	r.routed(a, keys)
	have, _ := r.found(site, v.Socket())
	require.Equal(t, "192.168.1.12", have[nat.MappingKey("fip-"+fid(0))].Spec.(nat.Mapping).Local.String())
}

// An extra route to a floating IP that serves is left out, and all else of its gateway's
// update is done.
func TestAnExtraRouteTakesNothingAlong(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	keys[exitKey(1)] = exit(1, 900, "203.0.113.109/24", "203.0.113.2", `"routes":[{"destination":"203.0.113.102/32","nexthop":"203.0.113.9"},{"destination":"198.51.100.0/24","nexthop":"203.0.113.9"}]`)
	r.routing("h1", exitKey(1), keys[exitKey(1)])
	require.Eventually(t, func() bool {
		said, _ := r.said("h1", "errors/")
		return len(said) == 1 && strings.Contains(said["routers/"+exitKey(1)], "203.0.113.102/32 is that of "+floatKey(1))
	}, 10*time.Second, 10*time.Millisecond)
	r.routed(a, keys)
	have, _ := r.found(site, v.Socket())
	require.Contains(t, have, nat.MappingKey("fip-"+fid(1)))
	require.Contains(t, have, nat.AddressKey(netip.MustParseAddr("203.0.113.109")))
	require.Contains(t, have, l3.RouteKey("router-"+rid(1), netip.MustParsePrefix("198.51.100.0/24")))
}

// An election is heard of whatever number its interface has come to have.
func TestElectionOnAnInterfaceMadeAnew(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA, site.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
	a := r.agent(site, v.Socket())
	elects := func(master bool) {
		t.Helper()
		r.converged(a)
		require.Eventually(t, func() bool {
			v.Elect(nic+".77", 1, false, master)
			a.inbox.mu.Lock()
			defer a.inbox.mu.Unlock()
			return a.inbox.routers.serving == master
		}, 5*time.Second, 20*time.Millisecond, "%t", master)
	}
	elects(true)
	elects(false)

	old := r.index(v.Socket(), nic+".77")
	c, err := vppnet.Dial(t.Context(), v.Socket(), "hand")
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.DeleteSubif{})
	_, err = interfaces.NewServiceClient(c).DeleteSubif(t.Context(), &interfaces.DeleteSubif{SwIfIndex: interface_types.InterfaceIndex(old)})
	require.NoError(t, err)
	r.loopback(v.Socket()) // which gets its number
	require.Eventually(t, func() bool { return strings.Contains(v.String(), nic+".77 ") }, 10*time.Second, 10*time.Millisecond)
	r.converged(a)
	require.NotEqual(t, old, r.index(v.Socket(), nic+".77"))
	elects(true)
	elects(false)
}

// A dry run says what a run started now would do, in the role that VPP has.
func TestDryRunInEachRole(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA, site.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
	keys := map[string]string{legKey(1, 101): leg(1, 101, "192.168.1.1/24"), exitKey(1): exit(1, 900, "203.0.113.101/24", "203.0.113.1")}
	a := r.agent(site, v.Socket())
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	for _, master := range []bool{true, false} {
		require.Eventually(t, func() bool {
			v.Elect(nic+".77", 1, false, master)
			a.inbox.mu.Lock()
			defer a.inbox.mu.Unlock()
			return a.inbox.routers.serving == master
		}, 5*time.Second, 20*time.Millisecond, "%t", master)
		r.converged(a)
		p, _, err := dryRun(t.Context(), r.client, v.Socket(), site, nil, io.Discard)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%t: %s", master, p)
	}
}

// Hosts are told of each address when it comes to be there, and only then.
func TestAddressesAreAnnounced(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA = true
	var mu sync.Mutex
	told := map[string]int{}
	tap := vpptest.NewTap(t, v.Socket(), func(_ uint32, m api.Message) {
		if q, ok := m.(*arping.Arping); ok {
			mu.Lock()
			defer mu.Unlock()
			require.True(t, q.IsGarp)
			told[q.Address.String()]++
		}
	})
	heard := func(want ...string) {
		t.Helper()
		all := map[string]int{}
		for _, a := range want {
			all[a]++
		}
		var got map[string]int
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			got = maps.Clone(told)
			return len(got) >= len(all)
		}, 10*time.Second, time.Millisecond, "%v", want)
		time.Sleep(3 * together)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, all, told)
		clear(told)
	}
	a := r.agent(site, tap)
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	heard()
	r.routing("h1", "ha", "1")
	heard("192.168.1.1", "192.168.1.1", "192.168.2.1", "2001:db8:1::1", "203.0.113.101", "203.0.113.102", "203.0.113.151", "203.0.113.152")
	r.routing("h1", floatKey(1), float(900, 101, "203.0.113.109", "192.168.1.11"))
	heard("203.0.113.109")
	r.routing("h1", exitKey(2), exit(2, 900, "203.0.113.159/24", "203.0.113.1"))
	heard("203.0.113.159")
	r.converged(a)
	a.stop()
	a = r.agent(site, tap)
	require.Eventually(t, func() bool { _, ok := a.store.Converged(); return ok }, 20*time.Second, time.Millisecond)
	heard()
}

// What many routers and floating IPs cost is so much for each; what one change costs
// does not depend on how many there are.
func TestCostOfRouters(t *testing.T) {
	type cost struct{ each, one, add int64 }
	measure := func(routers, floats int) (c cost) {
		v := memory(t)
		r := newRig(t)
		site := r.siteOf("h1", nic)
		keys := map[string]string{}
		var ops []clientv3.Op
		put := func(name, value string) {
			keys[name] = value
			ops = append(ops, clientv3.OpPut("/networking-vpp/nodes/h1/routers/"+name, value))
		}
		for n := 1; n <= routers; n++ {
			put(legKey(n, 100+n), leg(n, 100+n, "192.168.1.1/24"))
			put(exitKey(n), exit(n, 4000, fmt.Sprintf("203.0.%d.%d/16", 100+n/200, 1+n%200), "203.0.0.1"))
		}
		for n := range floats {
			put(floatKey(n), float(4000, 101+n%routers, fmt.Sprintf("203.0.%d.%d", n/200, 2+n%200), fmt.Sprintf("192.168.1.%d", 2+n/routers)))
		}
		for batch := range slices.Chunk(ops, 100) {
			_, err := r.client.Txn(r.Context()).Then(batch...).Commit()
			require.NoError(t, err)
		}
		a := r.agent(site, v.Socket())
		r.routed(a, keys)
		c.each = a.writes.Load()
		moved := float(4000, 101, "203.0.99.99", "192.168.1.2")
		r.routing("h1", floatKey(0), moved)
		require.Eventually(t, func() bool {
			o, _ := a.store.Want(nat.MappingKey("fip-" + fid(0)))
			m, _ := o.(nat.Mapping)
			return m.External.String() == "203.0.99.99"
		}, 10*time.Second, time.Millisecond)
		r.converged(a)
		c.one = a.writes.Load() - c.each
		keys[legKey(9999, 3999)] = leg(9999, 3999, "192.168.1.1/24")
		r.routing("h1", legKey(9999, 3999), keys[legKey(9999, 3999)])
		r.routed(a, keys)
		c.add = a.writes.Load() - c.each - c.one
		t.Logf("%d routers, %d floating IPs: %+v", routers, floats, c)
		return c
	}
	few, many := measure(10, 100), measure(100, 1000)
	require.Equal(t, few.one, many.one, "messages for another address of a floating IP")
	require.Equal(t, few.add, many.add, "messages for another router")
	require.Less(t, many.each, 11*few.each, "messages for all")
}

func TestHAOptions(t *testing.T) {
	parsed := func(args ...string) (translate.Site, error) {
		var o options
		f := flag.NewFlagSet("agent", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		o.register(f)
		err := f.Parse(append([]string{"--etcd", "x", "--host", "h", "--vhost-user-dir", "/run/vms", "--physnet", "p=e"}, args...))
		if err == nil {
			err = o.check()
		}
		return o.site, err
	}
	s, err := parsed()
	require.NoError(t, err)
	require.False(t, s.HA)
	s, err = parsed("--ha", "key")
	require.NoError(t, err)
	require.True(t, s.HA)
	require.Nil(t, s.Election)
	s, err = parsed("--ha", "vrrp", "--ha-network", "p:77", "--ha-address", "169.254.7.11/24", "--ha-priority", "200", "--ha-interval", "100ms")
	require.NoError(t, err)
	require.Equal(t, &translate.Election{
		Physnet: "p", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24"), ID: 1, Priority: 200, Interval: 100 * time.Millisecond,
	}, s.Election)
	for want, args := range map[string][]string{
		"want key or vrrp":  {"--ha", "yes"},
		"want PHYSNET:VLAN": {"--ha", "vrrp"},
		"want ADDRESS":      {"--ha", "vrrp", "--ha-network", "p:77"},
		"--ha-priority":     {"--ha", "vrrp", "--ha-network", "p:77", "--ha-address", "169.254.7.11/24", "--ha-priority", "255"},
	} {
		_, err := parsed(args...)
		require.ErrorContains(t, err, want)
	}
}
