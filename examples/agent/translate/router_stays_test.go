// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// wrong is why a key is not served, or not whole.
func wrong(r translate.Routing, key string) error {
	return errors.Join(r.Parts[key].Wrong, r.Parts[key].Lacks)
}

// Who is served no more lets go of what others ask for, at once: as somebody who starts anew would find it.
func TestWhoIsServedNoMoreLetsGo(t *testing.T) {
	exit, first, second := routerID(1)+"/"+portID(9), floatID(1), floatID(2)
	all := classic()
	served := all.routing(t, site)
	require.NoError(t, wrong(served, first))

	all[exit] = gateway(members{"gateways": []any{[]any{"203.0.113.102", 24, false}}}) // the floating IP's
	r := all.after(t, site, served.Holds)
	require.NoError(t, wrong(r, exit), "without it, there would be no floating IP either")
	require.ErrorContains(t, wrong(r, first), "203.0.113.102 is that of router")
	require.Equal(t, stated(r), stated(all.after(t, site, all.held(t, site, objects(t, r)))))

	all = classic()
	all[first] = float(members{"internal_segmentation_id": 105})
	all[second] = float(nil)
	r = all.after(t, site, served.Holds)
	require.ErrorContains(t, wrong(r, first), "waits for a router")
	require.NoError(t, wrong(r, second), "who waits bars nobody")

	all[second] = float(members{"internal_segmentation_id": 105, "fixed_ip_address": "192.168.1.12"})
	for range 2 { // both wait
		r = all.after(t, site, served.Holds)
		require.ErrorContains(t, wrong(r, second), "waits for a router")
		served.Holds = r.Holds
	}
	delete(all, routerID(1)+"/"+portID(2))
	all[first], all[floatID(0)] = float(nil), float(members{"fixed_ip_address": "192.168.1.12"})
	r = all.after(t, site, r.Holds)
	require.NoError(t, wrong(r, first), "and has again what nobody else has got")
	require.ErrorContains(t, wrong(r, floatID(0)), "had it first")
}

// Two ports of a router ask for one address in a network: who has it keeps it, and VPP's interface its MAC.
func TestTwoPortsOfOneAddress(t *testing.T) {
	early, late := routerID(1)+"/"+portID(1), routerID(1)+"/"+portID(4)
	for name, address := range map[string]string{"the same": "192.168.1.1", "one more": "192.168.1.9"} {
		t.Run(name, func(t *testing.T) {
			all := classic()
			delete(all, early)
			delete(all, routerID(1)+"/"+portID(3))
			all[late] = leg(members{"loopback_mac": "fa:16:3e:00:20:44"})
			r := all.routing(t, site)
			all[early] = leg(members{"gateway_ip": address})
			for range 2 {
				r = all.after(t, site, r.Holds)
				has := objects(t, r)
				require.NoError(t, wrong(r, late))
				require.Equal(t, "fa:16:3e:00:20:44", has[vppnet.InterfaceKey("bvi-physnet1.vlan.101")].(vppnet.Loopback).MAC.String())
				require.Equal(t, address != "192.168.1.9", wrong(r, early) != nil)
				r.Holds = all.held(t, site, has)
			}
		})
	}
}

// What is exempt behind many routers is made once, not at each change of any key; and a router's own change is its own.
func TestExemptionsAreMadeOnce(t *testing.T) {
	all := keys{
		routerID(99) + "/" + portID(1): leg(members{"vrf_id": 99, "segmentation_id": 99, "gateway_ip": "192.168.9.1"}),
		routerID(99) + "/" + portID(9): exitOf(99, true, "203.0.113.1"),
	}
	const routers, addresses = 8, 64
	var r translate.Routing
	look := func() int {
		r = read(t, all, func(p ports, f floats) translate.Routing { return site.Reroute(r, p, f, true, r.Holds) })
		return r.Work
	}
	others := func() int { return len(all) + len(r.Wants) } // routers, networks and floating IPs: no more than these
	for n := range routers {
		maps.Copy(all, plainRouter(n+1, fmt.Sprintf("10.%d.0.1", n+1), 26))
		work := look()
		require.GreaterOrEqual(t, work, addresses)
		require.LessOrEqual(t, work, addresses+others(), "after %d", n)
	}
	exempt := 0
	for _, o := range objects(t, r) {
		if _, is := o.(nat.Identity); is {
			exempt++
		}
	}
	require.Equal(t, routers*addresses, exempt)
	require.LessOrEqual(t, look(), others(), "nothing has changed")
	all[routerID(99)+"/"+portID(2)] = leg(members{"vrf_id": 99, "segmentation_id": 98, "gateway_ip": "192.168.8.1"})
	require.LessOrEqual(t, look(), others(), "another router's leg")
	all[floatID(1)] = float(members{"internal_segmentation_id": 103, "floating_ip_address": "203.0.113.240", "fixed_ip_address": "10.3.0.5"})
	work := look()
	require.NoError(t, wrong(r, floatID(1)))
	require.Less(t, work, addresses+others(), "a router begins to translate")
	require.Equal(t, stated(read(t, all, func(p ports, f floats) translate.Routing { return site.Routing(p, f, true, r.Holds) })), stated(r))
	delete(all, routerID(7)+"/"+portID(9))
	require.LessOrEqual(t, look(), others())
	require.NotContains(t, r.Wants, "spare/"+routerID(7))
}
