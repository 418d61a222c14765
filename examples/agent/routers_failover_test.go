// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Two nodes have the same routers, and a key says which of them serves: hosts find the
// other by what it announces, since both have the same addresses and MACs.
func TestRoutersMoveToTheStandby(t *testing.T) {
	c := newCloud(t, 101, 900)
	a1, ext := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("ext", 900, "203.0.113.1/24", "")
	k := &keyed{c, map[string]string{}, map[string]*running{}}
	nodes := map[string]*vpptest.RealVPP{}
	for _, host := range []string{"n1", "n2"} {
		site, v := c.node(host, 101, 900)
		site.HA, nodes[host] = true, v
		k.agents[host] = c.rig.agent(site, v.Socket())
	}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	k.put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	a1.Misses(t, "192.168.1.1")
	k.routing("n1", "ha", "1")
	a1.Reaches(t, "203.0.113.1")
	for _, to := range []string{"n2", "n1", "n2"} {
		from := map[string]string{"n1": "n2", "n2": "n1"}[to]
		out, in, door := a1.Pings(t, "203.0.113.1"), ext.Pings(t, "203.0.113.102"), a1.Pings(t, "192.168.1.1")
		k.routing(from, "ha", "0")
		k.routing(to, "ha", "1")
		time.Sleep(time.Second)
		for _, stop := range []func() (int, int){out, in, door} {
			answers, lost := stop()
			t.Logf("to %s: %d answers, %d lost", to, answers, lost)
			require.Less(t, lost, 20, "in a second")
		}
		require.Equal(t, "ext 203.0.113.102", c.asks(a1, "203.0.113.1"))
	}
	nodes["n2"].Kill()
	a1.Misses(t, "203.0.113.1")
	k.routing("n1", "ha", "1")
	a1.Reaches(t, "203.0.113.1")
	ext.Reaches(t, "203.0.113.102")
}

// Two nodes agree by VRRP which of them serves: when the VPP of one dies, the other
// takes over as soon as the protocol allows, though there is no etcd any more; when the
// first comes back it leaves things as they are.
func TestRoutersMoveWithoutEtcd(t *testing.T) {
	const advert = 300 * time.Millisecond
	c := newCloud(t, 101, 900)
	a1, ext := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1"), c.host("ext", 900, "203.0.113.1/24", "")
	k := &keyed{c, map[string]string{}, map[string]*running{}}
	nodes, sites := map[string]*vpptest.RealVPP{}, map[string]translate.Site{}
	for i, host := range []string{"n1", "n2"} {
		site, v := c.node(host, 101, 900)
		site.HA, site.Election = true, &translate.Election{
			Physnet: "net900", VLAN: 77, Address: netip.MustParsePrefix(fmt.Sprintf("169.254.7.%d/24", 11+i)), Priority: uint8(200 - 100*i), Interval: advert,
		}
		nodes[host], sites[host] = v, site
		k.agents[host] = c.rig.agent(site, v.Socket())
	}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	k.put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	serves := func() (who []string) {
		for _, host := range []string{"n1", "n2"} {
			o, _ := k.agents[host].store.Want(vppnet.LinkKey("bvi-net900.flat"))
			if l, _ := o.(vppnet.LinkState); l.Up {
				who = append(who, host)
			}
		}
		return who
	}
	one := func(host string) {
		t.Helper()
		require.EventuallyWithT(t, func(t *assert.CollectT) { assert.Equal(t, []string{host}, serves()) }, 20*time.Second, tick)
	}
	one("n1")
	out, in := a1.Pings(t, "203.0.113.1"), ext.Pings(t, "203.0.113.102")

	t.Log("an agent that is started anew changes nothing")
	k.agents["n1"].stop()
	k.agents["n1"] = c.rig.agent(sites["n1"], nodes["n1"].Socket())
	k.settled()
	require.Zero(t, k.agents["n1"].writes.Load())
	for _, stop := range []func() (int, int){out, in} {
		answers, lost := stop()
		require.Zero(t, lost, "of %d", answers)
	}

	t.Log("VPP is killed, and so is etcd")
	out, in = a1.Pings(t, "203.0.113.1"), ext.Pings(t, "203.0.113.102")
	c.rig.etcd.Stop()
	nodes["n1"].Kill()
	bound := 3*advert + (256-100)*advert/256 + 200*time.Millisecond
	time.Sleep(bound)
	var gaps []time.Duration
	for _, stop := range []func() (int, int){out, in} {
		_, lost := stop()
		gaps = append(gaps, time.Duration(lost)*50*time.Millisecond)
	}
	t.Logf("without answers for %v; bound %v", gaps, bound)
	require.LessOrEqual(t, slices.Min(gaps), bound)
	require.LessOrEqual(t, slices.Max(gaps), bound+time.Second, "hosts on a busy machine")
	require.Equal(t, "ext 203.0.113.102", c.asks(a1, "203.0.113.1"))

	t.Log("it comes back, and leaves the other alone")
	out = a1.Pings(t, "203.0.113.1")
	require.NoError(t, nodes["n1"].Restart())
	c.wire(nodes["n1"], sites["n1"])
	require.Eventually(t, func() bool {
		status, _ := k.agents["n1"].store.Source(wants.OfElection)
		return status.State == desiredstate.Applied
	}, 20*time.Second, tick)
	time.Sleep(5 * advert)
	one("n2")
	_, lost := out()
	require.Zero(t, lost)
}

// A VM on the host that stands by has its router where the other serves it, and when this one serves. A BVI
// of the router's MAC would take what the VM sends, with its link down too, and VPP would drop what the other sends.
func TestAVMBesideAStandbyHasItsRouter(t *testing.T) {
	c := newCloud(t, 101, 900)
	c.host("ext", 900, "203.0.113.1/24", "")
	k := &keyed{c, map[string]string{}, map[string]*running{}}
	sites := map[string]translate.Site{}
	for _, host := range []string{"n1", "n2"} {
		site, v := c.node(host, 101, 900)
		site.HA, site.Server = true, true
		sites[host], k.agents[host] = site, c.rig.agent(site, v.Socket())
	}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(exitKey(1), exit(1, 900, "203.0.113.101/24", "203.0.113.1"))
	k.settled()
	c.put("n2", uuid(0), strings.NewReplacer("physnet1", "net101", `"vlan"`, `"flat"`, ":101,", ":null,").Replace(port(101)))
	c.bound("n2", uuid(0))
	vm := netrig.Boot(t, "vm", sites["n2"].Dir+"/"+uuid(0), true, "fa:16:3e:00:10:01", "192.168.1.11/24")
	vm.IP(t, "route", "add", "default", "via", "192.168.1.1")
	for _, serves := range []string{"n1", "n2", "n1"} {
		for host := range k.agents {
			if host != serves {
				k.routing(host, "ha", "0")
			}
		}
		k.routing(serves, "ha", "1")
		vm.Reaches(t, "192.168.1.1")
		require.Equal(t, "ext 203.0.113.101", c.asks(vm.NetNS, "203.0.113.1"), "%s serves", serves)
	}
}
