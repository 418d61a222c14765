// SPDX-License-Identifier: Apache-2.0

package nat64_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat64"
	"github.com/vppkit/vppkit/vppnet"
)

// A tenant's hosts, which have only IPv6, speak to IPv4, and one serves it.
func Example() {
	pool := netip.MustParsePrefix("203.0.113.0/24")
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		var sizes nat64.Sizes // VPP's
		return []desiredstate.AnyKind{
			vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c),
			nat64.Interfaces(c, sizes), nat64.Addresses(c, pool), nat64.Prefixes(c), nat64.Mappings(c, sizes, pool), nat64.AllTimeouts(c),
		}
	},
		vppnet.Loopback{Name: "lan"}, vppnet.Loopback{Name: "wan"}, // real ones would be NICs
		l3.Table{Name: "tenant", ID: 7}, l3.Membership{Interface: "lan", Table: "tenant"},
		nat64.Interface{Interface: "lan", Table: "tenant", Inside: true},
		nat64.Interface{Interface: "wan"},
		nat64.Prefix{Table: "tenant", Prefix: netip.MustParsePrefix("64:ff9b::/96")},
		nat64.Address{Address: netip.MustParseAddr("203.0.113.5")},
		nat64.Mapping{
			Table: "tenant", Local: netip.MustParseAddr("fd00::10"), External: netip.MustParseAddr("203.0.113.6"),
			Protocol: nat64.TCP, LocalPort: 8080, ExternalPort: 80,
		},
		nat64.Timeouts{ICMP: 10 * time.Second},
	)

	// Output:
	// + interface/lan (loopback)
	// + interface/wan (loopback)
	// + nat64-address/203.0.113.5
	// + nat64-interface/lan
	// + nat64-interface/wan
	// + nat64-mapping/tenant fd00::10 tcp 8080
	// + nat64-prefix/tenant
	// + nat64-timeouts/nat64
	// + table/tenant
	// + table-member/lan
	// 10 to create
	// error: <nil>
}

func ExampleRange() {
	for _, a := range nat64.Range(netip.MustParseAddr("203.0.113.254"), netip.MustParseAddr("203.0.114.1")) {
		fmt.Println(a.Key())
	}

	// Output:
	// nat64-address/203.0.113.254
	// nat64-address/203.0.113.255
	// nat64-address/203.0.114.0
	// nat64-address/203.0.114.1
}
