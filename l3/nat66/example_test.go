// SPDX-License-Identifier: Apache-2.0

package nat66_test

import (
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat66"
	"github.com/vppkit/vppkit/vppnet"
)

// A host with a private address has a public one.
func Example() {
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{vppnet.Loopbacks(c), l3.Tables(c), nat66.Interfaces(c), nat66.Mappings(c)}
	},
		vppnet.Loopback{Name: "lan"}, vppnet.Loopback{Name: "wan"}, // a real one would be a NIC
		l3.Table{Name: "tenant", ID: 7},
		nat66.Interface{Interface: "lan", Inside: true},
		nat66.Interface{Interface: "wan"},
		nat66.Mapping{Table: "tenant", Local: netip.MustParseAddr("fd00::10"), External: netip.MustParseAddr("2001:db8::10")},
	)

	// Output:
	// + interface/lan (loopback)
	// + interface/wan (loopback)
	// + nat66-interface/lan
	// + nat66-interface/wan
	// + nat66-mapping/tenant fd00::10
	// + table/tenant
	// 6 to create
	// error: <nil>
}
