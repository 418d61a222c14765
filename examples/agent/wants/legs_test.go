// SPDX-License-Identifier: Apache-2.0

package wants

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
)

// A router that comes to be in a second subnet of a network by the port that it has there stays in the first, though the
// driver describes the second from then on.
func TestALegKeepsASubnetThatIsDescribedNoMore(t *testing.T) {
	const one, two = "2001:db8:1::1", "2001:db8:2::1"
	value := func(addrs ...string) []byte {
		var fixed string
		for _, a := range addrs {
			fixed += fmt.Sprintf(`,{"subnet_id":"of %s","ip_address":%q}`, a, a)
		}
		return fmt.Appendf(nil, `{"loopback_mac":"fa:16:3e:02:00:01","vrf_id":1,"mtu":1500,"physnet":"physext","net_type":"vlan","segmentation_id":101,`+
			`"gateway_ip":%q,"prefixlen":64,"is_ipv6":true,"fixed_ips":[%s]}`, addrs[0], fixed[1:])
	}
	b := newRouters(host, desiredstate.NewStore(), nil)
	b.put(exit, value(one), nil, true)
	b.put(exit, value(two, one), nil, true)
	b.work()
	require.NoError(t, b.now.Parts[exit].Lacks)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix(two + "/64"), netip.MustParsePrefix(one + "/64")}, b.ports[exit].Addrs)
	b.put(exit, value(two), nil, true)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix(two + "/64")}, b.ports[exit].Addrs)
}
