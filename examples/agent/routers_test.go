// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

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
	red, blue := "router-"+rid(1), "nat-"+rid(2)
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

// An agent that leaves routers to others reads nothing of them but that they are there, which it says, and leaves NAT
// alone.
func TestNoRouters(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	c, err := vppnet.Dial(t.Context(), v.Socket(), "other")
	require.NoError(t, err)
	_, err = desiredstate.New(l3.Tables(c), nat.Plugins(c, nat.EndpointDependent)).Ensure(t.Context(), nat.Plugin{Sessions: 1000})
	require.NoError(t, err)
	site := r.siteOf("h1", nic)
	site.NoRouters = true
	keys := []string{legKey(1, 101), exitKey(1), floatKey(0), "ha"}
	r.routing("h1", keys[0], leg(1, 101, "192.168.1.1/24"))
	r.put("h1", uuid(1), port(101))
	before := v.String()
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(1))
	for _, k := range keys[1:] {
		r.routing("h1", k, "{}")
	}
	for _, k := range keys {
		r.problemAt("h1", "routers/"+k, "this agent serves no routers: it runs with --no-routers")
	}
	r.converged(a)
	require.NotContains(t, v.String(), "loop")
	for _, k := range keys {
		r.routing("h1", k, "")
	}
	for _, k := range keys {
		r.problemAt("h1", "routers/"+k, "")
	}
	r.unplug("h1", uuid(1))
	r.bound("h1")
	r.converged(a)
	require.Contains(t, v.String(), "nat44-ed {inside:0 outside:0 sessions:1000")
	require.Contains(t, before, "nat44-ed {inside:0 outside:0 sessions:1000")
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
		told := int64(0)
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
		for n := 1; n <= routers; n++ { // each is told of the floating IPs of the first 64 others
			o, ok := a.store.Want(nat.ExitKey("nat-" + rid(n)))
			require.True(t, ok)
			others := len(o.(nat.Exit).To) - 1
			require.LessOrEqual(t, others, 64)
			told += int64(others)
		}
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
		c.each -= told
		t.Logf("%d routers, %d floating IPs: %+v, and %d of others' floating IPs", routers, floats, c, told)
		return c
	}
	few, many := measure(10, 100), measure(100, 1000)
	require.Equal(t, few.one, many.one, "messages for another address of a floating IP")
	require.Equal(t, few.add, many.add, "messages for another router")
	require.Less(t, many.each, 11*few.each, "messages for all")
}
