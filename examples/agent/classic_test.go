// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
)

// VMs of one network are one segment, on whatever host; those of another are not on
// it, even with the same address, and are reached by a router, on the network node,
// which leads to the world and back by floating IPs; groups and port security hold;
// agents that stop cost nothing, and VPPs that die come back.
func TestClassic(t *testing.T) {
	c := newClassic(t)
	ext, world := c.ext, "203.0.113.1"
	c.leg(101, "192.168.1.1")
	c.leg(102, "192.168.2.1")
	c.gateway()
	c.permit(1, 0)
	i1, i2 := c.boot(c.c1, 101, "192.168.1.11/24", gid(1)), c.boot(c.c2, 101, "192.168.1.12/24", gid(1))
	i3 := c.boot(c.c2, 102, "192.168.2.11/24")
	c.bound("c1", i1.port)
	c.bound("c2", i2.port, i3.port)
	asked := byte(0)
	asks := func(from *vm, as string, more ...string) { // the world, which sees whom
		t.Helper()
		asked++ // what was asked before may still be on its way
		seen := askers(t, ext, asked)
		require.Contains(t, from.Reaches(t, world, append(more, "-p", fmt.Sprintf("%02x", asked))...), "ttl=62", "the router, and its NAT")
		for _, f := range seen.Some(t) {
			require.Equal(t, as, sourceOf(f))
		}
	}

	t.Log("0: the router is in the world")
	require.Contains(t, ext.Reaches(t, sharedIP), "ttl=64")

	t.Log("1: a VM without a floating IP reaches the world, and not the other way round")
	require.Contains(t, i1.Reaches(t, "192.168.1.1"), "ttl=64")
	asks(i1, sharedIP)
	ext.IP(t, "route", "add", "192.168.1.0/24", "via", sharedIP)
	ext.Misses(t, "192.168.1.11")
	wire := c.tagged(i1)
	asks(i1, sharedIP)
	for _, f := range wire.Some(t) {
		require.Equal(t, 101, vlanOf(f))
	}
	last := wire.Frames()[len(wire.Frames())-1]
	require.Equal(t, legMAC(101), vppnet.MAC(last[:6]), "to the router")

	t.Log("2: a floating IP comes and goes")
	const floating = "203.0.113.102"
	ext.Misses(t, floating)
	c.float(floating, i1)
	require.Contains(t, ext.Reaches(t, floating, "-e", "7"), "ttl=62")
	asks(i1, floating, "-e", "8")
	i3.Reaches(t, floating, "-e", "9") // hairpin
	c.float(floating, nil)
	ext.Loses(t, floating, "-e", "7")
	ext.Misses(t, floating)
	i3.Misses(t, floating, "-e", "9")
	asks(i1, sharedIP, "-e", "8") // its session is over
	asks(i1, sharedIP)
	c.float(floating, i1)
	all := func() { // what holds from now on, whatever died
		t.Helper()
		began := time.Now()
		ext.Reaches(t, floating)
		i1.Reaches(t, "192.168.1.1")
		i1.Reaches(t, "192.168.1.12")
		i1.Reaches(t, "192.168.2.11")
		i2.Reaches(t, "192.168.1.11")
		i3.Reaches(t, floating)
		asks(i1, floating)
		asks(i2, sharedIP)
		t.Logf("all is there after %v", time.Since(began).Round(time.Millisecond))
		ext.Misses(t, "192.168.1.11")
	}
	all()

	t.Log("3: from network to network, as oneself")
	seen := askers(t, i3.NetNS, 0xff)
	require.Contains(t, i1.Reaches(t, "192.168.2.11", "-p", "ff"), "ttl=63")
	for _, f := range seen.Some(t) {
		require.Equal(t, "192.168.1.11", sourceOf(f))
	}

	t.Log("4: within a network no router is needed")
	wire = c.tagged(i1)
	require.Contains(t, i1.Reaches(t, "192.168.1.12"), "ttl=64")
	for _, f := range wire.Some(t) {
		require.Equal(t, 101, vlanOf(f))
	}
	c.n1.vpp.Kill()
	i1.Misses(t, "192.168.2.11")
	i1.Misses(t, world)
	ext.Misses(t, floating)
	require.Contains(t, i1.Reaches(t, "192.168.1.12"), "ttl=64")
	c.revives(c.n1)
	all()

	t.Log("5: the same address on another network disturbs nobody")
	i4 := c.boot(c.c2, 103, "192.168.1.11/24")
	c.bound("c2", i2.port, i3.port, i4.port)
	undisturbed := i2.Pings(t, "192.168.1.11")
	wire = c.tagged(i4)
	i4.Misses(t, "192.168.1.12")
	i4.Misses(t, "192.168.1.1")
	answers, lost := undisturbed()
	require.Zero(t, lost, "of %d", answers)
	for _, f := range wire.Some(t) { // it has asked
		require.Equal(t, 103, vlanOf(f))
	}

	t.Log("6: groups and port security")
	c.permit(2)
	c.bind(i1, gid(2))
	i1.Loses(t, "192.168.1.12")
	c.permit(2, 1)
	i1.Reaches(t, "192.168.1.12")
	i1.Address(t, "192.168.1.99/24")
	i1.Misses(t, "192.168.1.12", "-I", "192.168.1.99")
	i1.Reaches(t, "192.168.1.12", "-I", "192.168.1.11")
	i1.IP(t, "link", "set", "dev", "eth0", "address", "fa:16:3e:00:00:99")
	i1.Misses(t, "192.168.1.12")
	i1.IP(t, "link", "set", "dev", "eth0", "address", i1.mac.String())
	i1.Reaches(t, "192.168.1.12")

	t.Log("7: an agent stops, and another takes over")
	for _, n := range []*node{c.c1, c.c2, c.n1} {
		var stops []func() (int, int)
		for _, flow := range []struct {
			from netrig.NetNS
			to   string
		}{{i1.NetNS, "192.168.1.12"}, {i2.NetNS, "192.168.1.11"}, {i1.NetNS, world}, {ext, floating}, {i1.NetNS, "192.168.2.11"}} {
			stops = append(stops, flow.from.Pings(t, flow.to))
		}
		n.agent.stop()
		time.Sleep(time.Second) // nobody is needed
		n.agent = c.rig.agent(n.site, n.vpp.Socket())
		require.Eventually(t, n.agent.announcer.settled.Load, longest, tick)
		c.converged(n.agent)
		for _, stop := range stops {
			answers, lost := stop()
			require.Zero(t, lost, "of %d, without the agent of %s", answers, n.site.Host)
		}
		require.Zero(t, n.agent.writes.Load(), "messages that change VPP")
	}

	t.Log("7: a VPP dies, and comes back")
	for n, ports := range map[*node][]*vm{c.c1: {i1}, c.c2: {i2, i3, i4}} {
		n.vpp.Kill()
		c.bound(n.site.Host)
		i1.Misses(t, "192.168.1.12")
		c.revives(n, ports...)
		all()
		i4.Misses(t, "192.168.1.12")
	}
}

const (
	longest = 30 * time.Second
	tick    = 10 * time.Millisecond
)
