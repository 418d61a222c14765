// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vpptest"
)

// tapped is a port of a DHCP agent.
func tapped(vlan int) string { return strings.Replace(port(vlan), "vhostuser", "tap", 1) }

// A TAP port's wire is there before its device comes, and goes with the port; what Linux has
// besides stays. A TAP is made by VPP, so where VPP cannot, the key says so.
func TestWires(t *testing.T) {
	ns := netrig.New(t, "linux")
	ns.IP(t, "link", "add", "name", "br-00000009-38", "type", "bridge") // somebody else's
	devices := func() string {
		out, err := exec.Command("ip", "-n", string(ns), "-o", "link", "show").Output()
		require.NoError(t, err)
		return string(out)
	}
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	site.Veth = true
	a := r.agent(site, v.Socket(), func(a *agent) { a.wires.ns = string(ns) })
	r.put("h1", uuid(1), tapped(101))
	r.bound("h1", uuid(1))
	values, _ := r.said("h1", "ports/")
	require.Contains(t, values[uuid(1)], `{"bridge_name":"br-00000001-38","ext_tap_name":"tap00000001-38","int_tap_name":"vpp00000001-38","bind_type":"tap"`)
	require.Eventually(t, func() bool { return strings.Contains(devices(), "vpp00000001-38") }, longest, tick)
	ns.IP(t, "link", "add", "name", "tap00000001-38", "type", "veth", "peer", "name", "guest")
	require.Eventually(t, func() bool {
		for _, line := range strings.Split(devices(), "\n") {
			if strings.Contains(line, " tap00000001-38@") && strings.Contains(line, "master br-00000001-38") {
				return true
			}
		}
		return false
	}, longest, tick)

	// An agent that starts anew leaves it alone, and takes away what went without it.
	r.put("h1", uuid(2), tapped(101))
	r.bound("h1", uuid(1), uuid(2))
	require.Eventually(t, func() bool { return strings.Contains(devices(), "br-00000002-38") }, longest, tick)
	a.stop()
	r.unplug("h1", uuid(2))
	a = r.agent(site, v.Socket(), func(a *agent) { a.wires.ns = string(ns) })
	r.bound("h1", uuid(1))
	gone := func(s string) {
		t.Helper()
		require.Eventually(t, func() bool { return !strings.Contains(devices(), s) }, longest, tick, "%s", s)
	}
	if h, held := a.store.Held(); held {
		require.NoError(t, a.store.Confirm(h.Token))
	}
	gone("00000002-38")
	require.Contains(t, devices(), "vpp00000001-38")
	r.unplug("h1", uuid(1))
	gone("vpp00000001-38")
	gone("br-00000001-38")
	require.Contains(t, devices(), "br-00000009-38")
	require.Contains(t, devices(), "tap00000001-38", "its maker's")
	require.NoError(t, a.store.Wait(t.Context()))
	r.whole(site, v.Socket(), nil)
	a.stop()

	without := vpptest.New(t, vpptest.WithInterface(nic), vpptest.WithoutVhostNet())
	site.Veth = false
	r.agent(site, without.Socket(), func(a *agent) { a.wires.ns = string(ns) })
	r.put("h1", uuid(3), tapped(101))
	r.put("h1", uuid(4), port(101))
	r.bound("h1", uuid(4))
	require.Eventually(t, func() bool {
		errs, _ := r.said("h1", "errors/")
		return strings.Contains(errs[uuid(3)], "interface/tap-"+uuid(3)+": ")
	}, longest, tick)
	errs, _ := r.said("h1", "errors/")
	t.Log(errs[uuid(3)])
}

// A DHCP agent's device, and a VM, reach each other by a TAP port that is a veth pair.
func TestTAPTraffic(t *testing.T) {
	c := &classic{ethernet: netrig.New(t, "ethernet")}
	c.ethernet.Bridge(t, "brphys")
	c.rig = newRig(t)
	ns := netrig.New(t, "h1")
	c.ethernet.Plug(t, "brphys", "to-h1", ns, "up-h1")
	h1 := c.node("h1", ns)
	h1.site.Veth = true
	h1.agent = c.rig.agent(h1.site, h1.vpp.Socket(), func(a *agent) { a.wires.ns = string(ns) })
	vm := c.boot(h1, 101, "192.168.1.11/24")
	other := c.boot(h1, 102, "192.168.1.12/24")
	c.put("h1", uuid(50), tapped(101))
	c.bound("h1", vm.port, other.port, uuid(50))
	dhcp := netrig.Host(t, "dhcp", ns, "tap"+uuid(50)[:11], "192.168.1.2/24")
	vm.Reaches(t, "192.168.1.2")
	dhcp.Reaches(t, "192.168.1.11")
	dhcp.Misses(t, "192.168.1.12")
	other.Misses(t, "192.168.1.2")

	c.unplug("h1", uuid(50))
	vm.Loses(t, "192.168.1.2")
	c.put("h1", uuid(50), tapped(102))
	other.Reaches(t, "192.168.1.2")
	h1.vpp.Kill()
	c.bound("h1")
	require.NoError(t, h1.vpp.Restart())
	c.install(h1)
	c.bound("h1", vm.port, other.port, uuid(50))
	other.Reaches(t, "192.168.1.2")
}

// Most TAP ports are deleted while no agent is there: they go without a person's word, as others do.
func TestTAPsDeletedWhileNobodyWasThere(t *testing.T) {
	ns := netrig.New(t, "linux")
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	in := func(a *agent) { a.wires.ns = string(ns) }
	vlans := map[string]int{}
	for n := range 8 {
		vlans[uuid(n)] = 100
		r.put("h1", uuid(n), tapped(100))
	}
	a := r.agent(site, v.Socket(), in)
	r.bound("h1", names(vlans)...)
	r.converged(a)
	a.stop()
	for n := 1; n < 8; n++ {
		r.unplug("h1", uuid(n))
	}
	a = r.agent(site, v.Socket(), in)
	r.bound("h1", uuid(0))
	require.Eventually(t, func() bool { ours, _ := r.found(site, v.Socket()); return len(ours) == 8 }, longest, tick)
	r.converged(a)
}
