// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

func TestInMemory(t *testing.T) {
	v := memory(t)
	lives(newRig(t), v, nic, 20, func() {})
}

// lives takes an agent through its life on one VPP: ports come, change and go,
// the agent is restarted, VPP is restarted; uplink makes what a new VPP has.
func lives(r *rig, vpp target, uplink string, n int, remake func()) {
	site := r.siteOf("h1", uplink)
	r.byHand(vpp.Socket())
	before := r.foreign(site, vpp.Socket())

	vlans := map[string]int{}
	for i := range n {
		vlans[uuid(i)] = 100 + i%(n/4)
		r.put("h1", uuid(i), port(vlans[uuid(i)]))
	}
	goroutines := goleak.IgnoreCurrent()
	a := r.agent(site, vpp.Socket())
	r.bound("h1", names(vlans)...)
	have := r.whole(site, vpp.Socket(), vlans)
	physnets, _ := r.said("h1", "physnets/")
	require.Equal(r, map[string]string{"physnet1": "1"}, physnets)
	alive, _ := r.said("h1", "alive")
	require.Equal(r, map[string]string{"": "1"}, alive)
	require.NoError(r, a.store.Wait(r.Context()))
	r.Logf("%d ports with %d messages that change VPP", n, a.writes.Load())

	// What is said is what is so.
	values, _ := r.said("h1", "ports/")
	var says struct {
		Path      string `json:"path"`
		Interface uint32 `json:"iface_idx"`
		Net       struct {
			Bridge uint32 `json:"bridge_domain_id"`
			Uplink uint32 `json:"if_uplink_idx"`
		} `json:"net_data"`
	}
	require.NoError(r, json.Unmarshal([]byte(values[uuid(0)]), &says))
	require.Equal(r, site.Dir+"/"+uuid(0), says.Path)
	require.Equal(r, have[vppnet.InterfaceKey("port-"+uuid(0))].ID, says.Interface)
	require.Equal(r, have[vppnet.BridgeKey("physnet1.vlan.100")].ID, says.Net.Bridge)
	require.Equal(r, have[vppnet.InterfaceKey("physnet1.vlan.100")].ID, says.Net.Uplink)

	// One port changes its network, which is new; the others do not notice.
	vlans[uuid(0)] = 4000
	r.put("h1", uuid(0), port(4000))
	require.Eventually(r, func() bool {
		now, _ := r.said("h1", "ports/")
		return now[uuid(0)] != "" && now[uuid(0)] != values[uuid(0)]
	}, 10*time.Second, time.Millisecond)
	require.NoError(r, a.store.Wait(r.Context()))
	have = r.whole(site, vpp.Socket(), vlans)

	// Half of the ports go, and only those.
	for i := 0; i < n; i += 2 {
		delete(vlans, uuid(i))
		r.unplug("h1", uuid(i))
	}
	r.bound("h1", names(vlans)...)
	require.NoError(r, a.store.Wait(r.Context()))
	now := r.whole(site, vpp.Socket(), vlans)
	for k, f := range now {
		require.Equal(r, have[k].ID, f.ID, "%s was made anew", k)
	}
	require.Equal(r, before, r.foreign(site, vpp.Socket()), "what is not ours is as it was")

	// A new agent adopts everything: VPP and etcd are as they were.
	a.stop()
	require.NoError(r, goleak.Find(goroutines), "an agent that ends leaves nothing behind")
	alive, _ = r.said("h1", "alive")
	require.Equal(r, map[string]string{"": "1"}, alive, "a restart is none to the driver")
	_, said := r.said("h1", "")
	delete(said, "alive")
	delete(said, "converged")
	delete(said, "agent")
	a = r.agent(site, vpp.Socket())
	require.Eventually(r, a.announcer.settled.Load, 20*time.Second, time.Millisecond)
	require.NoError(r, a.store.Wait(r.Context()))
	time.Sleep(time.Second)
	require.Zero(r, a.writes.Load(), "messages that change VPP")
	_, again := r.said("h1", "")
	delete(again, "alive")
	delete(again, "converged")
	delete(again, "agent")
	require.Equal(r, said, again, "keys that were true are not written again")

	// VPP dies: what was said of it is withdrawn. It is back: so is everything.
	vpp.Kill()
	r.bound("h1")
	physnets, _ = r.said("h1", "physnets/")
	require.Empty(r, physnets)
	require.NoError(r, vpp.Restart())
	remake()
	r.byHand(vpp.Socket())
	r.bound("h1", names(vlans)...)
	require.NoError(r, a.store.Wait(r.Context()))
	r.whole(site, vpp.Socket(), vlans)

	// Drift is repaired without anybody asking.
	r.setDown(vpp.Socket(), "port-"+names(vlans)[0])
	require.Eventually(r, func() bool {
		ours, _ := r.found(site, vpp.Socket())
		l, _ := ours[vppnet.LinkKey("port-"+names(vlans)[0])].Spec.(vppnet.LinkState)
		return l.Up
	}, 10*time.Second, 20*time.Millisecond)
}

// The uplink is a loopback made by hand: as far as the agent knows, a NIC.
func TestOnARealVPP(t *testing.T) {
	v := vpptest.Real(t)
	r := realEtcd(t)
	remake := func() { r.loopback(v.Socket()) }
	remake()
	lives(r, v, "loop0", 200, remake)
}

// A physical network can be on an interface that another owner made, whatever VPP
// calls it.
func TestUplinkOfAnotherOwner(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", "tag:infra/up0")
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), port(100))
	require.Eventually(t, func() bool {
		said, _ := r.said("h1", "errors/")
		return strings.Contains(said[uuid(0)], "interface/infra/up0")
	}, 10*time.Second, 10*time.Millisecond)
	c, err := vppnet.Dial(t.Context(), v.Socket(), "infra")
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = vppnet.Loopbacks(c).Ensure(t.Context(), vppnet.Loopback{Name: "up0"})
	require.NoError(t, err)
	r.bound("h1", uuid(0))
	r.converged(a)
	have, _ := r.found(site, v.Socket())
	sub, _ := have[vppnet.InterfaceKey("physnet1.vlan.100")].Spec.(vppnet.SubInterface)
	require.Equal(t, "infra/up0", sub.Parent)
	l, _ := have[vppnet.LinkKey("infra/up0")].Spec.(vppnet.LinkState)
	require.True(t, l.Up)
}

// A flat network has the uplink to itself, and gives it back.
func TestFlatNetwork(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), strings.NewReplacer(`"vlan"`, `"flat"`, "100", "null").Replace(port(100)))
	r.put("h1", uuid(1), port(100)) // tagged, on the same uplink
	r.bound("h1", uuid(0), uuid(1))
	have, _ := r.found(site, v.Socket())
	for _, member := range []string{vppnet.Foreign(nic), "port-" + uuid(0)} {
		p, _ := have[vppnet.BridgePortKey(member)].Spec.(vppnet.BridgePort)
		require.Equal(t, "physnet1.flat", p.Bridge)
	}
	said, _ := r.said("h1", "ports/")
	require.Contains(t, said[uuid(0)], `"network_type":"flat","segmentation_id":0,"if_uplink_idx":1}`)

	r.unplug("h1", uuid(0))
	r.bound("h1", uuid(1))
	require.NoError(t, a.store.Wait(t.Context()))
	r.whole(site, v.Socket(), map[string]int{uuid(1): 100}) // the uplink is up, and in no bridge domain
	require.NotContains(t, a.log.String(), "drifted")
}
