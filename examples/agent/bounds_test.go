// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/acl"
	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// heavy is the value of a group with n rules about the members of another one.
func heavy(n, remote int) string {
	var rules []string
	for i := range n {
		rules = append(rules, fmt.Sprintf(`{"is_ipv6":0,"remote_ip_addr":null,"ip_prefix_len":0,"remote_group_id":%q,"protocol":6,"port_min":%d,"port_max":%[2]d}`, gid(remote), 1+2*i))
	}
	return `{"ingress_rules":[` + strings.Join(rules, ",") + `],"egress_rules":[]}`
}

// crowdOf gives a group members with n addresses.
func (r *rig) crowdOf(group, n int) {
	for p := range (n + 999) / 1000 {
		var addrs []string
		for i := range min(1000, n-1000*p) {
			addrs = append(addrs, fmt.Sprintf("%q", netip.AddrFrom4([4]byte{10, byte(p), byte(i >> 7), byte(i << 1)})))
		}
		r.member(group, 1000+p, "["+strings.Join(addrs, ",")+"]")
	}
}

// Groups that take seconds to be made delay no port, neither when they come nor when they
// change nor when an agent starts; and what VPP holds of them stays meanwhile.
func TestGroupsDelayNoPort(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket())
	r.put("h1", uuid(0), secured(100, "10.0.0.5", gid(1)))
	r.group(1, ssh("192.0.2.0"))
	r.bound("h1", uuid(0))
	r.crowdOf(9, 2000)
	var worst time.Duration
	bind := func(n int) {
		began := time.Now()
		r.put("h1", uuid(n), port(100+n))
		require.Eventually(t, func() bool { return r.boundNow("h1")[uuid(n)] != "" }, 30*time.Second, time.Millisecond)
		worst = max(worst, time.Since(began))
	}
	before := len(r.sets(a, 1))
	for i := range 4 {
		for g := range 4 {
			r.put("h1", uuid(50+g), secured(100, "10.0.0.6", gid(20+g)))
			r.group(20+g, heavy(1000+i, 9))
		}
		r.group(1, heavy(1000+i, 9))
		bind(1 + i)
	}
	t.Logf("a port was bound after %v at most", worst)
	require.Less(t, worst, 3*time.Second)
	require.Eventually(t, func() bool { return len(r.sets(a, 1)) > before+1000 }, time.Minute, 20*time.Millisecond)
	r.problem(0, "make it more than")
	r.converged(a)

	a.stop()
	a = r.agent(site, v.Socket())
	bind(30)
	require.Eventually(t, a.inbox.Complete, time.Minute, 10*time.Millisecond)
	r.converged(a)
	for g := range 4 {
		require.Contains(t, r.boundNow("h1"), uuid(50+g))
	}
	require.NotContains(t, a.log.String(), "action=delete")
	require.NotContains(t, a.log.String(), "action=update")
}

// sets are the rules that VPP shall have of a group.
func (r *rig) sets(a *running, group int) []acl.Rule {
	o, _ := a.store.Want(acl.SetKey(acl.ToSet(gid(group))))
	s, _ := o.(acl.Set)
	return s.Rules
}

// A host that is full serves who is there, tells others so, and has them in when there is room;
// who waits costs no groups.
func TestAFullHost(t *testing.T) {
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket(), func(a *agent) { a.inbox.Room = wants.Room{Ports: 5, Filtered: 3} })
	for i := range 3 {
		r.put("h1", uuid(i), secured(100, "10.0.0.5"))
		r.bound("h1", names(map[string]int{uuid(0): 0, uuid(min(i, 1)): 0, uuid(i): 0})...)
	}
	r.put("h1", uuid(3), secured(100, "10.0.0.5", gid(7)))
	r.problem(3, "3 filtered ports")
	require.Empty(t, a.inbox.InGroup(gid(7)))
	r.put("h1", uuid(4), port(100))
	r.put("h1", uuid(5), port(100))
	r.bound("h1", uuid(0), uuid(1), uuid(2), uuid(4), uuid(5))
	done, err := r.client.Put(t.Context(), site.Ports()+uuid(6), port(100))
	require.NoError(t, err)
	r.problem(6, "5 ports")
	require.NoError(t, controller.Applied(t.Context(), r.client, "h1", done.Header.Revision), "it is reported")
	r.unplug("h1", uuid(1))
	r.problem(3, "there is no such key") // of the two that waited, the first by name
	r.group(7, ssh("192.0.2.0"))
	r.bound("h1", uuid(0), uuid(2), uuid(3), uuid(4), uuid(5))
	r.unplug("h1", uuid(4))
	r.bound("h1", uuid(0), uuid(2), uuid(3), uuid(5), uuid(6))
	require.Zero(t, a.store.Count(desiredstate.Failing))
}
