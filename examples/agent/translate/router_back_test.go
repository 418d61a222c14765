// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
)

// contending draws keys of routers that ask for the same again and again: prefixes inside that are one, or parts of
// one, in and beside those outside; next hops, floating IPs and extra routes that are something else to others.
func contending(t *rapid.T, into keys, what ...any) (changed string) {
	pick := func(name string, of ...any) any { return rapid.SampledFrom(of).Draw(t, name) }
	n := rapid.IntRange(1, 3).Draw(t, "router")
	out := pick("outside", members{}, members{"external_net_type": "vlan", "external_segmentation_id": 900}).(members)
	set := func(m members) members { m = maps.Clone(m); maps.Copy(m, out); return m }
	key, value := "", []byte(nil)
	switch pick("what", what...) {
	case "leg":
		port := rapid.IntRange(1, 2).Draw(t, "port")
		where := pick("subnet", "10.3.0.1/29", "10.3.0.2/29", "10.3.0.5/30", "10.3.0.1/28", "10.3.0.6/32", "10.4.0.1/29", "198.18.0.1/29", "2001:db8:1::1/64", "2001:db8:1::2/64")
		p := netip.MustParsePrefix(where.(string))
		key = routerID(n) + "/" + portID(port)
		value = leg(members{"vrf_id": n, "loopback_mac": fmt.Sprintf("fa:16:3e:00:2%d:%02x", n, port), "segmentation_id": 100*n + rapid.IntRange(1, 2).Draw(t, "network"), "gateway_ip": p.Addr().String(), "prefixlen": p.Bits(), "is_ipv6": p.Addr().Is6()})
	case "exit":
		key = routerID(n) + "/" + portID(9)
		gates := []any{[]any{fmt.Sprintf("203.0.113.%d", 100+n), pick("bits", 24, 24, 32), false}}
		if rapid.Bool().Draw(t, "dual") {
			gates = append(gates, []any{fmt.Sprintf("2001:db8:f::%d", n), 64, true})
		}
		var routes []any
		for range rapid.IntRange(0, 2).Draw(t, "routes") {
			routes = append(routes, members{"destination": pick("to", "10.3.0.6/32", "10.3.0.0/29", "198.18.0.2/32", "203.0.113.110/32", "10.3.0.4/30"), "nexthop": pick("by", "203.0.113.9", "10.3.0.3", "10.4.0.3")})
		}
		value = gateway(set(members{
			"vrf_id": n, "gateways": gates, "routes": routes, "external_gateway_info": members{"enable_snat": rapid.Bool().Draw(t, "SNAT")},
			"external_gateway_ip": pick("next", "203.0.113.1", "10.3.0.6", "198.18.0.2", "203.0.113.110", "fe80::1", nil),
		}))
	default:
		f := rapid.IntRange(1, 3).Draw(t, "floating IP")
		key = floatID(f)
		value = float(set(members{"internal_segmentation_id": 100*n + 1, "floating_ip_address": pick("address", "203.0.113.110", "198.18.0.2", "10.3.0.6", "203.0.113.101", "203.0.113.1"), "fixed_ip_address": pick("host", "10.3.0.5", "10.3.0.8", "10.4.0.5")}))
	}
	if rapid.IntRange(0, 4).Draw(t, "goes") == 0 {
		delete(into, key)
	} else {
		into[key] = value
	}
	return key
}

// together says which of a routing's objects VPP cannot have beside each other, whoever wants them.
func together(t require.TestingT, r translate.Routing) map[desiredstate.Key]desiredstate.Object {
	store, all := desiredstate.NewStore(), map[desiredstate.Key]desiredstate.Object{}
	outside, numbers := map[netip.Addr]string{}, map[uint32]string{}
	for source, objs := range r.Wants {
		require.NoError(t, store.Assign(source, objs...), source)
		for _, o := range objs {
			if _, shared := all[o.Key()]; shared {
				continue
			}
			all[o.Key()] = o
			require.NoError(t, o.Validate(), o.Key())
			switch x := o.(type) {
			case nat.Identity:
				require.Empty(t, outside[x.Address], x.Name)
				outside[x.Address] = x.Name
			case nat.Mapping:
				require.Empty(t, outside[x.External], x.Name)
				outside[x.External] = x.Name
			case l3.Table:
				require.Empty(t, numbers[x.ID], x.Name)
				numbers[x.ID] = x.Name
			}
		}
	}
	return all
}

// stated lists what comes of a routing.
func stated(r translate.Routing) (out []string) {
	for source, objs := range r.Wants {
		for _, o := range objs {
			out = append(out, fmt.Sprintf("%s %s %+v", source, o.Key(), o))
		}
	}
	for name, p := range r.Parts {
		wrong, lacks := p.Wrong != nil, p.Lacks != nil
		if translate.IsFloatingIP(name) { // of several reasons, any: one that was served is told another at first
			wrong, lacks = wrong || lacks, wrong || lacks
		}
		out = append(out, fmt.Sprint(name, " ", len(p.Needs), " ", wrong, lacks))
	}
	slices.Sort(out)
	return out
}

// Of no keys, whatever they say, come objects of two sources that do not go together: one bad key would take all
// that its source, or the other, is for.
func TestNothingOfRoutersContradictsItself(t *testing.T) {
	served, alone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		all, holds := keys{}, translate.Holds(nil)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			for range rapid.IntRange(1, 4).Draw(t, "at once") {
				contending(t, all, "leg", "leg", "exit", "exit", "float")
			}
			r := read(t, all, func(p ports, f floats) translate.Routing { return site.Routing(p, f, true, holds) })
			has := together(t, r)
			for name, part := range r.Parts {
				for _, k := range part.Needs {
					require.Contains(t, has, k, name)
				}
				if part.Wrong == nil && part.Lacks == nil {
					served++
				}
			}
			again := read(t, all, func(p ports, f floats) translate.Routing { return site.Reroute(r, p, f, true, r.Holds) })
			require.Equal(t, stated(r), stated(again), "who looks again says the same")
			held := read(t, all, func(p ports, f floats) translate.Holds { return site.Held(has, p, f) })
			anew := read(t, all, func(p ports, f floats) translate.Routing { return site.Routing(p, f, true, held) })
			require.Equal(t, stated(r), stated(anew), "who starts anew says the same")
			if holds = r.Holds; rapid.Bool().Draw(t, "forgets") {
				holds, r = held, anew
			}
			moved := contending(t, all, "float")
			whole := read(t, all, func(p ports, f floats) translate.Routing { return site.Routing(p, f, true, r.Holds) })
			together(t, whole)
			if read(t, all, func(_ ports, f floats) bool { _, ok := r.Float([]string{moved}, f); return ok }) {
				alone++
				require.Equal(t, stated(whole), stated(r), "of a floating IP that moves alone")
			}
		}
	})
	require.NotZero(t, served)
	require.NotZero(t, alone)
}

// plainRouter is a router that does not translate, with one subnet inside.
func plainRouter(n int, gateway4 string, bits int) keys {
	return keys{
		routerID(n) + "/" + portID(1): leg(members{"vrf_id": n, "segmentation_id": 100 + n, "gateway_ip": gateway4, "prefixlen": bits}),
		routerID(n) + "/" + portID(9): exitOf(n, false, "203.0.113.1"),
	}
}

func exitOf(n int, snat bool, next string) []byte {
	return gateway(members{"vrf_id": n, "gateways": []any{[]any{fmt.Sprintf("203.0.113.%d", 100+n), 24, false}}, "external_gateway_ip": next, "external_gateway_info": members{"enable_snat": snat}})
}

// Of keys that ask for two ways from an external network to the same address, who has one keeps it, whatever the names, by what
// is remembered and by what is found; the other is told, and all else of both is served. When the first goes, the other has it.
func TestWaysBackStay(t *testing.T) {
	early, late := 1, 3
	nat := keys{
		routerID(2) + "/" + portID(1): leg(members{"vrf_id": 2, "segmentation_id": 102, "gateway_ip": "10.9.0.1"}),
		routerID(2) + "/" + portID(9): exitOf(2, true, "203.0.113.1"),
	}
	table := func(n int) desiredstate.Key { return l3.TableKey("router-" + routerID(n)) }
	for name, c := range map[string]struct {
		first, then keys
		says        string // of a key in then
	}{
		"one subnet":           {plainRouter(late, "10.3.0.1", 28), plainRouter(early, "10.3.0.1", 28), "10.3.0.0/28 is something else in physnet2.flat already"},
		"a part of it":         {plainRouter(late, "10.3.0.1", 28), plainRouter(early, "10.3.0.1", 29), "10.3.0.0/29 is exempt from NAT behind router " + routerID(late) + ", in 10.3.0.0/28"},
		"more than it":         {plainRouter(late, "10.3.0.1", 29), plainRouter(early, "10.3.0.1", 28), "8 addresses of 10.3.0.0/28, the first of them 10.3.0.0"},
		"a host leads out":     {plainRouter(late, "10.3.0.1", 28), keys{routerID(early) + "/" + portID(9): exitOf(early, true, "10.3.0.7")}, "external_gateway_ip: 10.3.0.7 is in 10.3.0.0/28, behind a router"},
		"who leads out":        {keys{routerID(late) + "/" + portID(9): exitOf(late, true, "10.3.0.7")}, plainRouter(early, "10.3.0.1", 28), "1 addresses of 10.3.0.0/28, the first of them 10.3.0.7"},
		"a floating IP":        {plainRouter(late, "10.3.0.1", 28), keys{floatID(early): float(members{"floating_ip_address": "10.3.0.7", "internal_segmentation_id": 102, "fixed_ip_address": "10.9.0.5"})}, "floating_ip_address: 10.3.0.7 is in 10.3.0.0/28, behind router " + routerID(late)},
		"of a floating IP":     {keys{floatID(late): float(members{"floating_ip_address": "10.3.0.7", "internal_segmentation_id": 102, "fixed_ip_address": "10.9.0.5"})}, plainRouter(early, "10.3.0.1", 28), "1 addresses of 10.3.0.0/28, the first of them 10.3.0.7"},
		"by a floating IP":     {keys{floatID(late): float(members{"floating_ip_address": "198.18.0.7", "internal_segmentation_id": 102, "fixed_ip_address": "10.9.0.5"})}, keys{routerID(early) + "/" + portID(9): exitOf(early, true, "198.18.0.7")}, "external_gateway_ip: 198.18.0.7 is a floating IP"},
		"by two ways":          {keys{routerID(late) + "/" + portID(1): plainRouter(late, "10.4.0.1", 28)[routerID(late)+"/"+portID(1)], routerID(late) + "/" + portID(9): bothWays(late)}, plainRouter(early, "10.3.0.1", 28), "1 addresses of 10.3.0.0/28, the first of them 10.3.0.6"},
		"of two external nets": {plainRouter(late, "10.3.0.1", 28), elsewhere(plainRouter(early, "10.3.0.1", 28), early), "10.3.0.0/28 is exempt from NAT behind router " + routerID(late)},
	} {
		t.Run(name, func(t *testing.T) {
			all := maps.Clone(nat)
			maps.Copy(all, c.first)
			first := all.routing(t, site)
			before := together(t, first)
			for name, p := range first.Parts {
				require.NoError(t, errors.Join(p.Wrong, p.Lacks), name)
			}
			maps.Copy(all, c.then)
			for from, holds := range map[string]translate.Holds{"remembered": first.Holds, "read": all.held(t, site, before)} {
				r := all.after(t, site, holds)
				now := together(t, r)
				for k := range before {
					require.Contains(t, now, k, from)
				}
				said := ""
				for name, p := range r.Parts {
					err := errors.Join(p.Wrong, p.Lacks)
					if _, new := c.then[name]; !new {
						require.NoError(t, err, "%s: %s", from, name)
					} else if err != nil {
						said += err.Error()
					}
					if n := slices.Index([]string{routerID(early), routerID(late)}, strings.Split(name, "/")[0]); n >= 0 && strings.HasSuffix(name, portID(1)) {
						require.Contains(t, now, table([]int{early, late}[n]), "%s: and all else of it is there", from)
					}
				}
				require.Contains(t, said, c.says, from)
				require.Equal(t, stated(r), stated(all.after(t, site, r.Holds)), from)
				require.Equal(t, stated(r), stated(all.after(t, site, all.held(t, site, now))), "who starts anew says the same")
			}
			alone := maps.Clone(nat)
			maps.Copy(alone, c.then)
			r := alone.after(t, site, all.after(t, site, first.Holds).Holds)
			for name, p := range r.Parts {
				require.NoError(t, errors.Join(p.Wrong, p.Lacks), name)
			}
			together(t, r)
		})
	}
}

// bothWays has a router that does not translate lead to a host by somebody inside, and by somebody outside.
func bothWays(n int) []byte {
	return gateway(members{
		"vrf_id": n, "gateways": []any{[]any{fmt.Sprintf("203.0.113.%d", 100+n), 24, false}}, "external_gateway_ip": "203.0.113.1", "external_gateway_info": members{"enable_snat": false},
		"routes": []any{members{"destination": "10.3.0.6/32", "nexthop": "10.4.0.3"}, members{"destination": "10.3.0.6/32", "nexthop": "203.0.113.9"}},
	})
}

// elsewhere has a router lead out to another external network, in which there is NAT, too.
func elsewhere(k keys, n int) keys {
	out := members{"external_net_type": "vlan", "external_segmentation_id": 900, "vrf_id": n}
	out["gateways"], out["external_gateway_info"] = []any{[]any{fmt.Sprintf("203.0.112.%d", 100+n), 24, false}}, members{"enable_snat": false}
	out["external_gateway_ip"] = "203.0.112.1"
	k[routerID(n)+"/"+portID(9)] = gateway(out)
	k[routerID(7)+"/"+portID(9)] = gateway(members{"vrf_id": 7, "external_net_type": "vlan", "external_segmentation_id": 900, "gateways": []any{[]any{"203.0.112.107", 24, false}}, "external_gateway_ip": "203.0.112.1"})
	return k
}
