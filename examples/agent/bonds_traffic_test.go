// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/bond"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Two hosts are joined by two wires, of which their agents make a bond by LACP. VMs behind it reach
// each other by their network's VLAN; of a wire that is cut they lose what the protocol says.
func TestBondTraffic(t *testing.T) {
	c := &classic{rig: newRig(t)}
	one, two := netrig.New(t, "h1"), netrig.New(t, "h2")
	wires := []string{"w0", "w1"}
	for _, w := range wires {
		netrig.Veth(t, one, w, two, w)
	}
	states := map[string]func() map[string]bond.State{}
	host := func(name string, ns netrig.NetNS) *node {
		n := &node{site: c.siteOf(name, "uplink"), vpp: vpptest.Real(t, vpptest.InNetNS(string(ns))), nics: wires}
		o := options{site: n.site}
		f := pflag.NewFlagSet("run", pflag.ContinueOnError)
		o.register(f)
		require.NoError(t, f.Parse([]string{"--bond", "uplink=host-w0,host-w1,mode=lacp"}))
		n.site.Bonds = o.site.Bonds
		c.install(n)
		n.agent = c.rig.agent(n.site, n.vpp.Socket())
		states[name] = func() map[string]bond.State {
			conn, err := vppnet.Dial(t.Context(), n.vpp.Socket(), "watcher")
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			all, err := bond.States(t.Context(), conn)
			require.NoError(t, err)
			out := map[string]bond.State{}
			for _, s := range all {
				out[s.Interface] = s
			}
			return out
		}
		return n
	}
	h1, h2 := host("h1", one), host("h2", two)
	active := func(want ...bool) {
		t.Helper()
		for name := range states {
			var now map[string]bond.State
			require.Eventually(t, func() bool {
				now = states[name]()
				for i, w := range wires {
					if now[vppnet.Foreign("host-"+w)].Active != want[i] {
						return false
					}
				}
				return true
			}, time.Minute, 20*time.Millisecond, "%s: %+v", name, &now)
		}
	}
	began := time.Now()
	active(true, true)
	t.Logf("LACP agreed on both wires in %v", time.Since(began).Round(10*time.Millisecond))
	a, b := c.boot(h1, 101, "10.0.0.1/24"), c.boot(h2, 101, "10.0.0.2/24")
	c.bound("h1", a.port)
	c.bound("h2", b.port)
	a.Reaches(t, "10.0.0.2")

	lossOf := func(what string, most int, do func()) {
		t.Helper()
		stop := a.Pings(t, "10.0.0.2")
		do()
		answers, lost := stop()
		t.Logf("%s: %d of %d lost, which is %d ms", what, lost, answers+lost, 50*lost)
		require.LessOrEqual(t, lost, most, what)
	}
	// One of the two carries the pings, so each is cut once. Nobody tells VPP: it has to miss the
	// other end, for three seconds.
	for i, w := range wires {
		lossOf("wire "+w+" is cut", 20*6, func() {
			one.IP(t, "link", "set", "dev", w, "down")
			active(i != 0, i != 1)
			a.Reaches(t, "10.0.0.2")
		})
		if i == len(wires)-1 {
			break
		}
		// Mended, VPP asks who is there every 30 seconds only.
		lossOf("wire "+w+" is mended", 2, func() {
			one.IP(t, "link", "set", "dev", w, "up")
			active(true, true)
		})
	}
	// A VPP that dies has its bond again from its agent, and an agent that comes back finds it.
	c.revives(h2, b)
	active(true, false)
	a.Reaches(t, "10.0.0.2")
	h1.agent.stop()
	again := c.rig.agent(h1.site, h1.vpp.Socket())
	c.bound("h1", a.port)
	c.converged(again)
	require.Zero(t, again.writes.Load())
}
