// SPDX-License-Identifier: Apache-2.0

package l3_test

import (
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/vppnet"
)

// A host that does not answer for itself.
func ExampleNeighbours() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.Addresses(c), l3.Neighbours(c)}
	},
		vppnet.Loopback{Name: "lan"},
		l3.Address{Interface: "lan", Prefix: netip.MustParsePrefix("10.0.0.1/24")},
		l3.Neighbour{Interface: "lan", IP: netip.MustParseAddr("10.0.0.9"), MAC: vppnet.MAC{2, 0, 0, 0, 0, 9}},
	)

	// Output:
	// + address/lan 10.0.0.1/24
	// + interface/lan (loopback)
	// + neighbour/lan 10.0.0.9
	// 3 to create
	// error: <nil>
}

// VPP answers ARP for hosts that are elsewhere.
func ExampleProxyARPs() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.Tables(c), l3.Memberships(c), l3.ProxyARPRanges(c), l3.ProxyARPs(c)}
	},
		vppnet.Loopback{Name: "lan"},
		l3.Table{Name: "tenant"},
		l3.Membership{Interface: "lan", Table: "tenant"},
		l3.ProxyARPRange{Table: "tenant", Low: netip.MustParseAddr("10.0.0.100"), High: netip.MustParseAddr("10.0.0.199")},
		l3.ProxyARP{Interface: "lan"},
	)

	// Output:
	// + interface/lan (loopback)
	// + proxy-arp/lan
	// + proxy-arp-range/tenant 10.0.0.100-10.0.0.199
	// + table/tenant
	// + table-member/lan
	// 5 to create
	// error: <nil>
}

// Hosts make addresses of their own in a prefix, and have VPP as their default router.
func ExampleRouterAdvertisements() {
	prefix := netip.MustParsePrefix("2001:db8::1/64")
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.Addresses(c), l3.RouterAdvertisements(c)}
	},
		vppnet.Loopback{Name: "lan"},
		l3.Address{Interface: "lan", Prefix: prefix},
		l3.RouterAdvertisement{Interface: "lan", Address: prefix, Prefixes: []l3.AdvertisedPrefix{{Prefix: prefix.Masked()}}},
	)

	// Output:
	// + address/lan 2001:db8::1/64
	// + interface/lan (loopback)
	// + router-advertisement/lan
	// 3 to create
	// error: <nil>
}

// A link to one neighbour has no address of its own to spare.
func ExampleUnnumbereds() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.Addresses(c), l3.Unnumbereds(c)}
	},
		vppnet.Loopback{Name: "router"}, vppnet.Loopback{Name: "link"},
		l3.Address{Interface: "router", Prefix: netip.MustParsePrefix("192.0.2.1/32")},
		l3.Unnumbered{Interface: "link", Lender: "router"},
	)

	// Output:
	// + address/router 192.0.2.1/32
	// + interface/link (loopback)
	// + interface/router (loopback)
	// + unnumbered/link
	// 4 to create
	// error: <nil>
}

// Requests for addresses go to a server in another table.
func ExampleDHCPRelays() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{l3.Tables(c), l3.DHCPRelays(c)}
	},
		l3.Table{Name: "tenant"}, l3.Table{Name: "services"},
		l3.DHCPRelay{
			Table: "tenant", Source: netip.MustParseAddr("10.0.0.1"),
			Servers: []l3.DHCPServer{{Addr: netip.MustParseAddr("192.0.2.67"), Table: "services"}},
		},
	)

	// Output:
	// + dhcp-relay/tenant ipv4
	// + table/services
	// + table/tenant
	// 3 to create
	// error: <nil>
}
