// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// below are the values below a prefix.
func (r *rig) below(prefix string) map[string]string {
	r.Helper()
	got, err := r.client.Get(r.Context(), prefix, clientv3.WithPrefix())
	require.NoError(r, err)
	out := map[string]string{}
	for _, kv := range got.Kvs {
		out[strings.TrimPrefix(string(kv.Key), prefix)] = string(kv.Value)
	}
	return out
}

// What the driver waits for, in both orders of keys, on one host and on two; and an agent that
// starts anew writes nothing.
func TestTaps(t *testing.T) {
	r := newRig(t)
	a, b := r.agent(r.overlaid("h1", 1), memory(t).Socket()), r.agent(r.overlaid("h2", 2), memory(t).Socket())
	remote := tapFlow(3900, sid(1), uuid(3), "OUT", "h2", "h1")
	// The flows come first, then the service, then the ports.
	r.flow("h1", 1, tapFlow(3900, sid(1), uuid(2), "BOTH", "h1", "h1"))
	r.flow("h2", 2, remote)
	r.flow("h1", 2, remote)
	r.service("h1", 1, tapService(3900, uuid(1)))
	r.put("h1", uuid(1), port(101))
	r.put("h1", uuid(2), port(101))
	r.put("h2", uuid(3), port(102))
	said := r.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(1), "taas_flow/"+tfid(2))
	id := func(a *running, iface string) float64 {
		status, _ := a.store.Status(vppnet.InterfaceKey(iface))
		return float64(status.ID)
	}
	read := func(text string) (out map[string]any) {
		require.NoError(t, json.Unmarshal([]byte(text), &out))
		return out
	}
	service := read(said["taas_service/"+sid(1)])
	require.JSONEq(t, tapService(3900, uuid(1)), string(mustJSON(service["ts"])))
	require.Equal(t, id(a, "port-"+uuid(1)), service["port"].(map[string]any)["iface_idx"])
	require.Equal(t, "vlan", service["service_bridge"].(map[string]any)["network_type"])
	local := read(said["taas_flow/"+tfid(1)])
	delete(local, "tf")
	require.Equal(t, map[string]any{"tfn": true, "span_mode": 0.0, "port_idx": id(a, "port-"+uuid(2)), "dst_idx": id(a, "port-"+uuid(1))}, local)
	there := read(r.taps("h2", "taas_flow/"+tfid(2))["taas_flow/"+tfid(2)])
	require.Equal(t, true, there["tfn"])
	require.Equal(t, 1.0, there["span_mode"])
	require.Equal(t, service["service_bridge"], there["service_bridge"])
	here := read(said["taas_flow/"+tfid(2)])
	require.Equal(t, false, here["tfn"])

	// What each is made of.
	m, _ := a.store.Want(vppnet.MirrorKey("port-"+uuid(2), "port-"+uuid(1), true))
	require.False(t, m.(vppnet.Mirror).NoRx || m.(vppnet.Mirror).NoTx)
	m, _ = b.store.Want(vppnet.MirrorKey("port-"+uuid(3), "tap.physnet1.3900", true))
	require.True(t, m.(vppnet.Mirror).NoRx)
	x, _ := a.store.Want(vppnet.BridgePortKey("tap.physnet1.3900"))
	require.Equal(t, vppnet.CrossConnect{From: "tap.physnet1.3900", To: "port-" + uuid(1)}, x)

	revision := r.revision()
	a.stop()
	again := r.agent(a.site, a.vpp)
	require.Eventually(t, again.announcer.settled.Load, longest, tick)
	r.converged(again)
	require.Zero(t, again.writes.Load())
	got, err := r.client.Get(t.Context(), translate.Taps, clientv3.WithPrefix())
	require.NoError(t, err)
	for _, kv := range got.Kvs {
		require.LessOrEqual(t, kv.ModRevision, revision, "%s was written again", kv.Key)
	}

	// A port goes, and comes.
	r.unplug("h1", uuid(2))
	r.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(2))
	r.problemAt("h1", "taas_flow/"+tfid(1), "source_port: port "+uuid(2)+" is not on this host")
	r.put("h1", uuid(2), port(101))
	r.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(1), "taas_flow/"+tfid(2))
	r.problemAt("h1", "taas_flow/"+tfid(1), "")
	r.unplug("h1", uuid(1))
	r.taps("h1")
	r.taps("h2")
	r.problemAt("h2", "taas_flow/"+tfid(2), "ts_host: h1 does not say that it has service")
}

// While the filters of a service's port are changed, who sends it copies from other hosts goes on: what is said of it stays.
func TestAServiceOutlastsItsPortsFilters(t *testing.T) {
	r, v := newRig(t), memory(t)
	r.agent(r.overlaid("h1", 1), v.Socket())
	b := r.agent(r.overlaid("h2", 2), memory(t).Socket())
	flow := tapFlow(3900, sid(1), uuid(2), "OUT", "h2", "h1")
	r.flow("h1", 2, flow)
	r.flow("h2", 2, flow)
	r.service("h1", 1, tapService(3900, uuid(1)))
	r.put("h1", uuid(1), secured(101, "10.0.0.1"))
	r.put("h2", uuid(2), port(102))
	r.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(2))
	r.taps("h2", "taas_flow/"+tfid(2))
	r.converged(b)
	before := b.writes.Load()
	r.group(1, ssh("10.0.0.0"))
	v.Inject(vpptest.Fault{Message: "acl_interface_set_acl_list", Kind: vpptest.Stall, Times: -1})
	r.put("h1", uuid(1), secured(101, "10.0.0.1", gid(1)))
	r.bound("h1")
	time.Sleep(300 * time.Millisecond)
	v.Heal()
	r.bound("h1", uuid(1))
	r.converged(b)
	require.Equal(t, before, b.writes.Load(), "messages that change the VPP of the other host")
}

// What a host says of services and flows stays while it is in doubt: its VPP is cut off, cannot be read in time, or is away,
// for the agent or for the next one. What is then no longer so goes.
func TestWhatIsSaidOfTapsStays(t *testing.T) {
	r, v := newRig(t), memory(t)
	p := vpptest.NewProxy(t, v.Socket())
	impatient := func(a *agent) { a.dial = append(a.dial, vppnet.WithReplyTimeout(100*time.Millisecond)) }
	site := r.overlaid("h1", 1)
	a := r.agent(site, p.Socket(), impatient)
	b := r.agent(r.overlaid("h2", 2), memory(t).Socket())
	flow := tapFlow(3900, sid(1), uuid(2), "OUT", "h2", "h1")
	r.flow("h1", 2, flow)
	r.flow("h2", 2, flow)
	r.service("h1", 1, tapService(3900, uuid(1)))
	r.service("h1", 3, tapService(3901, uuid(1)))
	r.put("h1", uuid(1), port(101))
	r.put("h2", uuid(2), port(102))
	r.taps("h1", "taas_service/"+sid(1), "taas_service/"+sid(3), "taas_flow/"+tfid(2))
	r.taps("h2", "taas_flow/"+tfid(2))
	r.converged(a)
	r.converged(b)
	before, events := b.writes.Load(), r.client.Watch(t.Context(), translate.Taps, clientv3.WithPrefix())
	silent := func(what string) {
		t.Helper()
		select {
		case got := <-events:
			require.Empty(t, got.Events, what)
		case <-time.After(300 * time.Millisecond):
		}
		require.Equal(t, before, b.writes.Load(), "%s: messages that change the VPP of the other host", what)
	}
	v.Inject(vpptest.Fault{Message: "sw_interface_span_dump", Kind: vpptest.Delay, Delay: 200 * time.Millisecond, Times: -1})
	v.Inject(vpptest.Fault{Message: "l2_xconnect_dump", Kind: vpptest.Delay, Delay: 200 * time.Millisecond, Times: -1})
	p.Cut()
	require.Eventually(t, func() bool {
		status, _ := a.store.Status(vppnet.BridgePortKey("tap.physnet1.3900"))
		return errors.Is(status.Err, desiredstate.ErrUnread)
	}, longest, tick)
	silent("while VPP cannot be read")
	v.Heal()
	r.converged(a)
	silent("read again")
	v.Kill()
	r.bound("h1")
	silent("without VPP")
	a.stop()
	r.service("h1", 3, "")
	a = r.agent(site, p.Socket(), impatient)
	require.Eventually(t, a.announcer.settled.Load, longest, tick)
	silent("by an agent that knows nothing yet")
	require.NoError(t, v.Restart())
	r.bound("h1", uuid(1))
	r.converged(a)
	r.taps("h1", "taas_service/"+sid(1), "taas_flow/"+tfid(2))
	r.converged(b)
	require.Equal(t, before, b.writes.Load())
}

func mustJSON(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// problemAt waits until a host says this of a key; "": nothing.
func (r *rig) problemAt(host, name, want string) {
	r.Helper()
	var got string
	require.Eventually(r, func() bool {
		errs, _ := r.said(host, "errors/")
		got = errs[name]
		return want == "" && got == "" || want != "" && strings.Contains(got, want)
	}, longest, tick, "%s shall say %q, last: %v", name, want, (*latest)(&got))
}

// Bad services and flows have an error under their keys, and all else is served.
func TestBadTaps(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	edit := func(value string, pairs ...string) string {
		out := strings.NewReplacer(pairs...).Replace(value)
		require.NotEqual(t, value, out)
		return out
	}
	good := tapFlow(3900, sid(0), uuid(1), "BOTH", "h1", "h1")
	r.put("h1", uuid(0), port(101))
	r.put("h1", uuid(1), port(102))
	r.service("h1", 0, tapService(3900, uuid(0)))
	r.flow("h1", 0, good)
	bad := map[string][2]string{}
	n := 0
	services := func(value, says string) { n++; bad["taas_service/"+sid(n)] = [2]string{value, says} }
	flows := func(value, says string) { n++; bad["taas_flow/"+tfid(n)] = [2]string{value, says} }

	services("junk", "not a JSON object")
	services(`{"taas_id":3}`, "tap_service is missing")
	services(`{"tap_service":3,"taas_id":3}`, "tap_service: not a JSON object")
	services(tapService(3900, uuid(9)), "port_id: port "+uuid(9)+" is not on this host")
	services(tapService(3900, "../x"), `port_id: "../x" is not a UUID`)
	services(tapService(0, uuid(0)), "taas_id: 0 is neither")
	services(tapService(1<<24, uuid(0)), "taas_id: 16777216 is neither")
	services(edit(tapService(3900, uuid(0)), `"taas_id":3900`, `"taas_id":"x"`), `taas_id: "x" is no`)
	services(edit(tapService(3900, uuid(0)), `"Port"`, `"NFS"`), `dest_type: "NFS" is unknown`)
	services(edit(tapService(3900, uuid(0)), `"Port"`, `"ERSPAN_EXT"`), "copies that leave the cloud go to no host")

	flows("[]", "not a JSON object")
	flows(edit(good, `"tap_flow":{`, `"x":{`), "tap_flow is missing")
	flows(tapFlow(3900, sid(99), uuid(1), "BOTH", "h1", "h1"), "tap_service_id: service "+sid(99)+" is not on this host")
	flows(tapFlow(3900, "x", uuid(1), "BOTH", "h1", "h1"), `tap_service_id: "x" is not a UUID`)
	flows(tapFlow(3901, sid(0), uuid(1), "BOTH", "h1", "h1"), "taas_id: 3901, but service "+sid(0)+" has 3900")
	flows(tapFlow(3900, sid(0), uuid(0), "BOTH", "h1", "h1"), "source_port: "+uuid(0)+" is the service's own")
	flows(tapFlow(3900, sid(0), uuid(9), "BOTH", "h1", "h1"), "source_port: port "+uuid(9)+" is not on this host")
	flows(tapFlow(3900, sid(0), uuid(1), "UP", "h1", "h1"), `direction: "UP" is none of`)
	flows(edit(good, `"direction":"BOTH",`, ``), "direction is missing")
	flows(tapFlow(3900, sid(0), uuid(1), "BOTH", "h2", "h3"), "it is of h2 and h3, not of this host")
	flows(tapFlow(3900, sid(0), uuid(1), "BOTH", "../..", "h1"), `tf_host: "../.." is no host`)
	flows(tapFlow(3900, sid(0), uuid(1), "BOTH", "h1", "a/b"), `ts_host: "a/b" is no host`)
	flows(tapFlow(3900, sid(0), uuid(1), "BOTH", "h1", "h2"), "ts_host: h2 does not say that it has service "+sid(0))
	flows(tapFlow(3900, sid(0), uuid(1), "BOTH", "h2", "h1"), "tf_host: h2 does not say that it sends anything")
	flows(tapFlow(3900, sid(1), uuid(1), "BOTH", "h1", "h3"), "service_bridge: network_type is missing")
	flows(tapFlow(3900, sid(2), uuid(1), "BOTH", "h1", "h3"), `service_bridge: this host has no "elsewhere"`)
	flows(tapFlow(3900, sid(3), uuid(1), "BOTH", "h1", "h3"), "this host has no address in an underlay")
	flows(tapFlow(5000, sid(4), uuid(1), "BOTH", "h1", "h3"), "taas_id: 5000 is no VLAN")
	flows(tapFlow(3900, sid(5), uuid(1), "BOTH", "h1", "h3"), "what the service's host says: not a JSON object")
	flows(tapFlow(101, sid(6), uuid(1), "BOTH", "h1", "h3"), "101 is the VLAN of a network on this host")
	for service, value := range map[int]string{
		1: `{"service_bridge":{"physnet":"physnet1"}}`, 2: `{"service_bridge":{"physnet":"elsewhere","network_type":"vlan"}}`,
		3: `{"service_bridge":{"physnet":"physnet1","network_type":"vxlan","underlay":"192.0.2.9"}}`,
		4: `{"service_bridge":{"physnet":"physnet1","network_type":"vlan"}}`, 5: "junk",
		6: `{"service_bridge":{"physnet":"physnet1","network_type":"vlan"}}`,
	} {
		r.set(translate.TapState("h3", "taas_service/"+sid(service)), value)
	}
	flows(erspanFlow(sid(7), uuid(1), "BOTH", "h1", 1), "nobody said where service "+sid(7)+" is")
	flows(erspanFlow(sid(8), uuid(1), "BOTH", "h1", 1), "this host has no address in an underlay")
	flows(erspanFlow(sid(8), uuid(1), "BOTH", "h1", 1024), "erspan_session_id: 1024")
	flows(erspanFlow(sid(8), uuid(1), "BOTH", "h2", 1), "it is of h2")
	flows(erspanFlow(sid(9), uuid(1), "BOTH", "h1", 1), `erspan_dst_ip: "224.0.0.1" is no address of another host`)
	r.set(translate.TapTargets+sid(8), `{"tap_service":{"erspan_dst_ip":"192.0.2.9"}}`)
	r.set(translate.TapTargets+sid(9), `{"tap_service":{"erspan_dst_ip":"224.0.0.1"}}`)

	for name, x := range bad {
		r.set(site.Keys()+name, x[0])
	}
	r.set(site.Keys()+"taas_flow/junk", good)
	r.problemAt("h1", "taas_flow/junk", "the key's name is not a UUID")
	for name, x := range bad {
		r.problemAt("h1", name, string(mustJSON(x[1])[1:len(mustJSON(x[1]))-1]))
	}
	r.taps("h1", "taas_service/"+sid(0), "taas_flow/"+tfid(0))
	r.bound("h1", uuid(0), uuid(1))
	errs, _ := r.said("h1", "errors/")
	require.Len(t, errs, len(bad)+1, "%v", errs)

	// They go with their keys, and so does all that they wanted.
	for name := range bad {
		r.set(site.Keys()+name, "")
	}
	r.set(site.Keys()+"taas_flow/junk", "")
	require.Eventually(t, func() bool { errs, _ := r.said("h1", "errors/"); return len(errs) == 0 }, longest, tick)
	r.flow("h1", 0, "")
	r.service("h1", 0, "")
	r.taps("h1")
	r.converged(a)
	r.whole(site, v.Socket(), map[string]int{uuid(0): 101, uuid(1): 102})
}

// A flow that VPP cannot have beside a network's tunnel says so, and the network stays.
func TestTapsBesideAnOverlay(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	site.Overlay = translate.VXLAN{Underlay: site.Underlay("physnet1", netip.MustParsePrefix("192.0.2.1/24"))}
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(1), inVNI(10, "fa:16:3e:00:00:01", "10.0.0.1"))
	r.set(translate.Networks+"10/h3/10.0.0.3", `{"mac":"fa:16:3e:00:00:03","host":"192.0.2.3"}`)
	r.bound("h1", uuid(1))
	r.converged(a)
	for n, number := range map[int]int{1: 10, 2: 11} {
		r.set(translate.TapState("h3", "taas_service/"+sid(n)), `{"service_bridge":{"physnet":"physnet1","network_type":"vxlan","underlay":"192.0.2.3"}}`)
		r.flow("h1", n, tapFlow(number, sid(n), uuid(1), "BOTH", "h1", "h3"))
	}
	said := r.taps("h1", "taas_flow/"+tfid(2))
	require.Contains(t, said["taas_flow/"+tfid(2)], `"dst_adr":"192.0.2.3"`)
	require.Contains(t, said["taas_flow/"+tfid(2)], `"src_adr":"192.0.2.1"`)
	r.problemAt("h1", "taas_flow/"+tfid(1), "10 is the VNI of a network on this host")
	r.bound("h1", uuid(1))
	status, _ := a.store.Status(vppnet.InterfaceKey(translate.TunnelName(10, netip.MustParseAddr("192.0.2.3"))))
	require.Equal(t, desiredstate.Applied, status.State)
}

// A flow by a VLAN goes when a port of that VLAN's network comes, which is bound, and says why.
func TestANetworkComesToATap(t *testing.T) {
	r, v := newRig(t), memory(t)
	a := r.agent(r.siteOf("h1", nic), v.Socket())
	r.put("h1", uuid(1), port(102))
	r.set(translate.TapState("h3", "taas_service/"+sid(6)), `{"service_bridge":{"physnet":"physnet1","network_type":"vlan"}}`)
	r.flow("h1", 6, tapFlow(101, sid(6), uuid(1), "BOTH", "h1", "h3"))
	r.taps("h1", "taas_flow/"+tfid(6))
	r.put("h1", uuid(2), port(101))
	r.bound("h1", uuid(1), uuid(2))
	r.problemAt("h1", "taas_flow/"+tfid(6), "101 is the VLAN of a network on this host")
	r.taps("h1")
	r.converged(a)
}
