// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/gpe"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// Hosts tell each other who is behind them, of the networks that they are in; what cannot be
// read of it is an error under its key, and all else is served.
func TestNeighbours(t *testing.T) {
	r := newRig(t)
	// What an earlier agent of h2 left is taken away.
	r.set(translate.Networks+"10/h2/10.0.0.77", `{"mac":"fa:16:3e:00:00:77","host":"192.0.2.2"}`)
	a := r.agent(r.overlaid("h1", 1), memory(t).Socket())
	b := r.agent(r.overlaid("h2", 2), memory(t).Socket())
	has := func(a *running, k desiredstate.Key, want bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			s, ok := a.store.Status(k)
			return ok == want && (!ok || s.State == desiredstate.Applied)
		}, longest, tick, "%s", k)
	}
	mac := vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, 1}
	eid := gpe.MACEID(mac)

	// What another host says stays.
	r.set(translate.Networks+"10/h3/10.0.0.3", `{"mac":"fa:16:3e:00:00:03","host":"192.0.2.3"}`)
	r.set(translate.Networks+"10/h3/10.0.0.4", `{"mac":"fa:16:3e:00:00:04"}`)
	r.set(translate.Networks+"12/h3/10.0.0.5", `junk that nobody here reads`)

	r.put("h1", uuid(1), inVNI(10, mac.String(), "10.0.0.1"))
	r.put("h2", uuid(2), inVNI(10, "fa:16:3e:00:00:02", "10.0.0.2"))
	r.put("h2", uuid(3), inVNI(11, mac.String(), "10.0.0.1"))
	r.bound("h1", uuid(1))
	r.bound("h2", uuid(2), uuid(3))
	has(b, gpe.RemoteEIDKey(10, eid), true)
	has(b, gpe.ARPEntryKey("gpe.10", netip.MustParseAddr("10.0.0.1")), true)
	has(a, gpe.RemoteEIDKey(10, gpe.MACEID(vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, 3})), true)
	has(a, gpe.RemoteEIDKey(11, eid), false)
	require.Eventually(t, func() bool {
		_, left := r.networks()["10/h2/10.0.0.77"]
		return !left
	}, longest, tick)
	errs, _ := r.said("h1", "errors/")
	require.Equal(t, map[string]string{"networks/gpe/10/h3/10.0.0.4": `{"error":"host is missing"}`}, errs)

	// The VM moves: it is here, whatever h1 still says, then h1 learns that it is there.
	r.put("h2", uuid(4), inVNI(10, mac.String(), "10.0.0.1"))
	r.bound("h2", uuid(2), uuid(3), uuid(4))
	has(b, gpe.LocalEIDKey(10, eid), true)
	has(b, gpe.RemoteEIDKey(10, eid), false)
	r.put("h1", uuid(5), inVNI(10, "fa:16:3e:00:00:05", "10.0.0.5")) // the network stays
	r.bound("h1", uuid(1), uuid(5))
	r.unplug("h1", uuid(1))
	r.bound("h1", uuid(5))
	has(a, gpe.RemoteEIDKey(10, eid), true)
	require.NotContains(t, r.networks(), "10/h1/10.0.0.1")

	// A network that a host is not in any more leaves nothing there, and its errors go.
	r.unplug("h1", uuid(5))
	r.bound("h1")
	has(a, gpe.RemoteEIDKey(10, eid), false)
	require.Eventually(t, func() bool { errs, _ := r.said("h1", "errors/"); return len(errs) == 0 }, longest, tick)
	require.NoError(t, a.store.Wait(t.Context()))
	have, _ := r.found(a.site, a.vpp)
	for k := range have {
		require.NotContains(t, k.String(), "10", "%s is left", k)
	}

	// An agent that starts anew changes nothing, in VPP or in etcd.
	before, revision := r.networks(), r.revision()
	b.stop()
	again := r.agent(b.site, b.vpp)
	require.Eventually(t, again.announcer.settled.Load, longest, tick)
	r.converged(again)
	require.Zero(t, again.writes.Load())
	time.Sleep(100 * time.Millisecond)
	require.Equal(t, before, r.networks())
	got, err := r.client.Get(t.Context(), translate.Networks, clientv3.WithPrefix())
	require.NoError(t, err)
	for _, kv := range got.Kvs {
		require.LessOrEqual(t, kv.ModRevision, revision, "%s was written again", kv.Key)
	}
}

// What a host says of a member stays as long as others may reach it there, whatever becomes of the connection to VPP, of
// the port's filters or of the agent: each word less takes it from all others. It goes with the port's key.
func TestWhatIsSaidOfMembersStays(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.overlaid("h1", 1)
	events, watch := make(chan string, 100), r.client.Watch(t.Context(), translate.Networks, clientv3.WithPrefix())
	go func() {
		for got := range watch {
			for _, e := range got.Events {
				events <- fmt.Sprint(e.Type, " ", strings.TrimPrefix(string(e.Kv.Key), translate.Networks))
			}
		}
	}()
	said := func(want ...string) { // since it was asked last
		t.Helper()
		var got []string
		for len(got) < len(want) {
			select {
			case e := <-events:
				got = append(got, e)
			case <-time.After(longest):
				require.Equal(t, want, got)
			}
		}
		require.ElementsMatch(t, want, got)
	}
	silent := func(what string) {
		t.Helper()
		select {
		case e := <-events:
			require.Fail(t, e, what)
		case <-time.After(300 * time.Millisecond):
		}
	}
	filtered := func(vni int, groups ...string) string {
		return strings.NewReplacer(`"vlan"`, `"gpe"`, `"physnet1"`, "null").Replace(secured(vni, "10.0.0.1", groups...))
	}

	a := r.agent(site, v.Socket())
	r.put("h1", uuid(1), filtered(10))
	r.put("h1", uuid(2), inVNI(10, "fa:16:3e:00:00:02", "10.0.0.2"))
	r.bound("h1", uuid(1), uuid(2))
	r.converged(a)
	said("PUT 10/h1/10.0.0.1", "PUT 10/h1/10.0.0.2")

	r.group(1, ssh("10.0.0.0"))
	v.Inject(vpptest.Fault{Message: "acl_interface_set_acl_list", Kind: vpptest.Stall, Times: -1})
	r.put("h1", uuid(1), filtered(10, gid(1)))
	r.bound("h1", uuid(2))
	silent("while its filters are changed")
	v.Heal()
	r.bound("h1", uuid(1), uuid(2))
	r.put("h1", uuid(1), filtered(10, gid(1), gid(2))) // which nobody wrote yet
	require.Eventually(t, func() bool { errs, _ := r.said("h1", "errors/"); return len(errs) == 1 }, longest, tick)
	silent("while a group is missing")
	r.put("h1", uuid(1), filtered(10, gid(1)))
	r.bound("h1", uuid(1), uuid(2))

	v.Kill()
	r.bound("h1")
	silent("without VPP")
	r.put("h1", uuid(3), inVNI(10, "fa:16:3e:00:00:03", "10.0.0.3"))
	r.put("h1", uuid(1), filtered(11, gid(1))) // it moves
	said("DELETE 10/h1/10.0.0.1")
	silent("of one that never was there")
	require.NoError(t, v.Restart())
	r.bound("h1", uuid(1), uuid(2), uuid(3))
	r.converged(a)
	said("PUT 11/h1/10.0.0.1", "PUT 10/h1/10.0.0.3")

	a.stop()
	v.Kill()
	b := r.agent(site, v.Socket())
	r.bound("h1")
	require.Eventually(t, b.announcer.settled.Load, longest, tick)
	r.unplug("h1", uuid(3))
	silent("by an agent that knows nothing yet")
	require.NoError(t, v.Restart())
	r.bound("h1", uuid(1), uuid(2))
	said("DELETE 10/h1/10.0.0.3")
	r.converged(b)
	silent("by one that found all as it was said")

	v.Kill()
	r.bound("h1")
	r.unplug("h1", uuid(2))
	said("DELETE 10/h1/10.0.0.2")
}

// A VPP that forwards on, and is too busy to say what it has when an agent comes back to it, is no reason to take anything back.
func TestWhatIsSaidOfMembersStaysWhileVPPIsUnreadable(t *testing.T) {
	r, v := newRig(t), memory(t)
	p := vpptest.NewProxy(t, v.Socket())
	a := r.agent(r.overlaid("h1", 1), p.Socket(), func(a *agent) { a.dial = append(a.dial, vppnet.WithReplyTimeout(100*time.Millisecond)) })
	r.put("h1", uuid(1), inVNI(10, "fa:16:3e:00:00:01", "10.0.0.1"))
	r.bound("h1", uuid(1))
	r.converged(a)
	require.Eventually(t, func() bool { return len(r.networks()) == 1 }, longest, tick)
	events := r.client.Watch(t.Context(), translate.Networks, clientv3.WithPrefix())
	v.Inject(vpptest.Fault{Message: "lisp_eid_table_dump", Kind: vpptest.Delay, Delay: 200 * time.Millisecond, Times: -1})
	p.Cut()
	require.Eventually(t, func() bool {
		status, _ := a.store.Status(gpe.LocalEIDKey(10, gpe.MACEID(vppnet.MAC{0xfa, 0x16, 0x3e, 0, 0, 1})))
		return errors.Is(status.Err, desiredstate.ErrUnread)
	}, longest, tick)
	time.Sleep(300 * time.Millisecond)
	v.Heal()
	r.bound("h1", uuid(1))
	r.converged(a)
	select {
	case got := <-events:
		require.Empty(t, got.Events)
	case <-time.After(300 * time.Millisecond):
	}
}

// networks is what all hosts say of who is behind them.
func (r *rig) networks() map[string]string {
	r.Helper()
	got, err := r.client.Get(r.Context(), translate.Networks, clientv3.WithPrefix())
	require.NoError(r, err)
	out := map[string]string{}
	for _, kv := range got.Kvs {
		out[string(kv.Key[len(translate.Networks):])] = string(kv.Value)
	}
	return out
}

// A router's legs in an overlay are announced as ports are, while the host serves.
func TestRoutersInOverlays(t *testing.T) {
	r := newRig(t)
	site := r.overlaid("h1", 1)
	site.HA = true
	v := memory(t)
	a := r.agent(site, v.Socket())
	r.routing("h1", router+"/"+uuid(1), fmt.Sprintf(`{"port_id":%q,"loopback_mac":"fa:16:3e:01:00:01","gateway_ip":"10.3.0.1","subnet_id":"s",`+
		`"network_id":"n","fixed_ips":[{"subnet_id":"s","ip_address":"10.3.0.1"}],"is_ipv6":false,"prefixlen":24,"mtu":1470,`+
		`"segmentation_id":5001,"net_type":"gpe","physnet":"physnet1","vrf_id":1}`, uuid(1)))
	leg := gpe.LocalEIDKey(5001, gpe.MACEID(vppnet.MAC{0xfa, 0x16, 0x3e, 1, 0, 1}))
	says := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got, err := r.client.Get(t.Context(), translate.Networks+"5001/h1/10.3.0.1")
			require.NoError(t, err)
			return want == "" && len(got.Kvs) == 0 || len(got.Kvs) == 1 && string(got.Kvs[0].Value) == want
		}, longest, tick)
	}
	r.converged(a)
	says("")
	_, here := a.store.Want(leg)
	require.False(t, here)
	r.routing("h1", "ha", "1")
	says(`{"mac":"fa:16:3e:01:00:01","host":"192.0.2.1"}`)
	_, here = a.store.Want(leg)
	require.True(t, here)
	r.converged(a)
	v.Kill()
	require.Eventually(t, func() bool { routers, _ := r.said("h1", "routers/"); return len(routers) == 0 }, longest, tick)
	time.Sleep(100 * time.Millisecond)
	says(`{"mac":"fa:16:3e:01:00:01","host":"192.0.2.1"}`)
	r.routing("h1", "ha", "0")
	says("")
}

// overlaid is a host that others reach by its n-th address.
func (r *rig) overlaid(host string, n int) translate.Site {
	site := r.siteOf(host, nic)
	site.Overlay = translate.GPE{Underlay: site.Underlay("physnet1", netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", n)))}
	return site
}

func (r *rig) revision() int64 {
	got, err := r.client.Get(r.Context(), translate.Root)
	require.NoError(r, err)
	return got.Header.Revision
}
