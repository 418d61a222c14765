// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// A port comes up when it is whole, and goes down before it is taken apart:
// no message in between finds it up, whatever fails.
func TestUpIsTheLastMessage(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		v := memory(t)
		upIsLast(newRig(t), v, v.Socket(), nic, 100)
	})
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		upIsLast(r, v, v.Socket(), "loop0", 200)
	})
}

func TestUpIsTheLastMessageWhateverFails(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("in memory, %d", seed), func(t *testing.T) {
			v := memory(t)
			upIsLast(newRig(t), v, v.Socket(), nic, 20, sabotage(v, seed))
		})
	}
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		r.loopback(v.Socket())
		p := vpptest.NewProxy(t, v.Socket())
		upIsLast(r, v, p.Socket(), "loop0", 40, sabotage(p, 6))
	})
}

// sabotage returns what injects a few faults each time. An agent that was cut off
// from VPP does not know in which order to unmake what it no longer wants.
func sabotage(v interface {
	Inject(vpptest.Fault)
	Heal()
}, seed uint64,
) func(cuts bool) {
	random := rand.New(rand.NewPCG(seed, 0))
	messages := []string{
		"acl_add_replace", "acl_del", "macip_acl_add_replace", "macip_acl_del", "acl_interface_set_acl_list",
		"acl_interface_set_acl_list", "macip_acl_interface_add_del", "macip_acl_interface_add_del",
		"sw_interface_set_flags", "sw_interface_set_flags", "sw_interface_set_l2_bridge", "sw_interface_set_l2_bridge",
		"create_vhost_user_if_v2", "delete_vhost_user_if", "create_subif", "delete_subif", "bridge_domain_add_del_v2",
		"l2_interface_vlan_tag_rewrite", "sw_interface_tag_add_del",
	}
	return func(cuts bool) {
		v.Heal()
		kinds := []vpptest.FaultKind{vpptest.Refuse, vpptest.Refuse, vpptest.Drop, vpptest.Delay}
		if cuts {
			kinds = append(kinds, vpptest.CutBefore, vpptest.CutAfter)
		}
		for range 6 {
			v.Inject(vpptest.Fault{
				Message: messages[random.IntN(len(messages))], Nth: 1 + random.IntN(12), Times: 1 + random.IntN(2),
				Kind: kinds[random.IntN(len(kinds))], Retval: -1, Delay: 20 * time.Millisecond,
			})
		}
	}
}

// upIsLast takes ports up, to other networks, and down.
func upIsLast(r *rig, v target, through, uplink string, n int, sabotage ...func(cuts bool)) {
	fail := func(cuts bool) {
		for _, f := range sabotage {
			f(cuts)
		}
	}
	site := r.siteOf("h1", uplink)
	w := newWitness(r.index(v.Socket(), uplink))
	// Three of four ports are filtered.
	vlans, groups := map[string]int{}, map[string][]string{}
	put := func(i, vlan int, in ...string) {
		vlans[uuid(i)] = vlan
		delete(groups, uuid(i))
		if len(in) > 0 {
			groups[uuid(i)] = in
			r.put("h1", uuid(i), secured(vlan, fmt.Sprintf("10.0.0.%d", i), in...))
		} else {
			r.put("h1", uuid(i), port(vlan))
		}
	}
	for i := range n {
		if i%4 == 0 {
			put(i, 100+i%(n/4))
		} else {
			put(i, 100+i%(n/4), gid(i%4), gid(i%7))
		}
	}
	for i := range 20 {
		r.group(i, ssh("192.0.2.0", gid(i+1)))
	}
	fail(true)
	start := func() *running {
		return r.agent(site, vpptest.NewTap(r, through, w.hear), func(a *agent) {
			if len(sabotage) > 0 {
				a.dial = append(a.dial, vppnet.WithLostAfter(20*time.Millisecond))
			}
		})
	}
	a := start()
	settled := func() map[desiredstate.Key]desiredstate.Found {
		r.Helper()
		require.Eventually(r, func() bool {
			known, _ := a.inbox.Names()
			for _, name := range known {
				p, _, _ := a.inbox.Look(name)
				if in, filtered := groups[name]; int(p.Segment) != vlans[name] || p.Filtered != filtered || !slices.Equal(p.Groups, in) {
					return false
				}
			}
			return len(known) == len(vlans)
		}, 20*time.Second, time.Millisecond)
		r.converged(a)
		r.bound("h1", names(vlans)...)
		w.content(r)
		return r.whole(site, v.Socket(), vlans, groups)
	}
	members := func(have map[desiredstate.Key]desiredstate.Found) (ids []uint32) {
		for k, f := range have {
			if k.Space == "bridge-port" {
				ids = append(ids, f.ID)
			}
		}
		return ids
	}
	ids := members(settled())
	require.Len(r, ids, n+n/4)
	w.ended(r, ids...)

	// Ports change their networks, of which some go and some are new: those that
	// move stay up, from one bridge domain to the other in one message.
	// Some of them change their groups as well, come to be filtered, or are no more.
	for i := range n / 2 {
		if i%4 < 2 {
			put(i, 1000+i%3, gid(10+i%4))
		} else if i%8 < 4 {
			put(i, 1000+i%3)
		} else {
			put(i, 1000+i%3, gid(i%4), gid(i%7))
		}
	}
	for i := range 20 {
		r.group(i, ssh("198.51.100.0", gid(i+2)))
		r.member(i, i, `["10.0.0.1"]`)
	}
	fail(false)
	settled()

	// Half of them go, some while there is no agent, and it is cut off again: the
	// order in which they are unmade is nowhere but in VPP.
	unplug := func(every, first int) {
		for i := first; i < n; i += every {
			delete(vlans, uuid(i))
			delete(groups, uuid(i))
			r.unplug("h1", uuid(i))
		}
	}
	unplug(4, 0)
	fail(true)
	settled()
	a.stop()
	unplug(4, 2)
	fail(true)
	a = start()
	settled()
	require.GreaterOrEqual(r, w.ups, n+n/4)
	r.Logf("%d times up", w.ups)
}
