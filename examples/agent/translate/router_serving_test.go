// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/l3/vrrp"
)

// What does not go together is said of one of the keys; the others are served.
func TestWhatDoesNotGoTogether(t *testing.T) {
	other := func(n int) string { return routerID(2) + "/" + portID(n) }
	second := members{"vrf_id": 2, "segmentation_id": 201}
	set := func(m members, more members) members { m = maps.Clone(m); maps.Copy(m, more); return m }
	exit2 := members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}}
	for name, c := range map[string]struct {
		key         string
		value       []byte
		wrong, lack string
	}{
		"VRF of another router":     {other(1), leg(set(second, members{"vrf_id": 1})), "vrf_id: 1, but router " + routerID(1) + " has it", ""},
		"two VRFs":                  {routerID(1) + "/" + portID(4), leg(members{"vrf_id": 7, "segmentation_id": 104, "gateway_ip": "192.168.4.1"}), "vrf_id: 7", ""},
		"two gateways":              {routerID(1) + "/" + portID(99), gateway(members{"gateways": []any{[]any{"203.0.113.201", 24, false}}}), "the router has a gateway already", ""},
		"overlap":                   {routerID(1) + "/" + portID(4), leg(members{"segmentation_id": 104, "gateway_ip": "192.168.0.1", "prefixlen": 16}), "gateway_ip: 192.168.0.1/16 overlaps 192.168.", ""},
		"same address twice":        {routerID(1) + "/" + portID(4), leg(nil), "gateway_ip: 192.168.1.1/24 overlaps 192.168.1.1/24 in physnet1.vlan.101", ""},
		"overlap with the world":    {routerID(1) + "/" + portID(4), leg(members{"segmentation_id": 104, "gateway_ip": "203.0.113.7"}), "overlaps 203.0.113.101/24, by which the router leads out", ""},
		"leg in the world":          {other(1), leg(set(second, members{"physnet": "physnet2", "net_type": "flat", "segmentation_id": null})), "physnet2.flat is an external network here", ""},
		"gateway of another":        {other(9), gateway(set(exit2, members{"gateways": []any{[]any{"203.0.113.101", 24, false}}})), "gateways: router " + routerID(1) + " has 203.0.113.101 already", ""},
		"gateway of another length": {other(9), gateway(set(exit2, members{"gateways": []any{[]any{"203.0.113.151", 25, false}}})), "gateways: 203.0.113.151/25 overlaps 203.0.113.101/24", ""},
		"floating IP of a router":   {floatID(2), float(members{"floating_ip_address": "203.0.113.101", "fixed_ip_address": "192.168.1.12"}), "floating_ip_address: 203.0.113.101 is that of router " + routerID(1), ""},
		"floating IP twice":         {floatID(2), float(members{"fixed_ip_address": "192.168.1.12"}), "floating_ip_address: 203.0.113.102 is that of floating IP", ""},
		"two for one host":          {floatID(2), float(members{"floating_ip_address": "203.0.113.103"}), "fixed_ip_address: 192.168.1.11 has floating IP", ""},
		"floating IP in no network": {floatID(2), float(members{"floating_ip_address": "203.0.113.103", "internal_segmentation_id": 999}), "", "waits for a router in physnet1.vlan.999"},
		"floating IP elsewhere":     {floatID(2), float(members{"floating_ip_address": "198.51.100.3", "external_net_type": "vlan", "external_segmentation_id": 999}), "", "waits for a gateway of router " + routerID(1) + " in physnet2.vlan.999"},
	} {
		t.Run(name, func(t *testing.T) {
			before := objects(t, classic().routing(t, site))
			all := classic()
			all[c.key] = c.value
			r := all.routing(t, site)
			for key, p := range r.Parts {
				if key != c.key {
					require.NoError(t, errors.Join(p.Wrong, p.Lacks), key)
				} else if c.wrong != "" {
					require.ErrorContains(t, p.Wrong, c.wrong)
				} else {
					require.ErrorContains(t, p.Lacks, c.lack)
				}
			}
			require.Equal(t, before, objects(t, r), "nothing else is wanted, or no more")
		})
	}
}

// Whoever serves stays, whatever the names of others that ask for the same; it does so by
// what an agent remembers, and by what one that starts anew finds in VPP. When its key
// goes, the other is served.
func TestWhoServesStays(t *testing.T) {
	const early = "00000000-0000-0000-0000-000000000000" // before all others
	set := func(m members, more members) members { m = maps.Clone(m); maps.Copy(m, more); return m }
	two := members{"vrf_id": 2, "segmentation_id": 201}
	for name, c := range map[string]struct {
		key   string
		value []byte
		by    string // whose it is
		says  string
	}{
		"floating IP":           {"floatingip/" + early, float(members{"fixed_ip_address": "192.168.1.12"}), floatID(1), "203.0.113.102 is that of " + floatID(1)},
		"host":                  {"floatingip/" + early, float(members{"floating_ip_address": "203.0.113.103"}), floatID(1), "192.168.1.11 has " + floatID(1)},
		"router's as floating":  {"floatingip/" + early, float(members{"floating_ip_address": "203.0.113.101", "fixed_ip_address": "192.168.1.12"}), routerID(1) + "/" + portID(9), "203.0.113.101 is that of"},
		"floating as router's":  {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.102", 24, false}}}), floatID(1), "203.0.113.102 is that of " + floatID(1)},
		"gateway's address":     {early + "/" + early, gateway(members{"vrf_id": 2}), routerID(1) + "/" + portID(9), "203.0.113.101 is that of"},
		"second gateway":        {routerID(1) + "/" + early, gateway(members{"gateways": []any{[]any{"203.0.113.111", 24, false}}}), routerID(1) + "/" + portID(9), "the router has a gateway already"},
		"number":                {early + "/" + early, leg(set(two, members{"vrf_id": 1})), "", "vrf_id: 1, but router " + routerID(1) + " has it"},
		"other number":          {routerID(1) + "/" + early, leg(members{"vrf_id": 7, "segmentation_id": 104, "gateway_ip": "192.168.4.1"}), "", "vrf_id: 7, but"},
		"overlap":               {routerID(1) + "/" + early, leg(members{"segmentation_id": 104, "gateway_ip": "192.168.1.1", "prefixlen": 16}), "", "overlaps 192.168.1.1/24"},
		"the world as a leg's":  {early + "/" + early, leg(set(two, members{"physnet": "physnet2", "net_type": "flat", "segmentation_id": nil})), routerID(1) + "/" + portID(9), "physnet2.flat is outside"},
		"a leg's as the world":  {early + "/" + early, gateway(members{"vrf_id": 2, "external_physnet": "physnet1", "external_net_type": "vlan", "external_segmentation_id": 102, "gateways": []any{[]any{"198.51.100.7", 24, false}}}), routerID(1) + "/" + portID(2), "physnet1.vlan.102 is inside"},
		"subnet of a length":    {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 25, false}}}), routerID(1) + "/" + portID(9), "203.0.113.151/25 overlaps 203.0.113.101/24"},
		"way to a floating IP":  {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}, "routes": []any{members{"destination": "203.0.113.102/32", "nexthop": "203.0.113.9"}}}), floatID(1), "the way to physnet2.flat 203.0.113.102/32 is that of " + floatID(1)},
		"way of another router": {early + "/" + early, gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.113.151", 24, false}}, "routes": []any{members{"destination": "198.18.0.0/15", "nexthop": "203.0.113.9"}}}), routerID(1) + "/" + portID(9), "198.18.0.0/15 is that of " + routerID(1)},
	} {
		t.Run(name, func(t *testing.T) {
			all := classic()
			first := all.after(t, site, nil)
			before := objects(t, first)
			all[c.key] = c.value
			for from, holds := range map[string]translate.Holds{"remembered": first.Holds, "read": all.held(t, site, before)} {
				r := all.after(t, site, holds)
				p := r.Parts[c.key]
				require.ErrorContains(t, errors.Join(p.Wrong, p.Lacks), c.says, from)
				now := objects(t, r)
				for k, o := range before {
					if e, ok := o.(nat.Exit); ok { // others' floating IPs come behind what it had, in place
						more := now[k].(nat.Exit)
						require.Equal(t, nat.Exit{Table: more.Table, To: more.To[:len(e.To)]}, e, from)
						continue
					}
					require.Equal(t, o, now[k], "%s: %s", from, k)
				}
				for key, p := range r.Parts {
					if key != c.key {
						require.NoError(t, errors.Join(p.Wrong, p.Lacks), "%s: %s", from, key)
					}
				}
				require.Equal(t, outcome(r), outcome(all.after(t, site, r.Holds)), "who is asked again says the same")
				if c.by == "" {
					continue
				}
				left := maps.Clone(all)
				delete(left, c.by)
				r = left.after(t, site, r.Holds)
				p = r.Parts[c.key]
				if said := errors.Join(p.Wrong, p.Lacks); said != nil {
					require.NotContains(t, said.Error(), c.says, from)
				}
			}
		})
	}
}

// Two routers are in one network: the first has its BVI, the other is beside it, and each
// stays where it is when the other goes, comes, or the agent starts anew.
func TestTwoRoutersInOneNetwork(t *testing.T) {
	early, late := routerID(0), routerID(1)
	key := func(router string) string { return router + "/" + portID(1) }
	all := keys{key(late): leg(nil)}
	first := all.after(t, site, nil)
	before := objects(t, first)
	all[key(early)] = leg(members{"vrf_id": 2, "gateway_ip": "192.168.1.2", "loopback_mac": "fa:16:3e:00:20:44"})
	door := func(r translate.Routing, router string) string {
		for k := range objects(t, r) {
			if a, ok := objects(t, r)[k].(l3.Address); ok && a.Table == "router-"+router {
				return a.Interface
			}
		}
		return ""
	}
	both := all.after(t, site, first.Holds)
	for k, o := range before {
		require.Equal(t, o, objects(t, both)[k])
	}
	require.Equal(t, "bvi-physnet1.vlan.101", door(both, late))
	side := door(both, early)
	require.NotEqual(t, "bvi-physnet1.vlan.101", side)
	require.True(t, translate.IsRouted(side))
	for name, p := range both.Parts {
		require.NoError(t, errors.Join(p.Wrong, p.Lacks), name)
	}
	again := all.after(t, site, all.held(t, site, objects(t, both)))
	require.Equal(t, objects(t, both), objects(t, again))
	delete(all, key(late))
	alone := all.after(t, site, both.Holds)
	require.Equal(t, side, door(alone, early), "its hosts notice nothing")
	read := all.after(t, site, all.held(t, site, objects(t, alone)))
	require.Equal(t, side, door(read, early))
	all[key(late)] = leg(nil)
	back := all.after(t, site, alone.Holds)
	require.Equal(t, "bvi-physnet1.vlan.101", door(back, late))
	require.Equal(t, side, door(back, early))
}

func TestServes(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "1\n": true, "true": true, "0": false, " 0": false, "false": false} {
		got, err := translate.Serves([]byte(value))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, junk := range []string{"", "2", "yes", "{}", strings.Repeat("1", 1000)} {
		_, err := translate.Serves([]byte(junk))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 80)
	}
}

// What takes part in an election is valid, whatever is left to defaults; what could not
// is refused at the start.
func TestElections(t *testing.T) {
	with := func(change func(*translate.Site)) translate.Site {
		s := site
		s.HA, s.Election = true, &translate.Election{Physnet: "physnet1", VLAN: 77, Address: netip.MustParsePrefix("169.254.7.11/24")}
		change(&s)
		return s
	}
	good := with(func(*translate.Site) {})
	require.NoError(t, good.Validate())
	store := desiredstate.NewStore()
	require.NoError(t, store.Assign("election", good.ElectionObjects()...))
	o, ok := store.Want(vrrp.RouterKey(translate.ElectionInterface, 1, false))
	require.True(t, ok)
	require.True(t, o.(vrrp.Router).NoPreempt)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("169.254.7.1")}, o.(vrrp.Router).Addresses)
	for want, change := range map[string]func(*translate.Site){
		"an election, but no HA":                         func(s *translate.Site) { s.HA = false },
		"this host has no physical network \"physnet9\"": func(s *translate.Site) { s.Election.Physnet = "physnet9" },
		"4095 is no VLAN":                                func(s *translate.Site) { s.Election.VLAN = 4095 },
		"want an IPv4 address":                           func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("2001:db8::2/64") },
		"the first address of 169.254.7.0/24":            func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("169.254.7.1/24") },
		"the first address of 169.254.7.0/30":            func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("169.254.7.2/30") },
		"want 10ms to 40.95s":                            func(s *translate.Site) { s.Election.Interval = time.Millisecond },
		"address 169.254.7.255/24 is its subnet's own":   func(s *translate.Site) { s.Election.Address = netip.MustParsePrefix("169.254.7.255/24") },
	} {
		s := with(change)
		require.ErrorContains(t, s.Validate(), want)
	}
}
