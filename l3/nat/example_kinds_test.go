// SPDX-License-Identifier: Apache-2.0

package nat_test

import (
	"net/netip"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/internal/kindrig"
	"github.com/vppkit/vppkit/l3"
	"github.com/vppkit/vppkit/l3/nat"
	"github.com/vppkit/vppkit/vppnet"
)

// A tenant's packets leave by the table of the external network; one host keeps its address.
func ExampleExits() {
	const variant = nat.EndpointDependent
	kindrig.DryRun(func(c *vppnet.Conn) []desiredstate.AnyKind {
		return []desiredstate.AnyKind{l3.Tables(c), nat.Plugins(c, variant), nat.Exits(c), nat.Identities(c, variant)}
	},
		l3.Table{Name: "tenant"}, l3.Table{Name: "external"},
		nat.Plugin{},
		nat.Exit{Table: "tenant", To: []string{"external"}},
		nat.Identity{Name: "printer", Table: "tenant", Address: netip.MustParseAddr("10.0.0.9")},
	)

	// Output:
	// + nat/nat44
	// + nat-exit/tenant
	// + nat-identity/printer
	// + table/external
	// + table/tenant
	// 5 to create
	// error: <nil>
}
