// SPDX-License-Identifier: Apache-2.0

package translate_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/examples/agent/translate"
)

// cloud are so many routers on one external network, each with a floating IP.
func cloud(routers int) keys {
	k := keys{}
	for n := 1; n <= routers; n++ {
		k[routerID(n)+"/"+portID(1)] = leg(members{"vrf_id": n, "segmentation_id": 100 + n})
		k[routerID(n)+"/"+portID(9)] = gateway(members{"vrf_id": n, "gateways": []any{[]any{fmt.Sprintf("203.0.%d.%d", 100+n/200, 1+n%200), 16, false}}, "external_gateway_ip": "203.0.0.1"})
		k[floatID(n)] = floatOf(n, fmt.Sprintf("203.0.%d.%d", n/200, 2+n%200), "192.168.1.11")
	}
	return k
}

// floatOf is a floating IP of a host behind a router of cloud.
func floatOf(router int, floating, fixed string) []byte {
	return float(members{"internal_segmentation_id": 100 + router, "floating_ip_address": floating, "fixed_ip_address": fixed})
}

// What a floating IP costs that moves does not depend on how many routers there are.
func TestAFloatingIPMovesAlone(t *testing.T) {
	for _, routers := range []int{8, 800} {
		all := cloud(routers)
		r := all.routing(t, site)
		require.Equal(t, 2*routers+1, r.Work, "each router and floating IP, and a network")
		all[floatID(3)] = floatOf(3, "203.0.99.1", "192.168.1.11")
		_, floats := all.read(t, site)
		before, ok := r.Float([]string{floatID(3)}, floats)
		require.True(t, ok)
		require.Equal(t, 1, r.Work, "no router, and one floating IP")
		require.Len(t, before.Wants, 1)
		require.Len(t, before.Parts, 1)
		require.Equal(t, outcome(all.after(t, site, r.Holds)), outcome(r))
	}
}

// However floating IPs come, change, contend and go, what is made of them alone is what is made of all.
func TestFloatingIPsAlone(t *testing.T) {
	alone := 0
	rapid.Check(t, func(t *rapid.T) {
		all := cloud(3)
		off := rapid.Bool().Draw(t, "one router has no SNAT")
		if off {
			all[routerID(2)+"/"+portID(9)] = gateway(members{"vrf_id": 2, "gateways": []any{[]any{"203.0.100.3", 16, false}}, "external_gateway_ip": "203.0.0.1",
				"external_gateway_info": members{"enable_snat": false}})
		}
		for n := range 3 {
			delete(all, floatID(n+1))
		}
		addrs := []string{"203.0.0.5", "203.0.0.6", "203.0.0.7", "203.0.100.2" /* a router's */, "203.0.255.255" /* a broadcast */, "203.0.0.1" /* leads out */, "198.51.100.9" /* nobody's subnet */}
		r := read(t, all, func(ports ports, floats floats) translate.Routing { return site.Routing(ports, floats, true, nil) })
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			var changed []string
			for range rapid.IntRange(1, 3).Draw(t, "at once") {
				name := floatID(rapid.IntRange(1, 6).Draw(t, "which"))
				changed = append(changed, name)
				if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
					delete(all, name)
				} else {
					all[name] = floatOf(rapid.IntRange(1, 4).Draw(t, "router"), rapid.SampledFrom(addrs).Draw(t, "address"), rapid.SampledFrom([]string{"192.168.1.11", "192.168.1.12"}).Draw(t, "host"))
				}
			}
			was := translate.Holds{}
			for name, holds := range r.Holds {
				was[name] = append([]translate.Claim(nil), holds...)
			}
			wants, parts := maps.Clone(r.Wants), maps.Clone(r.Parts)
			full := read(t, all, func(ports ports, floats floats) translate.Routing { return site.Routing(ports, floats, true, was) })
			ok := read(t, all, func(_ ports, floats floats) bool {
				before, ok := r.Float(changed, floats)
				if !ok {
					require.Equal(t, wants, r.Wants)
					require.Equal(t, parts, r.Parts)
					require.Equal(t, was, r.Holds)
					return false
				}
				for source, objs := range r.Wants {
					if _, said := before.Wants[source]; !said {
						require.Equal(t, wants[source], objs, "what changes is said")
					}
				}
				for source, objs := range before.Wants {
					require.Equal(t, wants[source], objs, "as it was")
				}
				for name, p := range before.Parts {
					require.Equal(t, parts[name], p, "as it was")
				}
				return true
			})
			if !ok {
				r = full
				continue
			}
			alone++
			require.Equal(t, mute(full), mute(r))
		}
	})
	require.NotZero(t, alone)
}

type (
	ports  = map[string]translate.RouterPort
	floats = map[string]translate.FloatingIP
)

func read[T any](t require.TestingT, k keys, what func(ports, floats) T) T {
	p, f := ports{}, floats{}
	for name, value := range k {
		var err error
		if translate.IsFloatingIP(name) {
			f[name], err = site.FloatingIP(name, value)
		} else {
			p[name], err = site.RouterPort(name, value)
		}
		require.NoError(t, err, name)
	}
	return what(p, f)
}

// mute is outcome without words: in what words something is refused, depends on who came first.
func mute(r translate.Routing) translate.Routing {
	r = outcome(r)
	r.Parts = maps.Clone(r.Parts)
	for name, p := range r.Parts {
		for _, err := range []*error{&p.Wrong, &p.Lacks} {
			if *err != nil {
				*err = errors.New("something")
			}
		}
		r.Parts[name] = p
	}
	return r
}
