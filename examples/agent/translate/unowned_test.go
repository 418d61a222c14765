// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/l3/nat"
)

// A floating IP that means something else outside, whatever the router's keys say of it, is refused, and its
// router serves on; so nothing of it is announced.
func TestUnownedFloatingIPs(t *testing.T) {
	for address, says := range map[string]string{
		"203.0.113.1":     "is by whom router " + routerID(1) + " leads out",
		"203.0.113.9":     "is by whom router " + routerID(1) + " leads out", // an extra route's hop
		"203.0.113.0":     "is that of the subnet 203.0.113.0/24 itself, or its broadcast",
		"203.0.113.255":   "is that of the subnet 203.0.113.0/24 itself, or its broadcast",
		"203.0.113.101":   "is that of router " + routerID(1),
		"127.0.0.1":       "is nobody's own",
		"224.0.0.18":      "is nobody's own",
		"255.255.255.255": "is nobody's own",
		"240.0.0.1":       "is nobody's own",
		"0.0.0.1":         "is nobody's own",
		"169.254.169.254": "is nobody's own",
	} {
		t.Run(address, func(t *testing.T) {
			all := classic()
			all[routerID(1)+"/"+portID(9)] = gateway(members{"routes": []any{members{"destination": "198.18.0.0/15", "nexthop": "203.0.113.9"}}})
			key := floatID(1)
			_, err := site.FloatingIP(key, float(members{"floating_ip_address": address}))
			if err != nil {
				require.ErrorContains(t, err, "floating_ip_address: "+address+" "+says)
				return
			}
			delete(all, key)
			before := objects(t, all.routing(t, site))
			all[key] = float(members{"floating_ip_address": address})
			r := all.routing(t, site)
			require.ErrorContains(t, r.Parts[key].Wrong, "floating_ip_address: "+address+" "+says)
			require.Equal(t, before, objects(t, r))
		})
	}
	for _, own := range []string{"127.0.0.1", "169.254.1.1", "240.0.0.1"} {
		_, err := site.RouterPort(routerID(1)+"/"+portID(9), gateway(members{"gateways": []any{[]any{own, 24, false}}}))
		require.ErrorContains(t, err, own+" is nobody's own")
		_, err = site.FloatingIP(floatID(1), float(members{"fixed_ip_address": own}))
		require.ErrorContains(t, err, own+" is nobody's own")
	}
}

// A floating IP that is served stays, whoever else comes to lead out by its address; a new one does not come.
func TestServedFloatingIPStays(t *testing.T) {
	all := classic()
	first := all.after(t, site, nil)
	require.NoError(t, first.Parts[floatID(1)].Wrong)
	all[routerID(2)+"/"+portID(8)] = gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}, "external_gateway_ip": "203.0.113.102"})
	require.NoError(t, all.after(t, site, first.Holds).Parts[floatID(1)].Wrong)
	require.ErrorContains(t, all.after(t, site, nil).Parts[floatID(1)].Wrong, "is by whom router "+routerID(2)+" leads out")
}

// No mapping has an external address that is by whom a router leads out, or an edge of its subnets.
func TestNothingUnownedIsMapped(t *testing.T) {
	rapid.Check(t, func(d *rapid.T) {
		all := classic()
		last := rapid.SampledFrom([]string{"0", "1", "2", "3", "101", "254", "255"})
		address := func(name string) string { return "203.0.113." + last.Draw(d, name) }
		leads := address("leads")
		all[routerID(1)+"/"+portID(9)] = gateway(members{"gateways": []any{[]any{"203.0.113.101", 24, false}}, "external_gateway_ip": leads})
		all[floatID(1)] = float(members{"floating_ip_address": address("floating")})
		r := all.routing(t, site)
		for _, o := range objects(t, r) {
			m, ok := o.(nat.Mapping)
			if !ok {
				continue
			}
			require.NotContains(d, []string{"203.0.113.0", "203.0.113.255", "203.0.113.101"}, m.External.String())
			require.NotEqual(d, leads, m.External.String())
		}
	})
}
