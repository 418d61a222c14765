// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/wants"
	"github.com/vppkit/vppkit/internal/netrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// exitBy is the value of a gateway of several addresses, of which the driver names the
// last one's next hop; "": null.
func exitBy(router, vlan int, next string, addrs ...string) string {
	var list []string
	for _, a := range addrs {
		p := netip.MustParsePrefix(a)
		list = append(list, fmt.Sprintf("[%q,%d,%v]", p.Addr(), p.Bits(), p.Addr().Is6()))
	}
	value := exit(router, vlan, addrs[0], next)
	from, to := strings.Index(value, `"gateways":[`), strings.Index(value, `,"external_gateway_ip"`)
	value = value[:from] + `"gateways":[` + strings.Join(list, ",") + "]" + value[to:]
	return strings.Replace(value, `"external_gateway_ip":""`, `"external_gateway_ip":null`, 1)
}

const (
	four, six = "203.0.113.101/24", "2001:db8:f::101/64"
	by4, by6  = "203.0.113.1", "2001:db8:f::1"
)

// A gateway is changed as the driver does it: its key goes, comes with a part, and with all.
// Nothing is unmade on the way; what the last step leaves out goes.
func TestAGatewayChangesWithoutAnOutage(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	var mu sync.Mutex
	var unmade []string
	watch := func(a *agent) {
		a.inbox.Linger(700 * time.Millisecond)
		a.announcer.patience = 0
		a.watcher = func(e desiredstate.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Type == desiredstate.Done && e.Action != desiredstate.Create {
				unmade = append(unmade, fmt.Sprint(e.Action, " ", e.Key))
			}
		}
	}
	a := r.agent(site, v.Socket(), watch)
	keys := map[string]string{
		legKey(1, 101): leg(1, 101, "192.168.1.1/24"), legKey(1, 103): leg(1, 103, "2001:db8:1::1/64"),
		exitKey(1): exitBy(1, 900, by4, four), floatKey(1): float(900, 101, "203.0.113.102", "192.168.1.11"),
	}
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	wants := func(k desiredstate.Key) func() bool {
		return func() bool { _, ok := a.store.Want(k); return ok }
	}
	sequence := func(steps ...string) []string {
		t.Helper()
		r.converged(a)
		mu.Lock()
		unmade = nil
		mu.Unlock()
		for _, value := range steps {
			r.routing("h1", exitKey(1), value)
			time.Sleep(50 * time.Millisecond)
		}
		r.routed(a, keys)
		mu.Lock()
		defer mu.Unlock()
		return unmade
	}
	way := func(p string) desiredstate.Key { return l3.RouteKey("router-"+rid(1), netip.MustParsePrefix(p)) }

	t.Log("a second family comes")
	gone := sequence("", exitBy(1, 900, by6, six), exitBy(1, 900, by4, six, four))
	require.Equal(t, []string{"~ table-member/bvi-physnet1.vlan.900"}, gone, "IPv6 joins")
	require.Eventually(t, wants(way("::/0")), 5*time.Second, time.Millisecond, "by whom the part named")

	t.Log("the same again")
	require.Empty(t, sequence("", exitBy(1, 900, by6, six), exitBy(1, 900, by4, six, four)))

	t.Log("another address of one family: the other does not notice")
	for _, gone := range sequence("", exitBy(1, 900, by6, six), exitBy(1, 900, by4, six, "203.0.113.109/24")) {
		require.NotContains(t, gone, "2001:db8")
		require.NotContains(t, gone, "203.0.113.102")
	}
	require.Eventually(t, wants(nat.AddressKey(netip.MustParseAddr("203.0.113.109"))), 5*time.Second, time.Millisecond)

	t.Log("another agent learns from VPP by whom IPv6 leads out, which no key says")
	r.routed(a, keys)
	a.stop()
	a = r.agent(site, v.Socket(), watch)
	r.routed(a, keys)
	require.Zero(t, a.writes.Load())
	require.Eventually(t, func() bool { said, _ := r.said("h1", "errors/"); return len(said) == 0 }, 5*time.Second, 10*time.Millisecond)

	t.Log("a family goes, in due time")
	r.routing("h1", exitKey(1), exitBy(1, 900, by6, six))
	require.Eventually(t, func() bool { return !wants(way("0.0.0.0/0"))() }, 5*time.Second, time.Millisecond)
	require.True(t, wants(way("::/0"))())
	r.routing("h1", exitKey(1), "")
	delete(keys, exitKey(1))
	require.Eventually(t, func() bool { return !wants(way("::/0"))() }, 5*time.Second, time.Millisecond)
	r.routed(a, keys)
}

// Of a gateway of two families the value names the next hop of one. The other waits until it is
// named, and that is said; nobody is blocked for it.
func TestAFamilyThatWaitsBlocksNobody(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	a := r.agent(site, v.Socket(), func(a *agent) { a.announcer.patience = 0 })
	keys := map[string]string{legKey(1, 101): leg(1, 101, "192.168.1.1/24"), exitKey(1): exitBy(1, 900, by4, six, four)}
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	state, why, _ := a.inbox.Route(exitKey(1))
	require.Equal(t, desiredstate.Applied, state)
	require.ErrorContains(t, why, "nobody was named yet by whom 2001:db8:f::101 leads out")
	have, _ := r.found(site, v.Socket())
	way := func(p string) desiredstate.Key { return l3.RouteKey("router-"+rid(1), netip.MustParsePrefix(p)) }
	out := l3.RouteKey("ways-"+rid(1), netip.MustParsePrefix("0.0.0.0/0")) // beyond NAT
	require.Contains(t, have, out)
	require.NotContains(t, have, way("::/0"))

	keys[exitKey(2)] = exitBy(2, 900, by6, "2001:db8:f::151/64")
	r.routing("h1", exitKey(2), keys[exitKey(2)])
	r.routed(a, keys)
	_, why, _ = a.inbox.Route(exitKey(1))
	require.NoError(t, why, "who leads another router out of the subnet leads this one")
	have, _ = r.found(site, v.Socket())
	require.Contains(t, have, way("::/0"))

	for _, value := range []string{exitBy(1, 900, "", four), exitBy(1, 900, "", six, four)} {
		keys[exitKey(1)] = value
		r.routing("h1", exitKey(1), value)
		require.Eventually(t, func() bool { _, wanted := a.store.Want(out); return !wanted }, 5*time.Second, time.Millisecond, "null is no gateway")
		r.routed(a, keys)
		_, why, _ = a.inbox.Route(exitKey(1))
		require.NoError(t, why)
	}
}

// The driver's sequence, with packets: who is outside and inside, of both families, and what
// comes to a floating IP, loses nothing.
func TestAGatewayChangesWithoutAnOutageTraffic(t *testing.T) {
	c := newCloud(t, 101, 900)
	a1 := c.host("a1", 101, "192.168.1.11/24", "192.168.1.1")
	a2 := c.host("a2", 101, "192.168.1.12/24", "192.168.1.1")
	ext := c.host("ext", 900, "203.0.113.1/24", "")
	for _, h := range []struct {
		netrig.NetNS
		addr, to, by string
	}{{a1, "2001:db8:1::11/64", "2001:db8::/32", "2001:db8:1::1"}, {ext, "2001:db8:f::1/64", "2001:db8:1::/64", "2001:db8:f::101"}} {
		h.Do(t, func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/eth0/accept_ra", []byte("0"), 0) })
		h.Address(t, h.addr)
		h.IP(t, "route", "add", h.to, "via", h.by)
	}
	site, v := c.node("n1", 101, 900)
	k := &keyed{c, map[string]string{}, map[string]*running{"n1": c.rig.agent(site, v.Socket(), func(a *agent) { a.inbox.Linger(wants.Lingering) })}}
	k.put(legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	k.put(rid(1)+"/"+uuid(0x6001), leg(1, 101, "2001:db8:1::1/64"))
	k.put(exitKey(1), exitBy(1, 900, by6, six))
	k.put(exitKey(1), exitBy(1, 900, by4, six, four))
	k.put(floatKey(1), float(900, 101, "203.0.113.102", "192.168.1.11"))
	k.settled()
	a1.Reaches(t, by6)
	a2.Reaches(t, by4)
	ext.Reaches(t, "203.0.113.102")

	outage := func(what string, steps ...string) (most time.Duration) {
		t.Helper()
		pings := map[string]func() (int, int){
			"IPv4, translated": a2.Pings(t, by4), "IPv6": a1.Pings(t, by6), "to a floating IP": ext.Pings(t, "203.0.113.102"),
		}
		for _, value := range steps {
			k.put(exitKey(1), value)
			time.Sleep(100 * time.Millisecond)
		}
		k.settled()
		time.Sleep(wants.Lingering)
		for who, stop := range pings {
			answers, lost := stop()
			t.Logf("%s: %s: %d answers, %d lost, so without for %v at most", what, who, answers, lost, time.Duration(lost)*50*time.Millisecond)
			require.Positive(t, answers)
			most = max(most, time.Duration(lost)*50*time.Millisecond)
		}
		return most
	}
	outage("nothing, as neighbours come to know each other")
	require.Zero(t, outage("the same again", "", exitBy(1, 900, by6, six), exitBy(1, 900, by4, six, four)))
	require.LessOrEqual(t, outage("another address", "", exitBy(1, 900, by6, six), exitBy(1, 900, by4, six, "203.0.113.109/24")), 500*time.Millisecond)
	require.Equal(t, "ext 203.0.113.109", c.asks(a2, by4))
	require.Equal(t, "ext 203.0.113.102", c.asks(a1, by4))
}
