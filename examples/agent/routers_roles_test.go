// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	flag "github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.fd.io/govpp/api"
	"go.fd.io/govpp/binapi/arping"
	interfaces "go.fd.io/govpp/binapi/interface"
	"go.fd.io/govpp/binapi/interface_types"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// With HA, all of it is there, and silent until the host is told to serve.
func TestAStandbyIsSilent(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA = true
	a := r.agent(site, v.Socket())
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	doors := func(up bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			have, _ := r.found(site, v.Socket())
			for _, vlan := range []int{101, 102, 103, 201, 900} {
				l, _ := have[vppnet.LinkKey(fmt.Sprintf("bvi-physnet1.vlan.%d", vlan))].Spec.(vppnet.LinkState)
				if _, in := have[vppnet.BridgePortKey(fmt.Sprintf("bvi-physnet1.vlan.%d", vlan))]; l.Up != up || in != up {
					return false
				}
			}
			return true
		}, 10*time.Second, time.Millisecond, "up: %v", up)
		r.converged(a)
	}
	doors(false)
	have, _ := r.found(site, v.Socket())
	require.Contains(t, have, nat.MappingKey("fip-"+fid(1)))
	before := a.writes.Load()
	r.routing("h1", "ha", "1")
	doors(true)
	require.Equal(t, int64(10), a.writes.Load()-before, "five doors' places and links, and nothing else")
	r.routing("h1", "ha", "0")
	doors(false)
	r.routing("h1", "ha", "1")
	doors(true)
	r.routing("h1", "ha", "maybe")
	doors(false)
	require.Eventually(t, func() bool {
		said, _ := r.said("h1", "errors/routers/")
		return strings.Contains(said["ha"], "want 1 or 0")
	}, 10*time.Second, 10*time.Millisecond)
	r.routing("h1", "ha", "")
	doors(false)
}

// A host that was asked to find out by itself who serves says so of the key that would; one that
// was asked nothing serves, and has nothing to say.
func TestAKeyThatDecidesNothing(t *testing.T) {
	r := newRig(t)
	alone, elected := r.siteOf("h1", nic), r.siteOf("h2", nic)
	elected.HA, elected.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
	r.agent(alone, memory(t).Socket())
	r.agent(elected, memory(t).Socket())
	for _, host := range []string{"h1", "h2"} {
		r.routing(host, translate.HAKey, "0")
	}
	r.problemAt("h2", "routers/ha", "--ha vrrp, which alone says who serves")
	r.problemAt("h1", "routers/ha", "")
	r.routing("h2", translate.HAKey, "")
	r.problemAt("h2", "routers/ha", "")
}

// An election is heard of whatever number its interface has come to have.
func TestElectionOnAnInterfaceMadeAnew(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA, site.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
	r.routing("h1", legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	a := r.agent(site, v.Socket())
	elects := func(master bool) {
		t.Helper()
		r.converged(a)
		require.Eventually(t, func() bool {
			v.Elect(nic+".77", 1, false, master)
			return serves(a, legKey(1, 101)) == master
		}, 5*time.Second, 20*time.Millisecond, "%t", master)
	}
	elects(true)
	elects(false)

	old := r.index(v.Socket(), nic+".77")
	c, err := vppnet.Dial(t.Context(), v.Socket(), "hand")
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	c.Uses(&interfaces.DeleteSubif{})
	_, err = interfaces.NewServiceClient(c).DeleteSubif(t.Context(), &interfaces.DeleteSubif{SwIfIndex: interface_types.InterfaceIndex(old)})
	require.NoError(t, err)
	r.loopback(v.Socket()) // which gets its number
	require.Eventually(t, func() bool { return strings.Contains(v.String(), nic+".77 ") }, 10*time.Second, 10*time.Millisecond)
	r.converged(a)
	require.NotEqual(t, old, r.index(v.Socket(), nic+".77"))
	elects(true)
	elects(false)
}

// A reading that fails after an election is made again: no other event tells what VPP has become.
func TestAnElectionIsReadUntilItIsKnown(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA, site.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
	r.routing("h1", legKey(1, 101), leg(1, 101, "192.168.1.1/24"))
	a := r.agent(site, v.Socket(), func(a *agent) { a.dial = append(a.dial, vppnet.WithReplyTimeout(200*time.Millisecond)) })
	r.converged(a)
	for _, master := range []bool{true, false} {
		v.Inject(vpptest.Fault{Message: "vrrp_vr_dump", Kind: vpptest.Delay, Delay: 500 * time.Millisecond})
		v.Elect(nic+".77", 1, false, master)
		require.Eventually(t, func() bool { return serves(a, legKey(1, 101)) == master }, longest, tick, "%t", master)
		r.converged(a)
	}
	require.Contains(t, a.log.String(), "election")
}

// A dry run says what a run started now would do, in the role that VPP has.
func TestDryRunInEachRole(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA, site.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
	keys := map[string]string{legKey(1, 101): leg(1, 101, "192.168.1.1/24"), exitKey(1): exit(1, 900, "203.0.113.101/24", "203.0.113.1")}
	a := r.agent(site, v.Socket())
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	for _, master := range []bool{true, false} {
		require.Eventually(t, func() bool {
			v.Elect(nic+".77", 1, false, master)
			return serves(a, legKey(1, 101)) == master
		}, 5*time.Second, 20*time.Millisecond, "%t", master)
		r.converged(a)
		p, _, err := dryRun(t.Context(), r.client, v.Socket(), site, nil, io.Discard)
		require.NoError(t, err)
		require.Empty(t, p.Steps, "%t: %s", master, p)
	}
}

// Hosts are told of each address when it comes to be there, and only then.
func TestAddressesAreAnnounced(t *testing.T) {
	v := memory(t)
	r := newRig(t)
	site := r.siteOf("h1", nic)
	site.HA = true
	var mu sync.Mutex
	told := map[string]int{}
	tap := vpptest.NewTap(t, v.Socket(), func(_ uint32, m api.Message) {
		if q, ok := m.(*arping.Arping); ok {
			mu.Lock()
			defer mu.Unlock()
			require.True(t, q.IsGarp)
			told[q.Address.String()]++
		}
	})
	heard := func(want ...string) {
		t.Helper()
		all := map[string]int{}
		for _, a := range want {
			all[a]++
		}
		var got map[string]int
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			got = maps.Clone(told)
			return len(got) >= len(all)
		}, 10*time.Second, time.Millisecond, "%v", want)
		time.Sleep(3 * together)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, all, told)
		clear(told)
	}
	a := r.agent(site, tap)
	keys := tenants()
	for name, value := range keys {
		r.routing("h1", name, value)
	}
	r.routed(a, keys)
	heard()
	r.routing("h1", "ha", "1")
	heard("192.168.1.1", "192.168.1.1", "192.168.2.1", "2001:db8:1::1", "203.0.113.101", "203.0.113.102", "203.0.113.151", "203.0.113.152")
	r.routing("h1", floatKey(1), float(900, 101, "203.0.113.109", "192.168.1.11"))
	heard("203.0.113.109")
	r.routing("h1", exitKey(2), exit(2, 900, "203.0.113.159/24", "203.0.113.1"))
	heard("203.0.113.159")
	r.converged(a)
	a.stop()
	a = r.agent(site, tap)
	require.Eventually(t, func() bool { _, ok := a.store.Converged(); return ok }, 20*time.Second, time.Millisecond)
	heard()
}

func TestHAOptions(t *testing.T) {
	parsed := func(args ...string) (translate.Site, error) {
		var o options
		f := flag.NewFlagSet("agent", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		o.register(f)
		err := f.Parse(append([]string{"--etcd", "x", "--host", "h", "--vhost-user-dir", "/run/vms", "--physnet", "p=e"}, args...))
		if err == nil {
			err = o.check()
		}
		return o.site, err
	}
	s, err := parsed()
	require.NoError(t, err)
	require.False(t, s.HA)
	s, err = parsed("--ha", "key")
	require.NoError(t, err)
	require.True(t, s.HA)
	require.Nil(t, s.Election)
	s, err = parsed("--ha", "vrrp", "--ha-network", "p:77", "--ha-address", "169.254.7.11/24", "--ha-priority", "200", "--ha-interval", "100ms")
	require.NoError(t, err)
	require.Equal(t, &translate.Election{
		Physnet: "p", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24"), ID: 1, Priority: 200, Interval: 100 * time.Millisecond,
	}, s.Election)
	for want, args := range map[string][]string{
		"want key or vrrp":  {"--ha", "yes"},
		"want PHYSNET:VLAN": {"--ha", "vrrp"},
		"want ADDRESS":      {"--ha", "vrrp", "--ha-network", "p:77"},
		"--ha-priority":     {"--ha", "vrrp", "--ha-network", "p:77", "--ha-address", "169.254.7.11/24", "--ha-priority", "255"},
	} {
		_, err := parsed(args...)
		require.ErrorContains(t, err, want)
	}
}

// serves says whether an agent serves a key of a router, by what it says of it.
func serves(a *running, name string) bool {
	value, _, _ := a.inbox.Served(name)
	return strings.Contains(value, `"active":true`)
}
