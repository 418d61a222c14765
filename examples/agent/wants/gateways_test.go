// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// exit is the key of a router's side of an external network.
const exit = "00000000-0000-4000-8000-000000000001/00000000-0000-4000-8000-000000000100"

const (
	four, six = "203.0.113.101/24", "2001:db8:f::101/64"
	by4, by6  = "203.0.113.1", "2001:db8:f::1"
)

var host = translate.Site{Host: "net1", Physnets: map[string]string{"physext": "GigabitEthernet0/8/0"}, Dir: "/run/vms"}

// gateway is a value of that key, by which one next hop is known; "": none, which the driver writes as null.
func gateway(next string, addrs ...string) string {
	var list []string
	for _, a := range addrs {
		p := netip.MustParsePrefix(a)
		list = append(list, fmt.Sprintf("[%q,%d,%v]", p.Addr(), p.Bits(), p.Addr().Is6()))
	}
	by := "null"
	if next != "" {
		by = fmt.Sprintf("%q", next)
	}
	return fmt.Sprintf(`{"id":"r1","name":"r","admin_state_up":true,"external_gateway_info":{"network_id":"x","enable_snat":true,`+
		`"external_fixed_ips":[]},"gw_port_id":"g","vrf_id":1,"external_physnet":"physext","external_segmentation_id":50,`+
		`"external_net_type":"vlan","mtu":1500,"loopback_mac":"fa:16:3e:02:00:01","gateways":[%s],"external_gateway_ip":%s}`,
		strings.Join(list, ","), by)
}

// A key that a whole list lacks was perhaps lost: it is held back as all that is, not deleted
// in due time.
func TestAGatewayThatIsInNoListDoesNotLinger(t *testing.T) {
	b := newRouters(host, desiredstate.NewStore(), nil)
	b.linger = time.Hour
	value := gateway(by4, four)
	b.put(exit, []byte(value), nil, true)
	require.Contains(t, b.ports, exit)
	b.put(exit, nil, nil, false)
	require.Contains(t, b.ports, exit)
	b.listed(map[string][]byte{}, nil)
	require.NotContains(t, b.ports, exit)
	require.NotZero(t, b.missed)
	require.False(t, b.lapse(time.Now().Add(2*time.Hour)))
}

// Whatever is said of a gateway, one that serves has no family less before its time; then it is
// what was said last, and no value of its key names another next hop than it.
func TestAnySequenceOfAGateway(t *testing.T) {
	values := map[string]string{
		"": "", "6": gateway(by6, six), "4": gateway(by4, four), "64": gateway(by4, six, four), "46": gateway(by6, four, six),
		"6 other": gateway(by6, "2001:db8:f::109/64"), "64 other": gateway(by4, "2001:db8:f::109/64", "203.0.113.109/24"), "4 null": gateway("", four),
	}
	families := func(p translate.RouterPort) (out [2]bool) {
		for _, a := range p.Addrs {
			out[a.Addr().BitLen()/128] = true
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		r := newRouters(host, desiredstate.NewStore(), nil)
		r.linger = time.Hour
		last, now := "", time.Now()
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			before := r.ports[exit]
			if rapid.IntRange(0, 4).Draw(t, "time passes") == 0 {
				now = now.Add(2 * time.Hour)
				r.lapse(now)
				require.Empty(t, r.later)
			} else {
				last = rapid.SampledFrom(slices.Sorted(maps.Keys(values))).Draw(t, "value")
				r.put(exit, []byte(values[last]), nil, last != "")
				had, has := families(before), families(r.ports[exit])
				require.False(t, had[0] && !has[0] || had[1] && !has[1], "a family less at once")
			}
			for _, next := range r.ports[exit].Next {
				require.Contains(t, []string{by4, by6}, next.String())
			}
		}
		r.lapse(now.Add(2 * time.Hour))
		is, there := r.ports[exit]
		require.Equal(t, last != "", there)
		if there {
			want, err := host.RouterPort(exit, []byte(values[last]))
			require.NoError(t, err)
			require.Equal(t, want.Addrs, is.Addrs)
			require.Subset(t, is.Next, want.Next)
			if last == "4 null" {
				require.Empty(t, is.Next)
			}
		}
	})
}
