// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
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

// wired are wires without an agent, in a namespace, and how to write the key of a port; "": it goes.
func wired(t *testing.T) (*wires, netrig.NetNS, func(n int, value string)) {
	t.Helper()
	ns := netrig.New(t, "linux")
	site := translate.Site{Host: "h1", Physnets: map[string]string{"physnet1": nic}, Dir: "/run/vms", NoRouters: true, Veth: true}
	store := desiredstate.NewStore()
	box := wants.New(site, store, slog.New(slog.DiscardHandler))
	box.Settled(true)
	w := newWires(box, store, slog.New(slog.DiscardHandler))
	w.ns = string(ns)
	return w, ns, func(n int, value string) {
		box.Put(site.Ports()+uuid(n), []byte(value), value != "")
		box.Settled(false)
	}
}

// What was made and not put up, as the agent or its ip was killed in between, is put up by who comes next, and is the
// agent's from then on. What somebody else made, and put up, stays theirs.
func TestWiresLeftHalfMade(t *testing.T) {
	w, ns, put := wired(t)
	ns.IP(t, "link", "add", "name", "br-00000001-38", "type", "bridge")
	ns.IP(t, "link", "add", "name", "vpp00000001-38", "type", "veth", "peer", "name", "vhi00000001-38")
	ns.IP(t, "link", "add", "name", "br-00000002-38", "up", "type", "bridge")
	put(1, tapped(101))
	put(2, tapped(101))
	w.look(t.Context(), false)
	out, err := w.output(t.Context(), "-o", "link", "show")
	require.NoError(t, err)
	for _, device := range []string{"br-00000001-38", "vpp00000001-38", "vhi00000001-38", "br-00000002-38"} {
		require.Regexp(t, ` `+device+`(@\S+)?: <[^>]*\bUP\b`, string(out))
	}
	have, err := w.devices(t.Context())
	require.NoError(t, err)
	for _, device := range []string{"br-00000001-38", "vpp00000001-38", "vhi00000001-38", "vpp00000002-38"} {
		require.Equal(t, wireMark, have[device].alias, device)
	}
	require.Empty(t, have["br-00000002-38"].alias)
}

// What was wrong with a port's wire is forgotten when it is right, and with the port.
func TestWiresForget(t *testing.T) {
	w, ns, put := wired(t)
	for _, device := range []string{"00000001-38", "00000002-38"} { // no bridges
		ns.IP(t, "link", "add", "name", "br-"+device, "up", "type", "veth", "peer", "name", "a-"+device)
	}
	for n := range 4 {
		put(n, tapped(101))
	}
	w.look(t.Context(), false)
	require.Len(t, w.said, 2)
	put(1, "")
	ns.IP(t, "link", "del", "br-00000002-38")
	w.look(t.Context(), false)
	require.Empty(t, w.said)
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
