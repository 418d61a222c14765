// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// problem waits until the error of a port says this; "": until there is none.
func (r *rig) problem(n int, says string) {
	r.Helper()
	var got string
	require.Eventually(r, func() bool {
		said, _ := r.said("h1", "errors/")
		got = said[uuid(n)]
		return says == "" && got == "" || says != "" && strings.Contains(got, says)
	}, 20*time.Second, 5*time.Millisecond, "port %d: want %q, last: %s", n, says, &got)
}

// rules are those of the set for what goes to the ports of a group, as VPP has them, but for
// those that only make TCP's revocable.
func (r *rig) rules(site translate.Site, vpp string, n int) (out []string) {
	r.Helper()
	have, _ := r.found(site, vpp)
	f, ok := have[acl.SetKey(acl.ToSet(gid(n)))]
	if !ok {
		return nil
	}
	set, _ := f.Spec.(acl.Set)
	for _, rule := range set.Rules {
		if rule.Protocol != acl.TCP || rule.Action == acl.PermitReflect {
			out = append(out, rule.String())
		}
	}
	return out
}

func (r *rig) becomes(site translate.Site, vpp string, n int, rules ...string) {
	r.Helper()
	var got []string
	require.Eventually(r, func() bool {
		got = r.rules(site, vpp, n)
		return fmt.Sprint(got) == fmt.Sprint(rules)
	}, 20*time.Second, 20*time.Millisecond, "group %d: want %q, last: %q", n, rules, &got)
}

func sshFrom(prefix string) string {
	return "permit+reflect ip4 tcp from " + prefix + " to any port 22"
}

// A port waits for its groups, and what is wrong with them permits nothing.
func TestGroupsComeAndGo(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), secured(100, "10.0.0.5", gid(1), gid(2)))
	r.group(1, ssh("192.0.2.0", gid(3)))
	r.problem(0, "security group "+gid(2)+": there is no such key in etcd")
	have, _ := r.found(site, v.Socket())
	require.NotContains(t, have, vppnet.LinkKey("secured-"+uuid(0)), "not up without")
	r.group(2, ssh("198.51.100.0"))
	r.bound("h1", uuid(0))
	r.problem(0, "")
	r.converged(a)
	vlans, groups := map[string]int{uuid(0): 100}, map[string][]string{uuid(0): {gid(1), gid(2)}}
	r.whole(site, v.Socket(), vlans, groups)
	ups := func() int { return strings.Count(a.log.String(), "action=create object=link/secured-") }
	require.Equal(t, 1, ups())

	// Members come and go.
	r.member(3, 7, `["10.0.0.7"]`)
	r.becomes(site, v.Socket(), 1, sshFrom("10.0.0.7/32"), sshFrom("192.0.2.0/24"))
	r.member(3, 8, `["10.0.0.8","2001:db8::8"]`)
	r.becomes(site, v.Socket(), 1, sshFrom("10.0.0.7/32"), sshFrom("10.0.0.8/32"), sshFrom("192.0.2.0/24"))
	r.member(3, 8, `junk`)
	r.problem(0, "security group "+gid(1)+": member \\\""+uuid(8)+"\\\" of "+gid(3)+": not a JSON list of addresses: that permits nothing")
	r.becomes(site, v.Socket(), 1, sshFrom("10.0.0.7/32"), sshFrom("192.0.2.0/24"))
	r.member(3, 8, "")
	r.problem(0, "")

	// What cannot be read permits nothing, part by part; the rest is in force.
	r.group(2, "poison")
	r.problem(0, "security group "+gid(2)+": not a JSON object: that permits nothing")
	r.becomes(site, v.Socket(), 2)
	r.group(2, ssh("198.51.100.0"))
	r.becomes(site, v.Socket(), 2, sshFrom("198.51.100.0/24"))
	r.problem(0, "")
	bad := strings.Replace(ssh("10.0.0.0", gid(3)), `"protocol":6`, `"protocol":999`, 1)
	r.group(2, bad)
	r.problem(0, "security group "+gid(2)+": ingress_rules 0: protocol: 999, want 0 to 255: that permits nothing")
	r.becomes(site, v.Socket(), 2, sshFrom("10.0.0.7/32"))
	r.bound("h1", uuid(0))
	r.group(2, ssh("203.0.113.0"))
	r.becomes(site, v.Socket(), 2, sshFrom("203.0.113.0/24"))
	r.problem(0, "")

	// The end of a group changes nothing, as long as a port is in it.
	r.group(2, "")
	r.problem(0, "security group "+gid(2)+": there is no such key in etcd; its last rules stand")
	r.put("h1", uuid(1), secured(100, "10.0.0.6", gid(2)))
	r.bound("h1", uuid(0), uuid(1))
	r.becomes(site, v.Socket(), 2, sshFrom("203.0.113.0/24"))
	require.Equal(t, 2, ups())
	r.put("h1", uuid(0), secured(100, "10.0.0.5", gid(1)))
	r.put("h1", uuid(1), secured(100, "10.0.0.6"))
	r.becomes(site, v.Socket(), 2)
	r.converged(a)
	vlans[uuid(1)] = 100
	r.whole(site, v.Socket(), vlans, map[string][]string{uuid(0): {gid(1)}, uuid(1): {}})
	require.Equal(t, 2, ups(), "what was up stayed up")
	r.problem(0, "")
	r.problem(1, "")

	// A port that comes to be filtered is another, and waits for its group too.
	r.put("h1", uuid(1), port(100))
	r.bound("h1", uuid(0), uuid(1))
	r.converged(a)
	r.whole(site, v.Socket(), vlans, map[string][]string{uuid(0): {gid(1)}})
	r.put("h1", uuid(1), secured(100, "10.0.0.6", gid(4)))
	r.bound("h1", uuid(0))
	r.problem(1, gid(4))
	require.Eventually(t, func() bool {
		have, _ = r.found(site, v.Socket())
		_, open := have[vppnet.InterfaceKey("port-"+uuid(1))]
		return !open
	}, 10*time.Second, 10*time.Millisecond)
	require.NotContains(t, have, vppnet.LinkKey("secured-"+uuid(1)))
	r.group(4, ssh("10.0.0.0"))
	r.bound("h1", uuid(0), uuid(1))
	r.converged(a)
	r.whole(site, v.Socket(), vlans, map[string][]string{uuid(0): {gid(1)}, uuid(1): {gid(4)}})
}

// A member that joins costs one message for each set that refers to its group,
// however many ports there are.
func TestAMemberIsOneMessage(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	const ports = 300
	r.group(1, ssh("192.0.2.0", gid(1)))
	r.group(2, ssh("192.0.2.0", gid(1)))
	vlans, groups := map[string]int{}, map[string][]string{}
	for i := range ports {
		ip := fmt.Sprintf("10.0.%d.%d", i/100, 2+2*(i%100))
		r.put("h1", uuid(i), secured(100, ip, gid(1), gid(2)))
		r.member(1, i, `["`+ip+`"]`)
		vlans[uuid(i)], groups[uuid(i)] = 100, []string{gid(1), gid(2)}
	}
	a := r.agent(site, v.Socket())
	r.bound("h1", names(vlans)...)
	r.converged(a)
	have := r.whole(site, v.Socket(), vlans, groups)
	sets := 0
	for k := range have {
		if k.Space == "acl" {
			sets++
		}
	}
	require.Equal(t, 6, sets, "two for each group, and two for all")

	before := a.writes.Load()
	r.member(1, ports, `["10.9.9.9"]`)
	require.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(r.rules(site, v.Socket(), 2)), "10.9.9.9") }, 10*time.Second, 5*time.Millisecond)
	r.converged(a)
	time.Sleep(200 * time.Millisecond)
	require.EqualValues(t, 2, a.writes.Load()-before, "one for each of the sets that refer to the group")
	require.Len(t, r.rules(site, v.Socket(), 1), ports+2)
}

// A VPP without the acl plugin serves ports that need none.
func TestWithoutACLs(t *testing.T) {
	r := newRig(t)
	v := vpptest.New(t, vpptest.WithInterface(nic), vpptest.WithoutPlugin("acl"))
	site := r.siteOf("h1", nic)
	r.group(1, ssh("192.0.2.0"))
	r.put("h1", uuid(0), port(100))
	r.put("h1", uuid(1), secured(100, "10.0.0.5", gid(1)))
	a := r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	r.problem(1, "incompatible VPP for acl")
	r.problem(1, "of plugin acl; is that loaded?")
	status, ok := a.store.Status(vppnet.LinkKey("secured-" + uuid(1)))
	require.True(t, ok)
	require.Equal(t, desiredstate.Blocked, status.State)
}

// What VPP refuses of a group is said of its ports, which stay up behind what was
// there before.
func TestVPPRefusesASet(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	r.group(1, ssh("192.0.2.0"))
	r.put("h1", uuid(0), secured(100, "10.0.0.5", gid(1)))
	r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	v.Inject(vpptest.Fault{Message: "acl_add_replace", Kind: vpptest.Refuse, Retval: -1, Times: 1 << 20})
	r.group(1, ssh("198.51.100.0"))
	r.problem(0, "acl/sg:"+gid(1)+".to: ")
	r.bound("h1", uuid(0))
	v.Heal()
	r.becomes(site, v.Socket(), 1, sshFrom("198.51.100.0/24"))
	r.problem(0, "")
}

// A new agent finds everything as it is to be; VPP that dies gets all of it back;
// two agents of one owner come to an end.
func TestSecuredPorts(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		securedLives(newRig(t), memory(t), nic, 40, func() {})
	})
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), realEtcd(t)
		remake := func() { r.loopback(v.Socket()) }
		remake()
		securedLives(r, v, "loop0", 100, remake)
	})
}

func securedLives(r *rig, vpp target, uplink string, n int, remake func()) {
	site := r.siteOf("h1", uplink)
	r.foreignACLs(vpp.Socket())
	before := r.foreign(site, vpp.Socket())
	vlans, groups := map[string]int{}, map[string][]string{}
	for i := range n {
		in := []string{gid(i % 5), gid(9)}[:1+i%2]
		vlans[uuid(i)] = 100 + i%4
		ip := fmt.Sprintf("10.0.0.%d", i)
		if i%10 == 0 {
			r.put("h1", uuid(i), port(vlans[uuid(i)]))
		} else {
			groups[uuid(i)] = in
			r.put("h1", uuid(i), secured(vlans[uuid(i)], ip, in...))
			r.member(9, i, `["`+ip+`"]`)
		}
	}
	for i := range 10 {
		r.group(i, ssh("192.0.2.0", gid(9)))
	}
	w := newWitness(r.index(vpp.Socket(), uplink))
	through := vpptest.NewTap(r, vpp.Socket(), w.hear)
	a := r.agent(site, through)
	r.bound("h1", names(vlans)...)
	r.converged(a)
	r.whole(site, vpp.Socket(), vlans, groups)
	r.Logf("%d ports with %d messages that change VPP", n, a.writes.Load())
	require.Equal(r, before, r.foreign(site, vpp.Socket()), "what is not ours is as it was")

	a.stop()
	a = r.agent(site, through)
	require.Eventually(r, a.announcer.settled.Load, 20*time.Second, time.Millisecond)
	r.converged(a)
	time.Sleep(time.Second)
	require.Zero(r, a.writes.Load(), "messages that change VPP")

	vpp.Kill()
	r.bound("h1")
	w.content(r)
	*w = *newWitness(w.uplink) // of another VPP
	require.NoError(r, vpp.Restart())
	remake()
	r.foreignACLs(vpp.Socket())
	r.bound("h1", names(vlans)...)
	r.converged(a)
	r.whole(site, vpp.Socket(), vlans, groups)
}
